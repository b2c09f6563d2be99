"""Types as people write them, and as they are shown: the lake's words for Arrow's types."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pyarrow as pa
from pyarrow import types as pt

from core.errors import BadInput

_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(), "text": pa.string(), "long": pa.int64(), "bigint": pa.int64(),
    "int64": pa.int64(), "int": pa.int32(), "int32": pa.int32(), "double": pa.float64(),
    "float64": pa.float64(), "float": pa.float32(), "boolean": pa.bool_(), "bool": pa.bool_(),
    "date": pa.date32(), "time": pa.time64("us"), "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"), "binary": pa.binary(),
}  # fmt: skip
_DECIMAL = re.compile(r"decimal\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)")
WORDS = (
    "string, long, int, double, float, boolean, date, time, timestamp, timestamptz, decimal(P,S)"
)


def type_of(column: str, word: str) -> pa.DataType:
    """The type that a word means; raises `BadInput` naming the column."""
    text = word.strip().lower()
    decimal = _DECIMAL.fullmatch(text)
    if decimal and 0 < int(decimal[1]) <= 38 and int(decimal[2]) <= int(decimal[1]):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    if text not in _TYPES:
        raise BadInput(f"--types {column}={word}: no such type", f"one of: {WORDS}")
    return _TYPES[text]


def types_of(pairs: Iterable[str]) -> dict[str, pa.DataType]:
    """`column=type` texts, each maybe several of them with commas between; raises `BadInput`."""
    found: dict[str, pa.DataType] = {}
    for text in pairs:
        for pair in re.split(r",(?![^(]*\))", text):
            column, equals, word = pair.partition("=")
            if not equals or not column.strip():
                raise BadInput(
                    f"--types {pair!r}: not COLUMN=TYPE", "for example: --types hour=int"
                )
            found[column.strip()] = type_of(column.strip(), word)
    return found


def word_of(kind: pa.DataType) -> str:
    """What a type is called in the lake."""
    if (
        pt.is_string(kind)
        or pt.is_large_string(kind)
        or pt.is_string_view(kind)
        or pt.is_null(kind)
    ):
        return "string"
    if pt.is_timestamp(kind):
        return "timestamptz" if kind.tz else "timestamp"
    if pt.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    if pt.is_integer(kind):
        return "int" if kind.bit_width < 32 or kind == pa.int32() else "long"
    if pt.is_floating(kind):
        return "double" if kind == pa.float64() else "float"
    if pt.is_boolean(kind):
        return "boolean"
    if pt.is_date(kind):
        return "date"
    if pt.is_time(kind):
        return "time"
    if pt.is_dictionary(kind):
        return word_of(kind.value_type)
    if pt.is_binary(kind) or pt.is_large_binary(kind):
        return "binary"
    return str(kind)


def widens(before: pa.DataType, after: pa.DataType) -> bool:
    """Whether a column may change from one type to the other without any value changing."""
    if pt.is_decimal(before) and pt.is_decimal(after):
        return bool(before.scale == after.scale and before.precision <= after.precision)
    return (word_of(before), word_of(after)) in (("int", "long"), ("float", "double"))


def fits(given: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether every value of one type is one of the other too."""
    pair = (word_of(given), word_of(wanted))
    return (
        pair[0] == pair[1]
        or widens(given, wanted)
        or pair in (("int", "double"), ("long", "double"), ("date", "timestamp"))
        or pt.is_null(given)
    )
