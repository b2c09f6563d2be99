"""Rows by segment and by season: what each row belongs to, and counting columns by it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.drift.categories import CategoryTally
from core.drift.numeric import Knots
from core.drift.values import Floats, Ints, numbers, texts

MOST_SEGMENTS = 20
"""Values of a segment's column that are looked at by themselves."""


class Season(StrEnum):
    """What part of a cycle rows are compared within."""

    HOUR = "hour"
    WEEKDAY = "weekday"
    HOUR_OF_WEEK = "hour_of_week"
    MONTH = "month"
    MONTH_HOUR = "month_hour"


_CELLS = {
    Season.HOUR: 24,
    Season.WEEKDAY: 7,
    Season.HOUR_OF_WEEK: 168,
    Season.MONTH: 12,
    Season.MONTH_HOUR: 288,
}
_JOIN = " & "
"""Between the columns, and the values, of a segment that is an intersection."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Grouping:
    """One way in which rows are split: by a column's kept `values`, or (`season`) by a column of
    times. Codes of rows are places in `labels`; -1 is none of them."""

    column: str
    values: tuple[str, ...] = ()
    season: Season | None = None
    timezone: str = "UTC"

    @property
    def size(self) -> int:
        """How many groups there are."""
        return _CELLS[self.season] if self.season else len(self.values)

    def label(self, code: int) -> str:
        """The group's name."""
        if self.season is None:
            names, shown = self.column.split(_JOIN), self.values[code].split(_JOIN)
            if len(names) > 1 and len(names) == len(shown):
                return _JOIN.join(f"{a}={b}" for a, b in zip(names, shown, strict=True))
            return f"{self.column}={self.values[code]}"
        if self.season is Season.WEEKDAY:
            return _DAYS[code]
        if self.season is Season.HOUR_OF_WEEK:
            return f"{_DAYS[code // 24]} {code % 24:02d}h"
        if self.season is Season.MONTH_HOUR:
            return f"month {code // 24 + 1}, {code % 24:02d}h"
        return f"{code:02d}h" if self.season is Season.HOUR else f"month {code + 1}"

    def parts(self) -> list[tuple[str, Ints]]:
        """A season's codes in a few parts, each large enough to be judged by itself: quarters of
        the day, weekdays and weekend, or quarters of the year."""
        codes = np.arange(self.size)
        if self.season is Season.WEEKDAY:
            return [("weekdays", codes[:5]), ("weekend", codes[5:])]
        if self.season is Season.MONTH:
            return [(f"quarter {i + 1}", codes[3 * i : 3 * i + 3]) for i in range(4)]
        hours = codes % 24 // 6
        return [(f"{6 * i:02d}-{6 * i + 6:02d}h", codes[hours == i]) for i in range(4)]

    def codes(self, array: pa.Array) -> Ints:
        """The group of each row."""
        if self.season is not None:
            return season_codes(array, self.season, self.timezone)
        return CategoryTally(self.values).codes(texts(array)) - 2


def season_codes(array: pa.Array, season: Season, timezone: str = "UTC") -> Ints:
    """The part of the cycle of each row's time on the wall of `timezone`; -1 where the time is
    missing or unreadable. Numbers are epoch seconds; times without a zone are taken as shown
    on that wall, ISO texts are read."""
    shown = _wall(array, timezone)
    hour = pc.fill_null(pc.hour(shown), -1).to_numpy(zero_copy_only=False)
    if season is Season.HOUR:
        return np.asarray(hour, np.int64)
    if season in (Season.WEEKDAY, Season.HOUR_OF_WEEK):
        outer = pc.fill_null(pc.day_of_week(shown), -1).to_numpy(zero_copy_only=False)
    else:
        outer = pc.fill_null(pc.subtract(pc.month(shown), 1), -1).to_numpy(zero_copy_only=False)
    if season in (Season.HOUR_OF_WEEK, Season.MONTH_HOUR):
        return np.where(outer < 0, -1, outer * 24 + hour).astype(np.int64)
    return np.asarray(outer, np.int64)


def _wall(array: pa.Array, timezone: str) -> pa.Array:
    dtype = array.type
    if pa.types.is_date(dtype) or (pa.types.is_timestamp(dtype) and dtype.tz is None):
        return array.cast(pa.timestamp("us"), safe=False)
    if pa.types.is_timestamp(dtype):
        zoned = array.cast(pa.timestamp("us", tz=timezone), safe=False)
        return pc.local_timestamp(zoned)
    if pa.types.is_string(dtype) or pa.types.is_large_string(dtype):
        return pa.array([_iso(value) for value in array.to_pylist()], pa.timestamp("us"))
    seconds = numbers(array).values
    good = np.isfinite(seconds) & (np.abs(seconds) < 2e11)
    micros = pa.array((np.where(good, seconds, 0.0) * 1e6).astype(np.int64), mask=~good)
    return pc.local_timestamp(micros.cast(pa.timestamp("us", tz=timezone)))


def _iso(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=None)
    except ValueError:
        return None


def blended(counts: Ints, weights: Floats) -> tuple[Floats, float]:
    """One distribution of several (groups × cells), each with its weight, and the effective
    number of rows, (Σw)²/Σ(w²/n) (Kish 1965): what a plain sample would need to be as certain
    as this weighted one. Groups without rows are left out. The counts returned are shares times
    that number."""
    n = counts.sum(axis=1)
    used = (n > 0) & (weights > 0)
    if not used.any():
        return np.zeros(counts.shape[1]), 0.0
    share = weights[used] / weights[used].sum()
    effective = float(1.0 / (share**2 / n[used]).sum())
    return (share / n[used]) @ counts[used] * effective, effective


class Split:
    """The rows of one chunk in the order of their groups, made once for all columns."""

    def __init__(self, codes: Ints, size: int) -> None:
        self.codes = codes
        self.size = size
        self.order = np.argsort(codes, kind="stable")
        counted = np.bincount(codes + 1, minlength=size + 1)
        self.rows = counted[1:]
        self.bounds = np.cumsum(counted)

    def count_numbers(self, values: Floats, knots: Knots, into: Ints) -> None:
        """Count finite values by group and cell, adding to `into` (groups × cells)."""
        arranged = values[self.order]
        at = knots.at
        edges = np.zeros(knots.cells + 1, np.int64)
        for group in np.flatnonzero(self.rows):
            ordered = np.sort(arranged[self.bounds[group] : self.bounds[group + 1]])
            low = int(np.searchsorted(ordered, -np.inf, "right"))
            high = int(np.searchsorted(ordered, np.inf, "left"))
            finite = ordered[low:high]
            edges[1:-1:2] = finite.searchsorted(at, "left")
            edges[2:-1:2] = finite.searchsorted(at, "right")
            edges[-1] = len(finite)
            into[group] += np.diff(edges)

    def count_codes(self, codes: Ints, into: Ints) -> None:
        """Count category codes (0 missing, 1 other, then the kept values) by group."""
        inside = self.codes >= 0
        width = into.shape[1]
        found = np.bincount(self.codes[inside] * width + codes[inside], minlength=self.size * width)
        into += found.reshape(self.size, width)
