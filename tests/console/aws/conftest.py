"""Contexts of one's own, and one that is the simulated account."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.aws.context import AwsContext, add_context
from core.simulated.server import REGION, SimulatedAccount


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty configuration folder, no profile, no credentials."""
    monkeypatch.setenv("OPSDECK_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    for name in (
        "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_DEFAULT_REGION", "OPSDECK_CONTEXT",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "config"


@pytest.fixture
def sim(aws: SimulatedAccount, config: Path) -> SimulatedAccount:
    """The simulated account as the context `sim`."""
    add_context(AwsContext("sim", region=REGION, endpoint_url=aws.endpoint_url))
    return aws
