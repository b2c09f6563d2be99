"""Runs wherever they are: one interface over the workspace's, SageMaker Pipelines' and Step
Functions' executions, which one conformance suite holds to the same behaviour."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from core.aws.kinds.pipelines import executions, pipelines, steps
from core.aws.kinds.stepfunctions import executions as sfn
from core.aws.kinds.stepfunctions import history, machines, tokens
from core.aws.logs import read_logs
from core.aws.registry import kind
from core.aws.words import epoch, last_of
from core.domain.run import RunStatus, StepStatus
from core.errors import WrongState

if TYPE_CHECKING:
    from core.aws.account import Account
    from core.services.runs import RunsService

PAGE = 100
RESUMABLE = frozenset({RunStatus.FAILED, RunStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class SourceStep:
    """A step of a run; `said` is the backend's own word for its status."""

    name: str
    status: StepStatus
    said: str
    started_at: float | None = None
    ended_at: float | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class SourceRun:
    """A run; `id` is what the other methods take. In a list it has no steps and no message."""

    id: str
    pipeline: str
    status: RunStatus
    said: str
    started_at: float | None = None
    ended_at: float | None = None
    message: str = ""
    steps: tuple[SourceStep, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line that a step printed; on Step Functions, an event of a state."""

    at: float
    step: str
    text: str


class RunSource(Protocol):
    """Runs of one backend. Times are epoch seconds; any thread may call.

    What does not exist raises an error of exit status 3, a parameter that is missing one of
    exit status 2; then nothing was started. The backend decides on the state when a change
    arrives: `stop` and `resume` raise `WrongState` where it has none to stop or to resume.
    """

    def list(self, pipeline: str = "") -> Iterator[Sequence[SourceRun]]:
        """Runs, newest first, in pages that are read when they are asked for."""
        ...

    def get(self, id: str) -> SourceRun:
        """A run with the steps that have begun."""
        ...

    def start(self, pipeline: str, params: Mapping[str, str]) -> SourceRun:
        """Start a run; returns once the backend has taken it."""
        ...

    def stop(self, id: str, reason: str = "") -> SourceRun:
        """Ask for a run's end; it is `cancelled` once its steps have stopped."""
        ...

    def resume(self, id: str) -> SourceRun:
        """Go on with a failed or cancelled run; what ended well is kept."""
        ...

    def logs(self, id: str, step: str | None = None) -> Iterator[SourceLine]:
        """What the run, or one step of it, has printed so far, by time."""
        ...


def refuse_stop(run: SourceRun) -> None:
    """Raise `WrongState` for a run that has ended."""
    if run.status.ended:
        raise WrongState(f"{last_of(run.id)} has already ended ({run.said})")


def refuse_resume(run: SourceRun) -> None:
    """Raise `WrongState` for a run that has not failed or been stopped."""
    if run.status not in RESUMABLE:
        raise WrongState(f"{last_of(run.id)} is {run.said}, not failed or stopped")


class WorkspaceRuns:
    """The runs of a workspace."""

    def __init__(self, runs: RunsService) -> None:
        self._runs = runs

    def list(self, pipeline: str = "") -> Iterator[Sequence[SourceRun]]:
        """Runs, newest first."""
        offset = 0
        while page := self._runs.list(limit=PAGE, offset=offset, pipeline=pipeline or None):
            yield tuple(_of_workspace(run) for run in page)
            offset += PAGE

    def get(self, id: str) -> SourceRun:
        """A run with the steps that have begun."""
        detail = self._runs.get(id)
        found = tuple(
            SourceStep(s.step, s.status, str(s.status), s.started_at, s.ended_at, s.message)
            for s in detail.steps
            if s.status not in (StepStatus.PENDING, StepStatus.QUEUED)
        )
        return _of_workspace(detail.run, found)

    def start(self, pipeline: str, params: Mapping[str, str]) -> SourceRun:
        """Start a run."""
        return _of_workspace(self._runs.start(pipeline, params))

    def stop(self, id: str, reason: str = "") -> SourceRun:
        """Ask for a run's end."""
        return _of_workspace(self._runs.cancel(id, reason))

    def resume(self, id: str) -> SourceRun:
        """Go on with a run."""
        return _of_workspace(self._runs.resume(id))

    def logs(self, id: str, step: str | None = None) -> Iterator[SourceLine]:
        """What was printed so far."""
        cursor = ""
        while True:
            page = self._runs.logs(id, step, cursor=cursor)
            yield from (SourceLine(line.at, line.step, line.text) for line in page.lines)
            if not page.lines or page.cursor == cursor:
                return
            cursor = page.cursor


def _of_workspace(run: Any, found: tuple[SourceStep, ...] = ()) -> SourceRun:
    return SourceRun(
        run.id, run.pipeline, run.status, str(run.status), run.started_at, run.ended_at,
        run.message, found,
    )  # fmt: skip


_EXECUTION = {
    "Executing": RunStatus.RUNNING,
    "Stopping": RunStatus.RUNNING,
    "Stopped": RunStatus.CANCELLED,
    "Failed": RunStatus.FAILED,
    "CompletedWithFailures": RunStatus.FAILED,
    "Succeeded": RunStatus.SUCCEEDED,
}
_STEP = {
    "Starting": StepStatus.QUEUED,
    "Executing": StepStatus.RUNNING,
    "Stopping": StepStatus.RUNNING,
    "Stopped": StepStatus.CANCELLED,
    "Failed": StepStatus.FAILED,
    "Succeeded": StepStatus.SUCCEEDED,
}


class SageMakerRuns:
    """Executions of SageMaker Pipelines."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def list(self, pipeline: str = "") -> Iterator[Sequence[SourceRun]]:
        """Executions, newest first."""
        for page in executions.KIND.list(self._account, pipeline):
            yield tuple(
                SourceRun(
                    item.id,
                    executions.pipeline_of(item.id),
                    _EXECUTION[item.raw["state"]],
                    item.raw["state"],
                    item.changed,
                )
                for item in page
            )

    def get(self, id: str) -> SourceRun:
        """An execution with its steps."""
        told = self._account.call(
            "sagemaker", "describe_pipeline_execution", PipelineExecutionArn=id
        )
        said = told["PipelineExecutionStatus"]
        status = _EXECUTION[said]
        raw = [each for page in steps.pages_of_steps(self._account, id) for each in page]
        found = tuple(_sagemaker_step(each) for each in raw)
        if status is RunStatus.RUNNING and _only_waits(found):
            status = RunStatus.WAITING
        return SourceRun(
            id,
            executions.pipeline_of(id),
            status,
            said,
            epoch(told.get("CreationTime")),
            epoch(told.get("LastModifiedTime")) if status.ended else None,
            told.get("FailureReason", ""),
            found,
        )

    def start(self, pipeline: str, params: Mapping[str, str]) -> SourceRun:
        """Start an execution."""
        return self.get(pipelines.start(self._account, pipeline, params))

    def stop(self, id: str, reason: str = "") -> SourceRun:
        """Ask for an execution's end; SageMaker keeps no reason."""
        refuse_stop(self.get(id))
        executions.stop(self._account, id, {})
        return self.get(id)

    def resume(self, id: str) -> SourceRun:
        """Retry an execution."""
        refuse_resume(self.get(id))
        executions.retry(self._account, id, {})
        return self.get(id)

    def logs(self, id: str, step: str | None = None) -> Iterator[SourceLine]:
        """What the jobs of the execution have printed."""
        sources = []
        for page in steps.pages_of_steps(self._account, id):
            for each in page:
                name, (of, job) = steps.full_name(each), steps.job_of(each)
                logs = kind(of).logs if of and step in (None, name) else None
                if logs is not None:
                    sources.append(self._printed(name, logs(self._account, job)))
        yield from heapq.merge(*sources, key=lambda line: line.at)

    def _printed(self, name: str, source: Any) -> Iterator[SourceLine]:
        for line in read_logs(self._account, source):
            yield SourceLine(line.at, name, line.text)


def _sagemaker_step(each: Mapping[str, Any]) -> SourceStep:
    said = each.get("StepStatus", "Starting")
    status = _STEP[said]
    if status is StepStatus.SUCCEEDED and steps.source_of(each):
        status = StepStatus.CACHED if each.get("CacheHitResult") else StepStatus.REUSED
    if status is StepStatus.RUNNING and steps.type_of(each) == "Callback":
        status = StepStatus.WAITING
    return SourceStep(
        steps.full_name(each),
        status,
        said,
        epoch(each.get("StartTime")),
        epoch(each.get("EndTime")),
        each.get("FailureReason", ""),
    )


def _only_waits(found: Sequence[SourceStep]) -> bool:
    """Whether nothing but somebody's answer holds a run."""
    going = [each.status for each in found if not each.status.ended]
    return bool(going) and all(status is StepStatus.WAITING for status in going)


_SFN = {
    "RUNNING": RunStatus.RUNNING,
    "SUCCEEDED": RunStatus.SUCCEEDED,
    "FAILED": RunStatus.FAILED,
    "TIMED_OUT": RunStatus.FAILED,
    "ABORTED": RunStatus.CANCELLED,
    "PENDING_REDRIVE": RunStatus.QUEUED,
}
_VISITED = {
    "run": StepStatus.RUNNING,
    "wait": StepStatus.WAITING,
    "ok": StepStatus.SUCCEEDED,
    "bad": StepStatus.FAILED,
    "dim": StepStatus.CANCELLED,
}


class StepFunctionsRuns:
    """Executions of state machines. Parameters are the members of the input; a value that is
    JSON is taken as such."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def list(self, pipeline: str = "") -> Iterator[Sequence[SourceRun]]:
        """Executions, newest first."""
        for page in sfn.KIND.list(self._account, pipeline):
            yield tuple(self._run(item.raw) for item in page)

    def get(self, id: str) -> SourceRun:
        """An execution with its states."""
        told = self._account.call("stepfunctions", "describe_execution", executionArn=id)
        open_now = {}
        if told["status"] == "RUNNING":
            open_now = {each.state: each.token for each in tokens.waiting(self._account, id)}
        found = tuple(
            SourceStep(
                each.name,
                StepStatus.WAITING if each.name in open_now else _VISITED[each.tone],
                each.word,
                each.begun,
                each.ended,
                each.why,
            )
            for each in history.progress(self._account, id)
        )
        return self._run(told, found)

    def _run(self, told: Mapping[str, Any], found: tuple[SourceStep, ...] = ()) -> SourceRun:
        status = _SFN[told["status"]]
        if status is RunStatus.RUNNING and _only_waits(found):
            status = RunStatus.WAITING
        reason = (" ".join(str(told[key]).split()) for key in ("error", "cause") if told.get(key))
        return SourceRun(
            told["executionArn"],
            sfn.machine_of(told["executionArn"]),
            status,
            told["status"],
            epoch(told.get("startDate")),
            epoch(told.get("stopDate")),
            ": ".join(reason),
            found,
        )

    def start(self, pipeline: str, params: Mapping[str, str]) -> SourceRun:
        """Start an execution."""
        given = {key: _value(value) for key, value in params.items()}
        values = {machines.INPUT: json.dumps(given)}
        return self.get(machines.start(self._account, pipeline, values))

    def stop(self, id: str, reason: str = "") -> SourceRun:
        """End an execution; the reason is its cause."""
        refuse_stop(self.get(id))
        sfn.stop(self._account, id, {"cause": reason})
        return self.get(id)

    def resume(self, id: str) -> SourceRun:
        """Redrive an execution."""
        refuse_resume(self.get(id))
        sfn.redrive(self._account, id, {})
        return self.get(id)

    def logs(self, id: str, step: str | None = None) -> Iterator[SourceLine]:
        """The events of the execution, or of one state of it."""
        for page in history.pages_of_events(self._account, id):
            for event in page:
                if step in (None, event.state):
                    words = (event.kind, event.why or str(event.details.get("resource", "")))
                    text = ": ".join(word for word in words if word)
                    yield SourceLine(event.at, event.state, text)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
