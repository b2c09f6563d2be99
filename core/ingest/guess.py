"""Which type a column has, by all of its values: nothing is guessed from the first lines alone."""

from __future__ import annotations

import datetime as dt
import decimal
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from core.ingest.errors import BadRows
from core.ingest.times import US, UTC, TimeLooks

_BOOL = ("true", "false", "True", "False", "TRUE", "FALSE")


@dataclass(frozen=True)
class Guessed:
    """A column's type, the formats of its times, and what was noticed."""

    type: pa.DataType
    formats: tuple[str, ...] = ()
    note: str = ""


@dataclass
class TextGuess:
    """The narrowest type that all texts of a column have."""

    kinds: set[str] = field(default_factory=lambda: {"boolean", "int", "float", "time"})
    looks: TimeLooks = field(default_factory=TimeLooks)
    seen: int = 0
    zeros: bool = False
    long: bool = False

    def feed(self, values: Any, first: int) -> None:
        """Look at more values (Arrow text); `first` is the record number of the first one."""
        count = len(values) - values.null_count
        self.seen += count
        if not count or not self.kinds:
            return
        if "boolean" in self.kinds and not _all(pc.is_in(values, pa.array(_BOOL)), count):
            self.kinds.discard("boolean")
        if self.kinds & {"int", "float"}:
            self._numbers(pc.utf8_trim_whitespace(values), count)
        if "time" in self.kinds:
            self.looks.feed(values, first)
            if self.looks.other:
                self.kinds.discard("time")

    def _numbers(self, values: Any, count: int) -> None:
        if pc.any(pc.match_substring_regex(values, r"^[+-]?0\d")).as_py():
            self.zeros = True
            self.kinds -= {"int", "float"}
            return
        whole = _all(pc.match_substring_regex(values, r"^[+-]?\d+$"), count)
        if "int" in self.kinds and not (whole and _casts(pc.utf8_ltrim(values, "+"), pa.int64())):
            self.kinds.discard("int")
        if "int" in self.kinds:
            return
        if pc.any(pc.match_substring_regex(values, r"^[+-]?\d{17,}$")).as_py():
            self.long = True  # a float would not keep the last digits
            self.kinds.discard("float")
        if not _casts(values, pa.float64()):
            self.kinds.discard("float")

    def found(self, where: str, name: str) -> Guessed:
        """The type; raises `BadRows` where times are written in several ways."""
        if not self.seen:
            return Guessed(pa.string(), note="empty throughout")
        for kind, is_one in (("boolean", pa.bool_()), ("int", pa.int64()), ("float", pa.float64())):
            if kind in self.kinds:
                return Guessed(is_one)
        looks = self.looks.looks if "time" in self.kinds else []
        if len(looks) > 1:
            raise _several(where, name, self.looks, looks)
        if looks == ["slashes"]:
            example = self.looks.first["slashes"][1]
            return Guessed(
                pa.string(),
                note=f"{example}: day/month or month/day? text until --timestamp says",
            )
        if looks:
            kind = {"date": pa.date32(), "timestamptz": UTC}.get(looks[0], US)
            formats = self.looks.formats(looks[0])
            return Guessed(kind, tuple(formats), "" if formats == ["iso"] else ", ".join(formats))
        note = "kept as text for its leading zeros" if self.zeros else ""
        return Guessed(pa.string(), note=note or ("too long for a number" if self.long else ""))


def _several(where: str, name: str, seen: TimeLooks, looks: list[str]) -> BadRows:
    told = []
    for look in looks:
        row, example = seen.first[look]
        last = seen.last[look]
        rows = f"row {row:,}" if row == last else f"first in row {row:,}, last in {last:,}"
        told.append(f"{example!r} ({seen.counts[look]:,}×, {rows})")
    return BadRows(
        f"{where}: column {name}: times are written in {len(looks)} ways: {'; '.join(told)}",
        f"say each: --timestamp {name}=FORMAT, or keep text: --types {name}=string",
    )


def _all(matches: Any, count: int) -> bool:
    return bool(pc.fill_null(matches, False).true_count == count)


def _casts(values: Any, kind: pa.DataType) -> bool:
    try:
        values.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


_SIMPLE: dict[type, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    bytes: pa.binary(),
    memoryview: pa.binary(),
    dt.datetime: US,
    dt.date: pa.date32(),
    dt.time: pa.time64("us"),
    decimal.Decimal: pa.float64(),
}


@dataclass
class ValueGuess:
    """The narrowest type that all values of a key have, in JSON or in a database's rows."""

    first: dict[type, int] = field(default_factory=dict)
    texts: TextGuess = field(default_factory=lambda: TextGuess({"time"}))
    aware: bool = False
    large: bool = False

    def feed(self, values: list[Any], first: int) -> None:
        """Look at more values; `first` is the record number of the first one."""
        kinds = set(map(type, values))
        for kind in kinds - set(self.first) - {type(None)}:
            at = next(index for index, value in enumerate(values) if type(value) is kind)
            self.first[kind] = first + at
        if str in kinds:
            texts = [value if isinstance(value, str) else None for value in values]
            self.texts.feed(pa.array(texts, pa.string()), first)
        if dt.datetime in kinds:
            self.aware |= any(isinstance(v, dt.datetime) and v.tzinfo is not None for v in values)
        if int in kinds:
            self.large |= any(isinstance(v, int) and not -(1 << 63) <= v < 1 << 63 for v in values)

    def found(self, where: str, name: str) -> Guessed:
        """The type; raises `BadRows` where values of several kinds are mixed."""
        kinds = set(self.first)
        if not kinds:
            return Guessed(pa.string(), note="empty throughout")
        if kinds <= {dict, list}:
            return Guessed(pa.string(), note="kept as JSON text")
        if kinds == {str}:
            return self.texts.found(where, name)
        if self.large:
            return Guessed(pa.float64(), note="integers beyond 64 bits, kept as double")
        if kinds == {dt.datetime}:
            return Guessed(UTC if self.aware else US)
        if len(kinds) == 1 and (kind := next(iter(kinds))) in _SIMPLE:
            return Guessed(_SIMPLE[kind])
        if kinds <= {int, float, decimal.Decimal}:
            return Guessed(pa.float64())
        told = " and ".join(
            f"{_NAMES.get(kind, kind.__name__)} (row {row:,})"
            for kind, row in sorted(self.first.items(), key=lambda one: one[1])
        )
        raise BadRows(
            f"{where}: {name} is {told}", f"give its type: --types {name}=string, for example"
        )


_NAMES = {
    bool: "true or false", int: "a number", float: "a number", str: "text", dict: "an object",
    list: "a list",
}  # fmt: skip
