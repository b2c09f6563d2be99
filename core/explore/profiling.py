"""Making the profile of rows that arrive in parts, in bounded memory.

Counts, bounds, means, times and duplicates are of all rows. Up to `sample_limit` rows are held;
where there are more, a uniform sample of them stands for all in what needs the values together
(quantiles, histograms, top values, outliers, correlations), and distinct values are estimated.
Imports polars and numpy.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from core.domain.profile import (
    ColumnKind,
    ColumnProfile,
    DatasetProfile,
    NumberStats,
    TextStats,
    TimeStats,
)
from core.explore import _shape
from core.explore._columns import Moments, Totals, kind_of, reads_as_time
from core.explore._sample import RowSample, sample_limit
from core.explore._together import MOST_ROWS, correlations
from core.explore.sketch import DistinctSketch
from core.explore.timeline import MICRO, time_stats

PART_ROWS = 100_000
MOST_HASHES = 20_000_000
"""Rows whose hashes are held to find duplicates."""

Edges = Mapping[str, Sequence[float]]


class Profiler:
    """Takes in parts of a dataset's rows and makes its profile. Not thread-safe.

    `edges` are bins of an earlier profile to count in; `limit` overrides how many rows are held.
    """

    def __init__(
        self,
        dataset: str,
        schema: Mapping[str, pl.DataType],
        *,
        edges: Edges | None = None,
        limit: int | None = None,
        seed: int = 0,
        types: Mapping[str, str] | None = None,
    ) -> None:
        self._began = time.perf_counter()
        self._dataset = dataset
        self._schema = {name: schema[name] for name in schema}
        self._types = types or {}
        self._edges = edges or {}
        self._totals = {name: Totals(name, kind_of(dtype)) for name, dtype in schema.items()}
        self._sample = RowSample(limit or sample_limit(len(schema)), seed)
        self._hashes: list[npt.NDArray[np.uint64]] | None = []
        self._hashed = [name for name, dtype in schema.items() if not dtype.is_nested()]
        self._rows = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Take in one part, with all of the schema's columns."""
        if not frame.height:
            return
        first = self._rows == 0
        self._rows += frame.height
        asked = [
            each
            for name, totals in self._totals.items()
            for each in totals.expressions(self._schema[name])
        ]
        answers = frame.select(asked).row(0, named=True) if asked else {}
        by_column: dict[str, dict[str, object]] = {}
        for key, value in answers.items():
            name, _, what = key.partition("\0")
            by_column.setdefault(name, {})[what] = value
        for name, totals in self._totals.items():
            totals.add(frame.height, by_column.get(name, {}))
            self._times(totals, frame[name], first)
        if self._rows > self._sample.limit:  # too many to hold: distinct values are estimated
            if self._sample.whole:
                self._estimate(self._sample.frame())
            self._estimate(frame)
        self._sample.add(frame)
        self._hash(frame)

    def _times(self, totals: Totals, values: pl.Series, first: bool) -> None:
        if first and totals.kind is ColumnKind.TIME:
            totals.moments = Moments()
        elif first and totals.kind is ColumnKind.TEXT and reads_as_time(values.cast(pl.String)):
            totals.moments = Moments(text=True)
        if totals.moments is not None:
            totals.moments.add(values)

    def _estimate(self, frame: pl.DataFrame) -> None:
        for name, totals in self._totals.items():
            if totals.kind in (ColumnKind.NUMBER, ColumnKind.TEXT):
                if totals.sketch is None:
                    totals.sketch = DistinctSketch()
                if name in frame.columns:
                    totals.sketch.add(frame[name].drop_nulls().hash().to_numpy())

    def _hash(self, frame: pl.DataFrame) -> None:
        if self._hashes is None or not self._hashed:
            return
        if self._rows > MOST_HASHES:
            self._hashes = None
            return
        self._hashes.append(frame.select(self._hashed).hash_rows().to_numpy())

    def finish(
        self, snapshot_id: str = "", number: int | None = None, at: float | None = None
    ) -> DatasetProfile:
        """The profile of all that was taken in."""
        sample = self._sample.frame()
        kinds = {name: totals.kind for name, totals in self._totals.items()}
        columns = tuple(self._column(totals, sample) for totals in self._totals.values())
        few = sample.sample(MOST_ROWS, seed=0) if sample.height > MOST_ROWS else sample
        nested = [name for name, kind in kinds.items() if kind is ColumnKind.OTHER]
        together = correlations(few, kinds) if few.height else ()
        return DatasetProfile(
            dataset=self._dataset,
            snapshot_id=snapshot_id,
            snapshot_number=number,
            at=time.time() if at is None else at,
            rows=self._rows,
            columns=columns,
            sampled_rows=None if self._sample.whole else sample.height,
            duplicate_rows=self._duplicates(),
            correlations=together,
            correlated_rows=few.height,
            seconds=round(time.perf_counter() - self._began, 3),
            notes=(f"not looked into: {', '.join(nested)}",) if nested else (),
        )

    def _duplicates(self) -> int | None:
        if self._hashes is None or not self._hashed:
            return None
        if not self._hashes:
            return 0
        hashes = pl.Series(np.concatenate(self._hashes))
        return self._rows - hashes.n_unique()

    def _column(self, totals: Totals, sample: pl.DataFrame) -> ColumnProfile:
        """One column's profile, its finer points of the sample."""
        name, dtype = totals.name, self._schema[totals.name]
        made: dict[str, Any] = {
            "name": name,
            "type": self._types.get(name, str(dtype).lower()),
            "kind": totals.kind,
            "rows": totals.rows,
            "missing": totals.missing,
        }
        values = sample[name] if name in sample.columns else pl.Series(name, [], dtype)
        if totals.kind is ColumnKind.NUMBER:
            return self._number(made, totals, values, dtype.is_integer())
        if totals.kind is ColumnKind.TEXT:
            return self._text(made, totals, values)
        if totals.kind is ColumnKind.FLAG:
            top, complete, distinct = _shape.top_texts(values)
            return ColumnProfile(**made, distinct=distinct, top=top, top_complete=complete)
        if totals.kind is ColumnKind.TIME:
            covered = _coverage(totals)
            return ColumnProfile(**made, distinct=covered.distinct, time=covered)
        return ColumnProfile(**made)

    def _number(
        self, made: dict[str, Any], totals: Totals, values: pl.Series, whole: bool
    ) -> ColumnProfile:
        numbers = values.drop_nulls().cast(pl.Float64)
        ordered = numbers.filter(numbers.is_finite()).sort().to_numpy()
        whole = whole or bool(len(ordered) and np.all(ordered == np.rint(ordered)))
        different, counts = _shape.runs(ordered)
        top, complete = _shape.top_numbers(different, counts, whole)
        edges = self._edges.get(totals.name)
        stats = NumberStats(
            minimum=totals.minimum,
            maximum=totals.maximum,
            mean=totals.mean if totals.finite else None,
            std=totals.std,
            quantiles=_shape.quantiles(ordered),
            zeros=totals.zeros,
            negatives=totals.negatives,
            nan=totals.nan,
            infinite=totals.infinite,
            histogram=_shape.histogram(ordered, whole, edges),
            outliers=_shape.outliers(ordered, len(different)),
        )
        distinct, guessed = self._distinct(totals, len(different))
        complete = complete and self._sample.whole
        return ColumnProfile(
            **made,
            distinct=distinct,
            distinct_approximate=guessed,
            top=top,
            top_complete=complete,
            number=stats,
        )

    def _text(self, made: dict[str, Any], totals: Totals, values: pl.Series) -> ColumnProfile:
        top, complete, distinct = _shape.top_texts(values)
        present = totals.rows - totals.missing
        stats = TextStats(
            totals.shortest,
            totals.longest,
            totals.characters / present if present else None,
            totals.blank,
        )
        times = totals.moments
        covered = _coverage(totals) if times is not None and not times.unread else None
        counted, guessed = self._distinct(totals, distinct)
        return ColumnProfile(
            **made,
            distinct=counted,
            distinct_approximate=guessed,
            top=top,
            top_complete=complete and self._sample.whole,
            text=stats,
            time=covered,
            note="texts that read as times" if covered is not None else "",
        )

    def _distinct(self, totals: Totals, in_sample: int) -> tuple[int, bool]:
        if totals.sketch is None:
            return in_sample, False
        return max(in_sample, totals.sketch.count()), True


def _coverage(totals: Totals) -> TimeStats:
    moments = totals.moments
    if moments is None or moments.first is None or moments.last is None:
        return TimeStats(None, None, 0)
    ordered = moments.sorted()
    if ordered is None:
        first, last = moments.first / MICRO, moments.last / MICRO
        return TimeStats(first, last, note="too many different times to look for gaps")
    return time_stats(ordered)


def in_parts(frames: Iterable[pl.DataFrame], rows: int = PART_ROWS) -> Iterator[pl.DataFrame]:
    """Small parts put together, so that each is worth a round of work."""
    kept: list[pl.DataFrame] = []
    held = 0
    for frame in frames:
        kept.append(frame)
        held += frame.height
        if held >= rows:
            yield pl.concat(kept) if len(kept) > 1 else kept[0]
            kept, held = [], 0
    if kept:
        yield pl.concat(kept) if len(kept) > 1 else kept[0]


def profile_frame(
    dataset: str, frame: pl.DataFrame, *, edges: Edges | None = None
) -> DatasetProfile:
    """The profile of rows that are in memory."""
    profiler = Profiler(dataset, frame.schema, edges=edges)
    profiler.add(frame)
    return profiler.finish()
