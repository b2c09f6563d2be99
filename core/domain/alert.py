"""What somebody should know of, and whether somebody has seen it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AlertState(StrEnum):
    """`acknowledged`: somebody has seen it and looks after it; `resolved`: it is over."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """`critical`: production was in danger; `warning`: something waits; `info`: to know."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `kind`: rollback, frozen, held, deployment_failed or crash_loop. `target` is
    what it is about, such as `endpoint/bike-demand`. Times are epoch seconds (UTC)."""

    id: str
    at: float
    severity: Severity
    kind: str
    target: str
    deployment_id: str | None
    receipt_id: str | None
    title: str
    message: str
    state: AlertState
    acked_by: str | None = None
    acked_at: float | None = None
    resolved_by: str | None = None
    resolved_at: float | None = None
