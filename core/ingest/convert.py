"""Values as the dataset's types: text of CSV files, values of JSON and of databases.

What cannot be converted is named by its place instead of stopping the rest.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import decimal
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types as pt

from core.ingest import times
from core.ingest.words import word_of

_INTEGER = r"^\s*[+-]?\d+\s*$"
_TRUE, _FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")


class Converted(NamedTuple):
    """An array, null where a value was bad, and the positions of those with their reasons."""

    array: Any
    bad: list[tuple[int, str]]


def text_to(values: Any, target: pa.DataType, formats: Sequence[str] = ()) -> Converted:
    """Arrow text as `target`."""
    if pt.is_string(target) or pt.is_large_string(target):
        return Converted(values.cast(target), [])
    if pt.is_timestamp(target) or pt.is_date32(target):
        found = times.parse(values, target, formats)
    elif pt.is_boolean(target):
        lower = pc.utf8_lower(pc.utf8_trim_whitespace(values))
        true = pc.is_in(lower, pa.array(_TRUE))
        known = pc.or_(true, pc.is_in(lower, pa.array(_FALSE)))
        found = pc.if_else(known, true, None)
    else:
        found = _numbers(values, target)
    lost = pc.and_(pc.is_valid(values), pc.is_null(found))
    bad = [
        (index, f"{_short(values[index].as_py())} is no {word_of(target)}")
        for index in _positions(lost)
    ]
    return Converted(found, bad)


def _numbers(values: Any, target: pa.DataType) -> Any:
    """Text as numbers (or whatever else Arrow can cast to); null where it is none."""
    whole = pt.is_integer(target)
    try:
        if not whole:
            return values.cast(target)
        if not pc.any(pc.match_substring_regex(values, "[xX]")).as_py():  # 0x10 is no number here
            return values.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    trimmed = pc.utf8_trim_whitespace(values)
    if whole:
        matches = pc.match_substring_regex(trimmed, _INTEGER)
        trimmed = pc.utf8_ltrim(pc.if_else(matches, trimmed, None), "+")
    return _each(trimmed, target)


def _each(values: Any, target: pa.DataType) -> Any:
    """Cast halves of halves: few bad values cost little, and the good ones are kept."""
    try:
        return values.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        if len(values) <= 1:
            return pa.nulls(len(values), target)
    half = len(values) // 2
    return pa.concat_arrays([_each(values[:half], target), _each(values[half:], target)])


def _positions(mask: Any) -> list[int]:
    return [int(index) for index in pc.indices_nonzero(pc.fill_null(mask, False)).to_pylist()]


def values_to(values: list[Any], target: pa.DataType, formats: Sequence[str] = ()) -> Converted:
    """Values of JSON or of a database's rows as `target`."""
    prepare = _prepare(target)
    ready: list[Any] = []
    bad: list[tuple[int, str]] = []
    waiting: list[int] = []  # positions of texts that mean times
    for index, value in enumerate(values):
        if value is None:
            ready.append(None)
            continue
        found = prepare(value)
        if found is _TEXT:
            waiting.append(index)
            ready.append(None)
        elif found is _BAD:
            bad.append((index, f"{_shown(value)} is no {word_of(target)}"))
            ready.append(None)
        else:
            ready.append(found)
    array = _array(ready, target, values, bad)
    if waiting:
        texts: list[str | None] = [None] * len(values)
        for index in waiting:
            texts[index] = values[index]
        parsed = text_to(pa.array(texts, pa.string()), target, formats)
        array = pc.coalesce(array, parsed.array)
        bad += parsed.bad
    return Converted(array, sorted(bad))


_BAD, _TEXT = object(), object()


def _array(ready: list[Any], target: pa.DataType, values: list[Any], bad: list[Any]) -> Any:
    try:
        return pa.array(ready, target)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        pass
    kept = []
    for index, value in enumerate(ready):
        try:
            pa.array([value], target)
            kept.append(value)
        except (pa.ArrowException, OverflowError, ValueError, TypeError):
            kept.append(None)
            bad.append((index, f"{_shown(values[index])} is no {word_of(target)}"))
    return pa.array(kept, target)


def _prepare(target: pa.DataType) -> Callable[[Any], Any]:
    if pt.is_string(target) or pt.is_large_string(target):
        return _as_text
    if pt.is_integer(target):
        return _as_integer
    if pt.is_floating(target):
        return _as_float
    if pt.is_boolean(target):
        return lambda value: value if isinstance(value, bool) else _BAD
    if pt.is_decimal(target):
        return _as_decimal
    if pt.is_timestamp(target):
        return _as_moment_with(target.tz is not None)
    if pt.is_date32(target):
        return _as_date
    if pt.is_time(target):
        return _as_time
    if pt.is_binary(target) or pt.is_large_binary(target) or pt.is_fixed_size_binary(target):
        return _as_bytes
    return lambda value: value  # nested: Arrow looks at it


def _as_text(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:  # halves of characters
            return _BAD
        return value
    if isinstance(value, dict | list | bool | int | float):
        try:
            return orjson.dumps(value).decode()
        except TypeError:  # an integer beyond 64 bits
            return str(value) if isinstance(value, int) else _BAD
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def _as_integer(value: Any) -> Any:
    if isinstance(value, bool):
        return _BAD
    if isinstance(value, int):
        return value
    if isinstance(value, float | decimal.Decimal) and value == value // 1:
        return int(value)
    return _BAD


def _as_float(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | decimal.Decimal):
        return _BAD
    try:
        return float(value)
    except OverflowError:
        return _BAD


def _as_decimal(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str | decimal.Decimal):
        return _BAD
    try:
        found = decimal.Decimal(str(value))
    except decimal.InvalidOperation:
        return _BAD
    return found if found.is_finite() else _BAD


def _as_moment_with(zone: bool) -> Callable[[Any], Any]:
    def moment(value: Any) -> Any:
        if isinstance(value, str):
            return _TEXT
        if isinstance(value, dt.datetime):
            if value.tzinfo is not None and not zone:
                return _BAD
            return value if value.tzinfo or not zone else value.replace(tzinfo=dt.UTC)
        if isinstance(value, dt.date):
            midnight = dt.datetime(value.year, value.month, value.day)
            return midnight.replace(tzinfo=dt.UTC) if zone else midnight
        return _BAD

    return moment


def _as_date(value: Any) -> Any:
    if isinstance(value, str):
        return _TEXT
    if isinstance(value, dt.datetime):
        return value.date() if value.time() == dt.time() else _BAD
    return value if isinstance(value, dt.date) else _BAD


def _as_time(value: Any) -> Any:
    if isinstance(value, str):
        try:
            found = dt.time.fromisoformat(value)
        except ValueError:
            return _BAD
        return found if found.tzinfo is None else _BAD
    return value if isinstance(value, dt.time) else _BAD


def _as_bytes(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            return _BAD
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else _BAD


def _shown(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return _short(value) if isinstance(value, str) else f"{value!r:.40}"


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
