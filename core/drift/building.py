"""Making a baseline of rows that are read twice, in bounded memory.

The first pass finds what to keep (values, or knots from a uniform sample of rows, and the
categories), the second counts every row there. So counts at knots are exact whatever the size;
only what lies between two knots of a large baseline is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from core.drift.baseline import Baseline, ColumnBaseline
from core.drift.bins import bins_of
from core.drift.categories import (
    CategoryCensus,
    CategoryTally,
    empty_categories,
)
from core.drift.groups import MOST_SEGMENTS, Grouping, Season
from core.drift.numeric import (
    EXACT_KNOTS,
    SKETCH_KNOTS,
    coarse_knots,
    empty_counts,
    knots_of,
)
from core.drift.values import Floats, Treated, inferred_type, numbers, plain, texts, treated
from core.drift.window import ColumnCounts, count_window

SAMPLE_VALUES = 6_000_000
"""Values of all columns together in the sample of rows."""
SAMPLE_ROWS = 100_000
LEARNED_ROWS = 4_000
"""Rows that are stored for the classifier."""

Reader = Callable[[], Iterable[pa.RecordBatch]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make a baseline of: the columns, and by what to split them besides.

    `exact_limit` and `sketch` bound the knots of a column of numbers; `learned` the rows that
    are stored for the classifier (0: none).
    """

    columns: tuple[str, ...]
    segments: tuple[str, ...] = ()
    season: Season | None = None
    season_column: str = ""
    timezone: str = "UTC"
    exact_limit: int = EXACT_KNOTS
    sketch: int = SKETCH_KNOTS
    learned: int = LEARNED_ROWS
    seed: int = 0


class RowSample:
    """A uniform sample of rows in their order, at most `limit` of them: every row is kept with
    the same chance, which is halved each time when there are too many. Not thread-safe."""

    def __init__(self, limit: int, seed: int = 0) -> None:
        self._limit = max(2, limit)
        self._draws = np.random.default_rng(seed)
        self._chance = 1.0
        self._parts: list[pa.RecordBatch] = []
        self._held = 0
        self.seen = 0

    @property
    def whole(self) -> bool:
        """Whether all rows are in it."""
        return self._chance == 1.0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in rows."""
        self.seen += batch.num_rows
        while batch.num_rows:
            part = batch.slice(0, self._limit)
            batch = batch.slice(self._limit)
            if self._chance < 1.0:
                part = part.filter(pa.array(self._draws.random(part.num_rows) < self._chance))
            self._parts.append(part)
            self._held += part.num_rows
            while self._held > self._limit:
                self._chance /= 2
                self._parts = [
                    each.filter(pa.array(self._draws.random(each.num_rows) < 0.5))
                    for each in self._parts
                ]
                self._held = sum(each.num_rows for each in self._parts)

    def batches(self) -> list[pa.RecordBatch]:
        """The rows of the sample."""
        return [part for part in self._parts if part.num_rows]


@dataclass(slots=True)
class _Census:
    """What the first pass saw."""

    types: dict[str, pa.DataType]
    categories: dict[str, CategoryCensus]
    segments: dict[str, CategoryCensus]
    sample: RowSample


def built(read: Reader, plan: Plan) -> tuple[Baseline, RowSample]:
    """A baseline, and a sample of its rows (all of them where there are few).

    `read` gives the same rows each time it is called. Columns that no batch has are left out.
    """
    census = _first_pass(read, plan)
    columns = tuple(_sketched(name, census, plan) for name in plan.columns if name in census.types)
    draft = Baseline(
        rows=census.sample.seen, columns=columns, groupings=tuple(_groupings(plan, census))
    )
    found = count_window(draft, read())
    baseline = replace(
        draft,
        columns=tuple(_counted(each, found.columns[each.name], census) for each in columns),
        group_rows=found.group_rows,
        by_group=found.by_group,
    )
    return replace(baseline, sample=_learned(baseline, census.sample, plan)), census.sample


def _first_pass(read: Reader, plan: Plan) -> _Census:
    wanted = dict.fromkeys([*plan.columns, *plan.segments])
    limit = min(SAMPLE_ROWS, SAMPLE_VALUES // max(1, len(wanted)))
    segments = {each: CategoryCensus() for each in plan.segments}
    census = _Census({}, {}, segments, RowSample(limit, plan.seed))
    for batch in read():
        for field in batch.schema:
            if field.name in wanted:
                _note_type(census, field)
        for name in wanted:
            place = batch.schema.get_field_index(name)
            if place < 0:
                continue
            array = batch.column(place)
            if name in census.categories:
                census.categories[name].add(array)
            if name in census.segments:
                census.segments[name].add(array)
        census.sample.add(batch)
    return census


def _note_type(census: _Census, field: pa.Field) -> None:
    """A column's type is that of the first batch in which it has one (JSON lines of nothing but
    nulls have none)."""
    known = census.types.get(field.name)
    if known is not None and not pa.types.is_null(known):
        return
    census.types[field.name] = field.type
    if treated(field.type) is Treated.CATEGORY:
        census.categories.setdefault(field.name, CategoryCensus())


def _groupings(plan: Plan, census: _Census) -> Iterator[Grouping]:
    for name in plan.segments:
        yield Grouping(name, census.segments[name].kept(MOST_SEGMENTS))
    if plan.season is not None:
        yield Grouping(plan.season_column, (), plan.season, plan.timezone)


def _sampled(name: str, sample: RowSample) -> Floats:
    parts = [
        numbers(batch.column(place)).values
        for batch in sample.batches()
        if (place := batch.schema.get_field_index(name)) >= 0
    ]
    return np.concatenate([np.empty(0), *parts])


def _sketched(name: str, census: _Census, plan: Plan) -> ColumnBaseline:
    """A column with its knots or categories, and nothing counted yet."""
    dtype = census.types[name]
    kind = treated(dtype)
    draft = ColumnBaseline(name, kind, str(plain(dtype)), inferred_type(dtype), 0, 0, 0)
    if kind in (Treated.NUMBER, Treated.TIME):
        values = _sampled(name, census.sample)
        finite = values[np.isfinite(values)]
        if not len(finite):
            return replace(draft, note="no value to compare with")
        knots = knots_of(
            finite, exact_limit=plan.exact_limit, sketch=plan.sketch, whole=census.sample.whole
        )
        grouped = plan.segments or plan.season is not None
        coarse = coarse_knots(knots, finite) if grouped else None
        note = _counter(values, dtype) if kind is Treated.NUMBER else _TIME
        return replace(draft, note=note, numbers=empty_counts(knots), coarse=coarse)
    if kind is Treated.CATEGORY:
        return replace(draft, categories=empty_categories(census.categories[name].kept()))
    return replace(draft, note="neither numbers nor categories: only missing values are compared")


_TIME = "a time goes on by itself: shown, not judged"


def _counter(values: Floats, dtype: pa.DataType) -> str:
    """Whole numbers that only go up, each once, number the rows: their drift says nothing."""
    whole = pa.types.is_integer(plain(dtype))
    if whole and len(values) >= 100 and bool((np.diff(values) > 0).all()):
        return "goes up from row to row: taken for a number of the row, not judged"
    return ""


def _counted(column: ColumnBaseline, found: ColumnCounts, census: _Census) -> ColumnBaseline:
    """The column with what the second pass counted."""
    done = replace(column, rows=found.rows, missing=found.missing)
    if found.numbers is not None:
        counts = found.numbers
        # A sample may have missed values: then something was counted between its knots.
        knots = replace(counts.knots, exact=not counts.counts[0::2].any())
        counts = replace(counts, knots=knots, kept=None)
        capped = not knots.exact
        return replace(
            done,
            numbers=counts,
            bins=bins_of(counts),
            distinct=len(knots.at),
            distinct_capped=capped,
        )
    if found.categories is not None:
        seen = census.categories[column.name]
        note = column.note
        present = found.rows - found.missing
        if not present:
            note = "no value to compare with"
        elif seen.distinct > max(MANY, present / 2):
            note = "mostly different values: taken for an identifier, not judged"
        return replace(
            done,
            note=note,
            distinct=seen.distinct,
            distinct_capped=seen.capped,
            categories=found.categories,
        )
    return done


MANY = 50
"""Categories from which on mostly different ones are taken for identifiers."""


def _learned(baseline: Baseline, sample: RowSample, plan: Plan) -> dict[str, Floats]:
    """Rows of the sample as numbers, evenly spaced, by column."""
    batches = sample.batches()
    rows = sum(batch.num_rows for batch in batches)
    if not plan.learned or not rows:
        return {}
    draws = np.random.default_rng(plan.seed)
    chosen = np.sort(draws.permutation(rows)[: plan.learned])
    return {
        column.name: encoded(column, batches)[chosen]
        for column in baseline.columns
        if column.numbers is not None or column.categories is not None
    }


def encoded(column: ColumnBaseline, batches: Sequence[pa.RecordBatch]) -> Floats:
    """A column of rows as numbers, NaN where missing: categories by the place of the kept value,
    others as the place after the last."""
    parts: list[Floats] = [np.empty(0)]
    for batch in batches:
        place = batch.schema.get_field_index(column.name)
        if place < 0:
            parts.append(np.full(batch.num_rows, np.nan))
        elif column.categories is not None:
            tally = CategoryTally(column.categories.values)
            codes = tally.codes(texts(batch.column(place))).astype(np.float64)
            codes[codes == 1] = len(column.categories.values) + 2
            parts.append(np.where(codes == 0, np.nan, codes - 2))
        else:
            parts.append(numbers(batch.column(place)).values)
    return np.concatenate(parts)
