"""From a sample of a column's values to quantiles, histogram, outliers and top values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from core.domain.profile import Histogram, Outliers

SHARES = (0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99)
MOST_BINS = 60
FEWEST_BINS = 10
COMPLETE = 200
"""All values are kept of a column with at most so many different ones."""
TOP = 20
MOST_TEXT = 100
_OUTSIDE = 0.25
"""Earlier edges are kept unless more than this share lies outside them."""
Floats = npt.NDArray[np.float64]


def quantiles(ordered: Floats) -> tuple[tuple[float, float], ...]:
    """Quantiles of sorted values, between neighbours by interpolation (numpy's `linear`)."""
    return tuple(zip(SHARES, _at(ordered, *SHARES), strict=True)) if len(ordered) else ()


def _at(ordered: Floats, *shares: float) -> list[float]:
    """Quantiles of a sorted array, without numpy's sorting it again."""
    places = np.array(shares) * (len(ordered) - 1)
    low = np.floor(places).astype(np.int64)
    high = np.minimum(low + 1, len(ordered) - 1)
    part = places - low
    with np.errstate(over="ignore", invalid="ignore"):
        found = ordered[low] * (1 - part) + ordered[high] * part
    return [float(each) for each in found]


def histogram(ordered: Floats, whole: bool, earlier: Sequence[float] | None) -> Histogram | None:
    """Counts of sorted values in bins: those of an earlier profile where they still fit, else
    by Freedman and Diaconis (1981), 10 to 60 of them; whole numbers close together get a bin
    each. Values beyond a far-out minority's reach are counted as below or above."""
    if not len(ordered):
        return None
    if earlier is not None and len(earlier) > 1:
        found = counted(ordered, np.asarray(earlier, np.float64))
        if found.below + found.above <= _OUTSIDE * len(ordered):
            return found
    edges = bin_edges(ordered, whole)
    return counted(ordered, edges) if edges is not None else None


def counted(ordered: Floats, edges: Floats) -> Histogram:
    """Sorted values counted between edges; the last bin holds its upper edge."""
    marks = np.searchsorted(ordered, edges, side="left")
    marks[-1] = np.searchsorted(ordered, edges[-1], side="right")
    counts = np.diff(marks)
    return Histogram(
        tuple(float(each) for each in edges),
        tuple(int(each) for each in counts),
        int(marks[0]),
        int(len(ordered) - marks[-1]),
    )


def bin_edges(ordered: Floats, whole: bool) -> Floats | None:
    """Edges for sorted values; None where no bins make sense (a range beyond doubles)."""
    low, high = _range(ordered)
    span = high - low
    if not np.isfinite(span):
        return None
    if span == 0:
        pad = 0.5 if whole else max(abs(low) * 1e-3, 0.5)
        return np.array([low - pad, low + pad])
    if whole and span < MOST_BINS and abs(high) < 2**50:
        return np.arange(int(span) + 2, dtype=np.float64) + (low - 0.5)
    q25, q75 = _at(ordered, 0.25, 0.75)
    width = 2 * (q75 - q25) / len(ordered) ** (1 / 3)
    wanted = int(np.ceil(min(span / width, MOST_BINS))) if width > 0 else FEWEST_BINS * 3
    bins = int(np.clip(wanted, FEWEST_BINS, MOST_BINS))
    if whole and abs(high) < 2**50 and abs(low) < 2**50:
        step = max(1.0, float(np.ceil((span + 1) / bins)))
        steps: Floats = np.arange(int(np.ceil((span + 1) / step)) + 1, dtype=np.float64)
        return steps * step + (low - 0.5)
    edges: Floats = np.linspace(low, high, bins + 1)
    return edges if np.all(np.diff(edges) > 0) else np.array([low, high])


def _range(ordered: Floats) -> tuple[float, float]:
    """Least and greatest, unless a few far-out values would leave all others in one bin."""
    low, high = float(ordered[0]), float(ordered[-1])
    inner_low, inner_high = _at(ordered, 0.005, 0.995)
    inner = inner_high - inner_low
    if inner > 0:
        low = max(low, inner_low - 3 * inner) if inner_low - low > 10 * inner else low
        high = min(high, inner_high + 3 * inner) if high - inner_high > 10 * inner else high
    return low, high


def outliers(ordered: Floats, distinct: int) -> Outliers | None:
    """Values outside Tukey's fences, a distance of 1.5 between the quartiles beyond them.

    None where the quartiles fall together or there are only a few different values.
    """
    if len(ordered) < 20 or distinct <= 10:
        return None
    q25, q75 = _at(ordered, 0.25, 0.75)
    reach = 1.5 * (q75 - q25)
    if not reach > 0 or not np.isfinite(reach):
        return None
    low, high = q25 - reach, q75 + reach
    below = int(np.searchsorted(ordered, low, side="left"))
    above = len(ordered) - int(np.searchsorted(ordered, high, side="right"))
    return Outliers("1.5 IQR beyond the quartiles", low, high, below + above)


def runs(ordered: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """The different values of a sorted array and how often each occurs."""
    if not len(ordered):
        return ordered, np.zeros(0, np.int64)
    ends = np.flatnonzero(np.diff(ordered)) + 1
    marks = np.concatenate(([0], ends, [len(ordered)]))
    return ordered[marks[:-1]], np.diff(marks)


def top_numbers(
    values: Floats, counts: npt.NDArray[np.int64], whole: bool
) -> tuple[tuple[tuple[str, int], ...], bool]:
    """The most frequent numbers with their counts, and whether these are all."""
    complete = len(values) <= COMPLETE
    kept = len(values) if complete else TOP
    order = np.lexsort((values, -counts))[:kept]
    shown = [(number_text(values[i], whole), int(counts[i])) for i in order]
    if not complete:
        shown = [each for each in shown if each[1] > 1]
    return tuple(shown), complete


def number_text(value: Any, whole: bool) -> str:
    """A number as the text of a top value."""
    return str(int(value)) if whole else repr(float(value))


def top_texts(values: pl.Series) -> tuple[tuple[tuple[str, int], ...], bool, int]:
    """The most frequent texts (cut to a bearable length), whether these are all, and how many
    different ones there are."""
    counts = values.drop_nulls().cast(pl.String).value_counts(sort=False, name="n")
    distinct = counts.height
    complete = distinct <= COMPLETE
    name = counts.columns[0]
    order = counts.top_k(COMPLETE if complete else TOP, by="n").sort(
        ["n", name], descending=[True, False]
    )
    shown = tuple((_cut(text), int(n)) for text, n in order.rows())
    if not complete:
        shown = tuple(each for each in shown if each[1] > 1)
    return shown, complete, distinct


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"
