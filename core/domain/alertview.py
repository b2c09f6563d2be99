"""What is shown beside an alert: who is on call, what was sent, what changed before it."""

from __future__ import annotations

from dataclasses import dataclass

from core.domain.alert import Alert, AlertEvent, Cause, Silence


@dataclass(frozen=True, slots=True)
class OnCall:
    """Who is on call by a schedule. `until_at` is when that changes (`None`: never), `next` who is
    then; `overridden` where somebody stands in. Nobody is `None`."""

    schedule: str
    who: str | None
    until_at: float | None
    next: str | None
    overridden: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """One alert for one address. `person` is for whom, where it was a person's. What is neither
    sent nor given up is tried again at `due_at`."""

    id: int
    target: str
    alert_id: str | None
    kind: str
    severity: str
    person: str
    created_at: float
    due_at: float
    attempts: int
    sent_at: float | None
    gave_up_at: float | None
    error: str

    @property
    def state(self) -> str:
        """sent, given up, failing (to be tried again) or waiting."""
        if self.sent_at is not None:
            return "sent"
        if self.gave_up_at is not None:
            return "given up"
        return "failing" if self.error else "waiting"


@dataclass(frozen=True, slots=True)
class Runbook:
    """What to do about an alert. `source` is the workspace's file, or `built in`."""

    title: str
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class RelatedChange:
    """Something that changed in the time before an alert. `suspicion` is from 0 to 1; `why` says
    what makes it suspicious; `open` is what the console can open (`deployment/ID`, `run/12`, …)."""

    at: float
    kind: str
    what: str
    by: str
    suspicion: float
    why: str
    open: str = ""


@dataclass(frozen=True, slots=True)
class AlertAction:
    """Something to do about an alert with one key, and the command that does the same.

    `reason` says why it cannot be done here, where it cannot; `subject` is the name of what it
    is done to."""

    id: str
    label: str
    command: str
    reason: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """A level of the policy that an alert is under; `due_at` is when it will be told, `None`
    where it has been or will not be."""

    level: int
    notify: tuple[str, ...]
    after: float
    told: bool
    due_at: float | None


@dataclass(frozen=True, slots=True)
class EvidenceSeries:
    """The numbers behind an alert, oldest first, each with its time; `None` is a gap. Above the
    threshold is bad where `above` is set, below it otherwise."""

    title: str
    points: tuple[tuple[float, float | None], ...]
    threshold: float | None
    above: bool


@dataclass(frozen=True, slots=True)
class AlertDetail:
    """An alert with everything beside it."""

    alert: Alert
    causes: tuple[Cause, ...]
    events: tuple[AlertEvent, ...]
    deliveries: tuple[Delivery, ...]
    runbook: Runbook
    related: tuple[RelatedChange, ...]
    actions: tuple[AlertAction, ...]
    policy: str
    steps: tuple[EscalationStep, ...]
    on_call: tuple[OnCall, ...]
    series: EvidenceSeries | None = None


@dataclass(frozen=True, slots=True)
class Triage:
    """What is to be looked at, worst first, and how much is not shown. `people` are the names
    that the workspace's file knows, to give alerts to.

    `unattended` says why nothing is sent and nothing escalates, where that is so."""

    read_at: float
    alerts: tuple[Alert, ...]
    silenced: int
    snoozed: int
    silences: tuple[Silence, ...]
    on_call: tuple[OnCall, ...]
    people: tuple[str, ...] = ()
    unattended: str = ""
