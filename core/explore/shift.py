"""How far a distribution has moved between two histograms or two lists of values.

Arithmetic on counts, without any library, so that a console can do it while it draws.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise

from core.domain.profile import ColumnKind, ColumnProfile, Histogram, Shift

SMOOTH = 1e-4
"""Least share of a bin in PSI, so that an empty one doesn't make it infinite."""
COARSE_SHARE = 0.05
"""Bins are merged until each has this share of the baseline: PSI of nearly empty bins is noise."""
FEW_NUMBERS = 20
"""Numbers of at most so many different values are compared value by value."""
PSI_MODERATE, PSI_LARGE = 0.1, 0.2
"""The usual reading of PSI: below the first no shift to speak of, above the second a large one."""


def shift_between(before: ColumnProfile, after: ColumnProfile) -> Shift | None:
    """How far a column has moved; None where its profiles hold nothing that can be compared.

    Values are compared one by one where both profiles know all of them (and numbers have only a
    few), else histograms.
    """
    if before.kind is not after.kind:
        return None
    if are_categories(before) and are_categories(after) and before.top and after.top:
        one, two = _paired(dict(before.top), dict(after.top))
        order = before.kind is ColumnKind.NUMBER
        return Shift(psi(one, two), js_distance(one, two), _ks_of_values(before, after, order))
    if before.number is None or after.number is None:
        return None
    first, second = before.number.histogram, after.number.histogram
    if first is None or second is None or not first.total or not second.total:
        return None
    return shift_of_histograms(first, second)


def are_categories(column: ColumnProfile) -> bool:
    """Whether the profile knows all values, and each of them means something by itself."""
    few = column.kind is not ColumnKind.NUMBER or len(column.top) <= FEW_NUMBERS
    return column.top_complete and few


def shift_of_histograms(before: Histogram, after: Histogram) -> Shift:
    """How far `after` lies from `before`; edges that differ are evened out by spreading the
    counts of `after` evenly within their bins."""
    exact = before.edges == after.edges
    second = after if exact else respread(after, before.edges)
    one = [before.below, *before.counts, before.above]
    two = [second.below, *second.counts, second.above]
    coarse_one, coarse_two = coarsened(one, two)
    return Shift(psi(coarse_one, coarse_two), js_distance(one, two), ks(one, two), exact)


def respread(histogram: Histogram, edges: Sequence[float]) -> Histogram:
    """The same counts over other edges, taken to lie evenly within each bin (rounded)."""
    old = histogram.edges
    cumulated = [0.0]
    for count in histogram.counts:
        cumulated.append(cumulated[-1] + count)
    inside = sum(histogram.counts)

    def up_to(x: float) -> float:
        if x <= old[0]:
            return 0.0
        if x >= old[-1]:
            return float(inside)
        at = bisect_right(old, x) - 1
        width = old[at + 1] - old[at]
        part = (x - old[at]) / width if width > 0 else 1.0
        return cumulated[at] + histogram.counts[at] * part

    marks = [round(up_to(edge)) for edge in edges]
    if old[-1] <= edges[-1]:
        marks[-1] = inside  # the last bin holds its upper edge
    counts = [b - a for a, b in pairwise(marks)]
    below, above = histogram.below + marks[0], histogram.above + inside - marks[-1]
    return Histogram(tuple(edges), tuple(counts), below, above)


def psi(before: Sequence[float], after: Sequence[float]) -> float:
    """Population stability index, sum of (q - p) ln(q / p), shares of at least `SMOOTH`.

    After Siddiqi, Credit Risk Scorecards (2005). Two empty distributions have moved by 0, an
    empty and a filled one by infinity.
    """
    total_p, total_q = sum(before), sum(after)
    if not total_p or not total_q:
        return 0.0 if total_p == total_q else math.inf
    moved = 0.0
    for p, q in zip(before, after, strict=True):
        if not p and not q:
            continue
        p_, q_ = max(p / total_p, SMOOTH), max(q / total_q, SMOOTH)
        moved += (q_ - p_) * math.log(q_ / p_)
    return moved


def js_distance(before: Sequence[float], after: Sequence[float]) -> float:
    """Jensen-Shannon distance with logarithms of base 2: 0 equal, 1 nothing in common."""
    total_p, total_q = sum(before), sum(after)
    if not total_p or not total_q:
        return 0.0 if total_p == total_q else 1.0
    total = 0.0
    for p, q in zip(before, after, strict=True):
        p_, q_ = p / total_p, q / total_q
        middle = (p_ + q_) / 2
        if p_ and middle:
            total += p_ * math.log2(p_ / middle) / 2
        if q_ and middle:
            total += q_ * math.log2(q_ / middle) / 2
    return math.sqrt(min(1.0, max(0.0, total)))


def ks(before: Sequence[float], after: Sequence[float]) -> float:
    """The greatest difference of the cumulated shares, at the bins' edges."""
    total_p, total_q = sum(before), sum(after)
    if not total_p or not total_q:
        return 0.0 if total_p == total_q else 1.0
    p = q = greatest = 0.0
    for one, two in zip(before, after, strict=True):
        p, q = p + one / total_p, q + two / total_q
        greatest = max(greatest, abs(p - q))
    return min(1.0, greatest)


def coarsened(
    before: Sequence[float], after: Sequence[float], share: float = COARSE_SHARE
) -> tuple[list[float], list[float]]:
    """Neighbouring bins of both merged until each holds `share` of `before`."""
    least = share * sum(before)
    one: list[float] = [0.0]
    two: list[float] = [0.0]
    for p, q in zip(before, after, strict=True):
        if one[-1] >= least and one[-1] > 0:
            one.append(0.0)
            two.append(0.0)
        one[-1] += p
        two[-1] += q
    if len(one) > 1 and one[-1] < least:
        one[-2:] = [one[-2] + one[-1]]
        two[-2:] = [two[-2] + two[-1]]
    return one, two


def _paired(before: Mapping[str, int], after: Mapping[str, int]) -> tuple[list[int], list[int]]:
    names = sorted({*before, *after})
    return [before.get(n, 0) for n in names], [after.get(n, 0) for n in names]


def _ks_of_values(before: ColumnProfile, after: ColumnProfile, ordered: bool) -> float | None:
    if not ordered:
        return None
    one, two = dict(before.top), dict(after.top)
    names = sorted({*one, *two}, key=float)
    return ks([one.get(n, 0) for n in names], [two.get(n, 0) for n in names])
