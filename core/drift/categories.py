"""Counting categories: those that the baseline keeps, and what was not there then."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.drift.values import Floats, Ints, Treated, texts, treated

MOST_KEPT = 512
"""Categories that a baseline keeps; rarer ones are counted together."""
MOST_COUNTED = 50_000
"""Different values that are counted while a baseline is made."""
MOST_NEW = 1_000
"""Different new values that are told apart in a window."""
LONGEST = 200
"""Characters of a value that are kept to show."""


@dataclass(slots=True)
class CategoryCounts:
    """A column's categories, counted: `counts` of the kept values in their order, `other` of all
    that are not among them. `new` are those told apart (of what `other` holds), not all where
    `new_capped`. Counts are whole unless they were weighted."""

    values: tuple[str, ...]
    counts: Floats
    other: float = 0.0
    rows: int = 0
    missing: int = 0
    mistyped: int = 0
    new: dict[str, int] = field(default_factory=dict)
    new_capped: bool = False

    @property
    def present(self) -> float:
        """How many values there are."""
        return float(self.counts.sum()) + self.other

    def table(self) -> Floats:
        """The counts with all others at the end."""
        return np.append(self.counts, self.other)

    def shares(self) -> Floats:
        """The same as shares. Needs at least one value."""
        return self.table() / self.present


def empty_categories(values: tuple[str, ...]) -> CategoryCounts:
    """Nothing counted yet."""
    return CategoryCounts(values, np.zeros(len(values)))


class CategoryTally:
    """Counts a column's categories, chunk by chunk, in memory bounded whatever comes. Not
    thread-safe. `text` says that the baseline's type is text: other types are then mistyped."""

    def __init__(self, values: tuple[str, ...], text: bool = True) -> None:
        self.counts = empty_categories(values)
        self._known = pa.array(values, pa.string())
        self._text = text
        self._new: Counter[str] = Counter()

    def add(self, array: pa.Array) -> None:
        """Take in a chunk of any type."""
        counts = self.counts
        counts.rows += len(array)
        present = len(array) - array.null_count
        if self._text and treated(array.type) is not Treated.CATEGORY:
            counts.mistyped += present
        shown = texts(array)
        codes = self.codes(shown)
        found = np.bincount(codes, minlength=len(counts.values) + 2)
        counts.counts += found[2:]
        counts.other += int(found[1])
        counts.missing += int(found[0])
        if found[1]:
            self._take_new(shown, codes)

    def codes(self, shown: pa.Array) -> Ints:
        """For each row 0 (missing), 1 (not kept), or 2 + the place of its value."""
        if isinstance(shown, pa.DictionaryArray):
            table = np.append(self.codes(shown.dictionary), 0)
            places = pc.fill_null(shown.indices.cast(pa.int64()), len(shown.dictionary))
            found: Ints = table[places.to_numpy()]
            return found
        where = pc.index_in(shown, value_set=self._known.cast(shown.type))
        codes: Ints = pc.fill_null(where, -1).to_numpy().astype(np.int64) + 2
        if shown.null_count:
            codes[pc.is_null(shown).to_numpy(zero_copy_only=False)] = 0
        return codes

    def _take_new(self, shown: pa.Array, codes: Ints) -> None:
        if self.counts.new_capped:
            return  # what is new is counted in `other`; its names are too many to be of use
        fresh = shown.filter(pa.array(codes == 1))
        for item in pc.value_counts(fresh):
            value = str(item["values"].as_py())[:LONGEST]
            if value in self._new or len(self._new) < MOST_NEW:
                self._new[value] += item["counts"].as_py()
            else:
                self.counts.new_capped = True
                break

    def finish(self) -> CategoryCounts:
        """What was counted."""
        self.counts.new = dict(self._new.most_common())
        return self.counts


class CategoryCensus:
    """Finds the categories of a baseline: all, or the most frequent of too many."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self.capped = False

    def add(self, array: pa.Array) -> None:
        """Take in a chunk of any type."""
        shown = texts(array)
        if isinstance(shown, pa.DictionaryArray):
            shown = shown.dictionary_decode()
        counted = pc.value_counts(shown.drop_null())
        values, counts = counted.field(0).to_pylist(), counted.field(1).to_pylist()
        for value, count in zip(values, counts, strict=True):
            self._seen[value] += count
        if len(self._seen) > MOST_COUNTED:
            # What was rare so far is dropped: of so many values the frequent ones are kept.
            self.capped = True
            self._seen = Counter(dict(self._seen.most_common(MOST_COUNTED // 2)))

    @property
    def distinct(self) -> int:
        """How many there are; at least so many where `capped`."""
        return max(len(self._seen), MOST_COUNTED if self.capped else 0)

    def kept(self, most: int = MOST_KEPT) -> tuple[str, ...]:
        """The values to keep, the most frequent first, equal ones by name."""
        ordered = sorted(self._seen.items(), key=lambda item: (-item[1], item[0]))
        return tuple(value for value, _ in ordered[:most])


def counted(values: tuple[str, ...], table: Floats) -> CategoryCounts:
    """Counts of kept values and, last, of all others, as `CategoryCounts.table` gives them."""
    result = CategoryCounts(values, np.asarray(table[:-1], np.float64), float(table[-1]))
    result.rows = round(result.present)
    return result
