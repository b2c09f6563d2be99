"""What has been merged so far: `labels/merge.db`, a small SQLite database beside the labels.

It says which parts have been read, which label each inference id has, and how the answers to
it scored. It is made from the parts and can be made again from them, except for what has been
reported to a deployment's analysis already. One process writes at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from core.capture.labels import FOLDER
from core.errors import DiskFull, StateBusy, StateCorrupt

FILE = "merge.db"
_BUSY_SECONDS = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS label_parts (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS capture_parts (
    path TEXT PRIMARY KEY, revision INTEGER NOT NULL, rows INTEGER NOT NULL,
    shadows INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS labels (
    id TEXT PRIMARY KEY, value TEXT NOT NULL, task TEXT NOT NULL,
    at INTEGER NOT NULL, received INTEGER NOT NULL, row INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
    id TEXT NOT NULL, shadow INTEGER NOT NULL, at INTEGER NOT NULL, revision INTEGER NOT NULL,
    status INTEGER NOT NULL, outputs TEXT NOT NULL,
    kind TEXT NOT NULL, rows INTEGER NOT NULL, loss REAL NOT NULL, absolute REAL NOT NULL,
    squared REAL NOT NULL, signed REAL NOT NULL, pairs TEXT NOT NULL,
    observed INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (id, shadow)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_unobserved ON answers (revision, at) WHERE observed = 0;
CREATE TABLE IF NOT EXISTS confusion (
    revision INTEGER NOT NULL, shadow INTEGER NOT NULL, truth TEXT NOT NULL,
    predicted TEXT NOT NULL, rows INTEGER NOT NULL,
    PRIMARY KEY (revision, shadow, truth, predicted)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS underway (
    batch INTEGER PRIMARY KEY, deployment TEXT NOT NULL, losses TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID;
"""


def index_path(folder: Path) -> Path:
    """Where an endpoint's index is."""
    return folder / FOLDER / FILE


@contextmanager
def changing(folder: Path) -> Iterator[sqlite3.Connection]:
    """The index, in a transaction that is committed at the end, or not at all.

    Raises `StateBusy` where another process changes it for longer than half a minute,
    `StateCorrupt`, `DiskFull`.
    """
    path = index_path(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _errors(path), closing(_connect(str(path))) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        try:
            yield connection
        except BaseException:
            connection.rollback()
            raise
        connection.commit()


@contextmanager
def looking(folder: Path) -> Iterator[sqlite3.Connection | None]:
    """The index as it stands, or None where nothing has been merged yet."""
    path = index_path(folder)
    if not path.exists():
        yield None
        return
    with _errors(path), closing(_connect(f"{path.as_uri()}?mode=ro")) as connection:
        connection.execute("BEGIN")
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'").fetchone():
            yield connection
        else:
            yield None


def _connect(name: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        name, timeout=_BUSY_SECONDS, isolation_level=None, uri=name.startswith("file:")
    )
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA temp_store=MEMORY")
    return connection


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise StateBusy(f"{path} is being changed by another process", "try again") from error
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
            raise DiskFull(f"{path}: no space left on the device", "make room there") from error
        raise StateCorrupt(f"{path}: {error}", _REMEDY) from error
    except sqlite3.DatabaseError as error:
        raise StateCorrupt(f"{path}: {error}", _REMEDY) from error


_REMEDY = (
    "remove it while nothing is being deployed there: it is made again from the parts of labels"
    " and capture, and what was reported to a deployment is not known any more"
)
