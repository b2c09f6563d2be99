"""Counting numbers between knots, in one pass and bounded memory.

Knots are values of the baseline in ascending order: all its different values (`exact`), or some
thousand quantiles. Rows are counted in 2K+1 cells, at a knot and between knots in turn: below
the first, at the first, between the first and the second, …, above the last. So the distribution
function of either side is known exactly at each knot, from the left and from the right, however
many rows there were: chunks are sorted and the knots searched in them, which is several times
faster than searching each row among the knots.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

import numpy as np

from core.drift.values import Floats, Ints

EXACT_KNOTS = 20_000
"""A baseline column with at most so many different values keeps all of them."""
SKETCH_KNOTS = 1_024
GROUP_KNOTS = 256
"""Knots for segments and seasons, of which there may be hundreds."""


@dataclass(frozen=True, slots=True)
class Knots:
    """Where rows are counted. `exact`: the baseline has no value that is not a knot. `origin`
    is taken off before values are summed, so that sums of large values keep their digits."""

    at: Floats
    exact: bool

    @property
    def origin(self) -> float:
        """The knot in the middle."""
        return float(self.at[len(self.at) // 2]) if len(self.at) else 0.0

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return 2 * len(self.at) + 1


def knots_of(values: Floats, *, exact_limit: int, sketch: int, whole: bool = True) -> Knots:
    """Knots for a baseline whose finite values (or, unless `whole`, a sample) are given.

    Quantiles are values that occur (never between two), the least and the greatest among them.
    """
    different = np.unique(values)
    if len(different) <= exact_limit:
        return Knots(different, whole)
    return Knots(quantile_knots(np.sort(values), sketch), False)


def quantile_knots(ordered: Floats, count: int) -> Floats:
    """At most `count` values at evenly spaced ranks, both ends included; each once."""
    places = np.linspace(0, len(ordered) - 1, count).round().astype(np.int64)
    return np.unique(ordered[places])


def coarse_knots(knots: Knots, values: Floats) -> Knots:
    """Fewer of the knots, at even ranks of the values: for segments and seasons."""
    if len(knots.at) <= GROUP_KNOTS:
        return knots
    wanted = quantile_knots(np.sort(values), GROUP_KNOTS)
    places = np.minimum(knots.at.searchsorted(wanted), len(knots.at) - 1)
    return Knots(knots.at[np.unique(places)], False)


@dataclass(slots=True)
class NumberCounts:
    """A column's numbers, counted. `counts` and `sums` (of value less origin) are by cell, of
    finite values; `moments` are of these too. `kept` are all of them in order, where there are
    few enough to be held. Counts are whole unless they were weighted."""

    knots: Knots
    counts: Floats
    sums: Floats
    rows: int = 0
    missing: int = 0
    infinite: int = 0
    mistyped: int = 0
    minimum: float = math.inf
    maximum: float = -math.inf
    total: float = 0.0  # of value less origin
    squares: float = 0.0  # of what each differs from the mean of all
    negatives: int = 0
    fractions: int = 0
    kept: Floats | None = None
    _reached: tuple[Floats, Floats] | None = None

    @property
    def present(self) -> float:
        """How many finite values there are."""
        return float(self.counts.sum())

    @property
    def mean(self) -> float | None:
        """None without values, or beyond what a double can sum."""
        n = self.present
        if not n:
            return None
        mean = self.total / n + self.knots.origin
        return mean if math.isfinite(mean) else None

    @property
    def std(self) -> float | None:
        """The deviation of these values (divided by n, not n-1)."""
        n = self.present
        if not n:
            return None
        variance = self.squares / n
        return math.sqrt(max(0.0, variance)) if math.isfinite(variance) else None

    def cumulated(self) -> tuple[Floats, Floats]:
        """The distribution function at the knots: from the left (shares below each knot) and
        from the right (at or below it). Needs at least one value; kept, so ask when all is
        counted."""
        if self._reached is None:
            reached = np.cumsum(self.counts)
            reached /= reached[-1]
            self._reached = (reached[0:-1:2].copy(), reached[1::2].copy())
        return self._reached


def empty_counts(knots: Knots) -> NumberCounts:
    """Nothing counted yet."""
    return NumberCounts(knots, np.zeros(knots.cells), np.zeros(knots.cells))


_LOCAL = threading.local()


def _scratch(size: int) -> tuple[Floats, Floats]:
    """Two arrays of more than `size`, the same ones for each chunk of a thread: to get fresh
    ones from the system takes longer than sorting them."""
    found: tuple[Floats, Floats] | None = getattr(_LOCAL, "arrays", None)
    if found is None or len(found[0]) <= size:
        found = (np.empty(size + 1), np.empty(size + 1))
        _LOCAL.arrays = found
    return found


def _squared(values: Floats) -> float:
    """The sum of squares, in this thread (BLAS would start threads of its own)."""
    return float(np.einsum("i,i->", values, values))


class NumberTally:
    """Counts a column's numbers, chunk by chunk. Not thread-safe.

    Up to `keep` values are held, so that what needs the values themselves is exact for windows
    of usual size. `whole`: fractions are counted.
    """

    def __init__(self, knots: Knots, keep: int = 0, whole: bool = False) -> None:
        self.counts = empty_counts(knots)
        self._whole = whole
        self._finite_before = 0
        self._keep = keep
        self._held: list[Floats] | None = [] if keep else None
        self._holding = 0

    def add(self, values: Floats, mistyped: int = 0) -> None:
        """Take in a chunk; NaN is missing. `values` is not changed."""
        size = len(values)
        ordered, shifted = _scratch(size)
        ordered = ordered[:size]
        np.copyto(ordered, values)
        ordered.sort()
        low = int(ordered.searchsorted(-np.inf, "right"))
        high = int(ordered.searchsorted(np.inf, "left"))
        present = int(ordered.searchsorted(np.nan, "left"))  # NaN sorts last
        counts = self.counts
        counts.rows += size
        counts.mistyped += mistyped
        counts.missing += size - present - mistyped
        counts.infinite += low + present - high
        if high > low:
            self._finite(ordered[low:high], shifted[: high - low + 1])

    def _finite(self, ordered: Floats, shifted: Floats) -> None:
        counts = self.counts
        at = counts.knots.at
        edges = np.zeros(counts.knots.cells + 1, np.int64)
        below = ordered.searchsorted(at, "left")
        reached = below.copy()
        # Of fractions few knots occur again: only those are searched from the right.
        met = ordered[np.minimum(below, len(ordered) - 1)] == at
        reached[met] = ordered.searchsorted(at[met], "right")
        edges[1:-1:2], edges[2:-1:2] = below, reached
        edges[-1] = len(ordered)
        counted = np.diff(edges)
        counts.counts += counted
        with np.errstate(over="ignore", invalid="ignore"):
            np.subtract(ordered, counts.knots.origin, out=shifted[:-1])
            shifted[-1] = 0.0  # one more, for edges that lie behind the last value
            sums = np.add.reduceat(shifted, edges[:-1])
            sums[counted == 0] = 0.0  # there reduceat gives the value at the edge
            counts.sums += sums
            self._moments(shifted[:-1], float(sums.sum()))
        counts.minimum = min(counts.minimum, float(ordered[0]))
        counts.maximum = max(counts.maximum, float(ordered[-1]))
        counts.negatives += int(ordered.searchsorted(0.0, "left"))
        if self._whole:
            counts.fractions += int(np.count_nonzero(ordered != np.rint(ordered)))
        self._hold(ordered)

    def _moments(self, shifted: Floats, total: float) -> None:
        """Chan, Golub, LeVeque: means and squares of two parts are those of both. May
        write over `shifted`."""
        counts, size = self.counts, len(shifted)
        before = self._finite_before
        mean = total / size
        squares = _squared(shifted)
        if mean * total > squares / 2:  # digits would cancel: once more, from the mean
            np.subtract(shifted, mean, out=shifted)
            squares = _squared(shifted)
        else:
            squares -= mean * total
        if before:
            apart = mean - counts.total / before
            squares += apart * apart * before * size / (before + size)
        counts.squares += squares
        counts.total += total
        self._finite_before = before + size

    def _hold(self, ordered: Floats) -> None:
        if self._held is None:
            return
        self._holding += len(ordered)
        if self._holding > self._keep:
            self._held = None
        else:
            self._held.append(ordered.copy())

    def finish(self) -> NumberCounts:
        """What was counted."""
        if self._held is not None:
            held = self._held
            self.counts.kept = (
                held[0] if len(held) == 1 else np.sort(np.concatenate([np.empty(0), *held]))
            )
        return self.counts


def share_counts(cells: Ints | Floats, knots: Knots) -> NumberCounts:
    """Counts that were stored without sums, as of a segment or a season: what lies between two
    knots is taken to lie in the middle, what lies beyond an end at that end."""
    result = empty_counts(knots)
    result.counts = np.asarray(cells, np.float64)
    result.rows = round(float(result.counts.sum()))
    at = knots.at - knots.origin
    if len(at):
        places = np.empty(knots.cells)
        places[1::2] = at
        places[0], places[-1] = at[0], at[-1]
        places[2:-1:2] = at[:-1] + np.diff(at) / 2
        result.sums = result.counts * places
        result.total = float(result.sums.sum())
        if result.present:
            mean = result.total / result.present
            with np.errstate(over="ignore", invalid="ignore"):
                result.squares = float((result.counts * (places - mean) ** 2).sum())
        result.minimum, result.maximum = float(knots.at[0]), float(knots.at[-1])
    return result
