"""Counting a window's rows against a baseline, as they stream by.

Rows are gathered to chunks; a chunk's columns are counted by a few threads (NumPy and Arrow let
go of the interpreter while they work) while the next chunk is being decoded. At most two chunks
are held, whatever the size of the window.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from core.drift.baseline import Baseline, ColumnBaseline
from core.drift.categories import CategoryCounts, CategoryTally
from core.drift.groups import Split
from core.drift.numeric import Knots, NumberCounts, NumberTally
from core.drift.values import Floats, Ints, Treated, inferred_type, numbers, texts

CHUNK = 65_536
"""Rows that are counted at once. With fewer, handing over costs more; with more, memory does."""
KEPT_VALUES = 8_000_000
"""Values of all columns together that are held to be exact."""
KEPT_ROWS = 131_072


@dataclass(frozen=True, slots=True)
class ColumnCounts:
    """A window's column, counted at the baseline's knots or categories. `absent` rows came in
    batches without the column. `types` are SageMaker's words for the types seen."""

    name: str
    rows: int
    missing: int
    absent: int
    mistyped: int
    types: tuple[str, ...]
    numbers: NumberCounts | None = None
    categories: CategoryCounts | None = None

    @property
    def missing_share(self) -> float:
        """The share of rows without a value."""
        return self.missing / self.rows if self.rows else 0.0


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """A window, counted. `extra` are columns that the baseline has not, with their types;
    `group_rows` and `by_group` as in the baseline; `ungrouped` rows belong to no group."""

    rows: int
    columns: Mapping[str, ColumnCounts]
    extra: Mapping[str, str] = field(default_factory=dict)
    group_rows: tuple[Ints, ...] = ()
    ungrouped: tuple[int, ...] = ()
    by_group: tuple[Mapping[str, Ints], ...] = ()


class _Column:
    """One column's counting: of all rows, and of each grouping's."""

    def __init__(self, baseline: ColumnBaseline, sizes: list[int], keep: int) -> None:
        self.baseline = baseline
        self.rows = self.missing = self.absent = self.mistyped = 0
        self.types: dict[str, None] = {}
        self.number: NumberTally | None = None
        self.category: CategoryTally | None = None
        self.coarse: Knots | None = None
        width = 0
        if baseline.numbers is not None:
            self.number = NumberTally(baseline.numbers.knots, keep, baseline.inferred == "Integral")
            self.coarse = baseline.coarse
            width = self.coarse.cells if self.coarse else 0
        elif baseline.categories is not None:
            text = baseline.treated is Treated.CATEGORY and baseline.type != "bool"
            self.category = CategoryTally(baseline.categories.values, text)
            width = len(baseline.categories.values) + 2
        self.by_group = [np.zeros((size, width), np.int64) for size in sizes] if width else []

    def add(self, arrays: list[pa.Array], absent: int, splits: list[Split]) -> None:
        """Count the rows of one chunk; `absent` of them have no such column."""
        self.rows += sum(len(array) for array in arrays)
        self.absent += absent
        for array in arrays:
            if array.null_count < len(array):
                self.types[inferred_type(array.type)] = None
        if self.number is not None:
            self._numbers(self.number, arrays, splits)
        elif self.category is not None:
            self._categories(self.category, arrays, splits)
        else:
            self.missing += sum(array.null_count for array in arrays)

    def _numbers(self, tally: NumberTally, arrays: list[pa.Array], splits: list[Split]) -> None:
        read = [numbers(array) for array in arrays]
        values: Floats = (
            read[0].values if len(read) == 1 else np.concatenate([each.values for each in read])
        )
        tally.add(values, sum(each.mistyped for each in read))
        if self.coarse is not None:
            for split, into in zip(splits, self.by_group, strict=True):
                split.count_numbers(values, self.coarse, into)

    def _categories(
        self, tally: CategoryTally, arrays: list[pa.Array], splits: list[Split]
    ) -> None:
        for array in arrays:
            tally.add(array)
        if splits:
            codes = np.concatenate([tally.codes(texts(array)) for array in arrays])
            for split, into in zip(splits, self.by_group, strict=True):
                split.count_codes(codes, into)

    def finish(self) -> ColumnCounts:
        found = self.number.finish() if self.number else None
        kinds = self.category.finish() if self.category else None
        counted = found or kinds
        return ColumnCounts(
            name=self.baseline.name,
            rows=self.rows,
            missing=counted.missing if counted else self.missing,
            absent=self.absent,
            mistyped=counted.mistyped if counted else 0,
            types=tuple(self.types),
            numbers=found,
            categories=kinds,
        )


def _arrays(batches: list[pa.RecordBatch], name: str) -> tuple[list[pa.Array], int]:
    """A column of some batches, and how many of their rows have no such column."""
    arrays, absent = [], 0
    for batch in batches:
        place = batch.schema.get_field_index(name)
        if place < 0:
            absent += batch.num_rows
            arrays.append(pa.nulls(batch.num_rows, pa.float64()))
        else:
            arrays.append(batch.column(place))
    return arrays, absent


class WindowTally:
    """Counts the rows of a window. Use as a context manager; not thread-safe."""

    def __init__(
        self, baseline: Baseline, *, threads: int | None = None, keep: bool = True
    ) -> None:
        share = KEPT_VALUES // max(1, len(baseline.columns))
        kept = min(KEPT_ROWS, share) if keep else 0
        sizes = [each.size for each in baseline.groupings]
        self._groupings = baseline.groupings
        self._columns = [_Column(each, sizes, kept) for each in baseline.columns]
        self._names = {each.name for each in baseline.columns}
        self._group_rows = [np.zeros(size, np.int64) for size in sizes]
        self._ungrouped = [0] * len(sizes)
        self._extra: dict[str, str] = {}
        self._rows = self._held = 0
        self._pending: list[pa.RecordBatch] = []
        self._running: list[Future[None]] = []
        self._pool = ThreadPoolExecutor(threads or min(4, os.cpu_count() or 1))

    def __enter__(self) -> WindowTally:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in rows, in batches of any size and with any columns."""
        for field_ in batch.schema:
            if field_.name not in self._names and not field_.name.startswith("__"):
                self._extra.setdefault(field_.name, str(field_.type))
        begin = 0
        while begin < batch.num_rows:
            part = batch.slice(begin, CHUNK - self._held)
            begin += part.num_rows
            self._held += part.num_rows
            self._pending.append(part)
            if self._held >= CHUNK:
                self._flush()

    def _flush(self) -> None:
        batches, rows = self._pending, self._held
        self._pending, self._held = [], 0
        if not rows:
            return
        self._wait()
        self._rows += rows
        splits = [self._split(place, batches) for place in range(len(self._groupings))]

        # Each task holds its own column only: what is counted is let go while others wait.
        self._running = [
            self._pool.submit(each.add, *_arrays(batches, each.baseline.name), splits)
            for each in self._columns
        ]

    def _split(self, place: int, batches: list[pa.RecordBatch]) -> Split:
        grouping = self._groupings[place]
        codes: list[Ints] = []
        for batch in batches:
            at = batch.schema.get_field_index(grouping.column)
            codes.append(
                np.full(batch.num_rows, -1) if at < 0 else grouping.codes(batch.column(at))
            )
        split = Split(np.concatenate(codes), grouping.size)
        self._group_rows[place] += split.rows
        self._ungrouped[place] += len(split.codes) - int(split.rows.sum())
        return split

    def _wait(self) -> None:
        running, self._running = self._running, []
        for each in running:
            each.result()

    def finish(self) -> WindowCounts:
        """What was counted; nothing may be added after."""
        self._flush()
        self._wait()
        return WindowCounts(
            rows=self._rows,
            columns={each.baseline.name: each.finish() for each in self._columns},
            extra=self._extra,
            group_rows=tuple(self._group_rows),
            ungrouped=tuple(self._ungrouped),
            by_group=tuple(
                {c.baseline.name: c.by_group[place] for c in self._columns if c.by_group}
                for place in range(len(self._groupings))
            ),
        )


def count_window(
    baseline: Baseline, batches: Iterable[pa.RecordBatch], *, threads: int | None = None
) -> WindowCounts:
    """A window of rows, counted against a baseline."""
    with WindowTally(baseline, threads=threads) as tally:
        for batch in batches:
            tally.add(batch)
            del batch  # it is the tally's now: not held while the next is decoded
        return tally.finish()
