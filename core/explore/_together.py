"""How columns go together: Pearson and Spearman for numbers, Cramér's V for categories."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import polars as pl
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from core.domain.profile import ColumnKind, Correlation

MOST_ROWS = 50_000
MOST_NUMBERS = 120
MOST_CATEGORIES = 40
MOST_VALUES = 50
LEAST = 0.1
MOST_PAIRS = 200
_FEWEST_ROWS = 10
Floats = npt.NDArray[np.float64]


def correlations(frame: pl.DataFrame, kinds: dict[str, ColumnKind]) -> tuple[Correlation, ...]:
    """The strongest pairs of each method, at least `LEAST` strong, `MOST_PAIRS` at most.

    Rows where one of the two is missing (or not finite) are left out of that pair.
    """
    if frame.height < _FEWEST_ROWS:
        return ()
    names = [name for name, kind in kinds.items() if kind is ColumnKind.NUMBER][:MOST_NUMBERS]
    found: list[Correlation] = []
    if len(names) > 1:
        values = np.column_stack([_numbers(frame[name]) for name in names])
        found += _pairs(names, pairwise_correlation(values), "pearson")
        ranked = np.column_stack([ranks(values[:, i]) for i in range(len(names))])
        found += _pairs(names, pairwise_correlation(ranked), "spearman")
    return (*found, *_categories(frame, kinds))


def pairwise_correlation(values: Floats) -> Floats:
    """Pearson's correlation of each two columns over the rows where both are there (not NaN);
    NaN where one of them does not vary."""
    there = ~np.isnan(values)
    count = there.sum(0)
    with np.errstate(all="ignore"):
        centred = np.where(there, values - np.nansum(values, 0) / np.maximum(count, 1), 0.0)
        scale = np.abs(centred).max(0, initial=0.0)
        centred = centred / np.where(scale > 0, scale, 1.0)  # squares must not overflow
        mask = there.astype(np.float64)
        with threadpool_limits(1):  # small products: threads would only wait for each other
            n = mask.T @ mask
            sums = centred.T @ mask  # of the first, where the second is there
            squares = (centred**2).T @ mask
            product = centred.T @ centred - sums * sums.T / n
        spread = squares - sums**2 / n
        limit = 1e-12 * np.maximum(n, 1)
        spread = np.where(spread > limit, spread, np.nan)
        result: Floats = np.clip(product / np.sqrt(spread * spread.T), -1.0, 1.0)
    return np.where(n >= _FEWEST_ROWS, result, np.nan)


def ranks(values: Floats) -> Floats:
    """Ranks from 1, equal values sharing the mean of theirs; NaN stays NaN."""
    series = pl.Series(values).fill_nan(None)
    return series.rank("average").cast(pl.Float64).fill_null(float("nan")).to_numpy()


def cramers_v(table: npt.NDArray[np.int64]) -> float:
    """Cramér's V of a contingency table, corrected for bias (Bergsma 2013), 0 to 1."""
    table = table[table.sum(1) > 0][:, table.sum(0) > 0]
    n = int(table.sum())
    rows, columns = table.shape
    if n < 2 or rows < 2 or columns < 2:
        return 0.0
    expected = np.outer(table.sum(1), table.sum(0)) / n
    phi2 = float(((table - expected) ** 2 / expected).sum()) / n
    phi2 = max(0.0, phi2 - (rows - 1) * (columns - 1) / (n - 1))
    rows_ = rows - (rows - 1) ** 2 / (n - 1)
    columns_ = columns - (columns - 1) ** 2 / (n - 1)
    least = min(rows_ - 1, columns_ - 1)
    return min(1.0, float(np.sqrt(phi2 / least))) if least > 0 else 0.0


def _numbers(series: pl.Series) -> Floats:
    values = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return np.where(np.isfinite(values), values, np.nan)


def _pairs(names: list[str], matrix: Floats, method: str) -> list[Correlation]:
    upper = np.triu_indices(len(names), 1)
    values = matrix[upper]
    strong = np.flatnonzero(np.abs(np.nan_to_num(values)) >= LEAST)
    order = strong[np.argsort(-np.abs(values[strong]), kind="stable")][:MOST_PAIRS]
    return [
        Correlation(names[upper[0][i]], names[upper[1][i]], method, round(float(values[i]), 6))
        for i in order
    ]


def _categories(frame: pl.DataFrame, kinds: dict[str, ColumnKind]) -> list[Correlation]:
    codes: dict[str, tuple[npt.NDArray[np.int64], int]] = {}
    for name, kind in kinds.items():
        if kind in (ColumnKind.TEXT, ColumnKind.FLAG) and len(codes) < MOST_CATEGORIES:
            column = frame[name].cast(pl.String)
            if 2 <= column.n_unique() <= MOST_VALUES + 1:
                found = column.rank("dense").cast(pl.Int64).fill_null(0).to_numpy()
                codes[name] = (found, int(found.max()) + 1)
    pairs = []
    for (one, (a, rows)), (two, (b, columns)) in combinations(codes.items(), 2):
        both = (a > 0) & (b > 0)
        flat = np.bincount(a[both] * columns + b[both], minlength=rows * columns)
        value = cramers_v(flat.reshape(rows, columns)[1:, 1:].astype(np.int64))
        if value >= LEAST:
            pairs.append(Correlation(one, two, "cramers_v", round(value, 6)))
    return sorted(pairs, key=lambda each: -each.value)[:MOST_PAIRS]
