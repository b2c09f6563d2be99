"""The datapoints of an alarm over some time, with what bounds them, for a chart."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.alarms.bands import Bands
from core.alarms.evaluating import held_against
from core.domain.alarm import AlarmDefinition, AlarmEvent, AlarmSeries
from core.domain.series import Datapoint
from core.series.reading import latest, read
from core.state.reading import Reader

PERIODS = 120


def chart(
    reader: Reader,
    alarm: AlarmDefinition,
    events: Sequence[AlarmEvent],
    since: float | None = None,
    until: float | None = None,
) -> AlarmSeries:
    """The datapoints of a metric alarm from `since` (default: 120 periods ago) up to `until`,
    and those of its transitions that lie in that time."""
    metric = alarm.metric
    assert metric is not None
    end = reader.clock() if until is None else until
    points: Sequence[Datapoint]
    if alarm.period is None and since is None:
        points = latest(
            reader, metric.source, metric.metric, metric.dims, count=PERIODS, until=end + 1
        )
    else:
        period = alarm.period
        if period is not None:
            end = math.ceil(end / period) * period
        begin = end - PERIODS * (period or 0.0) if since is None else since
        points = read(
            reader,
            metric.source,
            metric.metric,
            metric.dims,
            since=begin,
            until=end,
            period=period,
            stat=alarm.stat,
        )
    held = held_against(reader, alarm, points, Bands(), end)
    first = held[0].at if held else end
    within = tuple(each for each in events if first <= each.at <= end)
    return AlarmSeries(
        alarm.name, metric, alarm.stat, alarm.period, tuple(held), alarm.threshold, within
    )
