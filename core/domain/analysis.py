"""What a release is judged by while it takes traffic: alarms, metrics, and how they stand.

Words and rules of alarms are CloudWatch's: a period gives one datapoint; an alarm goes off
when at least `datapoints_to_alarm` of the last `evaluation_periods` breach the threshold.
Durations are seconds; weights and shares of traffic are percent; rates and errors are shares
between 0 and 1; latencies are milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class AlarmState(StrEnum):
    """As CloudWatch names them."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class MissingData(StrEnum):
    """What a period without data counts as (CloudWatch's `TreatMissingData`)."""

    MISSING = "missing"
    IGNORE = "ignore"
    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"


class Comparison(StrEnum):
    """How a datapoint is held against the threshold (CloudWatch's `ComparisonOperator`)."""

    GREATER = "GreaterThanThreshold"
    GREATER_OR_EQUAL = "GreaterThanOrEqualToThreshold"
    LESS = "LessThanThreshold"
    LESS_OR_EQUAL = "LessThanOrEqualToThreshold"


class Verdict(StrEnum):
    """What a comparison with the champion's arm has come to. `undecided` never promotes."""

    WORSE = "worse"
    NON_INFERIOR = "non-inferior"
    UNDECIDED = "undecided"


class OnBreach(StrEnum):
    """What an alarm or the verdict `worse` does to the deployment."""

    ROLLBACK = "rollback"
    FREEZE = "freeze"


ALARM_METRICS = (
    "error_rate",  # share of requests answered 5xx or not at all
    "rejected_rate",  # share answered 4xx
    "latency_p50",
    "latency_p90",
    "latency_p99",
    "latency_mean",
    "requests",  # answered within the period
    "requests_per_second",
    "score_mean",  # of the numeric predictions
    "crashes",  # server processes that ended by themselves within the period
)

ANALYSIS_METRICS = (
    "error_rate",
    "latency",  # mean of the natural logarithm of milliseconds
    "score",  # mean prediction
    "score_distribution",  # largest distance between the arms' distribution functions
    "ground_truth",  # mean loss per labelled row: absolute error, or 0/1 for classes
    "disagreements",  # shadow only: loss of the candidate against the champion on the same rows
)


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """An absolute alarm on one arm (`variant`: candidate, champion or endpoint).

    It says nothing before `minimum_requests` in a period (such a period is missing). One with
    `dry_run` is shown and recorded, and does nothing.
    """

    name: str
    metric: str
    threshold: float
    comparison: Comparison = Comparison.GREATER
    period: float = 10.0
    evaluation_periods: int = 3
    datapoints_to_alarm: int = 2
    treat_missing_data: MissingData = MissingData.MISSING
    variant: str = "candidate"
    minimum_requests: int = 1
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class MetricRule:
    """A comparison of the candidate's arm with the champion's.

    The candidate is non-inferior when it is worse by less than `margin` (in the metric's unit,
    or with `relative` a share of the champion's value), and worse when the difference is
    surely beyond it. `worse_when` says which direction hurts: higher, lower or both.
    `share` is its part of the error probability (parts are normalised over all metrics).
    """

    metric: str
    margin: float
    relative: bool = False
    worse_when: str = "higher"
    share: float = 1.0
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class AnalysisPlan:
    """How the arms are compared: `alpha` is the probability, over the whole deployment and all
    metrics, of calling an equal candidate worse. No verdict before `minimum_requests` of the
    candidate's arm (labels, for the metrics that need them)."""

    metrics: tuple[MetricRule, ...] = ()
    alpha: float = 0.05
    minimum_requests: int = 100


@dataclass(frozen=True, slots=True)
class AlarmStatus:
    """How an alarm stands. `datapoints` are the newest last, `None` for a missing period."""

    name: str
    metric: str
    variant: str
    state: AlarmState
    threshold: float
    comparison: Comparison
    since: float
    value: float | None = None
    datapoints: tuple[float | None, ...] = ()
    reason: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class MetricStatus:
    """How a comparison stands: both arms' values, their difference (candidate - champion) with
    its confidence sequence's interval, the margin in the same unit, the verdict.

    For `score_distribution` the difference is the distance, at least 0. `eta` is a guess of
    the seconds until a decision at the present pace, `None` where there is none. `trend` has
    the last differences, the newest last. `note` says what keeps it from a verdict.
    """

    metric: str
    verdict: Verdict
    champion: float | None = None
    candidate: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float = 0.0
    relative: bool = False
    worse_when: str = "higher"
    champion_count: int = 0
    candidate_count: int = 0
    eta: float | None = None
    dry_run: bool = False
    trend: tuple[float, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Whether traffic is split as it was set: a mismatch means that the comparison lies.

    `p_value` is valid at any time (the inverse of a test martingale).
    """

    expected: float
    observed: float | None
    p_value: float = 1.0
    ok: bool = True


@dataclass(frozen=True, slots=True)
class ShadowStatus:
    """The mirrored requests of a shadow: compared, disagreeing, shed, and the candidate's
    failures. `agreement` is a share."""

    mirrored: int = 0
    compared: int = 0
    disagreements: int = 0
    dropped: int = 0
    failed: int = 0

    @property
    def agreement(self) -> float | None:
        """Share of compared requests on which both models said the same."""
        return None if not self.compared else 1 - self.disagreements / self.compared


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One request that the arms of a shadow answered differently, and what each said."""

    segment: str
    inference_id: str
    inputs: Mapping[str, Any]
    champion: Any
    candidate: Any
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class SegmentCount:
    """How many requests of a segment were compared, and on how many the arms disagree."""

    segment: str
    compared: int
    disagreements: int


@dataclass(frozen=True, slots=True)
class DisagreementSummary:
    """Where the arms of a shadow disagree: the worst segment first, the newest row first.

    `by` says what the segments are (a feature's name), "" where there is only one.
    """

    by: str = ""
    segments: tuple[SegmentCount, ...] = ()
    rows: tuple[Disagreement, ...] = ()


@dataclass(frozen=True, slots=True)
class Acted:
    """What the supervisor did by itself: `kind` is rolled_back or frozen."""

    kind: str
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class AnalysisStatus:
    """Everything that judges an open deployment, as its supervisor sees it now."""

    deployment: str
    at: float
    candidate: int
    champion: int | None
    metrics: tuple[MetricStatus, ...] = ()
    alarms: tuple[AlarmStatus, ...] = ()
    sample_ratio: SampleRatio | None = None
    shadow: ShadowStatus | None = None
    acted: Acted | None = None

    @property
    def verdict(self) -> Verdict:
        """Of all metrics that count: worse if one is, non-inferior if all are."""
        counted = [m.verdict for m in self.metrics if not m.dry_run]
        if Verdict.WORSE in counted:
            return Verdict.WORSE
        mixed = self.sample_ratio is not None and not self.sample_ratio.ok
        if counted and not mixed and all(v is Verdict.NON_INFERIOR for v in counted):
            return Verdict.NON_INFERIOR
        return Verdict.UNDECIDED

    @property
    def alarming(self) -> tuple[AlarmStatus, ...]:
        """Alarms that count and are off."""
        return tuple(a for a in self.alarms if a.state is AlarmState.ALARM and not a.dry_run)
