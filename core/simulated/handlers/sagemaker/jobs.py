"""Processing and transform jobs: InProgress, then Completed, Failed or Stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker.common import (
    find,
    keep,
    knob,
    knobs,
    log,
    sagemaker_arn,
    seconds,
    stamp,
    touch,
    write,
)
from core.simulated.listing import Record, described, select, summaries
from core.simulated.registry import operation
from core.simulated.state import Call, State

STARTING, RUNNING, STOPPING = 40.0, 120.0, 15.0
Done = Callable[[Record], None]


@dataclass(frozen=True, slots=True)
class JobKind:
    """What tells processing from transform jobs."""

    noun: str
    arn: str
    logs: str

    @property
    def table(self) -> str:
        return f"sagemaker.{self.arn}s"

    def member(self, tail: str) -> str:
        return f"{self.noun}{tail}"


PROCESSING = JobKind("Processing", "processing-job", "/aws/sagemaker/ProcessingJobs")
TRANSFORM = JobKind("Transform", "transform-job", "/aws/sagemaker/TransformJobs")


def start(state: State, kind: JobKind, params: Record, done: Done | None = None) -> Record:
    """Start a job; `done` is called with its record once it is over."""
    name = str(params[kind.member("JobName")])
    arn = sagemaker_arn(state, kind.arn, name)
    if name in state.table(kind.table):
        raise Fault("ResourceInUse", f"Job name must be unique: {arn} already exists.", 400)
    if kind is TRANSFORM:
        state.call("sagemaker", "DescribeModel", ModelName=params["ModelName"])
    record: Record = {
        **params,
        kind.member("JobArn"): arn,
        kind.member("JobStatus"): "InProgress",
        "_done": done,
    }
    keep(state, kind.table, name, arn, record)
    record["_timer"] = state.after(STARTING, _run, state, kind, record)
    return record


def _log(state: State, kind: JobKind, record: Record, *lines: str) -> None:
    stream = f"{record[kind.member('JobName')]}/algo-1-{stamp(record['CreationTime'])}"
    log(state, kind.logs, stream, *lines)


def _run(state: State, kind: JobKind, record: Record) -> None:
    touch(state, record, **{kind.member("StartTime"): state.now})
    _log(state, kind, record, "Container started")
    record["_timer"] = state.after(seconds(record, RUNNING), _end, state, kind, record)


def _end(state: State, kind: JobKind, record: Record) -> None:
    if knob(record, "outcome") == "Failed":
        reason = knob(record, "reason") or "AlgorithmError: See job logs for more information"
        _over(state, kind, record, "Failed", reason)
        return
    trouble = _outputs(state, kind, record)
    if trouble is None:
        _over(state, kind, record, "Completed")
    else:
        _over(state, kind, record, "Failed", f"ClientError: {trouble}")


def _outputs(state: State, kind: JobKind, record: Record) -> str | None:
    """Write what was asked to be written; a transform writes where its output goes."""
    if kind is TRANSFORM:
        root = record["TransformOutput"]["S3OutputPath"].rstrip("/")
        return write(state, f"{root}/part-00000.out", "0.5\n")
    outputs = {
        each["OutputName"]: each.get("S3Output", {}).get("S3Uri", "")
        for each in (record.get("ProcessingOutputConfig") or {}).get("Outputs", [])
    }
    files = knobs(record, "file")
    for path, text in files.items():
        output, _, rest = path.partition("/")
        if output in outputs:
            body = text if isinstance(text, str) else json.dumps(text)
            trouble = write(state, f"{outputs[output].rstrip('/')}/{rest}", body)
            if trouble is not None:
                return trouble
    return None


def _over(state: State, kind: JobKind, record: Record, status: str, reason: str = "") -> None:
    if reason:
        record["FailureReason"] = reason
    _log(state, kind, record, f"{status}{': ' + reason if reason else ''}")
    touch(
        state,
        record,
        **{kind.member("JobStatus"): status, kind.member("EndTime"): state.now},
    )
    done: Done | None = record.get("_done")
    if done is not None:
        done(record)


def stop(state: State, kind: JobKind, record: Record) -> None:
    """Stop a job that runs; it is Stopped some seconds later."""
    if record[kind.member("JobStatus")] != "InProgress":
        return
    state.cancel(record["_timer"])
    touch(state, record, **{kind.member("JobStatus"): "Stopping"})
    record["_timer"] = state.after(STOPPING, _over, state, kind, record, "Stopped")


def job(state: State, kind: JobKind, name: str) -> Record:
    """The job of this name, or AWS's answer that there is none."""
    missing = f"Could not find requested job with name: {name}"
    return find(state, kind.table, name, missing, "ResourceNotFound" if kind is TRANSFORM else "")


def _register(kind: JobKind) -> None:
    name, arn = kind.member("JobName"), kind.member("JobArn")

    def create(state: State, call: Call) -> dict[str, Any]:
        return {arn: start(state, kind, dict(call.params))[arn]}

    def describe(state: State, call: Call) -> dict[str, Any]:
        return described(call, job(state, kind, call.params[name]))

    def listed(state: State, call: Call) -> dict[str, Any]:
        rows = select(
            call, state.table(kind.table).values(), name=name, status=kind.member("JobStatus")
        )
        return summaries(call, kind.member("JobSummaries"), rows)

    def stopped(state: State, call: Call) -> dict[str, Any]:
        record = job(state, kind, call.params[name])
        status = record[kind.member("JobStatus")]
        if status != "InProgress":
            raise Fault("ResourceNotFound", f"The job is in status {status} and cannot be stopped.")
        stop(state, kind, record)
        return {}

    operation("sagemaker", f"Create{kind.noun}Job")(create)
    operation("sagemaker", f"Describe{kind.noun}Job")(describe)
    operation("sagemaker", f"List{kind.noun}Jobs")(listed)
    operation("sagemaker", f"Stop{kind.noun}Job")(stopped)


_register(PROCESSING)
_register(TRANSFORM)
