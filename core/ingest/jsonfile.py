"""JSON Lines: one object a line. Nested values are kept as JSON text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from core.domain.ingest import BadRow
from core.ingest.errors import BadRows
from core.ingest.options import ReadOptions
from core.ingest.reading import ValueChunk
from core.ingest.sources import Source
from core.ingest.streams import opened, reading

_ROWS = 20_000
_BYTES = 32 << 20
_MOST_LINE = 64 << 20
_MOST_KEPT = 1000


class JsonLines:
    """One file of JSON Lines. Records are numbered from 1; empty lines are none."""

    def __init__(self, source: Source, options: ReadOptions) -> None:
        self.uri = source.uri
        self._source = source
        self._encoding = options.encoding
        self._bad: list[BadRow] = []

    def chunks(self, *, skip: bool) -> Iterator[ValueChunk]:
        """The records by column. Raises `BadRows` naming the line, unless it skips those."""
        self._bad = []
        rows: list[dict[str, Any]] = []
        first, size = 1, 0
        for number, line in self._lines():
            try:
                row = record_of(line)
            except ValueError as error:
                bad = BadRow(self.uri, number, self._reason(error, line), _shown(line))
                if not skip:
                    raise BadRows(f"{self.uri}:{number}: {bad.reason}", _hint(line)) from error
                if len(self._bad) < _MOST_KEPT:
                    self._bad.append(bad)
                continue
            rows.append(row)
            size += len(line)
            if len(rows) >= _ROWS or size >= _BYTES:
                yield ValueChunk(by_column(rows), first)
                first += len(rows)
                rows, size = [], 0
        if rows:
            yield ValueChunk(by_column(rows), first)

    def unreadable(self) -> Iterator[BadRow]:
        """Lines that the last reading has skipped."""
        return iter(self._bad)

    def lines(self, records: set[int]) -> dict[int, tuple[int, str]]:
        """Where these records stand."""
        found: dict[int, tuple[int, str]] = {}
        number = 0
        for line_number, line in self._lines():
            try:
                record_of(line)
            except ValueError:
                continue
            number += 1
            if number in records:
                found[number] = (line_number, _shown(line))
                if len(found) == len(records):
                    break
        return found

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        with reading(self._source), opened(self._source, self._encoding) as stream:
            number = 0
            while line := stream.readline(_MOST_LINE):
                number += 1
                if len(line) >= _MOST_LINE:
                    raise BadRows(
                        f"{self.uri}:{number}: more than {_MOST_LINE >> 20} MiB in one line",
                        "one object a line",
                    )
                if line.strip():
                    yield number, line

    def _reason(self, error: ValueError, line: bytes) -> str:
        said = " ".join(str(error).split())
        if not line.endswith(b"\n") and line.lstrip()[:1] == b"{":
            return "half a line: the file ends in the middle of an object"
        return said


def record_of(line: bytes) -> dict[str, Any]:
    """A line as an object; raises ValueError saying why it is none."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON (column {error.colno}: {error.msg})") from error
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    return row


def by_column(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Records as columns, in the order in which keys first come; raises nothing."""
    names: dict[str, None] = {}
    for row in rows:
        if row.keys() - names.keys():
            names.update(dict.fromkeys(row))
    return {name: [row.get(name) for row in rows] for name in names}


def _hint(line: bytes) -> str:
    if line.lstrip()[:1] == b"[":
        return "one object a line: jq -c '.[]' FILE makes it of an array"
    return "one object a line; --on-error quarantine takes the other lines"


def _shown(line: bytes) -> str:
    return line[:2000].decode("utf-8", "backslashreplace").rstrip("\r\n")
