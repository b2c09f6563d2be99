"""What state an alarm is in now: by the datapoints of its metric, or by its rule.

Pure of side effects: reads points, changes nothing. A period counts once it is surely complete:
when a later one has begun to have points, or 15 s after its end. A clock that has been put back
arms an alarm anew (`armed_at`): what was recorded before, under times that come again, does not
count, and the state stays as it is until enough new periods have passed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from core.alarms.bands import Bands
from core.alarms.rules import holds, names_in, parse
from core.analysis.alarms import EXTRA_PERIODS, SHOWN, breaches, comparison_words, evaluate
from core.domain.alarm import AlarmDefinition, AlarmPoint, BandComparison
from core.domain.analysis import AlarmRule, AlarmState, Comparison, MissingData
from core.domain.series import Datapoint
from core.series.reading import latest, read
from core.state.reading import Reader

LATE_SECONDS = 15.0
"""How long after its end a period's points may come: a sample's ten seconds, and its way."""


@dataclass(frozen=True, slots=True)
class Before:
    """How an alarm stood: its state, since when it is there at all and what counts (epoch s)."""

    state: AlarmState
    created_at: float
    armed_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an evaluation came to."""

    state: AlarmState
    reason: str
    datapoints: tuple[AlarmPoint, ...] = ()


def evaluate_metric(
    reader: Reader, alarm: AlarmDefinition, before: Before, now: float, bands: Bands
) -> Outcome:
    """The state of a metric alarm at `now`."""
    found = _datapoints(reader, alarm, before.armed_at, now)
    points = [
        point if point.samples >= alarm.minimum_samples else replace(point, value=None)
        for point in found
    ]
    seen = held_against(reader, alarm, points, bands, now)
    rule = AlarmRule(
        alarm.name,
        str(alarm.metric),
        alarm.threshold or 0.0,
        evaluation_periods=alarm.evaluation_periods,
        datapoints_to_alarm=alarm.datapoints_to_alarm,
    )
    treat = _treatment(alarm, before, now)
    state = evaluate([point.breaching for point in seen], rule, before.state, treat)
    return Outcome(state, _words(alarm, seen), tuple(seen[-SHOWN:]))


def evaluate_composite(alarm: AlarmDefinition, states: Mapping[str, AlarmState]) -> Outcome:
    """The state of a composite alarm, given those of the others: OK or ALARM."""
    rule = parse(alarm.rule)
    off = holds(rule, states)
    standing = ", ".join(
        f"{name} {states.get(name, AlarmState.INSUFFICIENT_DATA)}" for name in names_in(rule)
    )
    words = "holds" if off else "does not hold"
    return Outcome(
        AlarmState.ALARM if off else AlarmState.OK, f"the rule {words}: {standing or alarm.rule}"
    )


def held_against(
    reader: Reader, alarm: AlarmDefinition, points: Sequence[Datapoint], bands: Bands, now: float
) -> list[AlarmPoint]:
    """The datapoints with what bounds them, and whether they breach it."""
    if alarm.banded:
        return bands.hold(reader, alarm, points, now)
    bound, comparison = alarm.threshold, alarm.comparison
    assert bound is not None and isinstance(comparison, Comparison)
    upper = comparison in (Comparison.GREATER, Comparison.GREATER_OR_EQUAL)
    low, high = (None, bound) if upper else (bound, None)
    return [
        AlarmPoint(
            point.at,
            point.value,
            None if point.value is None else breaches(comparison, point.value, bound),
            low,
            high,
        )
        for point in points
    ]


def _datapoints(
    reader: Reader, alarm: AlarmDefinition, armed_at: float, now: float
) -> list[Datapoint]:
    """Those that the state is told by, and for the eye some before them."""
    metric = alarm.metric
    assert metric is not None
    count = max(SHOWN, alarm.evaluation_periods + EXTRA_PERIODS)
    if alarm.period is None:
        points = latest(
            reader, metric.source, metric.metric, metric.dims, count=count, until=now + LATE_SECONDS
        )
        return _with_missing([p for p in points if p.at >= armed_at], alarm.expect_every, now)
    end = _complete_until(reader, alarm, alarm.period, now)
    since = end - count * alarm.period
    found = read(
        reader,
        metric.source,
        metric.metric,
        metric.dims,
        since=since,
        until=end,
        period=alarm.period,
        stat=alarm.stat,
    )
    return [point if point.at >= armed_at else Datapoint(point.at, None) for point in found]


def _complete_until(reader: Reader, alarm: AlarmDefinition, period: float, now: float) -> float:
    """The end of the last period that is complete."""
    metric = alarm.metric
    assert metric is not None
    newest = latest(reader, metric.source, metric.metric, metric.dims, until=now)
    sure = max(now - LATE_SECONDS, newest[0].at if newest else 0.0)
    return math.floor(min(sure, now) / period) * period


def _with_missing(points: list[Datapoint], every: float | None, now: float) -> list[Datapoint]:
    """With a missing datapoint for each that should have come since the last one."""
    if every is None or not points:
        return points
    last = points[-1].at
    late = int((now - LATE_SECONDS - last) // every)
    return points + [Datapoint(last + every * (n + 1), None) for n in range(min(late, SHOWN))]


def _treatment(alarm: AlarmDefinition, before: Before, now: float) -> MissingData:
    """How missing datapoints count now: before enough periods have passed there is nothing
    yet that could have been missed, and after a clock was put back nothing is decided."""
    length = alarm.period or alarm.expect_every or 0.0
    enough = length * alarm.evaluation_periods + LATE_SECONDS
    if before.armed_at and now - before.armed_at < enough:
        return MissingData.IGNORE
    if alarm.treat_missing_data is MissingData.BREACHING and now - before.created_at < enough:
        return MissingData.MISSING
    return alarm.treat_missing_data


def _words(alarm: AlarmDefinition, seen: Sequence[AlarmPoint]) -> str:
    """Why it is in this state, on one line."""
    recent = seen[-(alarm.evaluation_periods + EXTRA_PERIODS) :]
    judged = [point for point in recent if point.breaching is not None]
    judged = judged[-alarm.evaluation_periods :]
    if not judged:
        if alarm.banded and any(point.value is not None for point in recent):
            return "the past is too short to foretell a band"
        what = "windows" if alarm.period is None else "periods"
        return f"no data in the last {len(recent)} {what}" if recent else "no data yet"
    breaching = sum(bool(point.breaching) for point in judged)
    values = ", ".join(f"{point.value:.4g}" for point in judged if point.value is not None)
    return (
        f"{breaching} of the last {len(judged)} datapoints [{values}]"
        f" {'was' if breaching == 1 else 'were'} {_bound_words(alarm, judged)}"
        f" ({alarm.datapoints_to_alarm} of {alarm.evaluation_periods} are an alarm)"
    )


def _bound_words(alarm: AlarmDefinition, judged: Sequence[AlarmPoint]) -> str:
    if isinstance(alarm.comparison, Comparison):
        return f"{comparison_words(alarm.comparison)} {alarm.threshold:g}"
    side = {
        BandComparison.OUTSIDE: "outside",
        BandComparison.ABOVE: "above",
        BandComparison.BELOW: "below",
    }[alarm.comparison]
    last = judged[-1]
    band = f" [{last.low:.4g}, {last.high:.4g}]" if last.low is not None and last.high else ""
    return f"{side} the band{band}"
