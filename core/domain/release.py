"""Endpoints, their revisions, deployments and rollback receipts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class DeploymentStatus(StrEnum):
    """State of a deployment; `paused` waits for a time or for a person's promote."""

    QUEUED = "queued"
    LOADING = "loading"
    PROGRESSING = "progressing"
    PAUSED = "paused"
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


@dataclass(frozen=True, slots=True)
class StrategyStep:
    """One rung: `set_weight` in percent, or `pause` in seconds (`None`: until promoted)."""

    kind: str
    weight: float | None = None
    seconds: float | None = None

    def words(self) -> str:
        """The step in words, as the ladder shows it."""
        if self.kind == "set_weight":
            return f"set weight {self.weight:g} %"
        return "pause until promoted" if self.seconds is None else f"pause {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class Revision:
    """One model version as it was brought to an endpoint.

    `state`: stable (serves production), canary, previous (loaded, ready for rollback),
    retired, failed. `actual_weight` is what the server last reported, in percent.
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


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a rollback leaves: who, why, from, to, requests failed, milliseconds."""

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


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A served address: what it should be and, where its supervisor answers, what it is.

    Only an endpoint whose `environment` is production moves its model's `champion` and
    `previous`; one of staging moves `staging`. `status`: creating, in_service, updating,
    degraded, failed, stopped. `url` is empty until it has been bound.
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
    dropped: int = 0
    rps: float = 0.0
    p50_ms: float | None = None
    p99_ms: float | None = None
    history: Sequence[Deployment] = field(default_factory=tuple)
    receipts: Sequence[Receipt] = field(default_factory=tuple)
    stats: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Address of the invocations route, "" while there is none."""
        return f"http://{self.host}:{self.port}/invocations" if self.port else ""
