"""Types of columns in the words of expectations, and values of a file as those of a column."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import polars as pl

from core.domain.quality import Check
from core.quality._keys import FAMILIES

_TEXTS = {"matches", "contains", "starts_with", "ends_with", "min_length", "max_length"}
_ORDER = {"gt", "ge", "lt", "le"}
_EXACT: dict[str, pl.DataType] = {
    "int8": pl.Int8(),
    "int16": pl.Int16(),
    "int32": pl.Int32(),
    "int64": pl.Int64(),
    "uint8": pl.UInt8(),
    "uint16": pl.UInt16(),
    "uint32": pl.UInt32(),
    "uint64": pl.UInt64(),
    "float32": pl.Float32(),
    "float64": pl.Float64(),
    "string": pl.String(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us"),
    "time": pl.Time(),
    "binary": pl.Binary(),
    "decimal": pl.Decimal(38, 9),
}


class Unsuited(Exception):
    """A check that cannot be asked of this type; its text says why."""


def word_of(dtype: pl.DataType) -> str:
    """The type in the words of expectations: `int64`, `timestamp`, `string`, `list`."""
    base = dtype.base_type()
    if base is pl.Datetime:
        return "timestamp"
    if base in (pl.Categorical, pl.Enum):
        return "string"
    return base.__name__.lower()


def expected_dtype(word: str, actual: pl.DataType) -> pl.DataType:
    """The polars type that `word` asks for: the column's own where that is one of its family."""
    is_one = word_of(actual) == word or word_of(actual) in FAMILIES.get(word, ())
    if is_one:
        return actual
    family = FAMILIES.get(word, (word,))
    return _EXACT["int64" if word == "integer" else "float64" if word in _FLOATS else family[0]]


_FLOATS = ("float", "number")


def value_for(check: Check, dtype: pl.DataType) -> Any:
    """What the check's value is for a column of this type; raises `Unsuited`."""
    kind, value = check.kind, check.value
    if kind in _TEXTS:
        if word_of(dtype) != "string":
            raise Unsuited(f"it is for texts, and the column is {word_of(dtype)}")
        return value
    if kind == "finite":
        if not dtype.is_numeric():
            raise Unsuited(f"it is for numbers, and the column is {word_of(dtype)}")
        return value
    if kind in _ORDER and (dtype.is_nested() or dtype == pl.Boolean):
        raise Unsuited(f"a column of {word_of(dtype)} has no order")
    if isinstance(value, list):
        return [_one(each, dtype) for each in value]
    return _one(value, dtype)


def _one(value: Any, dtype: pl.DataType) -> Any:
    shown = word_of(dtype)
    if dtype.is_numeric():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Unsuited(f"{value!r} is no number, and the column is {shown}")
        return value
    if dtype == pl.Boolean:
        if not isinstance(value, bool):
            raise Unsuited(f"{value!r} is neither true nor false")
        return value
    if not isinstance(value, str):
        raise Unsuited(f"{value!r} is no text, and the column is {shown}")
    if not dtype.is_temporal():
        return value
    return _moment(value, dtype)


def _moment(text: str, dtype: pl.DataType) -> date | datetime | time:
    try:
        if dtype == pl.Date:
            return date.fromisoformat(text)
        if dtype == pl.Time:
            return time.fromisoformat(text)
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Unsuited(f"{text!r} is no {word_of(dtype)}; write it as 2012-01-31") from None
    zone = getattr(dtype, "time_zone", None)
    if zone is not None and found.tzinfo is None:
        return found.replace(tzinfo=UTC)
    if zone is None and found.tzinfo is not None:
        return found.astimezone(UTC).replace(tzinfo=None)
    return found
