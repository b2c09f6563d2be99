"""Masks: how a column's values are shown to those who may not see them as they are.

A mask keeps the column's type (a hashed integer becomes a 64-bit one) and keeps nulls null, so
that what reads masked rows works as it does on clear ones. Masks are DuckDB expressions; the
key of hashes is a parameter and never part of the text of a statement.
"""

from __future__ import annotations

import re
from typing import Any

from core.domain.governance import NULL, Mask
from core.governance.errors import PolicyInvalid

KINDS = ("clear", "partial", "round", "bucket", "month", "year", "hash", "redact", "null")
"""From what shows most to what shows least; where several grants fit, the earlier one is used."""

HINT = "masks: hash, redact, null, partial:4, round:1, bucket:10, month, year, clear"
_SHAPE = re.compile(r"(?P<kind>[a-z]+)(?::(?P<number>-?\d{1,9}(?:\.\d{1,9})?))?")
_DEFAULTS = {"partial": 4.0, "round": 0.0}
_BOUNDS = {"partial": (1, 64), "round": (-12, 12), "bucket": (1e-9, 1e9)}
_FITS = {
    "clear": ("text", "integer", "decimal", "float", "date", "timestamp", "other"),
    "null": ("text", "integer", "decimal", "float", "date", "timestamp", "other"),
    "hash": ("text", "integer"),
    "redact": ("text",),
    "partial": ("text",),
    "round": ("decimal", "float"),
    "bucket": ("integer", "decimal", "float"),
    "month": ("date", "timestamp"),
    "year": ("date", "timestamp"),
}
_HEX_DIGITS = 32  # of SHA-256's 64: 128 bits, and no room for extending what was hashed


def parse_mask(text: str) -> Mask:
    """A mask such as `hash` or `partial:4`; raises `PolicyInvalid`."""
    found = _SHAPE.fullmatch(text.strip().lower())
    if found is None or found["kind"] not in KINDS:
        raise PolicyInvalid(f"mask {text!r}: no such mask", HINT)
    kind = found["kind"]
    number = float(found["number"]) if found["number"] else _DEFAULTS.get(kind)
    if kind not in _BOUNDS:
        if number is not None:
            raise PolicyInvalid(f"mask {text!r}: {kind} takes no number", HINT)
        return Mask(kind)
    least, most = _BOUNDS[kind]
    if number is None or not least <= number <= most:
        raise PolicyInvalid(f"mask {text!r}: {kind} needs a number, {least:g} to {most:g}", HINT)
    if kind != "bucket" and number != int(number):
        raise PolicyInvalid(f"mask {text!r}: {kind} needs a whole number", HINT)
    return Mask(kind, number)


def family(kind: Any) -> str:
    """What sort of values an Arrow type has: one of the names in `_FITS`."""
    import pyarrow as pa

    types = pa.types
    if types.is_string(kind) or types.is_large_string(kind):
        return "text"
    if types.is_integer(kind) and not types.is_uint64(kind):
        return "integer"
    if types.is_decimal(kind):
        return "decimal"
    if types.is_float32(kind) or types.is_float64(kind):
        return "float"
    if types.is_date(kind):
        return "date"
    return "timestamp" if types.is_timestamp(kind) else "other"


def fits(mask: Mask, kind: Any) -> bool:
    """Whether the mask works on columns of this Arrow type (an integer's bucket is whole)."""
    sort = family(kind)
    whole = mask.kind != "bucket" or sort != "integer" or mask.argument == int(mask.argument or 0)
    return sort in _FITS[mask.kind] and whole


def fitting(mask: Mask, kind: Any) -> Mask:
    """The mask, or `null` where it does not fit the column's type: nothing is shown then."""
    return mask if fits(mask, kind) else NULL


def check_fits(mask: Mask, column: str, kind: Any) -> None:
    """Raise `PolicyInvalid` where a mask does not fit a column."""
    if fits(mask, kind):
        return
    named = [name for name in KINDS if family(kind) in _FITS[name] and name != "clear"]
    hint = f"masks for this column: {', '.join(named)}"
    raise PolicyInvalid(f"mask {mask} does not fit column {column} ({kind})", hint)


def openness(mask: Mask) -> tuple[int, float]:
    """A key that sorts masks from what shows most to what shows least."""
    argument = mask.argument or 0.0
    return KINDS.index(mask.kind), argument if mask.kind == "bucket" else -argument


def masked_type(mask: Mask, kind: Any) -> Any:
    """The Arrow type of masked values."""
    import pyarrow as pa

    return pa.int64() if mask.kind == "hash" and family(kind) == "integer" else kind


def expression(mask: Mask, column: str, kind: Any) -> str:
    """The DuckDB expression that masks `column` (quoted already), of that Arrow type."""
    mask = fitting(mask, kind)
    if mask.kind == "clear":
        return column
    if mask.kind == "null":
        return f"CASE WHEN false THEN {column} END"
    if mask.kind == "redact":
        return f"CASE WHEN {column} IS NOT NULL THEN '***' END"
    if mask.kind == "hash":
        return _hash(column, kind)
    if mask.kind == "partial":
        return _partial(column, int(mask.argument or 0))
    if mask.kind in ("month", "year"):
        cast = "DATE" if family(kind) == "date" else "TIMESTAMP"
        return _keeping_zone(f"CAST(date_trunc('{mask.kind}', {column}) AS {cast})", kind)
    if mask.kind == "round":
        return _same(f"round({column}, {int(mask.argument or 0)})", kind)
    assert mask.kind == "bucket", mask
    return _bucket(column, mask.argument or 1.0, kind)


def _hash(column: str, kind: Any) -> str:
    """A keyed hash: the same value has the same hash in every dataset of the workspace."""
    digest = f"sha256($key || sha256($key || CAST({column} AS VARCHAR)))"
    if family(kind) == "text":
        return f"left({digest}, {_HEX_DIGITS})"
    return f"CAST('0x' || left({digest}, 15) AS BIGINT)"  # 60 bits: never negative


def _partial(column: str, keep: int) -> str:
    """The last characters of texts that are at least twice as long; else none."""
    long = f"length({column}) >= {2 * keep}"
    shown = f"CASE WHEN {long} THEN '***' || right({column}, {keep}) ELSE '***' END"
    return f"CASE WHEN {column} IS NOT NULL THEN {shown} END"


def _bucket(column: str, width: float, kind: Any) -> str:
    """The lower bound of the bucket; of `width` counted from zero."""
    if family(kind) == "integer":
        step = f"CAST({int(width)} AS HUGEINT)"
        wide = f"CAST({column} AS HUGEINT)"
        return _same(f"{wide} - ((({wide}) % {step}) + {step}) % {step}", kind)
    return _same(f"floor(CAST({column} AS DOUBLE) / {width!r}) * {width!r}", kind)


def _same(value: str, kind: Any) -> str:
    """The value in the column's type; null where it has no room for it."""
    import pyarrow as pa

    if pa.types.is_decimal(kind):
        return f"TRY_CAST({value} AS DECIMAL({kind.precision}, {kind.scale}))"
    names = {
        pa.int8(): "TINYINT",
        pa.int16(): "SMALLINT",
        pa.int32(): "INTEGER",
        pa.int64(): "BIGINT",
        pa.uint8(): "UTINYINT",
        pa.uint16(): "USMALLINT",
        pa.uint32(): "UINTEGER",
        pa.float32(): "FLOAT",
        pa.float64(): "DOUBLE",
    }
    return f"TRY_CAST({value} AS {names[kind]})"


def _keeping_zone(value: str, kind: Any) -> str:
    zoned = getattr(kind, "tz", None) is not None
    return f"CAST({value} AS TIMESTAMPTZ)" if zoned else value
