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
    """The baseline's rows as a profile, without quantiles and histograms."""
    columns = tuple(
        _column(each, each.rows, each.missing, each.numbers, each.categories, shape=False)
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
    return _column(column, found.rows, missing, found.numbers, found.categories, shape=True)


def _column(
    column: ColumnBaseline,
    rows: int,
    missing: int,
    numbers: NumberCounts | None,
    categories: CategoryCounts | None,
    shape: bool,
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
        number=_stats(numbers, shape) if numbers is not None and numbers.rows else None,
    )


def _stats(counts: NumberCounts, shape: bool) -> NumberStats:
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
        quantiles=_quantiles(counts) if shape else (),
        negatives=counts.negatives,
        infinite=counts.infinite,
        histogram=_histogram(counts) if shape else None,
    )


def _quantiles(counts: NumberCounts) -> tuple[tuple[float, float], ...]:
    """By straight lines between what was reached at the knots."""
    left, right = counts.cumulated()
    at, low, high = counts.knots.at, counts.minimum, counts.maximum
    found = []
    for share in SHARES:
        place = int(right.searchsorted(share))  # the first knot at which it is reached
        begin, begun = (max(low, at[place - 1]), right[place - 1]) if place else (low, 0.0)
        inside = place < len(at)
        end, ended = (min(high, at[place]), left[place]) if inside else (high, 1.0)
        if (inside and share > ended) or ended <= begun:
            found.append((share, float(min(max(end, low), high))))
            continue
        value = begin + (end - begin) * (share - begun) / (ended - begun)
        found.append((share, float(min(max(value, low), high))))
    return tuple(found)


def _histogram(counts: NumberCounts) -> Histogram | None:
    low, high = counts.minimum, counts.maximum
    n = round(counts.present)
    with np.errstate(over="ignore", invalid="ignore"):
        edges = np.linspace(low, high, BUCKETS + 1)
    if not np.isfinite(edges).all():
        return None
    if high <= low:
        return Histogram((low, high), (n,))
    shares = np.interp(edges, counts.knots.at, counts.cumulated()[1], left=0.0, right=1.0)
    shares[0], shares[-1] = 0.0, 1.0
    steps = np.diff(np.rint(shares * n)).astype(int)
    return Histogram(tuple(edges.tolist()), tuple(steps.tolist()))
