"""How far two distributions are apart, each number with its definition.

Functions of counts alone: numbers over the same knots (`core.drift.numeric`), shares over the
same bins or categories.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core.drift.numeric import NumberCounts
from core.drift.values import Floats

PSI_FLOOR = 1e-4
"""Least share of a bin in PSI, so that an empty one does not make it infinite."""
ROBUST = 1.8
"""c of SageMaker's robust distance: max(0, D - c·√((n+m)/nm))."""

DEFINITIONS = {
    "ks": "KS: greatest difference of the distribution functions, over all values",
    "psi": f"PSI: Σ(p-q)·ln(p/q) over the baseline's bins, shares of at least {PSI_FLOOR:g}",
    "js": "Jensen-Shannon distance: root of the divergence, base 2 (0 to 1), baseline's bins",
    "wasserstein": "Wasserstein-1: area between the distribution functions, in the column's unit",
    "wasserstein_normalised": "Wasserstein-1 over the baseline's standard deviation",
    "linf_simple": "L-infinity as SageMaker's Simple: greatest difference of shares or of CDFs",
    "linf_robust": f"SageMaker's Robust: max(0, D - {ROBUST}·√((n+m)/(n·m)))",
    "mean_shift": "(mean now - mean then) over the baseline's standard deviation",
    "chi_square": "chi-square of homogeneity, categories expected fewer than 5 times put together",
    "tvd": "total variation: half the sum of |p-q| over categories",
    "linf": "L-infinity: greatest |p-q| of a category",
    "cramers_v": "Cramér's V: √(chi-square/(n+m)) of two samples",
    "missing_share": "share of rows without a value",
}
"""What each number is."""


@dataclass(frozen=True, slots=True)
class Ks:
    """The distance, and between what bounds it is where the baseline is a sketch. `at` is the
    knot where it is greatest; `from_left` says that it is just below that knot."""

    value: float
    low: float
    high: float
    at: float
    from_left: bool

    @property
    def exact(self) -> bool:
        """Whether it is what all values would have given."""
        return self.high <= self.low


def ks(then: NumberCounts, now: NumberCounts) -> Ks | None:
    """The Kolmogorov-Smirnov distance; None where either side has no value.

    Exact where every value of the baseline is a knot: between two of them its distribution
    function stands still, so the difference is greatest at an end.
    """
    if not then.present or not now.present:
        return None
    then_left, then_right = then.cumulated()
    now_left, now_right = now.cumulated()
    left, right = np.abs(then_left - now_left), np.abs(then_right - now_right)
    on_left = bool(left.max() > right.max())
    place = int((left if on_left else right).argmax())
    value = float((left if on_left else right)[place])
    high = value
    if not then.knots.exact:
        one, zero = np.ones(1), np.zeros(1)
        # Within a gap either function goes from its value at the left end to that at the right.
        begins_then, ends_then = np.append(zero, then_right), np.append(then_left, one)
        begins_now, ends_now = np.append(zero, now_right), np.append(now_left, one)
        high = max(value, float((ends_then - begins_now).max()))
        high = max(high, float((ends_now - begins_then).max()))
    return Ks(value, value, min(1.0, high), float(then.knots.at[place]), on_left)


def wasserstein(then: NumberCounts, now: NumberCounts) -> float | None:
    """The first Wasserstein distance (the area between the distribution functions).

    Exact where the baseline keeps all values and the window its own; else each gap between knots
    contributes the difference of the two integrals, which are exact, and where the functions
    cross inside a gap the area of straight lines between their ends.
    """
    if not then.present or not now.present:
        return None
    if then.knots.exact and now.kept is not None:
        return _merged(then, now.kept)
    return _by_gaps(then, now)


def _merged(then: NumberCounts, kept: Floats) -> float | None:
    at = then.knots.at
    every = np.concatenate([at, kept])
    every.sort()
    places = every[:-1]
    one = np.append(0.0, then.cumulated()[1])[at.searchsorted(places, "right")]
    two = kept.searchsorted(places, "right") / len(kept)
    with np.errstate(over="ignore", invalid="ignore"):
        area = float(np.sum(np.abs(one - two) * np.diff(every)))
    return area if math.isfinite(area) else None


def _by_gaps(then: NumberCounts, now: NumberCounts) -> float | None:
    at = then.knots.at - then.knots.origin
    width = np.diff(at)
    areas, begins, ends = [], [], []
    for side in (then, now):
        left, right = side.cumulated()
        n = side.present
        open_counts, open_sums = side.counts[2:-1:2], side.sums[2:-1:2]
        # ∫F over a gap: what was reached before it, and each value from where it lies.
        areas.append(right[:-1] * width + (at[1:] * open_counts - open_sums) / n)
        begins.append(right[:-1])
        ends.append(left[1:])
    apart = np.abs(areas[0] - areas[1])
    start, end = begins[0] - begins[1], ends[0] - ends[1]
    crossed = start * end < 0
    both = np.abs(start) + np.abs(end)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        lines = (start**2 + end**2) / (2 * np.where(both > 0, both, 1.0)) * width
        inner = float(np.where(crossed, np.maximum(apart, lines), apart).sum())
    tails = 0.0
    below = [at[0] * s.counts[0] / s.present - s.sums[0] / s.present for s in (then, now)]
    above = [s.sums[-1] / s.present - at[-1] * s.counts[-1] / s.present for s in (then, now)]
    tails = abs(below[0] - below[1]) + abs(above[0] - above[1])
    found = inner + tails
    return float(found) if math.isfinite(found) else None


def psi(then: Floats, now: Floats) -> float:
    """The population stability index of two lists of shares."""
    p, q = np.maximum(then, PSI_FLOOR), np.maximum(now, PSI_FLOOR)
    return float(np.sum((q - p) * np.log(q / p)))


def js_distance(then: Floats, now: Floats) -> float:
    """The Jensen-Shannon distance of two lists of shares, base 2; as
    `scipy.spatial.distance.jensenshannon(p, q, base=2)`."""
    middle = (then + now) / 2

    def divergence(p: Floats) -> float:
        some = p > 0
        return float(np.sum(p[some] * np.log2(p[some] / middle[some])))

    return math.sqrt(max(0.0, (divergence(then) + divergence(now)) / 2))


def robust(distance: float, first: float, second: float) -> float:
    """SageMaker's robust distance between samples of these sizes."""
    if first <= 0 or second <= 0:
        return 0.0
    return max(0.0, distance - ROBUST * math.sqrt((first + second) / (first * second)))


def chi_square(then: Floats, now: Floats, least: float = 5.0) -> tuple[float, int]:
    """The statistic and degrees of freedom of the table of two rows of counts.

    Categories of which fewer than `least` are expected in either row are put together, so that
    the approximation holds; as `scipy.stats.chi2_contingency(correction=False)` of that table.
    """
    n, m = float(then.sum()), float(now.sum())
    if not n or not m:
        return 0.0, 0
    together = then + now
    scarce = together * min(n, m) / (n + m) < least
    one = np.append(then[~scarce], then[scarce].sum())
    two = np.append(now[~scarce], now[scarce].sum())
    some = one + two > 0
    one, two = one[some], two[some]
    if len(one) < 2:
        return 0.0, 0
    total = one + two
    expected_one, expected_two = total * n / (n + m), total * m / (n + m)
    statistic = ((one - expected_one) ** 2 / expected_one).sum()
    statistic += ((two - expected_two) ** 2 / expected_two).sum()
    return float(statistic), len(one) - 1


def total_variation(then: Floats, now: Floats) -> float:
    """Half the sum of the differences of two lists of shares."""
    return float(np.abs(then - now).sum() / 2)
