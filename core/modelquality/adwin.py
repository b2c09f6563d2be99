"""ADWIN: a window that shrinks when its old part and its new part have different means.

Bifet and Gavaldà, "Learning from time-changing data with adaptive windowing" (SDM 2007), the
version with an exponential histogram (ADWIN2) and the variance bound of its equation 4; δ = 0.002
is the usual choice. Observations are taken in blocks of 32: the usual implementations look for a
change once every 32 observations too, and the state stays a page of JSON for a million of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
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

    at: int
    before: float
    after: float
    kept: int

    @property
    def worse(self) -> bool:
        """Whether there is more error now."""
        return self.after > self.before


@dataclass(slots=True)
class Adwin:
    """The detector. Feed it errors in order; not thread-safe."""

    delta: float = DELTA
    seen: int = 0
    counts: list[int] = field(default_factory=list)  # buckets, oldest first
    totals: list[float] = field(default_factory=list)
    squares: list[float] = field(default_factory=list)  # sums of squares around each's mean
    pending: list[float] = field(default_factory=list)  # not a whole block yet

    @property
    def width(self) -> int:
        """Observations in the window."""
        return sum(self.counts) + len(self.pending)

    @property
    def mean(self) -> float:
        """The window's mean; NaN of none."""
        width = self.width
        return (sum(self.totals) + sum(self.pending)) / width if width else float("nan")

    def update(self, values: Floats) -> list[Change]:
        """Take in observations (finite), oldest first; the changes seen while doing so."""
        changes: list[Change] = []
        whole = [*self.pending, *values.tolist()]
        end = len(whole) - len(whole) % BLOCK
        blocks = np.array(whole[:end]).reshape(-1, BLOCK)
        totals = blocks.sum(axis=1)
        around = ((blocks - blocks.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
        self.pending = whole[end:]
        for total, square in zip(totals.tolist(), around.tolist(), strict=True):
            self.seen += BLOCK
            self.counts.append(BLOCK)
            self.totals.append(total)
            self.squares.append(square)
            self._merge()
            change = self._shrink()
            if change is not None:
                changes.append(change)
        return changes

    def _merge(self) -> None:
        """Keep at most `_EACH` buckets of a size: the two oldest become one of twice that."""
        size, end = BLOCK, len(self.counts)
        while True:
            start = end
            while start and self.counts[start - 1] == size:
                start -= 1
            if end - start <= _EACH:
                return
            self._join(start)
            end, size = start + 1, size * 2

    def _join(self, place: int) -> None:
        n, m = self.counts[place : place + 2]
        first, second = self.totals[place : place + 2]
        apart = first / n - second / m
        self.counts[place : place + 2] = [n + m]
        self.totals[place : place + 2] = [first + second]
        self.squares[place : place + 2] = [
            sum(self.squares[place : place + 2]) + apart * apart * n * m / (n + m)
        ]

    def _shrink(self) -> Change | None:
        """Let go of the oldest buckets as long as some cut shows different means."""
        gone, gone_total = 0, 0.0
        while len(self.counts) > 1 and self._differs():
            gone += self.counts.pop(0)
            gone_total += self.totals.pop(0)
            self.squares.pop(0)
        if not gone:
            return None
        kept = sum(self.counts)
        return Change(self.seen, gone_total / gone, sum(self.totals) / kept, kept)

    def _differs(self) -> bool:
        counts, totals = np.array(self.counts, dtype=np.float64), np.array(self.totals)
        width, total = counts.sum(), totals.sum()
        mean = total / width
        variance = (sum(self.squares) + (counts * (totals / counts - mean) ** 2).sum()) / width
        old, old_total = np.cumsum(counts)[:-1], np.cumsum(totals)[:-1]
        new = width - old
        difference = np.abs(old_total / old - (total - old_total) / new)
        harmonic = 1 / (old - _LEAST + 1) + 1 / (new - _LEAST + 1)
        confidence = math.log(2 * math.log(width) / self.delta)
        bound = np.sqrt(2 * harmonic * variance * confidence) + 2 / 3 * harmonic * confidence
        return bool((difference > bound).any())

    def to_json(self) -> dict[str, Any]:
        """What `resume` reads."""
        return {
            "delta": self.delta,
            "seen": self.seen,
            "counts": self.counts,
            "totals": self.totals,
            "squares": self.squares,
            "pending": self.pending,
        }

    @classmethod
    def resume(cls, data: Mapping[str, Any]) -> Adwin:
        """The detector as it was when `to_json` was called."""
        return cls(
            data["delta"],
            data["seen"],
            list(data["counts"]),
            list(data["totals"]),
            list(data["squares"]),
            list(data["pending"]),
        )
