"""Endpoints, their revisions, deployments and rollback receipts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from core.domain.analysis import AlarmRule, AnalysisPlan, AnalysisStatus, OnBreach
from core.domain.touched import Consumer


class DeploymentStatus(StrEnum):
    """State of a deployment; `paused` waits for a time, a verdict or a person's promote;
    `held` was stopped where it is, by a person or an alarm, and waits for a person."""

    QUEUED = "queued"
    LOADING = "loading"
    PROGRESSING = "progressing"
    PAUSED = "paused"
    HELD = "held"
    SUCCEEDED = "succeeded"
    ABORTED = "aborted"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"

    @property
    def ended(self) -> bool:
        """Whether nothing further happens by itself."""
        return self in DEPLOYMENT_ENDED


DEPLOYMENT_ENDED = frozenset(
    {
        DeploymentStatus.SUCCEEDED,
        DeploymentStatus.ABORTED,
        DeploymentStatus.FAILED,
        DeploymentStatus.ROLLED_BACK,
    }
)


def lasting(seconds: float) -> str:
    """A length of time in two units at most, without zeros: `0.5s`, `3m10s`, `5m`, `2h`."""
    if seconds < 60:
        return f"{max(0.0, seconds):g}s"
    whole = math.ceil(seconds - 1e-6)
    for unit, length, lower, part in (
        ("d", 86400, "h", 3600),
        ("h", 3600, "m", 60),
        ("m", 60, "s", 1),
    ):
        if whole >= length:
            rest = whole % length // part
            return f"{whole // length}{unit}" + (f"{rest:02d}{lower}" if rest else "")
    raise AssertionError(seconds)


@dataclass(frozen=True, slots=True)
class StrategyStep:
    """One rung of a strategy. Of the fields besides `kind` only those that it names are set:

    - `set_weight`: `weight` percent to the new version
    - `shadow`: mirror `weight` percent of the requests to it, unanswered, for `seconds` (or
      until `requests` have been compared, whichever comes first)
    - `pause`: `seconds`, or (`None`) until promoted
    - `bake`: `seconds` during which no alarm may go off; nobody can cut it short but in full
    - `analyse`: until every metric is non-inferior, at most `seconds`; then it is held
    - `ask`: until a person promotes; `message` is the question
    - `window`: until the clock is within `window`, e.g. `Mon-Thu 09:00-16:00 Europe/Berlin`
    """

    kind: str
    weight: float | None = None
    seconds: float | None = None
    requests: int | None = None
    message: str = ""
    window: str = ""

    def words(self) -> str:
        """The step in words: `set weight 10 %`, `bake 5m`, `analyse, at most 30m`."""
        time = "" if self.seconds is None else lasting(self.seconds)
        match self.kind:
            case "set_weight":
                return f"set weight {self.weight or 0.0:g} %"
            case "shadow":
                ends = [time] if time else []
                if self.requests is not None:
                    ends.append(f"{self.requests:,} compared")
                until = f" for {' or '.join(ends)}" if ends else ""
                return f"shadow {self.weight or 0.0:g} %{until}"
            case "pause":
                return f"pause {time}" if time else "pause until promoted"
            case "bake":
                return f"bake {time}".rstrip()
            case "analyse":
                return f"analyse, at most {time}" if time else "analyse"
            case "ask":
                return f"ask “{self.message}”" if self.message else "ask a person"
            case "window":
                return f"wait for {self.window}"
        return self.kind


@dataclass(frozen=True, slots=True)
class ReleasePlan:
    """A whole strategy: the rungs, and what is watched meanwhile.

    `name` is the preset's, or "custom". `keep_seconds` is how long the version that was
    replaced stays loaded, so that going back to it is instant. `on_breach` is what an alarm or
    the verdict `worse` does. Alarms stay armed for `keep_seconds` at most after the promotion.
    `workers` are bounds of its own for the new version's workers in each server process; `None`
    leaves it those of the endpoint. `rollback_alarms` are alarms of the workspace that count as
    its own do; a worker heeds them.
    """

    steps: tuple[StrategyStep, ...]
    name: str = "custom"
    alarms: tuple[AlarmRule, ...] = ()
    analysis: AnalysisPlan = field(default_factory=AnalysisPlan)
    on_breach: OnBreach = OnBreach.ROLLBACK
    keep_seconds: float = 3600.0
    workers: tuple[int, int] | None = None
    rollback_alarms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Revision:
    """One model version as it was brought to an endpoint.

    `state`: stable (serves production), canary, previous (loaded, ready for rollback),
    retired, failed. `actual_weight` is what the server last reported, in percent; what is said
    of workers is so too.
    """

    endpoint: str
    revision: int
    model: str
    version: int
    state: str
    weight: float
    deployment_id: str
    created_at: float
    actual_weight: float | None = None
    workers: int | None = None  # in all servers together
    stuck_workers: int = 0  # of them, kept by the model for longer than anybody waits
    worker_bounds: tuple[int, int] | None = None  # in each server


@dataclass(frozen=True, slots=True)
class DeploymentEvent:
    """One line of a deployment's log: who did what and why."""

    at: float
    actor: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """One change of an endpoint from start to finish. Times are epoch seconds (UTC)."""

    id: str
    endpoint: str
    model: str
    version: int
    revision: int
    from_revision: int | None
    status: DeploymentStatus
    strategy: tuple[StrategyStep, ...]
    step_index: int
    set_weight: float
    actor: str
    reason: str
    created_at: float
    ended_at: float | None = None
    next_at: float | None = None
    message: str = ""
    run_id: str | None = None
    events: tuple[DeploymentEvent, ...] = ()
    plan: ReleasePlan | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a rollback leaves, or a deployment that was aborted or has failed: who, why, from,
    to, requests failed, milliseconds. `to_version` is 0 where there was none to go back to."""

    id: str
    endpoint: str
    actor: str
    reason: str
    from_model: str
    from_version: int
    to_model: str
    to_version: int
    requests_failed: int
    in_flight: int
    milliseconds: float
    at: float
    deployment_id: str | None = None

    @property
    def from_name(self) -> str:
        """What it went from: `demand v3`."""
        return f"{self.from_model} v{self.from_version}"

    @property
    def to_name(self) -> str:
        """What it went to: `demand v2`, or `no version`."""
        return f"{self.to_model} v{self.to_version}" if self.to_version else "no version"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A served address: what it should be and, where its supervisor answers, what it is.

    Only an endpoint whose `environment` is production moves its model's `champion` and
    `previous`; one of staging moves `staging`. `status`: empty (no version yet), creating,
    in_service, updating, degraded, failed, stopped. `url` is empty until it has been bound.
    """

    name: str
    environment: str
    status: str
    host: str
    port: int
    revisions: tuple[Revision, ...]
    created_at: float
    updated_at: float
    deployment: Deployment | None = None
    supervisor_pid: int | None = None
    server_pid: int | None = None
    message: str = ""
    requests: int = 0
    errors: int = 0
    in_flight: int = 0
    captured: int = 0
    dropped: int = 0  # of the capture: queue full, disk, or deleted again for its cap
    dropped_cap: int = 0  # those of the last kind
    capture_error: str = ""  # of the last attempt to write
    rps: float = 0.0
    p50_ms: float | None = None
    p99_ms: float | None = None
    history: Sequence[Deployment] = field(default_factory=tuple)
    receipts: Sequence[Receipt] = field(default_factory=tuple)
    stats: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    analysis: AnalysisStatus | None = None
    servers: int = 1
    consumers: tuple[Consumer, ...] = ()  # who has called; of one endpoint that is looked at

    @property
    def url(self) -> str:
        """Address of the invocations route, "" while there is none."""
        return f"http://{self.host}:{self.port}/invocations" if self.port else ""
