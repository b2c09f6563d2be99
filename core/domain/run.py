"""A run, its step runs and the states that both may be in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class RunStatus(StrEnum):
    """State of a run. `waiting` means that nothing but a gate holds it."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing further happens by itself."""
        return self in RUN_ENDED


class StepStatus(StrEnum):
    """State of a step run.

    `cached`: outputs taken from an equal earlier step run; `reused`: kept from this run
    before it was resumed, or from the run that it repeats; `skipped`: a step it needs
    did not end well.
    """

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    CACHED = "cached"
    REUSED = "reused"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"

    @property
    def ended(self) -> bool:
        """Whether nothing further happens by itself."""
        return self in STEP_ENDED

    @property
    def ended_well(self) -> bool:
        """Whether steps that need this one may start."""
        return self in STEP_ENDED_WELL


RUN_ENDED = frozenset(
    {RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.REJECTED, RunStatus.CANCELLED}
)
STEP_ENDED_WELL = frozenset({StepStatus.SUCCEEDED, StepStatus.CACHED, StepStatus.REUSED})
STEP_ENDED = STEP_ENDED_WELL | {
    StepStatus.FAILED,
    StepStatus.REJECTED,
    StepStatus.CANCELLED,
    StepStatus.SKIPPED,
}

RUN_MOVES: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.QUEUED: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED, RunStatus.FAILED}),
    RunStatus.RUNNING: frozenset(
        {
            RunStatus.WAITING,
            RunStatus.SUCCEEDED,
            RunStatus.FAILED,
            RunStatus.REJECTED,
            RunStatus.CANCELLED,
        }
    ),
    RunStatus.WAITING: frozenset(
        {RunStatus.RUNNING, RunStatus.FAILED, RunStatus.REJECTED, RunStatus.CANCELLED}
    ),
    RunStatus.SUCCEEDED: frozenset(),
    RunStatus.FAILED: frozenset({RunStatus.QUEUED}),
    RunStatus.REJECTED: frozenset(),
    RunStatus.CANCELLED: frozenset({RunStatus.QUEUED}),
}
"""Which state may follow which; only a resume leaves an ended state."""


def run_may_move(old: RunStatus, new: RunStatus) -> bool:
    """Whether a run in state `old` may go to state `new`."""
    return new in RUN_MOVES[old]


def outcome_of(steps: Mapping[str, StepStatus]) -> RunStatus:
    """How a run ended whose steps have all ended."""
    states = set(steps.values())
    if StepStatus.CANCELLED in states:
        return RunStatus.CANCELLED
    if StepStatus.FAILED in states:
        return RunStatus.FAILED
    if StepStatus.REJECTED in states:
        return RunStatus.REJECTED
    return RunStatus.SUCCEEDED


@dataclass(frozen=True, slots=True)
class OutputRef:
    """An artifact as a step wrote it.

    `kind`: frame (Parquet), model (MLflow model folder), figure (PNG), json, dataset (JSON that
    names a version of it), file or folder. `digest` is the content's SHA-256; `path` is relative
    to the state folder; `size` is in bytes.
    """

    name: str
    kind: str
    digest: str
    path: str
    size: int


@dataclass(frozen=True, slots=True)
class StepRun:
    """One execution of a step in a run. Times are epoch seconds (UTC)."""

    run_id: str
    step: str
    position: int
    kind: str
    needs: tuple[str, ...]
    status: StepStatus
    attempt: int = 0
    max_attempts: int = 1
    created_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    cached_from: str | None = None
    cache_key: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    cpu_seconds: float | None = None
    max_rss_mb: float | None = None
    pid: int | None = None
    message: str = ""
    outputs: tuple[OutputRef, ...] = ()
    worker_id: str | None = None

    @property
    def seconds(self) -> float | None:
        """Wall time from start to end; `None` while it has not ended."""
        if self.started_at is None or self.ended_at is None:
            return None
        return self.ended_at - self.started_at


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a pipeline. Times are epoch seconds (UTC)."""

    id: str
    number: int
    pipeline: str
    status: RunStatus
    params: Mapping[str, Any]
    created_at: float
    requested_by: str
    started_at: float | None = None
    ended_at: float | None = None
    reason: str = ""
    message: str = ""
    parent_run_id: str | None = None
    from_step: str | None = None
    use_cache: bool = True
    generation: int = 1
    cancel_requested: bool = False
    git_commit: str | None = None
    git_dirty: bool = False
    mlflow_run_id: str | None = None
    steps_done: int = 0
    steps_total: int = 0

    @property
    def label(self) -> str:
        """What people call the run: pipeline and number."""
        return f"{self.pipeline} #{self.number}"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a step printed. `stream` is `out`, `err` or `sys` (ours)."""

    at: float
    stream: str
    text: str
    step: str = ""
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run with its step runs, in the pipeline's order."""

    run: Run
    steps: tuple[StepRun, ...]
    spec: Mapping[str, Any] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)
