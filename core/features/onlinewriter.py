"""Writing an online store: every change is one transaction that also moves the cursor, so that
whoever is killed in the middle has done nothing, and doing it again changes nothing."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.domain.features import FeatureSpec
from core.errors import DiskFull
from core.features import keys
from core.features.errors import Busy, OnlineUnavailable
from core.features.online import FORMAT, NO_TIME

SQL_TYPES = {"float": "REAL", "int": "INTEGER", "string": "TEXT", "bool": "INTEGER",
             "timestamp": "INTEGER"}  # fmt: skip
PATIENCE_SECONDS = 30.0
_NEWER = (
    "(excluded.et, excluded.cr, excluded.del, excluded.tie) > ({0}.et, {0}.cr, {0}.del, {0}.tie)"
)
_GONE = "SELECT count(*) FROM current WHERE NOT del AND key NOT IN (SELECT key FROM fresh)"
_SAME = (
    "SELECT count(*) FROM fresh f JOIN current c ON c.key = f.key"
    " AND (c.et, c.cr, c.del, c.tie) = (f.et, f.cr, f.del, f.tie)"
)

Row = Sequence[Any]
"""Key parts, then et (µs), cr (µs, `NO_TIME` for none), del, tie, then the features."""


@contextmanager
def locked(path: Path, seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Be the only one who changes this store; raises `Busy` where another has it for longer
    than this."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Busy(
                        f"{path.stem}: somebody else is writing to its online store", "try again"
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)


class OnlineWriter:
    """One version's store, for changes; whoever has one holds its lock. Not thread-safe."""

    def __init__(self, path: Path, spec: FeatureSpec, version: int) -> None:
        """Open it, or make it. Raises `OnlineUnavailable`."""
        self.path = path
        self.spec = spec
        self._parts = len(spec.entity)
        self._places = ", ".join("?" * (6 + len(spec.features)))
        features = "".join(f", f{number}" for number in range(len(spec.features)))
        self._columns = f"key, et, cr, del, tie, written{features}"
        self._updates = ", ".join(
            f"{name} = excluded.{name}" for name in self._columns.split(", ")[1:]
        )
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._told():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(path, timeout=30, isolation_level=None)
            run = self._connection.execute
            run("PRAGMA journal_mode = WAL")
            run("PRAGMA synchronous = NORMAL")
            run("PRAGMA secure_delete = ON")  # what was deleted is in no free page
            with self._transaction():
                run("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
                for table in ("current", "later"):
                    run(self._table(table))
                self._say("format", FORMAT)
                self._say("spec", spec.to_json())
                self._say("version", str(version))

    @property
    def cursor(self) -> str | None:
        """The snapshot of the source that it has seen; None where it has seen none."""
        found = self._connection.execute("SELECT value FROM meta WHERE name = 'cursor'").fetchone()
        return None if found is None else str(found[0])

    def move_cursor(self, snapshot: str) -> None:
        """Say that it has seen what this snapshot holds."""
        with self._told(), self._transaction():
            self._say("cursor", snapshot)

    def apply(
        self,
        rows: Iterable[Row],
        later: Iterable[Row],
        *,
        now: int,
        cursor: str | None,
        replace: bool = False,
    ) -> tuple[int, int]:
        """Take these rows in, wherever they are newer than what is there; how many entities
        changed and how many went.

        `rows` are of events up to `now` (µs), `later` of events after it, which wait until
        their time has come. What is older than the TTL goes. With `replace` nothing stays that
        is not among the rows. With a `cursor` that is what the store has seen then.
        """
        with self._told(), self._transaction():
            run = self._connection.execute
            if replace:
                run(self._table("fresh"))
                self._put("fresh", rows)
                (gone,) = run(_GONE).fetchone()
                (same,) = run(_SAME).fetchone()
                written = run("SELECT count(*) FROM fresh").fetchone()[0] - same
                run("DROP TABLE current")
                run("ALTER TABLE fresh RENAME TO current")
                run("DELETE FROM later")
            else:
                written, gone = self._put("current", rows), 0
            self._put("later", later)
            written += self._promote(now)
            gone += self._expire(now)
            if cursor is not None:
                self._say("cursor", cursor)
        return written, gone

    def erase(self, key: str) -> int:
        """Delete an entity's rows, for good: also out of the file's log. How many there were."""
        with self._told():
            with self._transaction():
                run = self._connection.execute
                gone = run("DELETE FROM current WHERE key = ?", (key,)).rowcount
                gone += run("DELETE FROM later WHERE key = ?", (key,)).rowcount
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return int(gone)

    def counts(self) -> tuple[int, int]:
        """The entities that have a row, and the rows whose time is still to come."""
        run = self._connection.execute
        current = run("SELECT count(*) FROM current WHERE NOT del").fetchone()[0]
        return int(current), int(run("SELECT count(*) FROM later").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _put(self, table: str, rows: Iterable[Row]) -> int:
        """Take rows in where they are newer; how many were."""
        conflict = "key, et" if table == "later" else "key"
        before = self._connection.total_changes
        self._connection.executemany(
            f"INSERT INTO {table} ({self._columns}) VALUES ({self._places})"
            f" ON CONFLICT ({conflict}) DO UPDATE SET {self._updates}"
            f" WHERE {_NEWER.format(table)}",
            self._encoded(rows),
        )
        return self._connection.total_changes - before

    def _promote(self, now: int) -> int:
        """Let the rows whose time has come count."""
        run = self._connection.execute
        done = run(
            f"INSERT INTO current ({self._columns}) SELECT {self._columns} FROM later"
            " WHERE et <= ? ORDER BY et"
            f" ON CONFLICT (key) DO UPDATE SET {self._updates} WHERE {_NEWER.format('current')}",
            (now,),
        ).rowcount
        run("DELETE FROM later WHERE et <= ?", (now,))
        return max(0, int(done))

    def _expire(self, now: int) -> int:
        if self.spec.ttl is None:
            return 0
        oldest = now - round(self.spec.ttl * 1e6)
        return int(self._connection.execute("DELETE FROM current WHERE et < ?", (oldest,)).rowcount)

    def _encoded(self, rows: Iterable[Row]) -> Iterator[list[Any]]:
        written, parts, entity = time.time(), self._parts, self.spec.entity
        for row in rows:
            et, cr, deleted, tie = row[parts : parts + 4]
            yield [
                keys.encode(entity, row[:parts]), et, NO_TIME if cr is None else cr,
                int(deleted), tie, written, *row[parts + 4 :],
            ]  # fmt: skip

    def _table(self, name: str) -> str:
        features = "".join(
            f", f{number} {SQL_TYPES[feature.type]}"
            for number, feature in enumerate(self.spec.features)
        )
        primary = "key, et" if name == "later" else "key"
        return (
            f"CREATE TABLE {'IF NOT EXISTS ' if name != 'fresh' else ''}{name} ("
            "key TEXT NOT NULL, et INTEGER NOT NULL, cr INTEGER NOT NULL, del INTEGER NOT NULL,"
            f" tie INTEGER NOT NULL, written REAL NOT NULL{features},"
            f" PRIMARY KEY ({primary})) WITHOUT ROWID"
        )

    def _say(self, name: str, value: str) -> None:
        self._connection.execute(
            "INSERT INTO meta (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's errors as ours."""
        try:
            yield
        except sqlite3.Error as error:
            if "disk is full" in str(error) or "disk I/O error" in str(error):
                raise DiskFull(f"{self.path}: no room on the disk", "free some space") from error
            raise OnlineUnavailable(f"{self.path}: {error}", "materialise it again") from error


def remove(path: Path) -> None:
    """Take a store away. Raises OSError."""
    for each in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        each.unlink(missing_ok=True)
