"""Merging labels with the captured requests, by inference id, as either arrives.

A label may come before its request is on disk or long after: a new part of the capture is
joined with all labels known, and labels that are new are looked up in all parts. Each part is
read for this once more only when there are new labels. Of requests that share an inference id
the first one counts.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.capture.index import changing, index_path
from core.capture.labels import StoredLabel, label_parts, read_part
from core.capture.reader import open_part
from core.capture.scoring import score
from core.capture.tombstone import deleted_before
from core.domain.capture import Task
from core.serving.folder import EndpointFolder
from core.serving.process.parts import COMPACT, PART, Part, list_parts, parse_name

_MANY = 500  # ids in one SQL statement
_FRESH = 300_000  # new ids that are looked up in the capture at once
_Answer = tuple[str, int, int, int, int, str]  # id, shadow, microseconds, revision, status, outputs


@dataclass(frozen=True, slots=True)
class Merged:
    """What one merge did: labels read (rows), requests that got their first label."""

    labels: int = 0
    matched: int = 0


def merge_new(folder: Path) -> Merged:
    """Merge what has come since the last time into an endpoint's index; cheap when nothing has.

    `folder` is the endpoint's. Any process may call it, one does it at a time. Raises
    `StateBusy`, `StateCorrupt`, `DiskFull`.
    """
    if not index_path(folder).exists() and not label_parts(folder):
        return Merged()
    capture = EndpointFolder(folder).capture
    with changing(folder) as db:
        known = {row[0] for row in db.execute("SELECT name FROM label_parts")}
        unread = [path for path in label_parts(folder) if path.name not in known]
        seen = {row[0] for row in db.execute("SELECT path FROM capture_parts")}
        parts = list_parts(capture)
        before = int((deleted_before(capture) or 0.0) * 1e6)
        read = matched = 0
        old = [part for part in parts if part_key(part) in seen]
        for rows, fresh in _take_labels(db, unread):
            read += rows
            if fresh:
                matched += sum(_join(db, part, before, fresh) for part in old)
        for part in parts:
            if part_key(part) not in seen:
                matched += _join_new(db, part, before)
        db.execute("INSERT OR REPLACE INTO facts VALUES ('merged_at', ?)", (time.time(),))
    return Merged(read, matched)


def part_key(part: Part) -> str:
    """How the index names a part of the capture."""
    return f"{part.day}/{part.variant}/{part.path.name}"


def _forget_replaced(db: sqlite3.Connection, part: Part) -> None:
    """A compact part has been read: what it stands for does not count a second time."""
    folder = f"{part.day}/{part.variant}/"
    rows = db.execute("SELECT path FROM capture_parts WHERE path GLOB ?", (f"{folder}{PART}-*",))
    for (path,) in rows.fetchall():
        said = parse_name(path.removeprefix(folder))
        if said is not None and said[0] <= part.written:
            db.execute("DELETE FROM capture_parts WHERE path = ?", (path,))


def _take_labels(db: sqlite3.Connection, unread: list[Path]) -> Iterator[tuple[int, set[str]]]:
    """Read parts of labels: how many, and the ids that had none before, so many at once as is
    good for looking them up. Answers whose id has got a later label are scored again."""
    fresh: set[str] = set()
    rows = 0
    for path in unread:
        for label in read_part(path):
            rows += 1
            if _take(db, label):
                fresh.add(label.inference_id)
        db.execute("INSERT INTO label_parts VALUES (?)", (path.name,))
        if len(fresh) > _FRESH:
            yield rows, fresh
            rows, fresh = 0, set()
    yield rows, fresh


def _take(db: sqlite3.Connection, label: StoredLabel) -> bool:
    """Make this the label of its id, unless it has a later one; whether it had none."""
    found = db.execute(
        "SELECT at, received, row FROM labels WHERE id = ?", (label.inference_id,)
    ).fetchone()
    if found is not None and label.order < found:
        return False
    db.execute(
        "INSERT OR REPLACE INTO labels VALUES (?, ?, ?, ?, ?, ?)",
        (label.inference_id, label.value, label.task.value, *label.order),
    )
    if found is not None:
        _score_again(db, label.inference_id)
    return found is None


def _join_new(db: sqlite3.Connection, part: Part, before: int) -> int:
    """Join a part that has not been read yet with all labels; how many first matches."""
    opened = open_part(part)
    if opened is None:  # it may have gone, or be whole the next time
        return 0
    columns = opened.columns(("inference_id", "shadow"))
    ids, shadows = columns["inference_id"], columns["shadow"]
    count = _join(db, part, before, _labelled(db, ids))
    hidden = sum(map(bool, shadows))
    if part.kind == COMPACT:
        _forget_replaced(db, part)
    db.execute(
        "INSERT INTO capture_parts VALUES (?, ?, ?, ?)",
        (part_key(part), part.revision, len(ids) - hidden, hidden),
    )
    return count


def _join(db: sqlite3.Connection, part: Part, before: int, ids: set[str]) -> int:
    """Score the answers of a part to these ids, which have labels; how many first matches."""
    if not ids:
        return 0
    opened = open_part(part)
    if opened is None:
        return 0
    there = opened.columns(("inference_id",))["inference_id"]
    if ids.isdisjoint(there):
        return 0
    columns = opened.columns(("inference_id", "shadow", "time", "status", "outputs"))
    count = 0
    for inference_id, shadow, at, status, outputs in zip(*columns.values(), strict=True):
        if inference_id in ids and at >= before:
            answer = (inference_id, int(bool(shadow)), at, part.revision, status, outputs or "null")
            count += _add(db, answer)
    return count


def _labelled(db: sqlite3.Connection, ids: list[str]) -> set[str]:
    """Which of these ids have a label."""
    found: set[str] = set()
    for start in range(0, len(ids), _MANY):
        some = ids[start : start + _MANY]
        marks = ",".join("?" * len(some))
        found |= {
            row[0] for row in db.execute(f"SELECT id FROM labels WHERE id IN ({marks})", some)
        }
    return found


def _add(db: sqlite3.Connection, answer: _Answer) -> int:
    """Score an answer, unless an earlier one to the same id is; 1 if the id had none."""
    inference_id, shadow, at, revision = answer[:4]
    old = db.execute(
        "SELECT at, revision FROM answers WHERE id = ? AND shadow = ?", (inference_id, shadow)
    ).fetchone()
    if old is not None and old <= (at, revision):
        return 0
    _put(db, answer)
    return int(old is None)


def _score_again(db: sqlite3.Connection, inference_id: str) -> None:
    """Its label has changed. What was reported to an analysis stays as it was."""
    rows = db.execute(
        "SELECT id, shadow, at, revision, status, outputs FROM answers WHERE id = ?",
        (inference_id,),
    )
    for answer in rows.fetchall():
        _put(db, answer)


def _put(db: sqlite3.Connection, answer: _Answer) -> None:
    """Score an answer in place of what stands for its id, if anything does."""
    inference_id, shadow, _, revision, status, outputs = answer
    old = db.execute(
        "SELECT revision, pairs, observed FROM answers WHERE id = ? AND shadow = ?",
        (inference_id, shadow),
    ).fetchone()
    if old is not None:
        _count(db, old[0], shadow, json.loads(old[1]), -1)
    value, task = db.execute(
        "SELECT value, task FROM labels WHERE id = ?", (inference_id,)
    ).fetchone()
    found = score(outputs, status, value, Task(task))
    db.execute(
        "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *answer,
            found.kind,
            found.rows,
            found.loss,
            found.absolute,
            found.squared,
            found.signed,
            json.dumps(found.pairs),
            0 if old is None else old[2],
        ),
    )
    _count(db, revision, shadow, found.pairs, 1)


def _count(
    db: sqlite3.Connection, revision: int, shadow: int, pairs: Iterable[Iterable[str]], by: int
) -> None:
    """Count pairs of label and prediction in, or out."""
    for truth, predicted in pairs:
        db.execute(
            "INSERT INTO confusion VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET rows = rows + excluded.rows",
            (revision, shadow, truth, predicted, by),
        )
