"""A model's inputs as the baseline knew them: types, ranges, categories.

For telling how many rows lie outside of what the baseline covers, and for turning rows into
the numbers that a regressor takes. JSON-able.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.modelquality.pairs import Flags, Floats
from core.modelquality.task import as_names, as_numbers, is_given

if TYPE_CHECKING:
    import pyarrow as pa

MOST_CATEGORIES = 200


@dataclass(frozen=True, slots=True)
class Input:
    """One column: a number between `low` and `high`, or (where there are any) one of
    `categories`."""

    name: str
    low: float = float("nan")
    high: float = float("nan")
    categories: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        if self.categories:
            return {"name": self.name, "categories": list(self.categories)}
        known = bool(np.isfinite(self.low) and np.isfinite(self.high))
        return {"name": self.name} | ({"low": self.low, "high": self.high} if known else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Input:
        """An input that `to_json` wrote."""
        nan = float("nan")
        return cls(
            data["name"],
            data.get("low", nan),
            data.get("high", nan),
            tuple(data.get("categories", ())),
        )

    def encode(self, values: NDArray[Any]) -> Floats:
        """Numbers for a regressor: categories by place; NaN for missing and unknown."""
        if not self.categories:
            numbers = as_numbers(values)
            return np.where(np.isfinite(numbers), numbers, np.nan)
        known = {name: float(place) for place, name in enumerate(self.categories)}
        names, places = np.unique(as_names(values).astype(str), return_inverse=True)
        codes = np.array([known.get(name, np.nan) for name in names])
        return codes[places] if len(codes) else np.zeros(0)

    def outside(self, values: NDArray[Any]) -> Flags:
        """Rows with a value that the baseline did not have: beyond its range, another
        category, infinite. Missing ones are not outside."""
        if self.categories:
            names = as_names(values)
            return np.asarray((names != "") & ~np.isin(names.astype(str), self.categories))
        numbers = as_numbers(values)
        if not np.isfinite(self.low):
            return np.asarray(np.isinf(numbers))
        return np.asarray((numbers < self.low) | (numbers > self.high))


def learn_input(name: str, values: NDArray[Any]) -> Input:
    """How a baseline's column is described. Numbers, and text that is all numbers, by range."""
    numbers = as_numbers(values)
    given = is_given(values)
    finite = numbers[np.isfinite(numbers)]
    if values.dtype.kind in "fiu" or len(finite) >= given.sum():
        if not len(finite):
            return Input(name)
        return Input(name, float(finite.min()), float(finite.max()))
    names = as_names(values)
    unique, counts = np.unique(names[given].astype(str), return_counts=True)
    most = unique[np.argsort(-counts, kind="stable")][:MOST_CATEGORIES]
    return Input(name, categories=tuple(sorted(str(each) for each in most)))


def column_values(table: pa.Table, name: str) -> NDArray[Any]:
    """A column as numpy: numbers with NaN for none, times as epoch seconds, else objects."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = table.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        moments = pc.cast(column, pa.timestamp("us")).cast(pa.int64())
        return np.asarray(moments.to_numpy(), dtype=np.float64) / 1e6
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    return np.asarray(column.to_numpy())


def encode_rows(inputs: Sequence[Input], columns: Mapping[str, NDArray[Any]], rows: int) -> Floats:
    """Rows × inputs; a column that is not there is NaN."""
    encoded = [
        each.encode(columns[each.name]) if each.name in columns else np.full(rows, np.nan)
        for each in inputs
    ]
    return np.column_stack(encoded) if encoded else np.zeros((rows, 0))


def outside_rows(
    inputs: Sequence[Input], columns: Mapping[str, NDArray[Any]], rows: int
) -> tuple[Flags, dict[str, float]]:
    """Rows with any input outside of what the baseline had; the share of rows by input."""
    anywhere = np.zeros(rows, dtype=bool)
    shares: dict[str, float] = {}
    for each in inputs:
        if each.name in columns and rows:
            here = each.outside(columns[each.name])
            anywhere |= here
            if here.any():
                shares[each.name] = float(here.mean())
    return anywhere, dict(sorted(shares.items(), key=lambda item: -item[1]))
