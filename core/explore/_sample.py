"""A uniform sample of rows that arrive in parts, of a size that is bounded."""

from __future__ import annotations

import numpy as np
import polars as pl

MOST_ROWS = 1_000_000
MOST_CELLS = 60_000_000


def sample_limit(columns: int) -> int:
    """How many rows of so many columns are held at most."""
    return max(1000, min(MOST_ROWS, MOST_CELLS // max(1, columns)))


class RowSample:
    """Every row has the same chance to be kept: each draws a number, and the lowest stay.

    `whole` as long as nothing was left out. Not thread-safe.
    """

    def __init__(self, limit: int, seed: int = 0) -> None:
        self.limit = limit
        self.whole = True
        self.seen = 0
        self._random = np.random.default_rng(seed)
        self._parts: list[pl.DataFrame] = []
        self._draws: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []
        self._held = 0
        self._bar = 1.0

    def add(self, frame: pl.DataFrame) -> None:
        """Take in one part."""
        draws = self._random.random(frame.height)
        self.seen += frame.height
        if self._bar < 1.0:
            kept = draws < self._bar
            frame, draws = frame.filter(kept), draws[kept]
        self._parts.append(frame)
        self._draws.append(draws)
        self._held += frame.height
        if self.seen > self.limit:
            self.whole = False
        if self._held > 2 * self.limit:
            self._thin()

    def _thin(self) -> None:
        draws = np.concatenate(self._draws)
        bar = float(np.partition(draws, self.limit)[self.limit])
        kept = draws < bar
        self._parts = [pl.concat(self._parts).filter(kept)]
        self._draws = [draws[kept]]
        self._held, self._bar = self._parts[0].height, bar

    def fewest(self, count: int) -> pl.DataFrame:
        """A sample of only so many of the rows."""
        self.limit = min(self.limit, count)
        self.whole = self.seen <= self.limit
        return self.frame()

    def frame(self) -> pl.DataFrame:
        """The sample, in the order of the rows."""
        if self._held > self.limit:
            self._thin()
        if not self._parts:
            return pl.DataFrame()
        self._parts = [pl.concat(self._parts)]
        self._draws = [np.concatenate(self._draws)]
        return self._parts[0]
