"""Alarms over any metric: what they are, how they stand, and what happened to them.

Words are CloudWatch's (see `core.domain.analysis`): a metric alarm goes off when at least
`datapoints_to_alarm` of the last `evaluation_periods` breach its threshold (or leave the band
that the metric's past foretells), a composite alarm when its rule over other alarms holds.
Times are epoch seconds (UTC), durations seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from core.domain.alert import Severity
from core.domain.analysis import AlarmState, Comparison, MissingData
from core.domain.series import SeriesName

BAND_WIDTH = 3.0
"""Half the band, in robust standard deviations, where nobody says otherwise."""

ROLLBACK_WITHIN = 86_400.0
"""How old a release may be for an alarm to take it back by itself (seconds)."""


class BandComparison(StrEnum):
    """How a datapoint is held against a band (CloudWatch's words for anomaly detection)."""

    OUTSIDE = "LessThanLowerOrGreaterThanUpperThreshold"
    ABOVE = "GreaterThanUpperThreshold"
    BELOW = "LessThanLowerThreshold"


class ActionKind(StrEnum):
    """What an alarm does: tell people, take a release back, have a trigger start a run."""

    ALERT = "alert"
    ROLLBACK = "rollback"
    TRIGGER = "trigger"


@dataclass(frozen=True, slots=True)
class AlarmAction:
    """One action; `severity` is an alert's, `name` a trigger's."""

    kind: ActionKind
    severity: Severity = Severity.WARNING
    name: str = ""

    def words(self) -> str:
        """As it is written in a file: `alert: critical`, `rollback`, `trigger: NAME`."""
        match self.kind:
            case ActionKind.ALERT:
                return f"alert: {self.severity}"
            case ActionKind.TRIGGER:
                return f"trigger: {self.name}"
        return str(self.kind)


@dataclass(frozen=True, slots=True)
class AlarmDefinition:
    """An alarm as its file defines it: over `metric`, or composite by its `rule`.

    `period` None: each point as it was recorded is a datapoint, such as each window of a
    monitor; with `expect_every` so many seconds without a further one are a missing datapoint.
    A period with fewer than `minimum_samples` samples is missing. `threshold` None: the band of
    `band_width` robust standard deviations around what the metric's past foretells; `compare`
    is then a `BandComparison`. Actions wait while the alarm `suppress_with` is in ALARM, and
    `suppress_extension` seconds after it; `suppress_wait` is how long it may take to go off.
    `endpoint` is what a rollback takes back, by default that of the metric's source;
    `derived_from` names what an alarm was made for, such as `slo/NAME`.
    """

    name: str
    metric: SeriesName | None = None
    stat: str = "Average"
    period: float | None = 60.0
    expect_every: float | None = None
    evaluation_periods: int = 1
    datapoints_to_alarm: int = 1
    threshold: float | None = 0.0
    comparison: Comparison | BandComparison = Comparison.GREATER
    band_width: float = BAND_WIDTH
    treat_missing_data: MissingData = MissingData.MISSING
    minimum_samples: int = 0
    rule: str = ""
    suppress_with: str = ""
    suppress_wait: float = 0.0
    suppress_extension: float = 0.0
    actions: tuple[AlarmAction, ...] = (AlarmAction(ActionKind.ALERT),)
    ok_actions: tuple[AlarmAction, ...] = ()
    insufficient_data_actions: tuple[AlarmAction, ...] = ()
    endpoint: str = ""
    rollback_within: float = ROLLBACK_WITHIN
    description: str = ""
    runbook: str = ""
    derived_from: str = ""

    @property
    def composite(self) -> bool:
        """Whether it is a rule over other alarms."""
        return bool(self.rule)

    @property
    def banded(self) -> bool:
        """Whether it is held against a forecast band."""
        return self.metric is not None and self.threshold is None

    def words(self) -> str:
        """What makes it go off, on one line."""
        if self.metric is None:
            return self.rule
        bound = "the band" if self.threshold is None else f"{self.threshold:g}"
        if self.threshold is None and self.band_width != BAND_WIDTH:
            bound += f" of {self.band_width:g}"
        each = "window" if self.period is None else _length(self.period)
        many = f"{self.datapoints_to_alarm} of {self.evaluation_periods} × {each}"
        return f"{self.metric.words()} {self.stat} {SIGNS[self.comparison]} {bound}, {many}"


SIGNS: Mapping[Comparison | BandComparison, str] = {
    Comparison.GREATER: ">",
    Comparison.GREATER_OR_EQUAL: ">=",
    Comparison.LESS: "<",
    Comparison.LESS_OR_EQUAL: "<=",
    BandComparison.OUTSIDE: "outside",
    BandComparison.ABOVE: "above",
    BandComparison.BELOW: "below",
}


def _length(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"


@dataclass(frozen=True, slots=True)
class AlarmPoint:
    """One datapoint as an alarm saw it: `low` and `high` are the bounds that it was held
    against (of a threshold only one), `breaching` None where it is missing."""

    at: float
    value: float | None
    breaching: bool | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm and how it stands.

    `age` is the seconds since somebody last evaluated it, None where nobody has; `stale` says
    that this is longer ago than it should be: no worker looks. `problem` is what is wrong with
    its file now; the last good definition stands meanwhile. `held` says why actions wait, and
    `test` that it was set by hand to try it.
    """

    definition: AlarmDefinition
    state: AlarmState = AlarmState.INSUFFICIENT_DATA
    since: float | None = None
    reason: str = ""
    datapoints: tuple[AlarmPoint, ...] = ()
    evaluated_at: float | None = None
    age: float | None = None
    stale: bool = True
    actions_enabled: bool = True
    switched_by: str = ""
    switched_at: float | None = None
    switched_why: str = ""
    held: str = ""
    test: bool = False
    problem: str = ""
    gone: bool = False

    @property
    def name(self) -> str:
        """Its name."""
        return self.definition.name

    @property
    def value(self) -> float | None:
        """The newest datapoint."""
        return self.datapoints[-1].value if self.datapoints else None


@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """A line of an alarm's history. `kind`: state (a transition), test, action, config."""

    alarm: str
    at: float
    kind: str
    reason: str
    actor: str
    from_state: str = ""
    to_state: str = ""
    datapoints: tuple[AlarmPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class AlarmSeries:
    """The datapoints of an alarm over some time, for a chart, with what bounds them."""

    name: str
    metric: SeriesName
    stat: str
    period: float | None
    points: tuple[AlarmPoint, ...]
    threshold: float | None
    events: tuple[AlarmEvent, ...] = field(default_factory=tuple)
