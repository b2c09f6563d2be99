"""`opsdeck approvals` in a workspace that has an AWS account beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.aws.account import Account
from core.aws.context import AwsContext, add_context
from core.simulated.server import SimulatedAccount
from tests.console.conftest import Cli
from tests.support import asking


@pytest.fixture
def beside(
    workspace: Path,
    account: Account,
    aws: SimulatedAccount,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The workspace, whose file names the simulated account."""
    monkeypatch.setenv("OPSDECK_CONFIG_DIR", str(tmp_path / "config"))
    add_context(AwsContext("ml-staging", region=account.region, endpoint_url=aws.endpoint_url))
    with (workspace / "opsdeck.yaml").open("a") as file:
        file.write("\naws: {context: ml-staging}\n")
    return workspace


def test_both_are_listed_shown_and_decided(
    beside: Path, account: Account, aws: SimulatedAccount, cli: Cli
) -> None:
    version = f"version:{asking.register(account)}"
    execution = asking.pipeline(account, aws)
    own = {each["id"] for each in cli("approvals", "list", "--json").json()["approvals"]}
    listed = cli("approvals", "list", "--aws", "--json").json()["approvals"]
    waits = f"pipeline:deliver/Approve/decide/{execution}"
    assert {each["id"] for each in listed} == own | {version, waits}
    table = cli("approvals", "list", "--aws").out
    assert "version:demand/1" in table and "codepipeline" in table

    shown = cli("approvals", "show", version)
    assert shown.status == 0
    assert "mae" in shown.out and "registry" in shown.out
    wrong = cli("approvals", "approve", version, "--evidence", "0" * 64)
    assert wrong.status != 0 and "the evidence is" in wrong.err
    done = cli("approvals", "approve", version, "-m", "beats it")
    assert done.out.strip() == "approval version:demand/1 of demand version 1: approved"
    assert cli("approvals", "reject", waits, "-m", "not today").status == 0
    left = cli("approvals", "list", "--aws", "--json").json()["approvals"]
    assert {each["id"] for each in left} == own


def test_our_own_stay_when_the_account_cannot_be_read(
    beside: Path, aws: SimulatedAccount, cli: Cli
) -> None:
    own = cli("approvals", "list", "--json").json()["approvals"]
    aws.fault("*", "AccessDeniedException", times=99)
    both = cli("approvals", "list", "--aws")
    assert both.status == 0
    assert "AWS: " in both.err
    aws.fault("*", "AccessDeniedException", times=99)
    assert cli("approvals", "list", "--aws", "--json").json()["approvals"] == own


def test_a_workspace_without_an_account_says_how_to_name_one(workspace: Path, cli: Cli) -> None:
    for words in (("list", "--aws"), ("show", "version:demand/1")):
        refused = cli("approvals", *words)
        assert refused.status == 2
        assert "opsdeck.yaml names no AWS account" in refused.err


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("aws: 3", "aws: must be a mapping"),
        ("aws: {region: eu-west-1}", "aws.context: is missing"),
        ("aws: {context: [a]}", "aws.context: must be text"),
        ("aws: {contxt: a}", "unknown key aws.contxt"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(
    workspace: Path, cli: Cli, line: str, says: str
) -> None:
    with (workspace / "opsdeck.yaml").open("a") as file:
        file.write(f"\n{line}\n")
    refused = cli("approvals", "list")
    assert refused.status == 2
    assert says in refused.err
