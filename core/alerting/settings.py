"""What the section `alerts:` of opsdeck.yaml says, as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from core.alerting.families import GROUPING_SECONDS, REOPEN_SECONDS
from core.domain.alert import Matcher, Severity
from core.windows import Window

DAY_SECONDS = 86_400.0
OWNER = "owner"
"""In `notify:` and `owner:`-less policies: whoever the alert falls to."""


@dataclass(frozen=True, slots=True)
class Throttle:
    """At most so many messages in so many seconds; what comes more often waits and then goes out
    together. Critical ones do not wait."""

    messages: int = 6
    seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class Target:
    """An address that Apprise can send to. `url` is as written: what it takes from the
    environment is put in where it is used, and nowhere else. `seconds` is how long one message
    may take."""

    name: str
    url: str
    throttle: Throttle = Throttle()
    quiet: tuple[Window, ...] = ()
    seconds: float = 20.0

    @property
    def scheme(self) -> str:
        """What sort of address it is, for people; nothing of the rest is ever shown."""
        head, found, _ = self.url.partition("://")
        return head if found and "$" not in head else "from the environment"


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody else is on call from one moment up to another (Unix seconds)."""

    start: float
    end: float
    who: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """Who is on call: `people` in turn, each for `days`, handing over at `minute` of the day by
    the clock of `zone`. The first one's turn began on the day `starts`."""

    name: str
    people: tuple[str, ...]
    days: int
    starts: date
    minute: int
    zone: ZoneInfo
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True)
class Level:
    """Who is told when nobody has acknowledged an alert for `after` seconds. Each of `notify` is
    a target, a person, `oncall/SCHEDULE` or `owner`."""

    after: float
    notify: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Who is told of the alerts that fit, level by level. The first policy that fits counts."""

    name: str
    matcher: Matcher
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class OwnerRule:
    """The alerts that fit fall to `owner`: a person, or `oncall/SCHEDULE`. The first one counts."""

    matcher: Matcher
    owner: str


@dataclass(frozen=True, slots=True)
class Digest:
    """Alerts of these severities are told together, each day at `minute` by the clock of `zone`."""

    minute: int
    zone: ZoneInfo
    severities: frozenset[Severity]
    notify: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """All of it. `grouping`, `reopen` and `related` are seconds."""

    grouping: float = GROUPING_SECONDS
    reopen: float = REOPEN_SECONDS
    related: float = DAY_SECONDS
    targets: Mapping[str, Target] = field(default_factory=dict)
    people: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    owners: tuple[OwnerRule, ...] = ()
    policies: tuple[Policy, ...] = ()
    quiet: tuple[Window, ...] = ()
    digest: Digest | None = None
    runbooks: Mapping[str, str] = field(default_factory=dict)
