"""Managed MLflow by its ARN: where requests go, what they carry, and that they are signed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from core.errors import BadInput, TrackingUnavailable
from core.tracking import open_reader
from core.tracking._sagemaker import SignedHttp

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "not-a-real-secret"
SERVER = "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/team"
APP = "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-app/app-ABC123"
HEADERS = {SERVER: "x-mlflow-sm-tracking-server-arn", APP: "x-sm-mlflow-app-arn"}
SERVICES = {SERVER: "sagemaker-mlflow", APP: "sagemaker"}


class Managed(BaseHTTPRequestHandler):
    """Answers only what is signed as AWS would sign it."""

    seen: list[dict[str, str]]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append(dict(self.headers.items()))  # type: ignore[attr-defined]
        good = self._signature(body) in self.headers.get("Authorization", "")
        text = json.dumps({"runs": [], "experiments": []} if good else {"message": "not signed"})
        self.send_response(200 if good else 403)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = _answer  # noqa: N815  # http.server asks for these names

    def _signature(self, body: bytes) -> str:
        """What botocore comes to over the headers that the request says it has signed."""
        given = self.headers.get("Authorization", "")
        if "SignedHeaders=" not in given:
            return "nothing"
        signed = given.split("SignedHeaders=")[1].split(",")[0].split(";")
        _, _, region, service, _ = given.split("Credential=")[1].split(",")[0].split("/")
        headers = {name: self.headers[name] for name in signed if name != "host"}
        url = f"http://{self.headers['Host']}{self.path}"
        request = AWSRequest(self.command, url, headers=headers, data=body or None)
        request.context["timestamp"] = self.headers["X-Amz-Date"]
        auth = SigV4Auth(Credentials(KEY, SECRET), service, region)
        canonical = auth.canonical_request(request)
        return str(auth.signature(auth.string_to_sign(request, canonical), request))

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def managed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, str]]]:
    """The headers of the requests that arrived."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Managed)
    server.seen = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT", url)
    yield server.seen  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("arn", [SERVER, APP])
def test_requests_are_signed_and_name_what_they_are_for(
    managed: list[dict[str, str]], arn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "of another server")
    client = SignedHttp(arn)
    query = {"max_results": 5, "filter": "name = 'a b/c+d'"}
    assert client.request("GET", "/api/2.0/mlflow/experiments/search", query=query) is not None
    assert client.request("POST", "/api/2.0/mlflow/runs/search", body={"experiment_ids": ["1"]})
    client.close()
    assert len(managed) == 2
    for each in managed:
        assert each[HEADERS[arn]] == arn
        assert f"/eu-west-1/{SERVICES[arn]}/aws4_request" in each["Authorization"]
        assert "of another server" not in str(each)


def test_a_wrong_key_is_told_in_one_line(
    managed: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    reader = open_reader(SERVER)
    with pytest.raises(TrackingUnavailable, match="not signed") as raised:
        reader.registered_models()
    reader.close()
    assert "\n" not in raised.value.message


def test_the_hosts_are_those_of_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT", raising=False)
    assert SignedHttp(SERVER)._root == "https://eu-west-1.experiments.sagemaker.aws"
    assert SignedHttp(APP)._root == "https://mlflow.sagemaker.eu-west-1.app.aws"


@pytest.mark.parametrize(
    "arn", ["arn:aws:s3:::bucket", "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/bike", "arn:"]
)
def test_the_arn_of_something_else_is_refused(arn: str) -> None:
    with pytest.raises(BadInput, match="is no managed MLflow"):
        open_reader(arn)


def test_without_credentials_it_says_how_to_sign_in(
    managed: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    reader = open_reader(SERVER)
    with pytest.raises(TrackingUnavailable, match="no AWS credentials were found"):
        reader.registered_models()
    reader.close()
    assert managed == []
