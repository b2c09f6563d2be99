"""`opsdeck contexts`, and which account a command is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from console.contexts import context_of
from console.session import Session
from core.errors import BadInput


def test_a_context_is_written_shown_listed_and_removed(cli: Any, config: Path) -> None:
    role = "arn:aws:iam::123456789012:role/reader"
    made = cli("contexts", "add", "ml", "--profile", "work", "--region", "eu-west-1",
               "--role", role, "--environment", "production", "--always-read-only")  # fmt: skip
    assert made.status == 0, made.err
    assert str(config / "contexts.yaml") in made.out
    shown = cli("contexts", "show", "ml", "--json").json()
    assert shown["role_arn"] == role
    assert shown["read_only"] is True
    listed = cli("contexts", "list", "--json").json()["contexts"]
    assert [each["name"] for each in listed] == ["ml"]
    again = cli("contexts", "add", "ml")
    assert again.status == 2
    assert "--replace" in again.err
    assert cli("contexts", "remove", "ml").status == 0
    assert cli("contexts", "list").out.startswith("no contexts")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--region", "nowhere"], "nowhere is no region"),
        (["--role", "admin"], "is no role's ARN"),
    ],
)
def test_what_cannot_be_a_context_is_refused(cli: Any, args: list[str], said: str) -> None:
    refused = cli("contexts", "add", "ml", *args)
    assert refused.status == 2
    assert said in refused.err
    assert cli("contexts", "list", "--json").json() == {"contexts": []}


def test_profiles_are_contexts(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "aws-config").write_text("[default]\nregion=eu-west-1\n[profile ml]\n")
    names = [each["name"] for each in cli("contexts", "list", "--json").json()["contexts"]]
    assert names == ["aws:default", "aws:ml"]


def test_which_account_a_command_is_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Any
) -> None:
    with pytest.raises(BadInput, match="which AWS account"):
        context_of(Session())
    cli("contexts", "add", "only")
    assert context_of(Session()).name == "only"
    (tmp_path / "aws-config").write_text("[default]\n[profile ml]\n")
    assert context_of(Session()).name == "aws:default"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    assert context_of(Session()).profile == ""
    monkeypatch.setenv("AWS_PROFILE", "ml")
    assert context_of(Session()).profile == "ml"
    monkeypatch.setenv("OPSDECK_CONTEXT", "only")
    assert context_of(Session()).name == "only"
    assert context_of(Session(context="aws:ml", region="us-east-1")).region == "us-east-1"


def test_check_says_who_one_is_and_what_answers(cli: Any, sim: Any) -> None:
    checked = cli("contexts", "check", "sim", "--json").json()
    checks = {check["what"]: check for check in checked["checks"]}
    assert checks["identity"]["found"].endswith("in account 123456789012")
    assert checks["region"]["found"] == "eu-west-1"
    assert checks["clock"]["ok"]
    assert checks["sagemaker"]["ok"]


def test_check_says_what_is_missing(cli: Any, sim: Any) -> None:
    sim.fault("glue:GetDatabases", "AccessDeniedException", times=1000)
    checked = cli("contexts", "check", "sim")
    assert checked.status == 1
    assert "glue not well" in checked.out
    assert "glue:GetDatabases" in checked.out
    sim.world.faults.clear()
    sim.fault("sts:*", "ExpiredToken", times=1000)
    expired = cli("contexts", "check", "sim", "--json")
    assert expired.status == 1
    checks = expired.json()["checks"]
    assert [check["what"] for check in checks if not check["ok"]] == ["identity"]
    assert "aws sso login" in checks[-1]["hint"]


@pytest.mark.parametrize("option", [["--context", "sim"], ["--region", "eu-west-1"]])
def test_a_command_about_a_workspace_says_what_to_use_instead(
    cli: Any, workspace: Path, option: list[str]
) -> None:
    refused = cli(*option, "runs", "list")
    assert refused.status == 2
    assert f"runs list: is about a workspace, and {option[0]} names an AWS account" in refused.err
    assert "aws kinds" in refused.err


def test_without_boto3_it_says_what_to_install(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("contexts", "add", "ml", "--region", "eu-west-1")
    monkeypatch.setattr("console.contexts.importlib.util.find_spec", lambda _name: None)
    for args in (["aws", "list", "endpoints"], ["contexts", "check"], ["demo", "--aws"]):
        refused = cli("--context", "ml", *args)
        assert refused.status == 4
        assert 'pip install "opsdeck[aws' in refused.err
        assert len(refused.err.strip().splitlines()) <= 3
