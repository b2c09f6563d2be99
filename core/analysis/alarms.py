"""Absolute alarms: M of N datapoints, as CloudWatch evaluates them, missing data included.

Source: "Configuring how CloudWatch alarms treat missing data",
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html.
What it leaves open is settled here: the evaluation range is N + 2 periods (the published
examples have N = 3 and a range of 5); breaching datapoints that are neither enough nor old
enough for ALARM, without a single good one beside them, leave the state as it is under
`missing` and `ignore`; and before N periods have passed since the alarm was armed, missing
ones do not count as breaching: there was nothing yet that could have been missed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from core.analysis.buckets import percentile_ms
from core.domain.analysis import (
    AlarmRule,
    AlarmState,
    AlarmStatus,
    Comparison,
    MissingData,
)

EXTRA_PERIODS = 2
SHOWN = 30  # datapoints kept for the eye

_COMPARE: dict[Comparison, Callable[[float, float], bool]] = {
    Comparison.GREATER: operator.gt,
    Comparison.GREATER_OR_EQUAL: operator.ge,
    Comparison.LESS: operator.lt,
    Comparison.LESS_OR_EQUAL: operator.le,
}
_WORDS = {
    Comparison.GREATER: "greater than",
    Comparison.GREATER_OR_EQUAL: "greater than or equal to",
    Comparison.LESS: "less than",
    Comparison.LESS_OR_EQUAL: "less than or equal to",
}


def breaches(comparison: Comparison, value: float, threshold: float) -> bool:
    """Whether a datapoint breaches a threshold."""
    return _COMPARE[comparison](value, threshold)


def comparison_words(comparison: Comparison) -> str:
    """How a breaching datapoint compares, in words: `greater than`."""
    return _WORDS[comparison]


@dataclass(slots=True)
class Period:
    """What one arm did within one period: counts, and its latencies by bucket."""

    seconds: float
    requests: float = 0
    errors: float = 0
    rejected: float = 0
    answered: float = 0  # with a prediction: latencies are of these
    milliseconds: float = 0.0  # their sum
    latencies: dict[int, float] = field(default_factory=dict)
    scores: float = 0  # numeric predictions
    score_sum: float = 0.0
    crashes: int = 0

    def add(self, other: Period) -> None:
        """Both together: of another stretch of time, or of another server."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for bucket, count in other.latencies.items():
            self.latencies[bucket] = self.latencies.get(bucket, 0) + count


_SUMS = tuple(item.name for item in fields(Period) if item.name not in ("seconds", "latencies"))


def datapoint(rule: AlarmRule, period: Period) -> float | None:
    """The metric's value over a period; `None` (missing) below the rule's minimum of requests,
    but for the counts themselves, which are always known."""
    match rule.metric:
        case "requests":
            return period.requests
        case "requests_per_second":
            return period.requests / period.seconds
        case "crashes":
            return float(period.crashes)
    if period.requests < max(1, rule.minimum_requests):
        return None
    match rule.metric:
        case "error_rate":
            return period.errors / period.requests
        case "rejected_rate":
            return period.rejected / period.requests
        case "latency_mean":
            return period.milliseconds / period.answered if period.answered else None
        case "latency_p50" | "latency_p90" | "latency_p99":
            return percentile_ms(period.latencies, int(rule.metric[-2:]) / 100)
        case "score_mean":
            return period.score_sum / period.scores if period.scores else None
    raise ValueError(f"no alarm metric {rule.metric}")


def evaluate(
    breaches: Sequence[bool | None], rule: AlarmRule, state: AlarmState, treat: MissingData
) -> AlarmState:
    """The state after these periods, the newest last: breaching, good, or `None` for missing.
    Only the evaluation range is looked at."""
    wanted, enough = rule.evaluation_periods, rule.datapoints_to_alarm
    seen = list(breaches[-(wanted + EXTRA_PERIODS) :])
    real = [breach for breach in seen if breach is not None]
    if len(real) >= wanted:
        return _verdict(sum(real[-wanted:]) >= enough)
    missing = wanted - len(real)
    if treat is MissingData.BREACHING:
        return _verdict(sum(real) + missing >= enough)
    if treat is MissingData.NOT_BREACHING:
        return _verdict(sum(real) >= enough)
    if not real:
        return state if treat is MissingData.IGNORE else AlarmState.INSUFFICIENT_DATA
    if sum(real) >= enough or not all(real):
        return _verdict(sum(real) >= enough)
    # Breaching ones alone, and too few: time makes up for what is missing, unless ignored.
    age = len(seen) - next(index for index, breach in enumerate(seen) if breach is not None)
    if treat is MissingData.MISSING and age >= enough:
        return AlarmState.ALARM
    return state


def _verdict(alarm: bool) -> AlarmState:
    return AlarmState.ALARM if alarm else AlarmState.OK


@dataclass(slots=True)
class Alarm:
    """One rule and its datapoints so far. `add` once a period."""

    rule: AlarmRule
    since: float
    state: AlarmState = AlarmState.INSUFFICIENT_DATA
    reason: str = "no period has ended yet"
    periods: int = 0
    datapoints: list[float | None] = field(default_factory=list)

    def add(self, value: float | None, at: float) -> AlarmState:
        """The datapoint of the period that ended at `at`; the state from then on."""
        rule = self.rule
        self.periods += 1
        kept = max(SHOWN, rule.evaluation_periods + EXTRA_PERIODS)
        self.datapoints = [*self.datapoints, value][-kept:]
        treat = rule.treat_missing_data
        if treat is MissingData.BREACHING and self.periods < rule.evaluation_periods:
            treat = MissingData.MISSING
        seen = [None if point is None else self._breaches(point) for point in self.datapoints]
        state = evaluate(seen, rule, self.state, treat)
        if state is not self.state:
            self.state, self.since = state, at
        self.reason = self._words()
        return state

    def _breaches(self, value: float) -> bool:
        return breaches(self.rule.comparison, value, self.rule.threshold)

    def _words(self) -> str:
        rule = self.rule
        recent = self.datapoints[-(rule.evaluation_periods + EXTRA_PERIODS) :]
        real = [point for point in recent if point is not None][-rule.evaluation_periods :]
        if not real:
            return f"no {rule.metric} in the last {len(recent)} periods"
        breaching = sum(self._breaches(point) for point in real)
        values = ", ".join(f"{point:.4g}" for point in real)
        return (
            f"{breaching} of the last {len(real)} datapoints [{values}] "
            f"{'was' if breaching == 1 else 'were'} {comparison_words(rule.comparison)} "
            f"{rule.threshold:g} "
            f"({rule.datapoints_to_alarm} of {rule.evaluation_periods} are an alarm)"
        )

    def status(self) -> AlarmStatus:
        """How it stands."""
        rule = self.rule
        return AlarmStatus(
            name=rule.name,
            metric=rule.metric,
            variant=rule.variant,
            state=self.state,
            threshold=rule.threshold,
            comparison=rule.comparison,
            since=self.since,
            value=self.datapoints[-1] if self.datapoints else None,
            datapoints=tuple(self.datapoints[-SHOWN:]),
            reason=self.reason,
            dry_run=rule.dry_run,
        )

    def to_json(self) -> dict[str, Any]:
        """What `resume` needs besides the rule."""
        return {
            "since": self.since,
            "state": self.state,
            "reason": self.reason,
            "periods": self.periods,
            "datapoints": self.datapoints,
        }

    @classmethod
    def resume(cls, rule: AlarmRule, data: Mapping[str, Any]) -> Alarm:
        """The alarm as it was when `to_json` was called."""
        return cls(
            rule,
            data["since"],
            AlarmState(data["state"]),
            data["reason"],
            data["periods"],
            list(data["datapoints"]),
        )
