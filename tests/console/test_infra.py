"""`opsdeck infra` as people and CI use it, on the simulated account."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core.aws.infra import stacks
from tests.console.conftest import Cli, Result

if TYPE_CHECKING:
    from core.aws.account import Account
    from core.simulated.server import SimulatedAccount

SMALL = """
Description: One bucket and one topic.
Parameters:
  Project: {Type: String}
  Environment: {Type: String}
  Days: {Type: Number, Default: 3}
  Needed: {Type: String, Default: x}
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      LifecycleConfiguration:
        Rules: [{Id: a, Status: Enabled, ExpirationInDays: !Ref Days}]
  Topic:
    Type: AWS::SNS::Topic
    Properties: {TopicName: !Sub "${Project}-${Environment}"}
Outputs:
  Bucket: {Value: !Ref Bucket}
"""


@pytest.fixture
def infra(cli: Cli, aws: SimulatedAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """`opsdeck infra …` with contexts on the simulated account; waiting moves its clock."""
    lines = [
        f"  {name}: {{region: eu-west-1, endpoint_url: '{aws.endpoint_url}', environment: {name}}}"
        for name in ("staging", "production")
    ]
    (tmp_path / "contexts.yaml").write_text("\n".join(["contexts:", *lines]))
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "base.yaml").write_text(SMALL)
    monkeypatch.setenv("OPSDECK_CONFIG_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stacks, "pause", aws.advance)

    def call(*args: str, context: str = "staging", stdin: bytes = b"") -> Result:
        verb, *rest = args
        options = ["--context", context, "--templates", str(folder)]
        options += [] if "--project" in rest else ["--project", "shop"]
        return cli("infra", verb, *rest, *options, stdin=stdin)

    return call


def edit(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "own" / "base.yaml"
    path.write_text(path.read_text().replace(old, new))


def test_from_nothing_to_destroyed(infra: Cli, tmp_path: Path) -> None:
    listed = infra("list")
    assert listed.status == 0
    assert "not deployed" in listed.out
    assert "account 123456789012, region eu-west-1, environment staging" in listed.out
    planned = infra("plan")
    assert "shop-staging-base is made: 2 added" in planned.out
    assert "  + Bucket (AWS::S3::Bucket) added" in planned.out
    assert "not deployed" in infra("list").out, "a plan leaves nothing"
    done = infra("deploy", "--yes", "--owner", "team")
    assert done.status == 0
    assert done.out == "shop-staging-base CREATE_COMPLETE\n"
    assert "CREATE_COMPLETE Bucket (AWS::S3::Bucket)" in done.err
    assert "CREATE_COMPLETE" in infra("list").out
    again = infra("deploy")
    assert (again.status, again.out) == (0, "nothing to do: every stack is as its template says\n")
    changed = infra("plan", "-p", "Days=9")
    assert "parameter Days: 3 → 9" in changed.out
    assert "LifecycleConfiguration.Rules.0.ExpirationInDays: 3 → 9" in changed.out
    gone = infra("destroy", "--confirm", "shop-staging")
    assert gone.out == "shop-staging-base destroyed\n"
    assert infra("destroy", "--confirm", "shop-staging").out == "nothing is deployed\n"


def test_without_a_person_a_confirmation_has_to_be_given(infra: Cli) -> None:
    refused = infra("deploy")
    assert refused.status == 2
    assert (
        "deploy shop-staging to account 123456789012, region eu-west-1, environment staging"
        in refused.err
    )
    assert "add --yes" in refused.err
    assert "not deployed" in infra("list").out


def test_production_wants_the_name_typed_and_protects(infra: Cli) -> None:
    refused = infra("deploy", "--yes", context="production")
    assert "add --confirm shop-production" in refused.err
    wrong = infra("deploy", "--confirm", "shop-staging", context="production")
    assert "nothing was done" in wrong.err
    assert infra("deploy", "--confirm", "shop-production", context="production").status == 0
    gone = infra("destroy", "--confirm", "shop-production", context="production")
    assert gone.status == 1
    assert "error E664 shop-production-base: is protected against deletion" in gone.err
    assert "--unprotect" in gone.err


def test_what_loses_data_is_shown_and_wants_the_name(infra: Cli, tmp_path: Path) -> None:
    assert infra("deploy", "--yes").status == 0
    edit(
        tmp_path,
        "Type: AWS::S3::Bucket\n    Properties:\n",
        "Type: AWS::S3::Bucket\n    Properties:\n      BucketName: other-name\n",
    )
    planned = infra("plan")
    assert "-/+ Bucket (AWS::S3::Bucket) REPLACED: LOSES its objects" in planned.out
    assert "BucketName: (none) → other-name  needs a REPLACEMENT" in planned.out
    assert "DATA LOSS: Bucket" in planned.out
    refused = infra("deploy", "--yes")
    assert refused.status == 2
    assert "add --confirm shop-staging" in refused.err


def test_a_full_bucket_is_named_with_what_to_do(infra: Cli, account: Account) -> None:
    infra("deploy", "--yes")
    (row,) = infra("list", "--json").json()["stacks"]
    bucket = row["stack"]["outputs"]["Bucket"]
    account.call("s3", "put_object", Bucket=bucket, Key="a", Body=b"1")
    refused = infra("destroy", "--confirm", "shop-staging")
    assert refused.status == 1
    assert f"error E663 {bucket} holds objects" in refused.err
    assert f"aws s3 rm s3://{bucket} --recursive" in refused.err
    kept = infra("destroy", "--retain", "--confirm", "shop-staging", "--json").json()
    assert kept["destroyed"] == ["shop-staging-base"]
    assert [each["physical_id"] for each in kept["kept"]] == [bucket]


def test_a_failure_says_why_and_exits_1(infra: Cli, aws: SimulatedAccount) -> None:
    aws.fault("cloudformation:CreateChangeSet", "ValidationError", message="Template is no good")
    refused = infra("plan")
    assert refused.status == 1
    assert "error E666 shop-staging-base: " in refused.err
    assert "Template is no good" in refused.err


def test_drift_exits_1_and_names_the_property(infra: Cli, account: Account) -> None:
    infra("deploy", "--yes")
    same = infra("drift")
    assert (same.status, same.out) == (0, "shop-staging-base IN_SYNC\n")
    (row,) = infra("list", "--json").json()["stacks"]
    account.call("s3", "delete_bucket", Bucket=row["stack"]["outputs"]["Bucket"])
    drifted = infra("drift")
    assert drifted.status == 1
    assert "shop-staging-base DRIFTED" in drifted.out
    assert "DELETED Bucket (AWS::S3::Bucket)" in drifted.out


def test_read_only_sends_no_write(infra: Cli, aws: SimulatedAccount) -> None:
    infra("deploy", "--yes")
    before = len(aws.calls)
    shown = infra("plan", "-p", "Days=9", "--read-only")
    assert shown.status == 0
    assert "read-only: the templates were compared" in shown.out
    assert "3 → 9" in shown.out
    for verb in (["deploy", "--yes"], ["destroy", "--confirm", "shop-staging"]):
        refused = infra(*verb, "--read-only")
        assert refused.status == 1
        assert "error E200" in refused.err
    from core.aws.calls import writes

    assert [each.action for each in aws.calls[before:] if writes(each.operation)] == []


def test_when_the_time_is_up_aws_goes_on(
    infra: Cli, monkeypatch: pytest.MonkeyPatch, aws: SimulatedAccount
) -> None:
    monkeypatch.setattr(stacks, "pause", lambda seconds: time.sleep(0.3))
    late = infra("deploy", "--yes", "--timeout", "1")
    assert late.status == 5
    assert "error E661 shop-staging-base: did not end within 1 s; it goes on at AWS" in late.err
    assert "CREATE_IN_PROGRESS" in infra("list").out
    aws.advance(60)
    again = infra("deploy", "--yes")
    assert (again.status, "nothing to do" in again.out) == (0, True)


def test_interrupted_says_that_it_goes_on(infra: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stacks, "pause", interrupt)
    stopped = infra("deploy", "--yes")
    assert stopped.status == 130
    assert "goes on at AWS" in stopped.err


def test_json_of_a_plan(infra: Cli) -> None:
    document = infra("plan", "--json").json()
    assert document["account"] == "123456789012"
    (stack,) = document["stacks"]
    assert (stack["stack"], stack["kind"], stack["exact"]) == ("shop-staging-base", "create", True)
    assert [each["name"] for each in stack["changes"]] == ["Bucket", "Topic"]


def test_parameters_as_codepipeline_takes_them(infra: Cli) -> None:
    document = infra("parameters", "base", "-p", "Days=9").json()
    assert document["Parameters"] == {
        "Project": "shop",
        "Environment": "staging",
        "Days": "9",
        "Needed": "x",
    }
    assert document["Tags"]["environment"] == "staging"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["plan", "bsae"], "no such layer (did you mean base?)"),
        (["plan", "-p", "Dayz=1"], "no such parameter (did you mean Days?)"),
        (["plan", "--file", "Days=nowhere"], "no such file"),
        (["plan", "--project", "X"], "project 'X'"),
    ],
)
def test_bad_input_is_told_on_one_line(infra: Cli, args: list[str], says: str) -> None:
    refused = infra(*args)
    assert refused.status == 2
    assert refused.err.startswith("error E660 ")
    assert says in refused.err


def test_a_layers_missing_parameter(infra: Cli, tmp_path: Path) -> None:
    edit(tmp_path, "Needed: {Type: String, Default: x}", "Needed: {Type: String}")
    shown = infra("plan")
    assert "base: left out, it needs --parameters Needed=…" in shown.out
    refused = infra("plan", "base")
    assert "error E660 base: Needed must be given" in refused.err
