"""Times in text: which way of writing them a text follows, and what it means.

Some are told by their looks; others, and any column that mixes them, must be said
(`--timestamp column=FORMAT`), since 03/04/2011 is two different days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from core.errors import BadInput

US = pa.timestamp("us")
UTC = pa.timestamp("us", "UTC")
ISO, EPOCH, EPOCH_MS = "iso", "epoch", "epoch_ms"

_CLOCK = r"\d{2}:\d{2}(:\d{2}([.]\d{1,9})?)?"
_TAIL = r"( \d{1,2}:\d{2}(:\d{2})?)?"
_LOOKS: tuple[tuple[str, str], ...] = (
    ("date", r"^\d{4}-\d{2}-\d{2}$"),
    ("timestamp", rf"^\d{{4}}-\d{{2}}-\d{{2}}[T ]{_CLOCK}$"),
    ("timestamptz", rf"^\d{{4}}-\d{{2}}-\d{{2}}[T ]{_CLOCK} ?(Z|[+-]\d{{2}}(:?\d{{2}})?)$"),
    ("day/month", rf"^(1[3-9]|2\d|3[01])/\d{{1,2}}/\d{{4}}{_TAIL}$"),
    ("month/day", rf"^\d{{1,2}}/(1[3-9]|2\d|3[01])/\d{{4}}{_TAIL}$"),
    ("slashes", rf"^(0?[1-9]|1[0-2])/(0?[1-9]|1[0-2])/\d{{4}}{_TAIL}$"),
    ("day.month", rf"^\d{{1,2}}[.]\d{{1,2}}[.]\d{{4}}{_TAIL}$"),
    ("year/month", rf"^\d{{4}}/\d{{2}}/\d{{2}}{_TAIL}$"),
    ("day-Mon", rf"^\d{{1,2}}-[A-Za-z]{{3}}-\d{{4}}{_TAIL}$"),
    ("epoch", r"^\d{10}([.]\d+)?$|^\d{13}$"),
)
_FORMATS = {
    "day/month": "%d/%m/%Y",
    "month/day": "%m/%d/%Y",
    "day.month": "%d.%m.%Y",
    "year/month": "%Y/%m/%d",
    "day-Mon": "%d-%b-%Y",
}


@dataclass
class TimeLooks:
    """How the values of one column are written: counts, and the first of each kind."""

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, tuple[int, str]] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, set[int]] = field(default_factory=dict)
    other: bool = False

    def feed(self, values: Any, first: int) -> None:
        """Look at more values (text, Arrow); `first` is the record number of the first one."""
        if self.other:
            return
        left = len(values) - values.null_count
        for look, pattern in _LOOKS:
            if not left:
                return
            matches = pc.fill_null(pc.match_substring_regex(values, pattern), False)
            count = matches.true_count
            if not count:
                continue
            left -= count
            at = pc.index(matches, True).as_py()
            self.counts[look] = self.counts.get(look, 0) + count
            self.first.setdefault(look, (first + at, values[at].as_py()))
            self.last[look] = first + len(matches) - 1 - _from_end(matches)
            if look in _FORMATS or look == "slashes":
                colons = pc.count_substring(pc.filter(values, matches), ":")
                self.shapes.setdefault(look, set()).update(pc.unique(colons).to_pylist())
        self.other = left > 0

    @property
    def looks(self) -> list[str]:
        """The ways in which times are written; days and months that are told by some values
        are told for those that leave it open."""
        found = [look for look in self.counts if look != "epoch"] and list(self.counts)
        if self.other or not found:
            return []
        told = {"day/month", "month/day"} & set(found)
        if "slashes" in found and len(told) == 1:
            self._fold("slashes", told.pop())
            found.remove("slashes")
        return found

    def _fold(self, look: str, into: str) -> None:
        """Count values that leave it open among those that tell."""
        self.counts[into] += self.counts.pop(look)
        self.first[into] = min(self.first[into], self.first.pop(look))
        self.last[into] = max(self.last[into], self.last.pop(look))
        self.shapes[into] |= self.shapes.pop(look, set())

    def formats(self, look: str) -> list[str]:
        """The formats with which values of that look are read."""
        if look not in _FORMATS:
            return [ISO]
        shapes = self.shapes.get(look, set())
        clocks = {0: "", 1: " %H:%M", 2: " %H:%M:%S"}
        return [_FORMATS[look] + clocks[shape] for shape in sorted(shapes)]


def _from_end(matches: Any) -> int:
    array = matches.combine_chunks() if isinstance(matches, pa.ChunkedArray) else matches
    backwards = array.take(pa.array(range(len(array) - 1, -1, -1), pa.int64()))
    return int(pc.index(backwards, True).as_py())


def check_format(column: str, text: str) -> str:
    """A format as it was given; raises `BadInput`."""
    if text in (ISO, EPOCH, EPOCH_MS):
        return text
    if "%" not in text:
        raise BadInput(
            f"--timestamp {column}={text}: not a format",
            "iso, epoch, epoch_ms, or as in --timestamp 'ts=%d/%m/%Y %H:%M'",
        )
    import polars as pl

    try:
        _parsed(pl.Series(["x"]), text)
    except pl.exceptions.PolarsError as error:
        said = str(error).splitlines()[0].removeprefix("Invalid format string: ")
        raise BadInput(f"--timestamp {column}={text}: {said}", "see: man strftime") from error
    return text


def parse(values: Any, target: pa.DataType, formats: Sequence[str]) -> Any:
    """Text as times by the first format that each value follows; null where none does.

    A time without a zone is UTC where the column has one; one with a zone has no place in a
    column without.
    """
    found = pa.nulls(len(values), target)
    for form in formats or (ISO,):
        missing = pc.and_(pc.is_null(found), pc.is_valid(values))
        if not pc.any(missing).as_py():
            break
        rest = pc.if_else(missing, values, pa.scalar(None, values.type))
        found = pc.coalesce(found, _read(rest, target, form))
    return found


def _read(values: Any, target: pa.DataType, form: str) -> Any:
    if form == ISO:
        return _iso(values, target)
    if form in (EPOCH, EPOCH_MS):
        numbers = pc.if_else(
            pc.match_substring_regex(values, r"^-?\d{1,14}([.]\d+)?$"), values, None
        ).cast(pa.float64())
        scale = 1e6 if form == EPOCH else 1e3
        moments = pc.cast(pc.round(pc.multiply(numbers, scale)), pa.int64()).cast(US)
        return _in(moments, target, aware=False)
    import polars as pl

    moments = _parsed(pl.Series(values.to_pylist(), dtype=pl.String), form).to_arrow()
    return _in(moments, target, aware=moments.type.tz is not None)


def _parsed(series: Any, form: str) -> Any:
    return series.str.to_datetime(form.replace(".%f", "%.f"), strict=False, time_unit="us")


def _iso(values: Any, target: pa.DataType) -> Any:
    """Each value that ISO 8601 has, in parts of equal looks: the fast cast takes all or none."""
    found = pa.nulls(len(values), target)
    for look, pattern in _LOOKS[:3]:
        matches = pc.match_substring_regex(values, pattern)
        if not pc.any(matches).as_py():
            continue
        part = pc.if_else(matches, values, pa.scalar(None, values.type))
        if look == "timestamptz":
            part = pc.replace_substring(part, " Z", "Z")
            part = pc.replace_substring_regex(part, r" ([+-])", r"\1")
        kind = pa.timestamp("us", "UTC") if look == "timestamptz" else pa.timestamp("us")
        moments = _cast(part, kind)
        found = pc.coalesce(found, _in(moments, target, aware=look == "timestamptz"))
    return found


def _cast(part: Any, kind: pa.DataType) -> Any:
    """Cast what can be; digits beyond microseconds are cut."""
    part = pc.replace_substring_regex(part, r"([.]\d{6})\d+", r"\1")
    try:
        return part.cast(kind)
    except pa.ArrowInvalid:  # the 31st of April, hour 25
        if len(part) == 1:
            return pa.nulls(1, kind)
    half = len(part) // 2
    return pa.concat_arrays([_cast(part[:half], kind), _cast(part[half:], kind)])


def _in(moments: Any, target: pa.DataType, *, aware: bool) -> Any:
    if pa.types.is_date32(target):
        whole = pc.equal(pc.floor_temporal(moments, unit="day"), moments)
        return pc.if_else(whole, moments, None).cast(target)
    if aware and target.tz is None:
        return pa.nulls(len(moments), target)
    if not aware and target.tz is not None:
        return moments.cast(US).cast(pa.int64()).cast(pa.timestamp("us")).cast(target)
    return moments.cast(target)
