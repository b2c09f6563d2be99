"""Runs behave alike wherever they are: one suite over the workspace, SageMaker Pipelines and Step
Functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.aws.account import Account
from core.aws.runsource import (
    RunSource,
    SageMakerRuns,
    SourceRun,
    StepFunctionsRuns,
    WorkspaceRuns,
)
from core.domain.run import RunStatus, StepStatus
from core.errors import OpsdeckError, WrongState
from core.simulated.server import SimulatedAccount
from tests.support.awsruns import bucket, make_machine, make_pipeline, text_of, training_step, until
from tests.support.engine import Site

SECONDS = 60.0


@dataclass
class Backend:
    """A backend with three pipelines: `good` ends well, `bad` fails in its second step until it is
    mended, `slow` takes long. `pass_time` lets what runs go on."""

    source: RunSource
    pass_time: Callable[[], None]
    mend: Callable[[], Any]
    good: str = "good"
    bad: str = "bad"
    slow: str = "slow"

    def until(self, id: str, *good: RunStatus) -> SourceRun:
        """The run once it is in one of these states."""

        def reached() -> SourceRun | None:
            self.pass_time()
            run = self.source.get(id)
            return run if run.status in good else None

        run: SourceRun = until(reached, SECONDS)
        return run


def workspace(site: Site, folder: Path) -> Backend:
    """Pipelines of their own in the module's workspace, which has a real worker."""
    mended = folder / "mended"
    part = folder.name.replace("-", "_")
    site.write(
        f"{part}.py",
        "import pathlib, time\n"
        "def first(greeting):\n    print('hello', greeting)\n    return 1\n"
        "def second(first):\n    return first\n"
        f"def broken(first):\n    assert pathlib.Path({str(mended)!r}).exists(), 'no such column'\n"
        "    return 1\n"
        "def sleep():\n    time.sleep(600)\n",
    )
    head = "params:\n  greeting: you\n  needed: {type: str}"
    first = (
        f"first: {{function: '{part}:first', inputs: {{greeting: '${{params.greeting}}'}},"
        " cache: false}"
    )
    names = {}
    for name, second in (("good", "second"), ("bad", "broken")):
        last = f"second: {{function: '{part}:{second}', cache: false}}"
        names[name] = site.pipeline(f"{name}-{part}".replace("_", "-"), f"{first}\n{last}", head)
    sleep = f"sleep: {{function: '{part}:sleep', cache: false}}"
    names["slow"] = site.pipeline(f"slow-{part}".replace("_", "-"), sleep)
    return Backend(
        WorkspaceRuns(site.ops.runs), lambda: None, lambda: mended.write_text(""), **names
    )


def sagemaker(account: Account, aws: SimulatedAccount) -> Backend:
    bucket(account)
    given = {"greeting": text_of("greeting")}
    broken = {"simulate-outcome": "Failed", "simulate-reason": "no such column"}
    after = {"DependsOn": ["first"]}
    parameters = [
        {"Name": "greeting", "Type": "String", "DefaultValue": "you"},
        {"Name": "needed", "Type": "String"},
    ]
    first = training_step("first", given)
    for name, second in (("good", None), ("bad", broken)):
        steps = [first, training_step("second", second, **after)]
        make_pipeline(account, name, steps, parameters)
    slow = training_step("sleep", {"simulate-seconds": "3600"})
    make_pipeline(account, "slow", [slow], [])

    def mend() -> None:
        """What failed there is mended in what it reads: here, in what was asked of the job."""
        for execution in (
            aws.world.state(account.account_id, account.region)
            .table("sagemaker.pipeline-executions")
            .values()
        ):
            for step in execution["_definition"]["Steps"]:
                given = step["Arguments"].get("HyperParameters") or {}
                given.pop("simulate-outcome", None)

    return Backend(SageMakerRuns(account), lambda: aws.advance(30), mend)


def step_functions(account: Account, aws: SimulatedAccount) -> Backend:
    queue = account.call("sqs", "create_queue", QueueName="work")["QueueUrl"]
    send = {"QueueUrl": queue, "MessageBody": "work"}
    later = {"QueueUrl": f"{queue}-later", "MessageBody": "work"}

    def task(parameters: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        resource = "arn:aws:states:::sqs:sendMessage"
        return {"Type": "Task", "Resource": resource, "Parameters": dict(parameters), **more}

    first = {"Type": "Pass", "Parameters": {"g.$": "$.greeting"}, "Next": "second"}
    for name, parameters in (("good", send), ("bad", later)):
        states = {"first": first, "second": task(parameters, End=True)}
        make_machine(account, name, {"StartAt": "first", "States": states})
    slow = {"sleep": {"Type": "Wait", "Seconds": 3600, "End": True}}
    make_machine(account, "slow", {"StartAt": "sleep", "States": slow})
    return Backend(
        StepFunctionsRuns(account),
        lambda: None,
        lambda: account.call("sqs", "create_queue", QueueName="work-later"),
    )


@pytest.fixture(params=["workspace", "sagemaker", "stepfunctions"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    if request.param == "workspace":
        yield workspace(request.getfixturevalue("site"), tmp_path)
    else:
        account, aws = request.getfixturevalue("account"), request.getfixturevalue("aws")
        yield (sagemaker if request.param == "sagemaker" else step_functions)(account, aws)


GIVEN = {"greeting": "world", "needed": "yes"}


def test_a_run_that_ends_well(backend: Backend) -> None:
    source = backend.source
    run = source.start(backend.good, GIVEN)
    assert run.pipeline == backend.good and not run.status.ended
    done = backend.until(run.id, RunStatus.SUCCEEDED, RunStatus.FAILED)
    assert done.status is RunStatus.SUCCEEDED, done
    assert [step.name for step in done.steps] == ["first", "second"]
    assert all(step.status is StepStatus.SUCCEEDED for step in done.steps)
    assert all((step.started_at or 0) <= (step.ended_at or 0) for step in done.steps)
    assert (done.started_at or 0) <= (done.ended_at or 0)
    lines = list(source.logs(run.id))
    assert {line.step for line in lines} >= {"first"}
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    assert list(source.logs(run.id, "first")) == [line for line in lines if line.step == "first"]


def test_runs_are_listed_newest_first(backend: Backend) -> None:
    source = backend.source
    first = source.start(backend.good, GIVEN)
    backend.until(first.id, RunStatus.SUCCEEDED)
    second = source.start(backend.good, GIVEN)
    backend.until(second.id, RunStatus.SUCCEEDED)
    other = source.start(backend.slow, {})
    of_one = [run.id for page in source.list(backend.good) for run in page]
    assert of_one == [second.id, first.id]
    every = [run for page in source.list() for run in page]
    assert every[0].id == other.id
    assert [run.id for run in every[1:3]] == [second.id, first.id]
    assert {run.status for run in every[1:3]} == {RunStatus.SUCCEEDED}
    source.stop(other.id)


def test_a_failed_run_is_resumed_and_keeps_what_ended_well(backend: Backend) -> None:
    source = backend.source
    run = source.start(backend.bad, GIVEN)
    failed = backend.until(run.id, RunStatus.FAILED, RunStatus.SUCCEEDED)
    steps = {step.name: step for step in failed.steps}
    assert failed.status is RunStatus.FAILED
    assert steps["second"].status is StepStatus.FAILED and steps["second"].message
    assert steps["first"].status.ended_well
    backend.mend()
    again = source.resume(run.id)
    assert again.id == run.id and not again.status.ended
    done = backend.until(run.id, RunStatus.SUCCEEDED, RunStatus.FAILED)
    assert done.status is RunStatus.SUCCEEDED, done
    kept = {step.name: step for step in done.steps}
    assert kept["second"].status.ended_well and list(kept) == ["first", "second"]
    assert kept["first"].started_at == steps["first"].started_at, "it has not run again"


def test_a_run_is_stopped_and_goes_on(backend: Backend) -> None:
    source = backend.source
    run = source.start(backend.slow, {})
    backend.until(run.id, RunStatus.RUNNING)
    until(lambda: backend.pass_time() or source.get(run.id).steps, SECONDS)
    source.stop(run.id, "wrong data")
    stopped = backend.until(run.id, RunStatus.CANCELLED, RunStatus.FAILED)
    assert stopped.status is RunStatus.CANCELLED
    assert stopped.steps[0].status is StepStatus.CANCELLED
    with pytest.raises(WrongState):
        source.stop(run.id)
    assert not source.resume(run.id).status.ended
    source.stop(run.id)
    backend.until(run.id, RunStatus.CANCELLED)


def test_what_cannot_be_resumed(backend: Backend) -> None:
    source = backend.source
    run = source.start(backend.slow, {})
    backend.until(run.id, RunStatus.RUNNING)
    with pytest.raises(WrongState):
        source.resume(run.id)
    source.stop(run.id)
    done = source.start(backend.good, GIVEN)
    backend.until(done.id, RunStatus.SUCCEEDED)
    with pytest.raises(WrongState):
        source.resume(done.id)
    with pytest.raises(WrongState):
        source.stop(done.id)


def test_what_is_not_there(backend: Backend) -> None:
    source = backend.source
    with pytest.raises(OpsdeckError) as refused:
        source.start("nightly", {})
    assert refused.value.exit_status == 3
    run = source.start(backend.slow, {})
    missing = run.id[:-8] + "00000000"
    for ask in (source.get, source.stop, source.resume):
        with pytest.raises(OpsdeckError) as refused:
            ask(missing)
        assert refused.value.exit_status == 3, refused.value
    source.stop(run.id)


@pytest.mark.parametrize("values", [{"greeting": "a"}, {"needed": "a", "greting": "b"}])
def test_a_wrong_parameter_starts_nothing(
    backend: Backend, values: dict[str, str], request: pytest.FixtureRequest
) -> None:
    if isinstance(backend.source, StepFunctionsRuns):
        pytest.skip("a state machine does not say what it is given")
    with pytest.raises(OpsdeckError) as refused:
        backend.source.start(backend.good, values)
    assert refused.value.exit_status == 2
    assert [run for page in backend.source.list(backend.good) for run in page] == []


def test_a_run_there_that_waits_for_somebody_says_so(
    account: Account, aws: SimulatedAccount
) -> None:
    queue = account.call("sqs", "create_queue", QueueName="answers")["QueueUrl"]
    ask = {"Name": "ask", "Type": "Callback", "SqsQueueUrl": queue, "Arguments": {}}
    make_pipeline(account, "gated", [{**ask, "OutputParameters": []}], [])
    there = SageMakerRuns(account)
    run = there.start("gated", {})
    aws.advance(30)
    waits = there.get(run.id)
    assert (waits.status, waits.steps[0].status) == (RunStatus.WAITING, StepStatus.WAITING)
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue, "MessageBody": {"T.$": "$$.Task.Token"}},
        "End": True,
    }
    make_machine(account, "gated", {"StartAt": "ask", "States": {"ask": task}})
    here = StepFunctionsRuns(account)
    run = here.start("gated", {})
    waits = until(lambda: here.get(run.id) if here.get(run.id).status == "waiting" else None)
    assert waits.steps[0].status is StepStatus.WAITING
