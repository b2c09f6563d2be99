"""`pipelines show --as` and `runs start --on`, as far as no account is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.aws.context import AwsContext, add_context

PIPELINE = """
name: demand
params: {month: "2012-01"}
steps:
  load: {function: "steps:load"}
  train: {script: train.py, inputs: {rows: load.load}, outputs: [model]}
"""


@pytest.fixture(autouse=True)
def site(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "OPSDECK_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPSDECK_CONFIG_DIR", str(tmp_path / "config"))
    add_context(AwsContext("prod", region="eu-central-1"))
    (workspace / "steps.py").write_text("def load(month): return month\n")
    (workspace / "train.py").write_text("")
    (workspace / "pipelines").mkdir(exist_ok=True)
    (workspace / "pipelines/demand.yaml").write_text(PIPELINE)
    return workspace


def test_a_pipeline_is_shown_as_it_would_be_sent(cli) -> None:  # type: ignore[no-untyped-def]
    shown = cli("pipelines", "show", "demand", "--as", "sagemaker")
    assert shown.status == 0, shown.err
    document = json.loads(shown.out)
    assert document["Version"] == "2020-12-01"
    assert [step["Type"] for step in document["Steps"]] == ["Processing", "Training"]
    assert "${ExecutionRoleArn}: ARN of the role that the jobs have." in shown.err
    machine = cli("pipelines", "show", "demand", "--as", "asl").json()
    assert machine["States"]["load"]["Resource"].endswith("createProcessingJob.sync")
    template = cli("pipelines", "show", "demand", "--as", "cloudformation").json()
    assert template["Resources"]["Pipeline"]["Type"] == "AWS::SageMaker::Pipeline"
    other = cli("pipelines", "show", "demand", "--as", "cloudformation", "--on", "stepfunctions")
    assert other.json()["Resources"]["StateMachine"]["Properties"]["StateMachineName"] == "demand"


def test_who_acts_is_still_said_before_the_noun(cli) -> None:  # type: ignore[no-untyped-def]
    assert cli("--as", "bob", "pipelines", "show", "demand", "--as", "asl").status == 0


def test_a_template_is_what_cloudformation_takes(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    lint = pytest.importorskip("cfnlint.api")
    for service in ("sagemaker", "stepfunctions"):
        shown = cli("pipelines", "show", "demand", "--as", "cloudformation", "--on", service)
        found = [str(each) for each in lint.lint(shown.out, None, ["eu-central-1"])]
        assert found == []


def test_what_cannot_be_said_there_is_refused_in_one_line(cli, site: Path) -> None:  # type: ignore[no-untyped-def]
    (site / "pipelines/other.yaml").write_text(
        "steps: {take: {ingest: {dataset: a, source: a.csv}}}"
    )
    shown = cli("pipelines", "show", "other", "--as", "asl")
    assert shown.status == 1
    assert "E740 pipeline other, step take: ingest:" in shown.err


def test_a_run_there_needs_a_context_and_a_role(cli) -> None:  # type: ignore[no-untyped-def]
    without = cli("runs", "start", "demand", "--on", "sagemaker")
    assert without.status == 2
    assert "in which account" in without.err
    unsettled = cli("--context", "prod", "runs", "start", "demand", "--on", "sagemaker")
    assert unsettled.status == 2
    assert "E746 pipeline demand: no role" in unsettled.err
    unknown = cli("--context", "prdo", "runs", "start", "demand", "--on", "stepfunctions")
    assert "did you mean prod?" in unknown.err
    here = cli("--context", "prod", "runs", "start", "demand")
    assert here.status == 2


def test_a_wrong_section_is_named_by_line_and_key(cli, site: Path) -> None:  # type: ignore[no-untyped-def]
    (site / "pipelines/demand.yaml").write_text(PIPELINE + "sagemaker: {rool: x, spot: 1}\n")
    found = cli("pipelines", "validate", "demand")
    assert found.status == 1
    assert "sagemaker.rool" in found.out and "did you mean role?" in found.out
    assert "sagemaker.spot: expected true or false" in found.out


def test_a_run_there_is_asked_for_and_told(cli, site: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from core.services.workers import WorkersService

    monkeypatch.setattr(WorkersService, "wake", lambda self: None)
    role = "sagemaker: {role: 'arn:aws:iam::111122223333:role/jobs'}\n"
    (site / "pipelines/demand.yaml").write_text(PIPELINE + role)
    started = cli("--context", "prod", "runs", "start", "demand", "--on", "sagemaker", "--json")
    assert started.status == 0, started.err
    assert started.json()["pipeline"] == "demand"
