"""Deleting captured requests before a moment for good, and the labels that belong to them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.capture.disk import writing
from core.capture.index import changing, index_path
from core.capture.labels import FOLDER, label_parts
from core.capture.merge import part_key
from core.capture.reader import open_part
from core.capture.tombstone import mark_deleted
from core.domain.capture import CaptureDeleted
from core.serving.folder import EndpointFolder
from core.serving.process.parts import Part, alone, list_parts, parse_name, put_table, remove_part


def delete_before(folder: Path, name: str, before: float) -> CaptureDeleted:
    """Delete what an endpoint captured before `before` (epoch seconds), its labels and scores.

    A tombstone is set first: what a server writes late is never read, and goes with the next
    deletion. A part that straddles the moment is written anew without what goes. Raises
    `DiskFull`, OSError, `StateBusy`.
    """
    with writing(folder):
        return _delete(folder, name, before)


def _delete(folder: Path, name: str, before: float) -> CaptureDeleted:
    capture = EndpointFolder(folder).capture
    mark_deleted(capture, before)
    rows = gone = 0
    ids: set[str] = set()
    with alone(capture, wait=True):
        for part in list_parts(capture):
            if part.day > _day(before):
                break
            went, size = _clear(part, int(before * 1e6), ids)
            rows += went
            gone += size
    labels = _forget(folder, ids, int(before * 1e6))
    return CaptureDeleted(name, before, rows, labels, gone)


def _clear(part: Part, before: int, ids: set[str]) -> tuple[int, int]:
    """Take requests before a moment (microseconds) out of a part; how many, and bytes less.
    Their ids are added to `ids`."""
    opened = open_part(part)
    if opened is None:
        return 0, 0
    columns = opened.columns(("inference_id", "time"))
    times = columns["time"]
    old = [i for i, at in enumerate(times) if at < before]
    if not old:
        return 0, 0
    ids.update(columns["inference_id"][i] for i in old)
    size = part.size
    if len(old) < len(times):
        kept = _without(part.path, set(old))
        fresh = put_table(part.path.parent, kept, part.written, part.kind)
        size -= fresh.stat().st_size
    remove_part(part)
    return len(old), max(0, size)


def _without(path: Path, rows: set[int]) -> Any:
    """The table of a part without some rows."""
    import pyarrow.parquet as pq

    # `ParquetFile` reads what is in the file; `read_table` would add the folders' names.
    table = pq.ParquetFile(path, memory_map=False).read()
    return table.filter(_mask(table.num_rows, rows))


def _mask(count: int, rows: Iterable[int]) -> Any:
    import pyarrow as pa

    gone = set(rows)
    return pa.array([row not in gone for row in range(count)], pa.bool_())


def _forget(folder: Path, ids: set[str], before: int) -> int:
    """Take the labels of deleted requests out of the parts and the index; how many ids."""
    if not index_path(folder).exists() and not label_parts(folder):
        return 0
    with changing(folder) as db:
        known = {row[0] for row in db.execute("SELECT id FROM answers WHERE at < ?", (before,))}
        still = {row[0] for row in db.execute("SELECT id FROM answers WHERE at >= ?", (before,))}
        ids = (ids | known) - still
        _forget_answers(db, before)
        labelled = {row[0] for row in db.execute("SELECT id FROM labels")} & ids
        db.executemany("DELETE FROM labels WHERE id = ?", [(each,) for each in labelled])
        _forget_parts(db, folder)
        for part in label_parts(folder):
            labelled |= _strip(db, folder, part, ids)
    return len(labelled)


def _forget_answers(db: sqlite3.Connection, before: int) -> None:
    rows = db.execute("SELECT revision, shadow, pairs FROM answers WHERE at < ?", (before,))
    for revision, shadow, pairs in rows.fetchall():
        for truth, predicted in json.loads(pairs):
            db.execute(
                "UPDATE confusion SET rows = rows - 1 WHERE revision = ? AND shadow = ?"
                " AND truth = ? AND predicted = ?",
                (revision, shadow, truth, predicted),
            )
    db.execute("DELETE FROM answers WHERE at < ?", (before,))
    db.execute("DELETE FROM confusion WHERE rows <= 0")


def _forget_parts(db: sqlite3.Connection, folder: Path) -> None:
    """Parts that were read and are not there any more do not count as captured."""
    there = {part_key(part) for part in list_parts(EndpointFolder(folder).capture)}
    read = {row[0] for row in db.execute("SELECT path FROM capture_parts")}
    db.executemany("DELETE FROM capture_parts WHERE path = ?", [(p,) for p in read - there])


def _strip(db: sqlite3.Connection, folder: Path, part: Path, ids: set[str]) -> set[str]:
    """Write a part of labels anew without those of `ids`; which of them it had."""
    import pyarrow.parquet as pq

    table = pq.ParquetFile(part, memory_map=False).read()
    there = table.column("inference_id").to_pylist()
    gone = [row for row, each in enumerate(there) if each in ids]
    if not gone:
        return set()
    if len(gone) < len(there):
        said = parse_name(part.name)
        kept = table.filter(_mask(len(there), gone))
        fresh = put_table(folder / FOLDER, kept, said[0] if said else None)
        known = db.execute("SELECT 1 FROM label_parts WHERE name = ?", (part.name,)).fetchone()
        if known:
            db.execute("INSERT OR IGNORE INTO label_parts VALUES (?)", (fresh.name,))
    part.unlink(missing_ok=True)
    db.execute("DELETE FROM label_parts WHERE name = ?", (part.name,))
    return {there[row] for row in gone}


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
