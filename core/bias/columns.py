"""Conditions on columns: which rows have one of some values, or more than a threshold."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from core.bias.conditions import Condition, Value
from core.bias.errors import BiasInvalid
from core.bias.tables import Mask

Column: TypeAlias = npt.NDArray[Any]
Columns: TypeAlias = Mapping[str, Column]

SHOWN = 6


def column_of(columns: Columns, name: str, what: str) -> Column:
    """A column by name. Raises `BiasInvalid` with the names that are like it."""
    if name in columns:
        return columns[name]
    near = difflib.get_close_matches(name, columns, 1) or list(columns)[:SHOWN]
    raise BiasInvalid(f"{what} {name} is no column of these rows", f"there is {', '.join(near)}")


def known(column: Column) -> Mask:
    """Which rows have a value: neither null nor NaN."""
    if column.dtype.kind == "f":
        return ~np.isnan(column)
    if column.dtype.kind in "biuUSM":
        return np.ones(len(column), np.bool_)
    missing = [v is None or (isinstance(v, float) and v != v) for v in column]
    return ~np.array(missing, np.bool_).reshape(len(column))


def matching(column: Column, condition: Condition, what: str = "facet") -> Mask:
    """Which rows meet a condition; rows without a value do not.

    Values are compared as what the column holds: numbers as numbers, the rest as text, so that
    `1` finds 1 and 1.0. Raises `BiasInvalid` for a threshold on text.
    """
    if condition.above is not None:
        numbers = _numbers(column)
        if numbers is None:
            raise BiasInvalid(
                f"{what} {condition.column} holds text: it has no values above a number",
                f"name its values: {condition.column}={_examples(column)}",
            )
        with np.errstate(invalid="ignore"):
            return np.asarray(numbers > condition.above)
    return _equal(column, condition.values)


def _equal(column: Column, values: Sequence[Value]) -> Mask:
    if column.dtype.kind in "iuf":
        wanted = [number for value in values if (number := _number(value)) is not None]
        return np.isin(column, wanted)
    if column.dtype.kind == "b":
        flags = {str(value).lower() for value in values}
        return (column & bool(flags & {"true", "1", "1.0"})) | (
            ~column & bool(flags & {"false", "0", "0.0"})
        )
    names = {word for value in values for word in _words(value)}
    there = known(column)
    seen = {value: not names.isdisjoint(_words(value)) for value in set(column[there].tolist())}
    found = np.zeros(len(column), np.bool_)
    found[there] = [seen[value] for value in column[there].tolist()]
    return found


def _words(value: Any) -> tuple[str, ...]:
    """The ways in which a value is written."""
    if isinstance(value, bool | np.bool_):
        return (str(bool(value)).lower(), str(bool(value)))
    if isinstance(value, float) and value.is_integer():
        return (str(int(value)), str(value))
    return (str(value),)


def _number(value: Value) -> float | None:
    try:
        return float(value)
    except ValueError:
        return {"true": 1.0, "false": 0.0}.get(str(value).lower())


def _numbers(column: Column) -> Column | None:
    """The column as numbers, NaN where it has none; `None` of text."""
    if column.dtype.kind in "biuf":
        return column.astype(np.float64)
    if column.dtype.kind != "O":
        return None
    there = known(column)
    try:
        return np.array(
            [float(v) if ok else np.nan for v, ok in zip(column, there, strict=True)], np.float64
        )
    except (TypeError, ValueError):
        return None


def distinct(column: Column) -> list[Any]:
    """The values of a column, sorted, each once."""
    values = column[known(column)]
    if values.dtype.kind != "O":
        return list(np.unique(values).tolist())
    return sorted(set(values.tolist()), key=lambda v: (isinstance(v, str), str(v)))


def numeric(column: Column) -> npt.NDArray[np.float64] | None:
    """The column as floats where it holds nothing but numbers, else `None`."""
    if column.dtype.kind in "biuf":
        return column.astype(np.float64)
    return None


def _examples(column: Column) -> str:
    return ",".join(str(value) for value in distinct(column)[:2])
