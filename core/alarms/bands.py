"""Bands of alarms with `threshold: band`: fitted to the metric's past, kept for a while.

The past are the datapoints of the same statistic and period: up to 15 days of periods under five
minutes, 63 days of periods under an hour, else eight weeks. One that ended within the last hour
is not part of it, so that what goes wrong now is not learnt at once. Not thread-safe; one a
worker.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from core.anomaly import Forecast, fit
from core.domain.alarm import AlarmDefinition, AlarmPoint, BandComparison
from core.domain.series import Datapoint
from core.series.keeping import DAY
from core.series.reading import read
from core.state.reading import Reader

KEEP_SECONDS = 3600.0
HOLD_BACK = 3600.0
LONGEST = 56 * DAY
MOST_POINTS = 25_000


class Bands:
    """The forecasts of alarms, each fitted anew once an hour (of the clock or of this process)."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[AlarmDefinition, float, float, Forecast | None]] = {}

    def hold(
        self, reader: Reader, alarm: AlarmDefinition, points: Sequence[Datapoint], now: float
    ) -> list[AlarmPoint]:
        """The datapoints beside their bands; none of them breaches where there is no band."""
        forecast = self._forecast(reader, alarm, now)
        return [_held(alarm, point, forecast) for point in points]

    def _forecast(self, reader: Reader, alarm: AlarmDefinition, now: float) -> Forecast | None:
        kept = self._kept.get(alarm.name)
        if kept is not None:
            of, fitted, began, forecast = kept
            fresh = abs(now - fitted) < KEEP_SECONDS and time.monotonic() - began < KEEP_SECONDS
            if of == alarm and fresh:
                return forecast
        forecast = fit(_past(reader, alarm, now - HOLD_BACK), now - HOLD_BACK)
        self._kept[alarm.name] = (alarm, now, time.monotonic(), forecast)
        return forecast


def _past(reader: Reader, alarm: AlarmDefinition, until: float) -> list[tuple[float, float]]:
    metric, period = alarm.metric, alarm.period
    assert metric is not None
    longest = LONGEST if period is None or period >= 3600 else (63 if period >= 300 else 15) * DAY
    if period is not None:
        longest = min(longest, LONGEST, MOST_POINTS * period)
    points = read(
        reader,
        metric.source,
        metric.metric,
        metric.dims,
        since=until - longest,
        until=until,
        period=period,
        stat=alarm.stat,
    )
    middle = (period or 0.0) / 2
    return [(point.at + middle, point.value) for point in points if point.value is not None]


def _held(alarm: AlarmDefinition, point: Datapoint, forecast: Forecast | None) -> AlarmPoint:
    if forecast is None:
        return AlarmPoint(point.at, point.value)
    band = forecast.band(point.at + (alarm.period or 0.0) / 2, alarm.band_width)
    value = point.value
    breaching = None if value is None else _leaves(alarm, value, band.low, band.high)
    return AlarmPoint(point.at, value, breaching, band.low, band.high)


def _leaves(alarm: AlarmDefinition, value: float, low: float, high: float) -> bool:
    match alarm.comparison:
        case BandComparison.ABOVE:
            return value > high
        case BandComparison.BELOW:
            return value < low
    return not low <= value <= high
