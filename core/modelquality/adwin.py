"""ADWIN: a window that shrinks when its old part and its new part have different means.

Bifet and Gavaldà, "Learning from time-changing data with adaptive windowing" (SDM 2007), the
version with an exponential histogram (ADWIN2) and the variance bound of its equation 4; δ = 0.002
is the usual choice. Observations come in blocks (usually 32: other implementations look for a
change once every 32 observations too), so that a window's rows can be kept as a few sums and be
taken in again, and the state is a page of JSON for a million of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from core.modelquality.pairs import Floats

DELTA = 0.002
BLOCK = 32
_EACH = 5  # buckets of one size before two of them become one
_LEAST = 5  # the least part of the window that is compared


@dataclass(frozen=True, slots=True)
class Change:
    """A change that was seen. `at` is the number of observations by then, `before` and `after`
    the means of the part that was let go and of the part that was kept; `kept` its length."""

    at: float
    before: float
    after: float
    kept: float

    @property
    def worse(self) -> bool:
        """Whether there is more error now."""
        return self.after > self.before


@dataclass(frozen=True, slots=True)
class Block:
    """Observations that follow each other: how many, their sum, and the sum of their squared
    distances from their mean. Where they are alike, all three of what they are worth."""

    count: float
    total: float
    square: float


def blocks_of(values: Floats, size: int = BLOCK) -> Iterator[Block]:
    """Values (finite, oldest first) in blocks; the last may be shorter."""
    for start in range(0, len(values), size):
        part = values[start : start + size]
        total = float(part.sum())
        yield Block(len(part), total, float(((part - total / len(part)) ** 2).sum()))


@dataclass(slots=True)
class Adwin:
    """The detector. Feed it blocks in order; not thread-safe."""

    delta: float = DELTA
    seen: float = 0
    levels: list[int] = field(default_factory=list)  # of buckets, oldest first
    counts: list[float] = field(default_factory=list)
    totals: list[float] = field(default_factory=list)
    squares: list[float] = field(default_factory=list)

    @property
    def width(self) -> float:
        """Observations in the window."""
        return sum(self.counts)

    @property
    def mean(self) -> float:
        """The window's mean; NaN of none."""
        width = self.width
        return sum(self.totals) / width if width else float("nan")

    def add(self, block: Block) -> Change | None:
        """Take in a block; the change that it makes seen."""
        self.seen += block.count
        self.levels.append(0)
        self.counts.append(block.count)
        self.totals.append(block.total)
        self.squares.append(block.square)
        self._merge()
        return self._shrink()

    def _merge(self) -> None:
        """Keep at most `_EACH` buckets of a level: the two oldest become one of the next."""
        level, end = 0, len(self.levels)
        while True:
            start = end
            while start and self.levels[start - 1] == level:
                start -= 1
            if end - start <= _EACH:
                return
            self._join(start)
            end, level = start + 1, level + 1

    def _join(self, place: int) -> None:
        n, m = self.counts[place : place + 2]
        first, second = self.totals[place : place + 2]
        apart = first / n - second / m
        square = sum(self.squares[place : place + 2]) + apart * apart * n * m / (n + m)
        self.levels[place : place + 2] = [self.levels[place] + 1]
        self.counts[place : place + 2] = [n + m]
        self.totals[place : place + 2] = [first + second]
        self.squares[place : place + 2] = [square]

    def _shrink(self) -> Change | None:
        """Let go of the oldest buckets as long as some cut shows different means."""
        gone, gone_total = 0.0, 0.0
        while len(self.counts) > 1 and self._differs():
            gone += self.counts.pop(0)
            gone_total += self.totals.pop(0)
            self.squares.pop(0)
            self.levels.pop(0)
        if not gone:
            return None
        kept = sum(self.counts)
        return Change(self.seen, gone_total / gone, sum(self.totals) / kept, kept)

    def _differs(self) -> bool:
        counts, totals = np.array(self.counts, dtype=np.float64), np.array(self.totals)
        width, total = counts.sum(), totals.sum()
        if width <= math.e:
            return False
        mean = total / width
        variance = (sum(self.squares) + (counts * (totals / counts - mean) ** 2).sum()) / width
        old, old_total = np.cumsum(counts)[:-1], np.cumsum(totals)[:-1]
        new = width - old
        fair = (old >= _LEAST) & (new >= _LEAST)
        old, new, old_total = old[fair], new[fair], old_total[fair]
        difference = np.abs(old_total / old - (total - old_total) / new)
        harmonic = 1 / (old - _LEAST + 1) + 1 / (new - _LEAST + 1)
        confidence = math.log(2 * math.log(width) / self.delta)
        bound = np.sqrt(2 * harmonic * variance * confidence) + 2 / 3 * harmonic * confidence
        return bool((difference > bound).any())

    def to_json(self) -> dict[str, Any]:
        """What `resume` reads."""
        return asdict(self)

    @classmethod
    def resume(cls, data: Mapping[str, Any]) -> Adwin:
        """The detector as it was when `to_json` was called."""
        lists = {name: list(data[name]) for name in ("levels", "counts", "totals", "squares")}
        return cls(data["delta"], data["seen"], **lists)
