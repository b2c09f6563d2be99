"""What a column's values are: numbers, categories, times; and reading them out of Arrow.

Whatever type a batch has, it is read as the type of the baseline: texts that are numbers count
as numbers where numbers are wanted, and what cannot be read is counted as mistyped.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NUMBER_TEXT = r"^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\s*$"
INTEGER_TEXT = r"^\s*[+-]?\d+\s*$"


class Treated(StrEnum):
    """What a column is compared as."""

    NUMBER = "number"
    CATEGORY = "category"
    TIME = "time"
    OTHER = "other"  # nested, binary, or without any value: only what is missing is looked at


def treated(dtype: pa.DataType) -> Treated:
    """What a column of this type is compared as."""
    dtype = plain(dtype)
    types = pa.types
    if types.is_integer(dtype) or types.is_floating(dtype) or types.is_decimal(dtype):
        return Treated.NUMBER
    if is_text(dtype) or types.is_boolean(dtype):
        return Treated.CATEGORY
    if types.is_timestamp(dtype) or types.is_date(dtype):
        return Treated.TIME
    return Treated.OTHER


def inferred_type(dtype: pa.DataType) -> str:
    """SageMaker's word for a type: Integral, Fractional, String or Unknown."""
    dtype = plain(dtype)
    if pa.types.is_integer(dtype):
        return "Integral"
    return {
        Treated.NUMBER: "Fractional",
        Treated.CATEGORY: "String",
        Treated.TIME: "String",
        Treated.OTHER: "Unknown",
    }[treated(dtype)]


def plain(dtype: pa.DataType) -> pa.DataType:
    """The type of the values, where they are dictionary-encoded."""
    return dtype.value_type if pa.types.is_dictionary(dtype) else dtype


def is_text(dtype: pa.DataType) -> bool:
    """Whether values are text of any width."""
    types = pa.types
    return bool(
        types.is_string(dtype) or types.is_large_string(dtype) or types.is_string_view(dtype)
    )


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers as read: one float64 a row, NaN where there is none; of those `mistyped` have a
    value that is no number."""

    values: Floats
    mistyped: int = 0


def numbers(array: pa.Array) -> Numbers:
    """A column's values as float64, NaN where a value is missing or is no number.

    Whole numbers beyond 2^53 lose their last digits. Times are epoch seconds. May be a view of
    the array: never write into it.
    """
    array = decoded(array)
    dtype = array.type
    if pa.types.is_floating(dtype):
        wide = array if dtype == pa.float64() else array.cast(pa.float64())
        return Numbers(_as_numpy(wide))
    if pa.types.is_integer(dtype) or pa.types.is_decimal(dtype) or pa.types.is_boolean(dtype):
        if pa.types.is_boolean(dtype):
            array = array.cast(pa.int8())
        return Numbers(_as_numpy(array.cast(pa.float64(), safe=False)))
    if pa.types.is_timestamp(dtype) or pa.types.is_date(dtype):
        micros = array.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        return Numbers(_as_numpy(micros.cast(pa.float64(), safe=False)) / 1e6)
    if is_text(dtype):
        return _of_texts(array)
    return Numbers(np.full(len(array), np.nan), len(array) - array.null_count)


def _as_numpy(array: pa.Array) -> Floats:
    found: Floats = array.to_numpy(zero_copy_only=False)
    return found


def _of_texts(array: pa.Array) -> Numbers:
    """Texts that are numbers; empty texts and the usual words for nothing are missing."""
    array = array.cast(pa.large_string())
    readable = pc.fill_null(pc.match_substring_regex(array, NUMBER_TEXT), False)
    nothing = pc.is_in(
        pc.utf8_lower(pc.utf8_trim_whitespace(array)),
        value_set=pa.array(["", "nan", "null", "none", "na", "n/a"], pa.large_string()),
    )
    values = np.full(len(array), np.nan)
    places = readable.to_numpy(zero_copy_only=False).astype(bool)
    found = pc.utf8_trim_whitespace(array.filter(readable))
    found = pc.replace_substring_regex(found, r"^\+", "")
    values[places] = found.cast(pa.float64()).to_numpy(zero_copy_only=False)
    unread = len(array) - array.null_count - int(places.sum())
    blank = int(pc.sum(nothing).as_py() or 0)
    return Numbers(values, max(0, unread - blank))


def texts(array: pa.Array) -> pa.Array:
    """A column's values as text (dictionary-encoded where they were), null where missing.

    Whole numbers that are stored as fractions lose the `.0`, so that a code stays the same code
    when a missing value beside it made its column float. Nested and binary values are null.
    """
    if pa.types.is_dictionary(array.type):
        if is_text(array.type.value_type):
            return array
        array = decoded(array)
    dtype = array.type
    if is_text(dtype):
        return array
    if pa.types.is_floating(dtype):
        shown = array.cast(pa.float64()).cast(pa.string())
        shown = pc.replace_substring_regex(shown, r"\.0$", "")
        return pc.if_else(pc.is_nan(array), pa.scalar(None, pa.string()), shown)
    if pa.types.is_nested(dtype) or pa.types.is_binary(dtype) or pa.types.is_large_binary(dtype):
        return pa.nulls(len(array), pa.string())
    return array.cast(pa.string(), safe=False)


def decoded(array: pa.Array) -> pa.Array:
    """The values themselves, where they are dictionary-encoded."""
    if isinstance(array, pa.DictionaryArray):
        return array.dictionary_decode()
    return array


def clean(value: Any) -> float | None:
    """A finite float, or None: what goes into JSON."""
    if value is None:
        return None
    number = float(value)
    return number if np.isfinite(number) else None
