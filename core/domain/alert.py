"""What somebody should know of, and whether somebody has seen it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class AlertState(StrEnum):
    """`acknowledged`: somebody has seen it and looks after it; `resolved`: it is over."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """`critical`: production is or was in danger; `warning`: something waits; `info`: to know."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return (Severity.CRITICAL, Severity.WARNING, Severity.INFO).index(self)

    def worse(self, than: Severity) -> bool:
        """Whether this one is worse than that one."""
        return self.rank < than.rank


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `kind` is what sort of thing happened (rollback, frozen, held,
    deployment_failed, crash_loop, quarantine, drift, model_quality, …), `target` what it is
    about, such as `endpoint/bike-demand`. Times are epoch seconds (UTC).

    `family` holds the kinds that are one alert when they come together. `causes` is how many
    different things were found, `events` how often, from `at` to `last_at`; `opened_at` is when
    it was opened the last time. `owner` is who it was given to, or who it falls to by the
    workspace's file. `level` is the level of the escalation policy that has been told, counted
    from 0, and `level_at` when. `silence` is the silence that hides it now."""

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
    family: str = ""
    events: int = 1
    causes: int = 1
    last_at: float = 0.0
    opened_at: float = 0.0
    owner: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, object] = field(default_factory=dict)
    runbook: str = ""
    level: int = 0
    level_at: float = 0.0
    wakes_at: float | None = None
    snoozed_by: str | None = None
    reopened: int = 0
    silence: Silence | None = None

    @property
    def headline(self) -> str:
        """The title, and how many more causes there are."""
        more = self.causes - 1
        return f"{self.title} (and {more} more)" if more > 0 else self.title

    def snoozed(self, now: float) -> bool:
        """Whether it is put off at this time."""
        return self.wakes_at is not None and self.wakes_at > now

    def hidden(self, now: float) -> bool:
        """Whether nobody wants to see it at this time: silenced or snoozed."""
        return self.silence is not None or self.snoozed(now)


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that was found, seen `count` times; over where `over_at` is set."""

    cause_key: str
    kind: str
    title: str
    message: str
    severity: Severity
    evidence: Mapping[str, object]
    count: int
    first_at: float
    last_at: float
    over_at: float | None


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One entry of an alert's timeline."""

    id: int
    at: float
    actor: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Matcher:
    """Which alerts are meant: each given part must fit. `target` and `kind` are patterns as of
    file names (`endpoint/bike-*`); `labels` are given values of the alert's labels."""

    target: str = ""
    kind: str = ""
    severity: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def words(self) -> str:
        """What it matches, in words."""
        parts = [
            f"{key} {value}"
            for key, value in (
                ("target", self.target),
                ("kind", self.kind),
                ("severity", self.severity),
            )
            if value
        ]
        parts += [f"{key}={value}" for key, value in sorted(self.labels.items())]
        return ", ".join(parts) or "every alert"


@dataclass(frozen=True, slots=True)
class Silence:
    """Alerts that nobody wants to see for a while, and why. It ends by itself at `ends_at`."""

    id: str
    matcher: Matcher
    reason: str
    made_by: str
    made_at: float
    ends_at: float
    ended_by: str | None = None
    ended_at: float | None = None

    def active(self, now: float) -> bool:
        """Whether it still hides anything."""
        return self.ended_at is None and self.ends_at > now
