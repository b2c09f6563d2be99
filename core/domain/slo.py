"""Service level objectives: what is promised of an endpoint, and how much of it is left.

The error budget is the share of bad events that the objective allows over its window. The burn
rate is how many times faster than that it is used up: at 1 it lasts just for the window. Terms,
windows and thresholds: "The Site Reliability Workbook" (O'Reilly, 2018), chapter 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from core.domain.alarm import AlarmAction
from core.domain.analysis import Comparison
from core.domain.series import SeriesName


class SloKind(StrEnum):
    """What a good event is: a request answered without a 5xx (and not shed); one answered
    within some time; a window of a monitor whose metric is as it should be."""

    AVAILABILITY = "availability"
    LATENCY = "latency"
    QUALITY = "quality"


@dataclass(frozen=True, slots=True)
class SloDefinition:
    """One objective. `objective` is a share below 1, `window` seconds, `latency_ms`
    milliseconds; a metric is good while `metric comparison threshold` holds."""

    name: str
    kind: SloKind
    objective: float
    window: float = 30 * 86_400.0
    endpoint: str = ""
    variant: str = ""
    latency_ms: float = 0.0
    metric: SeriesName | None = None
    comparison: Comparison = Comparison.LESS_OR_EQUAL
    threshold: float = 0.0
    minimum_events: int = 20
    fast: tuple[AlarmAction, ...] | None = None
    slow: tuple[AlarmAction, ...] | None = None
    trickle: tuple[AlarmAction, ...] | None = None
    description: str = ""
    runbook: str = ""

    def words(self) -> str:
        """What is promised, on one line."""
        share = f"{self.objective * 100:g} %"
        match self.kind:
            case SloKind.AVAILABILITY:
                return f"{share} of requests to {self.endpoint} answered without a 5xx"
            case SloKind.LATENCY:
                return f"{share} of answers of {self.endpoint} within {self.latency_ms:g} ms"
        sign = {"Less": "<", "Grea": ">"}[self.comparison[:4]]
        sign += "=" * ("OrEqual" in self.comparison)
        name = self.metric.words() if self.metric else ""
        return f"{share} of windows with {name} {sign} {self.threshold:g}"


@dataclass(frozen=True, slots=True)
class BurnTier:
    """One pair of windows: an alarm goes off while both burn at `rate` or faster (seconds)."""

    name: str
    rate: float
    long: float
    short: float


@dataclass(frozen=True, slots=True)
class SloStatus:
    """How an objective stands. `sli` is the share of good events over the window,
    `budget_left` a share of the error budget (negative when it is overdrawn); both None without
    events. `burn` is the burn rate by length of window (seconds), None without events there;
    `exhausted_in` the seconds until nothing is left at the pace of the slow windows. `alarms`
    maps the alarms that were derived to their state, `trend` has the last budgets left, a minute
    apart. `problem` is what is wrong with its file now; the last good definition stands."""

    definition: SloDefinition
    at: float | None = None
    sli: float | None = None
    budget_left: float | None = None
    events: float = 0.0
    bad: float = 0.0
    burn: Mapping[float, float | None] = field(default_factory=dict)
    exhausted_in: float | None = None
    alarms: Mapping[str, str] = field(default_factory=dict)
    trend: tuple[float | None, ...] = ()
    problem: str = ""

    @property
    def name(self) -> str:
        """Its name."""
        return self.definition.name
