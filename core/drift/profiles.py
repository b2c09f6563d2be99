"""Counted columns as profiles, so that what is written of profiles can be written of windows."""

from __future__ import annotations

import numpy as np

from core.domain.profile import (
    ColumnKind,
    ColumnProfile,
    DatasetProfile,
    Histogram,
    NumberStats,
)
from core.drift.baseline import Baseline, ColumnBaseline
from core.drift.categories import CategoryCounts
from core.drift.numeric import NumberCounts
from core.drift.values import Treated
from core.drift.window import ColumnCounts, WindowCounts

BUCKETS = 10
SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_KINDS = {
    Treated.NUMBER: ColumnKind.NUMBER,
    Treated.CATEGORY: ColumnKind.TEXT,
    Treated.TIME: ColumnKind.TIME,
    Treated.OTHER: ColumnKind.OTHER,
}


def profile_of_baseline(baseline: Baseline, name: str, at: float) -> DatasetProfile:
    """The baseline's rows as a profile."""
    columns = tuple(
        _column(each, each.rows, each.missing, each.numbers, each.categories)
        for each in baseline.columns
    )
    return DatasetProfile(name, "", at, baseline.rows, columns)


def profile_of_window(
    baseline: Baseline, window: WindowCounts, name: str, at: float
) -> DatasetProfile:
    """A window's rows as a profile: quantiles and histograms between the baseline's knots by
    straight lines."""
    columns = tuple(
        _of_window(each, window.columns[each.name])
        for each in baseline.columns
        if window.columns[each.name].absent < window.rows or not window.rows
    )
    return DatasetProfile(name, "", at, window.rows, columns)


def _of_window(column: ColumnBaseline, found: ColumnCounts) -> ColumnProfile:
    missing = found.missing + found.mistyped if found.numbers is not None else found.missing
    return _column(column, found.rows, missing, found.numbers, found.categories)


def _column(
    column: ColumnBaseline,
    rows: int,
    missing: int,
    numbers: NumberCounts | None,
    categories: CategoryCounts | None,
) -> ColumnProfile:
    top: tuple[tuple[str, int], ...] = ()
    complete = False
    distinct: int | None = column.distinct
    if categories is not None:
        pairs = zip(categories.values, categories.counts, strict=True)
        known = [(value, int(count)) for value, count in pairs if count]
        top = (*known, *categories.new.items())
        complete = sum(count for _, count in top) == round(categories.present)
        distinct = len(top)
    return ColumnProfile(
        name=column.name,
        type=column.type,
        kind=_KINDS[column.treated],
        rows=rows,
        missing=missing,
        distinct=distinct,
        distinct_approximate=not complete if categories is not None else column.distinct_capped,
        top=top,
        top_complete=complete,
        number=_stats(numbers) if numbers is not None and numbers.rows else None,
    )


def _stats(counts: NumberCounts) -> NumberStats:
    if not counts.present:
        return NumberStats(None, None, None, None, infinite=counts.infinite)
    n = counts.present
    std = counts.std
    return NumberStats(
        minimum=counts.minimum,
        maximum=counts.maximum,
        mean=counts.mean,
        # Theirs is of a sample (n - 1), what was counted of all that there was.
        std=None if std is None or n < 2 else std * (n / (n - 1)) ** 0.5,
        quantiles=_quantiles(counts),
        negatives=counts.negatives,
        infinite=counts.infinite,
        histogram=_histogram(counts),
    )


def _points(counts: NumberCounts) -> tuple[list[float], list[float]]:
    """Places and what was reached there, from the least value to the greatest."""
    at = counts.knots.at
    left, right = counts.cumulated()
    inside = (at >= counts.minimum) & (at <= counts.maximum)
    places = np.repeat(at[inside], 2)
    reached = np.column_stack([left[inside], right[inside]]).ravel()
    return (
        [counts.minimum, *places.tolist(), counts.maximum],
        [0.0, *reached.tolist(), 1.0],
    )


def _quantiles(counts: NumberCounts) -> tuple[tuple[float, float], ...]:
    places, reached = _points(counts)
    found = np.interp(SHARES, reached, places)
    return tuple((share, float(value)) for share, value in zip(SHARES, found, strict=True))


def _histogram(counts: NumberCounts) -> Histogram | None:
    low, high = counts.minimum, counts.maximum
    n = round(counts.present)
    with np.errstate(over="ignore", invalid="ignore"):
        edges = np.linspace(low, high, BUCKETS + 1)
    if not np.isfinite(edges).all():
        return None
    if high <= low:
        return Histogram((low, high), (n,))
    at, reached = counts.knots.at, counts.cumulated()[1]
    inside = (at > low) & (at < high)
    shares = np.interp(edges, [low, *at[inside], high], [0.0, *reached[inside], 1.0])
    steps = np.diff(np.rint(shares * n)).astype(int)
    return Histogram(tuple(edges.tolist()), tuple(steps.tolist()))
