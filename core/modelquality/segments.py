"""Rows by segment: values of a column, ranges of a quantity, and intersections of columns.

How a column is cut is settled on the baseline and kept with it, so that a segment means the
same in every window: up to 20 values as they are (the most frequent; the others are one
segment), quantities with more values in quartiles of the baseline. A segment is written
`column=value`, an intersection `a=1 & b=2`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.modelquality.task import as_names, as_numbers

MOST_VALUES = 20
OTHER = "other"
MISSING = "missing"
_JOIN = " & "


@dataclass(frozen=True, slots=True)
class Cut:
    """How one column is cut: at `edges` (between quartiles), or into `values`."""

    column: str
    values: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {"column": self.column, "values": list(self.values), "edges": list(self.edges)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Cut:
        """A cut that `to_json` wrote."""
        return cls(data["column"], tuple(data["values"]), tuple(data["edges"]))

    @property
    def labels(self) -> tuple[str, ...]:
        """Every segment of the column, in order."""
        if not self.edges:
            return (*self.values, OTHER, MISSING)
        ends = [f"{edge:.6g}" for edge in self.edges]
        middle = [f"{low}..{high}" for low, high in pairwise(ends)]
        return (f"<{ends[0]}", *middle, f">={ends[-1]}", MISSING)

    def codes(self, values: Sequence[Any] | NDArray[Any]) -> NDArray[np.int64]:
        """Each row's place in `labels`."""
        if self.edges:
            numbers = as_numbers(values)
            places = np.searchsorted(self.edges, numbers, side="right").astype(np.int64)
            places[np.isnan(numbers)] = len(self.edges) + 1
            return places
        names = as_names(values)
        known = {name: place for place, name in enumerate(self.values)}
        unique, inverse = np.unique(names.astype(str), return_inverse=True)
        many = len(self.values)
        found = np.array([known.get(name, many) if name else many + 1 for name in unique])
        return found[inverse].astype(np.int64) if len(found) else np.zeros(0, dtype=np.int64)


def make_cut(column: str, values: Sequence[Any] | NDArray[Any]) -> Cut:
    """How to cut a column, from the baseline's rows."""
    names = as_names(values)
    unique, counts = np.unique(names[names != ""].astype(str), return_counts=True)
    numbers = as_numbers(values)
    finite = numbers[np.isfinite(numbers)]
    if len(unique) > MOST_VALUES and len(finite) >= 0.9 * counts.sum():
        edges = np.unique(np.quantile(finite, (0.25, 0.5, 0.75)))
        return Cut(column, edges=tuple(float(edge) for edge in edges))
    kept = unique[np.argsort(-counts, kind="stable")][:MOST_VALUES]
    return Cut(column, values=tuple(sorted((str(name) for name in kept), key=_natural)))


def columns_of(wanted: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """What a file's `segments:` name: `season`, or `season & workingday` for an intersection."""
    return tuple(tuple(part.strip() for part in each.split("&") if part.strip()) for each in wanted)


def segments(
    wanted: Sequence[Sequence[str]], cuts: Mapping[str, Cut], columns: Mapping[str, Any]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Every segment that has rows: its name, and which rows. Columns that the rows lack, or
    that were not cut, are passed over."""
    for group in wanted:
        there = [cuts[name] for name in group if name in cuts and name in columns]
        if len(there) < len(group) or not there:
            continue
        codes = [cut.codes(columns[cut.column]) for cut in there]
        joint = codes[0].copy()
        for cut, more in zip(there[1:], codes[1:], strict=True):
            joint = joint * len(cut.labels) + more
        for code in np.unique(joint):
            yield _name(there, int(code)), joint == code


def _name(cuts: Sequence[Cut], code: int) -> str:
    parts = []
    for cut in reversed(cuts):
        code, place = divmod(code, len(cut.labels))
        parts.append(f"{cut.column}={cut.labels[place]}")
    return _JOIN.join(reversed(parts))


def _natural(name: str) -> tuple[int, float, str]:
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)
