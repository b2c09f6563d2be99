"""An unmodified client of SageMaker's runtime against our endpoint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from core.serving import EndpointControl

BODY = json.dumps({"instances": [{"hour": 8, "temp": 0.5, "hum": 0.25}]}).encode()


@pytest.fixture
def client(endpoint: EndpointControl, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    info = endpoint.info()
    assert info is not None
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    session = boto3.session.Session(
        aws_access_key_id="nobody", aws_secret_access_key="nothing", region_name="eu-central-1"
    )
    found = session.client(
        "sagemaker-runtime", endpoint_url=info.url, config=Config(retries={"total_max_attempts": 1})
    )
    yield found
    found.close()


def invoke(client: Any, body: bytes = BODY, **arguments: Any) -> Any:
    return client.invoke_endpoint(
        **{"EndpointName": "bike", "ContentType": "application/json", "Body": body, **arguments}
    )


def test_an_answer_says_who_gave_it(client: Any, endpoint: EndpointControl) -> None:
    reply = invoke(client, InferenceId="order-7")
    expected = json.loads(endpoint.invoke(BODY).body)
    assert json.loads(reply["Body"].read()) == expected
    assert (reply["ContentType"], reply["InvokedProductionVariant"]) == ("application/json", "r1")
    csv = invoke(client, b"hour,temp,hum\n8,0.5,0.25\n", ContentType="text/csv")
    assert json.loads(csv["Body"].read()) == expected
    untyped = client.invoke_endpoint(EndpointName="bike", Body=BODY)
    assert json.loads(untyped["Body"].read()) == expected


def test_sessions_stay_and_targets_are_met(client: Any, endpoint: EndpointControl) -> None:
    endpoint.set_table({1: 50, 2: 50})
    seen = set()
    for number in range(30):
        session = f"user-{number}"
        variants = {invoke(client, SessionId=session)["InvokedProductionVariant"] for _ in range(3)}
        assert len(variants) == 1
        seen |= variants
    assert seen == {"r1", "r2"}
    for target in ("r1", "r2"):
        assert invoke(client, TargetVariant=target)["InvokedProductionVariant"] == target
    fresh = {invoke(client, SessionId="NEW_SESSION")["NewSessionId"] for _ in range(3)}
    assert len(fresh) == 3


@pytest.mark.parametrize(
    ("body", "arguments", "code", "status", "original"),
    [
        (b"{", {}, "ModelError", 424, 400),
        (b"x", {"ContentType": "application/x-parquet"}, "ModelError", 424, 415),
        (BODY, {"TargetVariant": "r9"}, "ValidationError", 400, None),
        (BODY, {"EndpointName": "other"}, "ValidationError", 404, None),
    ],
)
def test_errors_are_those_of_sagemaker(
    client: Any, body: bytes, arguments: Any, code: str, status: int, original: int | None
) -> None:
    with pytest.raises(ClientError) as caught:
        invoke(client, body, **arguments)
    response: Any = caught.value.response
    assert response["Error"]["Code"] == code
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert response["Error"]["Message"] and "\n" not in response["Error"]["Message"]
    assert response.get("OriginalStatusCode") == original
    if code == "ModelError":
        assert isinstance(caught.value, client.exceptions.ModelError)
        assert response["OriginalMessage"] == response["Error"]["Message"]


def test_a_model_that_raises_is_a_model_error(client: Any, endpoint: EndpointControl) -> None:
    endpoint.set_table({4: 100})
    with pytest.raises(client.exceptions.ModelError) as caught:
        invoke(client, b'{"inputs": {"x": [-1]}}')
    assert caught.value.response["OriginalStatusCode"] == 500
    assert "RuntimeError: secret" in str(caught.value)


def test_a_token_goes_in_by_an_event(client: Any, endpoint: EndpointControl) -> None:
    token = "only-for-this-test"
    before = endpoint.config()
    digest = hashlib.sha256(token.encode()).hexdigest()
    endpoint.configure(replace(before, token_sha256=digest))
    try:
        with pytest.raises(ClientError) as caught:
            invoke(client)
        assert caught.value.response["Error"]["Code"] == "AccessDeniedException"

        def bearer(request: Any, **_: Any) -> None:
            request.headers["Authorization"] = f"Bearer {token}"

        client.meta.events.register("before-send.sagemaker-runtime", bearer)
        assert invoke(client)["InvokedProductionVariant"] == "r1"
        assert endpoint.invoke(BODY).status == 401
    finally:
        endpoint.configure(before)
    assert endpoint.invoke(BODY).status == 200
