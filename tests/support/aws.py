"""Fixtures of everything that runs against the simulated account.

`aws` is the account itself (clock, faults, recorded calls), empty at the start of each test;
`account` is core.aws' way of reaching it; `client(service)` a plain boto3 client. The server
is started once a process, since loading the service models takes longer than a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from core.aws.account import Account
    from core.simulated.server import SimulatedAccount


@pytest.fixture(scope="session")
def _aws_server() -> Iterator[SimulatedAccount]:
    from core.simulated.server import SimulatedAccount

    with SimulatedAccount.start() as account:
        yield account


@pytest.fixture
def aws(
    _aws_server: SimulatedAccount, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SimulatedAccount]:
    """An empty simulated account, and an environment in which only it can be reached."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "simulated")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    _aws_server.reset()
    yield _aws_server
    _aws_server.world.faults.clear()


@pytest.fixture
def account(aws: SimulatedAccount) -> Account:
    """core.aws' account on the simulated one; a failed call is not tried again."""
    from core.aws.account import Account
    from core.aws.context import AwsContext
    from core.simulated.server import REGION

    context = AwsContext("simulated", region=REGION, endpoint_url=aws.endpoint_url)
    return Account(context, attempts=1)


@pytest.fixture
def client(aws: SimulatedAccount) -> Callable[[str], Any]:
    """A boto3 client of a service of the simulated account; nothing is tried again."""
    import boto3
    from botocore.config import Config

    from core.simulated.server import REGION

    made: dict[str, Any] = {}

    def of(service: str) -> Any:
        if service not in made:
            made[service] = boto3.client(
                service,
                endpoint_url=aws.endpoint_url,
                region_name=REGION,
                config=Config(retries={"total_max_attempts": 1}),
            )
        return made[service]

    return of
