"""A query's rows in a file or a stream: CSV, JSON Lines or Parquet, batch by batch."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import secrets
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import pyarrow as pa

from core.errors import BadInput, DiskFull
from core.query.errors import QueryFailed

FORMATS = ("csv", "json", "parquet")
_ENDINGS = {".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"} | {
    ".parquet": "parquet"
}


def format_of(path: Path) -> str:
    """The format that a file's name says; raises `BadInput`."""
    found = _ENDINGS.get(path.suffix.lower())
    if found is None:
        raise BadInput(f"{path}: no format in its name", "name it .csv, .jsonl or .parquet")
    return found


def write_file(reader: pa.RecordBatchReader, path: Path, kind: str) -> tuple[int, int]:
    """Write all rows; the file is there whole or not at all. Returns rows and bytes.

    Raises `BadInput` (cannot be written there), `DiskFull`.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("xb") as file:
            rows = write(reader, file, kind)
            file.flush()
            os.fsync(file.fileno())
        size = beside.stat().st_size
        beside.replace(path)
    except OSError as error:
        if error.errno == 28:
            raise DiskFull(f"{path}: no room on the disk", "free some space") from error
        if error.errno is None:
            raise  # not the file's: a database's or a stream's
        raise BadInput(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)
    return rows, size


def write(reader: pa.RecordBatchReader, file: BinaryIO, kind: str) -> int:
    """Write all rows to an open file; returns how many there were."""
    rows = 0
    writer = _WRITERS[kind](file, reader.schema)
    try:
        for batch in reader:
            writer.write(batch)
            rows += batch.num_rows
    finally:
        writer.close()
    return rows


class _Writer(Protocol):
    def write(self, batch: pa.RecordBatch) -> None: ...

    def close(self) -> None: ...


class _Parquet:
    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        if len(set(schema.names)) != len(schema.names):
            raise QueryFailed("query: two columns of the same name", "name them apart with AS")
        self._writer = pq.ParquetWriter(file, schema)

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()


class _Csv:
    """Nulls are empty; times are ISO; what is nested is JSON."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        self._writer = csv.writer(self._text, lineterminator="\n")
        self._writer.writerow(schema.names)

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [[_cell(value) for value in column.to_pylist()] for column in batch.columns]
        self._writer.writerows(zip(*columns, strict=True))

    def close(self) -> None:
        self._text.flush()
        self._text.detach()


class _Json:
    """One object a line; of two columns of one name the later is named with a number."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._file = file
        self._names = distinct_names(schema.names)

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [[plain(value) for value in column.to_pylist()] for column in batch.columns]
        for row in zip(*columns, strict=True):
            line = json.dumps(dict(zip(self._names, row, strict=True)), ensure_ascii=False)
            self._file.write(line.encode() + b"\n")

    def close(self) -> None:
        self._file.flush()


_WRITERS: dict[str, Any] = {"csv": _Csv, "json": _Json, "parquet": _Parquet}


def distinct_names(names: list[str]) -> list[str]:
    """The names, those that were there before with `_2`, `_3` … behind them."""
    seen: set[str] = set()

    def distinct() -> Iterator[str]:
        for name in names:
            number, candidate = 2, name
            while candidate in seen:
                candidate, number = f"{name}_{number}", number + 1
            seen.add(candidate)
            yield candidate

    return list(distinct())


def plain(value: Any) -> Any:
    """A value of a row as what JSON has: times and spans in ISO, bytes in hex, decimals as text
    where a number would lose digits; NaN and infinity, which it has no word for, as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        short = float(value)
        return short if Decimal(repr(short)) == value else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, timedelta):
        return _interval(0, value.days, value.seconds + value.microseconds / 1e6)
    if isinstance(value, pa.MonthDayNano):
        return _interval(value.months, value.days, value.nanoseconds / 1e9)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value)


def _interval(months: int, days: int, seconds: float) -> str:
    """A span of time as ISO 8601 has it: `P1M3DT0.5S`."""
    return f"P{months}M{days}DT{seconds:g}S" if months else f"P{days}DT{seconds:g}S"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return repr(value)
    found = plain(value)
    if found is None:
        return ""
    if isinstance(found, bool):
        return "true" if found else "false"
    return json.dumps(found, ensure_ascii=False) if isinstance(found, dict | list) else str(found)
