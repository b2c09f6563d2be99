"""What a metric's past foretells: a level with a trend, a profile over the week, a spread.

    forecast(t) = level(t) + profile(hour of week)            spread(hour of day)

All by medians, so that what went wrong in the past is not learnt as normal. Values that are
never negative are taken as log(1 + x/m), m being their median: traffic and latency vary in
proportion to their size. The level is the Theil-Sen line through the medians of the seasons;
the profile is the median, by hour of the week, of what is left, and straight between the hours;
the spread is 1.4826 MAD of the rest, by hour of the day, not less than half of the whole's.

What is left is measured on seasons that the profile was not made of (four folds), so that a
short past has a wider band, not a more confident one.

At least two whole weeks have a profile by hour of week; from eight whole days on, which hold a
weekend, there is one by hour of day, whose spread also covers the 99 % quantile of the past.
With less nothing is foretold. False alarms are counted in tests/core/anomaly/test_seasonal.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.anomaly.robust import median, sigma

HOUR = 3600.0
DAY = 24 * HOUR
WEEK = 7 * DAY
LEAST_DAYS = 8
LEAST_WEEKS = 2
LEAST_OF_AN_HOUR = 5  # values; with fewer its neighbours are asked too
NORMAL_99 = 2.576  # the 99 % quantile of |z|
LEAST_SHARE = 1e-3  # of the expected value: what never varies is held to a thousandth
FOLDS = 4
FULL_SEASON = 0.8  # of a season's hours must have values for it to count


@dataclass(frozen=True, slots=True)
class Band:
    """What is expected at one time: between `low` and `high`."""

    low: float
    expected: float
    high: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """A fitted past. `seasons` is how many whole ones it has, `season` their length (seconds);
    `unit` is m of the logarithm, 0 where values are taken as they are."""

    season: float
    seasons: int
    unit: float
    start: float
    level: float
    slope: float
    profile: tuple[float, ...]
    spread: tuple[float, ...]

    def band(self, at: float, width: float) -> Band:
        """What is expected at a time (epoch seconds), `width` spreads to either side."""
        middle = self._centre(at)
        reach = width * self.spread[int(at % DAY // HOUR)]
        expected = self._back(middle)
        least = LEAST_SHARE * width * abs(expected)
        low, high = self._back(middle - reach), self._back(middle + reach)
        return Band(min(low, expected - least), expected, max(high, expected + least))

    def _centre(self, at: float) -> float:
        trend = self.slope * (at - self.start) / self.season
        return self.level + trend + seasonal(self.profile, at, self.season)

    def _back(self, value: float) -> float:
        return value if self.unit == 0 else max(0.0, self.unit * math.expm1(min(value, 700.0)))


def fit(points: Sequence[tuple[float, float]], until: float) -> Forecast | None:
    """The forecast that these points (epoch seconds, value) before `until` allow; `None` while
    there are fewer than eight whole days of them. Infinite values are left out."""
    past = sorted((at, value) for at, value in points if at < until and math.isfinite(value))
    if len(past) < LEAST_DAYS * 24 // 2:
        return None
    span = until - past[0][0]
    for season, least in ((WEEK, LEAST_WEEKS), (DAY, LEAST_DAYS)):
        if span >= least * season * 0.98:
            forecast = _fit(past, season, least, until)
            if forecast is not None:
                return forecast
    return None


def _fit(
    past: Sequence[tuple[float, float]], season: float, least: int, until: float
) -> Forecast | None:
    unit = _unit([value for _, value in past])
    seen = [(at, math.log1p(value / unit) if unit else value) for at, value in past]
    seasons: dict[int, list[tuple[float, float]]] = {}
    for at, value in seen:
        seasons.setdefault(_season_of(at, until, season), []).append((at, value))
    whole = {n: rows for n, rows in seasons.items() if _is_whole(rows, season, len(seen), seasons)}
    if len(whole) < least:
        return None
    levels = [(n, median([value for _, value in rows])) for n, rows in sorted(whole.items())]
    slope = _theil_sen(levels) if len(levels) >= 3 else 0.0
    at_end = median([level - slope * (n + 0.5) for n, level in levels])
    left = [(at, value - at_end - slope * (at - until) / season) for at, value in seen]
    hours = int(season / HOUR)
    rest: list[tuple[float, float]] = []
    folds = min(FOLDS, len(levels))
    for fold in range(folds):
        others = [row for row in left if _season_of(row[0], until, season) % folds != fold]
        profile = _profile(others, hours)
        rest += [
            (at, value - seasonal(profile, at, season))
            for at, value in left
            if _season_of(at, until, season) % folds == fold
        ]
    spread = _spread(rest, wide=season == DAY)
    profile = _profile(left, hours)
    return Forecast(season, len(levels), unit, until, at_end, slope, profile, spread)


def _season_of(at: float, until: float, season: float) -> int:
    """Which season, counted back from the end, so that the newest one is whole."""
    return math.floor((at - until) / season)


def seasonal(profile: Sequence[float], at: float, season: float) -> float:
    """The profile at a time: its values stand in the middle of their hours."""
    place = at % season / HOUR - 0.5
    left = math.floor(place)
    part = place - left
    return (1 - part) * profile[left % len(profile)] + part * profile[(left + 1) % len(profile)]


def _unit(values: Sequence[float]) -> float:
    """What values are measured in before the logarithm; 0 for those that may be negative."""
    if min(values) < 0:
        return 0.0
    positive = [value for value in values if value > 0]
    return median(positive) if positive else 0.0


def _is_whole(
    rows: Sequence[tuple[float, float]],
    season: float,
    total: int,
    seasons: dict[int, list[tuple[float, float]]],
) -> bool:
    """Whether a season has values in most of its hours (or, where points are rarer than hours,
    as many as the others)."""
    hours = len({int(at // HOUR) for at, _ in rows})
    usual = median([float(len({int(at // HOUR) for at, _ in each})) for each in seasons.values()])
    return hours >= FULL_SEASON * min(season / HOUR, usual) and total > 0


def _theil_sen(levels: Sequence[tuple[int, float]]) -> float:
    """The median of the slopes between any two."""
    slopes = [
        (second - first) / (later - earlier)
        for index, (earlier, first) in enumerate(levels)
        for later, second in levels[index + 1 :]
    ]
    return median(slopes)


def _profile(left: Sequence[tuple[float, float]], hours: int) -> tuple[float, ...]:
    """The median by hour of the season; of an hour with few values with those beside it."""
    found: list[list[float]] = [[] for _ in range(hours)]
    for at, value in left:
        found[int(at % (hours * HOUR) // HOUR)].append(value)
    profile = []
    whole = median([value for _, value in left])
    for hour in range(hours):
        values = found[hour]
        if len(values) < LEAST_OF_AN_HOUR:
            beside = found[hour - 1] + values + found[(hour + 1) % hours]
            values = beside if beside else []
        profile.append(median(values) if values else whole)
    return tuple(profile)


def _spread(rest: Sequence[tuple[float, float]], *, wide: bool) -> tuple[float, ...]:
    """The robust standard deviation by hour of the day, with the hours beside it."""
    every = [value for _, value in rest]
    whole = sigma(every, 0.0)
    if wide:
        ordered = sorted(abs(value) for value in every)
        whole = max(whole, ordered[math.ceil(0.99 * len(ordered)) - 1] / NORMAL_99)
    hours: list[list[float]] = [[] for _ in range(24)]
    for at, value in rest:
        hours[int(at % DAY // HOUR)].append(value)
    found = []
    for hour in range(24):
        around = hours[hour - 1] + hours[hour] + hours[(hour + 1) % 24]
        local = sigma(around, 0.0) if len(around) >= 3 * LEAST_OF_AN_HOUR else whole
        found.append(whole if wide else max(0.5 * whole, local))
    return tuple(found)
