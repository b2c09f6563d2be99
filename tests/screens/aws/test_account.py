"""The console on the simulated account over HTTP: what is refused, and what is never sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.aws.account import Account
from core.aws.calls import writes
from core.aws.context import AwsContext
from core.errors import OpsdeckError, ReadOnly
from screens.aws.offered import verbs_of
from tests.support.driving import opened, settled, shown, until
from tests.support.looking import press

pytestmark = pytest.mark.usefixtures("config")
NAMES = ("bike-demand", "churn")


@pytest.fixture
def endpoints(client: Any) -> tuple[str, ...]:
    """Two endpoints in service, or on their way."""
    sagemaker = client("sagemaker")
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/model:1"
    sagemaker.create_model(
        ModelName="model",
        PrimaryContainer={"Image": image},
        ExecutionRoleArn="arn:aws:iam::123456789012:role/service-role/sagemaker",
    )
    variant = {
        "VariantName": "all", "ModelName": "model", "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }  # fmt: skip
    sagemaker.create_endpoint_config(EndpointConfigName="one", ProductionVariants=[variant])
    for name in NAMES:
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName="one")
    return NAMES


def changes(aws: Any) -> list[str]:
    """The operations that reached the simulated account and change something."""
    return [call.operation for call in aws.calls if writes(call.operation)]


async def test_endpoints_are_listed_and_described(
    on_aws: Any, account: Account, endpoints: Any
) -> None:
    async with on_aws(account, "deploys") as pilot:
        screen = pilot.app.mode_screen
        kind, details = screen.kind, screen.backend.details
        await until(pilot, lambda: screen.item is not None)
        await until(pilot, lambda: details.known(kind.name, screen.item.id) is not None)
        await settled(pilot)
        text = shown(pilot)
        assert all(name in text for name in NAMES)
        assert "SIMULATED" in text
        assert "123456789012 eu-west-1" in text


async def test_a_read_only_console_sends_no_change(
    on_aws: Any, aws: Any, account: Account, endpoints: Any
) -> None:
    reading = Account(account.context, read_only=True, attempts=1)
    before = changes(aws)
    async with on_aws(reading, "deploys") as pilot:
        screen = pilot.app.mode_screen
        await until(pilot, lambda: screen.item is not None)
        for key in ("x", "R", "w", "u", "s", "n"):
            await press(pilot, key)
            assert pilot.app.screen is screen, f"{key} has opened a dialog"
        for verb in (*verbs_of(screen.kind, reading), *screen.kind.create):
            values = {field.name: field.default or "1" for field in verb.fields}
            if verb.operations != ("sagemaker:InvokeEndpoint",):  # asking for one reads
                with pytest.raises(OpsdeckError):
                    verb.do(reading, screen.item.id, values)
        with pytest.raises(ReadOnly):
            reading.call("sagemaker", "delete_endpoint", EndpointName="churn")
    assert changes(aws) == before


async def test_what_is_denied_names_action_and_resource_and_the_rest_goes_on(
    on_aws: Any, aws: Any, account: Account, endpoints: Any
) -> None:
    aws.fault("sagemaker:ListEndpoints", "AccessDeniedException", times=1000)
    async with on_aws(account, "deploys", (120, 40)) as pilot:
        text = shown(pilot)
        assert "E701" in text
        assert "sagemaker:ListEndpoints" in text
        await press(pilot, "tab")
        await until(pilot, lambda: "one" in shown(pilot))
        assert "may not" not in shown(pilot)


async def test_throttling_is_told_and_over_once_it_is_over(
    on_aws: Any, aws: Any, account: Account, endpoints: Any
) -> None:
    async with on_aws(account, "deploys") as pilot:
        await until(pilot, lambda: "churn" in shown(pilot))
        aws.fault("sagemaker:List*", "ThrottlingException", times=3)
        await settled(pilot)
        await until(pilot, lambda: "E704" in shown(pilot))
        assert "churn" in shown(pilot), "what was known stays"
        for _ in range(4):
            await settled(pilot)
        assert "E704" not in shown(pilot)


async def test_credentials_that_expire_while_one_looks(
    on_aws: Any, aws: Any, account: Account, endpoints: Any
) -> None:
    async with on_aws(account, "deploys") as pilot:
        await until(pilot, lambda: "churn" in shown(pilot))
        aws.fault("*", "ExpiredTokenException", times=1000)
        await settled(pilot)
        await until(pilot, lambda: "E702" in shown(pilot))
        assert "aws sso login" in shown(pilot)
        assert "churn" in shown(pilot), "what was known stays"
        before = account.session
        aws.world.faults.clear()
        await press(pilot, "r")
        await settled(pilot)
        assert "E702" not in shown(pilot)
        assert account.session is not before, "the credentials were taken anew"


async def test_no_region_says_how_to_name_one(
    on_aws: Any, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    nowhere = Account(AwsContext("nowhere", endpoint_url=aws.endpoint_url), attempts=1)
    async with on_aws(nowhere, "deploys") as pilot:
        text = shown(pilot)
        assert "no region is set" in text
        assert "--region" in text


async def test_an_address_where_nobody_answers(on_aws: Any, account: Account) -> None:
    context = replace(account.context, endpoint_url="http://127.0.0.1:9")
    async with on_aws(Account(context, attempts=1), "deploys") as pilot:
        await until(pilot, lambda: "E708" in shown(pilot), 20)


async def test_the_calls_of_the_session_are_listed_changes_marked(
    on_aws: Any, aws: Any, account: Account, endpoints: Any
) -> None:
    async with on_aws(account, "deploys") as pilot:
        await until(pilot, lambda: "churn" in shown(pilot))
        account.call("sagemaker", "delete_model", ModelName="model")
        await press(pilot, "6")
        await settled(pilot)
        text = shown(pilot)
        assert "sagemaker:ListEndpoints" in text
        assert "read" in text
        await press(pilot, "slash", *"change", "enter")
        assert "sagemaker:DeleteModel" in shown(pilot)
        assert "1 of" in shown(pilot)


async def test_deleting_needs_the_name_and_is_sent_once(
    on_aws: Any, aws: Any, account: Account, endpoints: Any
) -> None:
    from screens.dialogs.confirm import Sign

    async with on_aws(account, "deploys") as pilot:
        screen = pilot.app.mode_screen
        await until(pilot, lambda: screen.item is not None)
        name = screen.item.id
        aws.advance(3600)
        await settled(pilot)
        await press(pilot, "x")
        await opened(pilot, Sign)
        text = shown(pilot)
        assert "123456789012" in text
        assert "eu-west-1" in text
        await press(pilot, "ctrl+s")
        assert isinstance(pilot.app.screen, Sign), "without the name it is not done"
        await press(pilot, *name, "ctrl+s")
        await until(pilot, lambda: "DeleteEndpoint" in changes(aws))
        await settled(pilot)
    assert changes(aws).count("DeleteEndpoint") == 1
