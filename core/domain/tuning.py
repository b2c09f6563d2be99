"""Trials of a search for hyperparameters, as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from core.domain.run import OutputRef


class TrialStatus(StrEnum):
    """State of a trial. `cached`: an equal one had ended well before; `stopped`: it was ended
    early, as it was worse than half of those before it."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    CACHED = "cached"
    FAILED = "failed"
    STOPPED = "stopped"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing further comes of it."""
        return self is not TrialStatus.RUNNING

    @property
    def ended_well(self) -> bool:
        """Whether it counts for the goal."""
        return self in (TrialStatus.SUCCEEDED, TrialStatus.CACHED)


@dataclass(frozen=True, slots=True)
class Trial:
    """One try of a tune step with some values; `number` counts from 0.

    `value` is that of `metric`, None unless it ended well (or was stopped: the last that it
    told). `best`: of those that ended well it is nearest to the goal. Times are epoch seconds.
    """

    run_id: str
    step: str
    number: int
    status: TrialStatus
    params: Mapping[str, Any]
    metric: str = ""
    value: float | None = None
    best: bool = False
    message: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    cpu_seconds: float | None = None
    max_rss_mb: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    mlflow_run_id: str | None = None
    cached_from: str | None = None
    outputs: tuple[OutputRef, ...] = ()
    curve: Mapping[int, float] = field(default_factory=dict)

    @property
    def log(self) -> str:
        """The name under which its log stands: `runs logs RUN --step NAME`."""
        return trial_log(self.step, self.number)


def trial_log(step: str, number: int) -> str:
    """`STEP.NUMBER`; no step has a dot in its name."""
    return f"{step}.{number}"
