"""Rows of a held batch as a CSV file that a person mends, and back.

`_row` is the row's number, `_reasons` why it was refused, and anything in `_drop` takes the row
out of the batch. A cell that was not changed keeps its value exactly; one that was is read as
the column's type, and an empty one means that the value is missing.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pyarrow as pa

from core.errors import BadInput, DiskFull
from core.quality.errors import RepairInvalid
from core.quality.held import HeldRows

ROW, REASONS, DROP = "_row", "_reasons", "_drop"
OURS = (ROW, REASONS, DROP)
MAX_BYTES = 500_000_000


def to_csv(held: HeldRows, *, all_: bool = False) -> tuple[str, int]:
    """The bad rows (or all) as CSV, and how many they are."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*OURS, *held.table.column_names])
    count = 0
    for i, values in enumerate(held.table.to_pylist()):
        if held.reasons[i] or all_:
            told = "; ".join(held.reasons[i])
            writer.writerow([held.numbers[i], told, "", *(text_of(v) for v in values.values())])
            count += 1
    return out.getvalue(), count


def write_csv(path: Path, text: str) -> None:
    """Write a new file, readable by its owner only; raises `BadInput` where there is one
    already, or it cannot be written."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    except FileExistsError:
        raise BadInput(f"{path}: exists already", "name another file") from None
    except OSError as error:
        if error.errno == 28:
            path.unlink(missing_ok=True)
            raise DiskFull(f"{path}: no room on the disk", "free some space") from error
        raise BadInput(f"{path}: cannot be written: {error.strerror}") from error


def mended(held: HeldRows, path: Path) -> tuple[pa.Table, int, int]:
    """The batch with the rows of a repaired file in place of its own, how many rows were
    changed and how many dropped. Raises `RepairInvalid` with the file's line."""
    rows = held.table.to_pylist()
    places = {number: i for i, number in enumerate(held.numbers)}
    dropped: set[int] = set()
    changed: set[int] = set()
    seen: set[int] = set()
    columns, lines = _lines(path, held.table.column_names)
    for line, cells in lines:
        place = places.get(_number(path, line, cells[ROW]))
        if place is None:
            raise RepairInvalid(f"{path}:{line}: _row {cells[ROW]!r}: the batch has no such row")
        if place in seen:
            raise RepairInvalid(f"{path}:{line}: _row {cells[ROW]} is there twice")
        seen.add(place)
        if cells.get(DROP, "").strip():
            dropped.add(place)
            continue
        for column in columns:
            before, after = rows[place][column], cells[column]
            if after != text_of(before):
                kind = held.table.schema.field(column).type
                rows[place][column] = _value(path, line, column, after, kind)
                changed.add(place)
    kept = [row for i, row in enumerate(rows) if i not in dropped]
    return _table(path, kept, held.table.schema), len(changed), len(dropped)


def text_of(value: Any) -> str:
    """A value as the text of a cell; a missing one is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | dict):
        return json.dumps(value, default=str, ensure_ascii=False)
    return repr(value) if isinstance(value, float) else str(value)


def _lines(path: Path, names: Sequence[str]) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """The columns of the batch that the file has, and its rows by line."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RepairInvalid(f"{path}: larger than {MAX_BYTES:,} bytes")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RepairInvalid(f"{path}: not UTF-8 text", "save the file as UTF-8") from error
    except OSError as error:
        raise RepairInvalid(f"{path}: cannot be read: {error.strerror}") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = next(reader, [])
        if ROW not in header:
            hint = "begin with the file that `data quarantine edit` writes"
            raise RepairInvalid(f"{path}:1: no column {ROW}", hint)
        unknown = [name for name in header if name not in names and name not in OURS]
        if unknown or len(set(header)) < len(header):
            what = f"the batch has no column {unknown[0]}" if unknown else "a column is there twice"
            raise RepairInvalid(f"{path}:1: {what}", "columns: " + ", ".join(names))
        lines = []
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise RepairInvalid(
                    f"{path}:{reader.line_num}: {len(cells)} cells, {len(header)} columns"
                )
            lines.append((reader.line_num, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise RepairInvalid(f"{path}:{reader.line_num}: not CSV: {error}") from error
    return [name for name in header if name in names], lines


def _number(path: Path, line: int, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise RepairInvalid(f"{path}:{line}: _row {text!r} is no number") from None


def _value(path: Path, line: int, column: str, text: str, kind: pa.DataType) -> Any:
    if text == "":
        return None
    try:
        if pa.types.is_boolean(kind):
            return {"true": True, "false": False}[text.strip().lower()]
        if pa.types.is_timestamp(kind):
            found = datetime.fromisoformat(text.strip())
            return pa.scalar(found, kind).as_py()
        if pa.types.is_date(kind):
            return date.fromisoformat(text.strip())
        if pa.types.is_nested(kind):
            return json.loads(text)
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return bytes.fromhex(text)
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return text
        return pa.array([text.strip()]).cast(kind)[0].as_py()
    except (KeyError, ValueError, OverflowError, pa.ArrowException):
        message = f"{path}:{line}: column {column}: {text[:40]!r} is no {kind}"
        raise RepairInvalid(message) from None


def _table(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    try:
        return pa.Table.from_pylist(rows, schema=schema)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise RepairInvalid(f"{path}: {' '.join(str(error).split())[:160]}") from error
