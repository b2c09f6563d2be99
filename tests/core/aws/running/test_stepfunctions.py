"""Runs in Step Functions, in the simulated account. Its machines go by the real clock."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from core.aws.compile import rollout
from core.domain.run import RunDetail, RunStatus

from .conftest import DEPLOY, GATE, PIPELINE, Site

SIDE_BY_SIDE = PIPELINE.replace(
    "  register:\n",
    "  other-one:\n    function: steps:judge\n    inputs: {model: train.model}\n"
    "    outputs: [seen]\n"
    "  last:\n    function: steps:train\n    inputs: {rows: other-one.seen, seed: judge.metrics}\n"
    "    outputs: [all]\n  register:\n",
)


def states(detail: RunDetail) -> dict[str, str]:
    return {step.step: str(step.status) for step in detail.steps}


def until(site: Site, run: str, holds: Callable[[RunDetail], Any]) -> RunDetail:
    """Look, with the account's clock on, until something is so."""
    end = time.monotonic() + 60.0
    while True:
        found = site.look(run, seconds=400.0)
        if holds(found):
            return found
        assert time.monotonic() < end, (found.run.message, states(found))
        time.sleep(0.2)


def ended(site: Site, run: str) -> RunDetail:
    return until(site, run, lambda found: found.run.status.ended)


def execution(site: Site, found: RunDetail) -> dict[str, Any]:
    arn = found.lineage["aws"]["execution"]
    told: dict[str, Any] = site.client("stepfunctions").describe_execution(executionArn=arn)
    return told


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "POLL_SECONDS", 1)


def test_a_run_there_is_asked_about_here_and_deployed(site: Site) -> None:
    site.pipeline(PIPELINE + GATE + DEPLOY)
    run = site.start("stepfunctions", month="2012-05")
    until(site, run, lambda found: found.run.status is RunStatus.WAITING)
    (asked,) = site.ops.approvals.list()
    assert (asked.model, asked.version) == ("demand", 1)
    site.ops.approvals.approve(asked.id, "good")
    done = ended(site, run)
    assert done.run.status is RunStatus.SUCCEEDED, done.run.message
    assert set(states(done).values()) == {"succeeded"}
    assert json.loads(execution(site, done)["input"])["params"] == {"month": "2012-05", "seed": 7}
    client = site.client("sagemaker")
    assert client.describe_endpoint(EndpointName="demand")["EndpointStatus"] == "InService"
    package = asked.evidence["lineage"]["model_package"]
    told = client.describe_model_package(ModelPackageName=package)
    assert told["ModelApprovalStatus"] == "Approved"
    page = site.ops.runs.logs(run, "train")
    assert page.lines[0].text.startswith("training job ")


def test_a_rejection_ends_it(site: Site) -> None:
    site.pipeline(PIPELINE + GATE)
    run = site.start("stepfunctions")
    until(site, run, lambda found: found.run.status is RunStatus.WAITING)
    (asked,) = site.ops.approvals.list()
    site.ops.approvals.reject(asked.id, "no")
    done = ended(site, run)
    assert done.run.status is RunStatus.REJECTED
    assert states(done)["gate"] == "rejected"
    package = asked.evidence["lineage"]["model_package"]
    told = site.client("sagemaker").describe_model_package(ModelPackageName=package)
    assert told["ModelApprovalStatus"] == "Rejected"


def test_steps_of_one_level_run_side_by_side(site: Site) -> None:
    site.pipeline(SIDE_BY_SIDE)
    done = ended(site, site.start("stepfunctions"))
    assert done.run.status is RunStatus.SUCCEEDED, done.run.message
    assert set(states(done).values()) == {"succeeded"}
    jobs = done.lineage["aws"]["jobs"]
    assert jobs["last"]["outputs"]["all"].endswith("/last/all")


def test_a_failed_job_fails_the_run_and_resuming_redrives_it(site: Site) -> None:
    broken = "outputs: [model]\n    env: {SIMULATE_OUTCOME: Failed}"
    site.pipeline(PIPELINE.replace("outputs: [model]", broken))
    run = site.start("stepfunctions")
    failed = ended(site, run)
    assert failed.run.status is RunStatus.FAILED
    assert states(failed)["train"] == "failed"
    assert states(failed)["judge"] == "skipped"
    site.ops.runs.resume(run)
    again = ended(site, run)
    assert again.run.generation == 2
    assert execution(site, again)["redriveCount"] == 1


def test_cancelling_stops_it_there(site: Site) -> None:
    site.pipeline(PIPELINE + GATE)
    run = site.start("stepfunctions")
    until(site, run, lambda found: found.run.status is RunStatus.WAITING)
    site.ops.runs.cancel(run)
    done = ended(site, run)
    assert done.run.status is RunStatus.CANCELLED
    assert execution(site, done)["status"] == "ABORTED"
    assert site.ops.approvals.list() == ()


def test_a_start_that_nobody_wrote_down_is_found_by_its_name(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.aws.running import stepfunctions

    class Killed(BaseException):
        pass

    kept = stepfunctions.StepFunctionsRuns.start

    def dies(self: Any, name: str, start: Any) -> str:
        kept(self, name, start)
        raise Killed

    run = site.start("stepfunctions")
    with monkeypatch.context() as patched:
        patched.setattr(stepfunctions.StepFunctionsRuns, "start", dies)
        with pytest.raises(Killed):
            site.look(run)
    done = ended(site, run)
    assert done.run.status is RunStatus.SUCCEEDED, done.run.message
    machine = execution(site, done)["stateMachineArn"]
    listed = site.client("stepfunctions").list_executions(stateMachineArn=machine)
    assert len(listed["executions"]) == 1


def test_a_machine_that_has_changed_is_brought_up_to_date(site: Site) -> None:
    ended(site, site.start("stepfunctions"))
    site.pipeline(PIPELINE + GATE)
    run = site.start("stepfunctions")
    until(site, run, lambda found: found.run.status is RunStatus.WAITING)
    site.ops.runs.cancel(run)
    ended(site, run)
