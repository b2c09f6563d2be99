"""Reading the state database: plain SQL, no SQLAlchemy, so that the first frame is quick.

Statements are written with `:name` parameters and in the part of SQL that SQLite and
PostgreSQL share. A reader is thread-safe: threads borrow its connections, which are opened
read-only, for one query at a time.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from core.errors import StateCorrupt

Row = dict[str, Any]
_NAMED = re.compile(r"(?<![:\w]):([a-z_]+)")


class Reader(Protocol):
    """Read-only access to the state. Every call sees committed data only."""

    def rows(self, sql: str, **params: Any) -> list[Row]:
        """All rows of a query, each as a mapping of column to value."""

    def change_counter(self) -> tuple[int, int]:
        """A pair that differs whenever the state has changed; heartbeats don't count."""

    def clock(self) -> float:
        """The time by the database's clock, in epoch seconds: hosts' own may disagree."""

    def close(self) -> None:
        """Close this reader's connections."""


def open_reader(database_url: str) -> Reader:
    """A reader for an SQLAlchemy URL (`sqlite:///PATH` or `postgresql+psycopg://…`)."""
    if database_url.startswith("sqlite:///"):
        return SqliteReader(Path(database_url.removeprefix("sqlite:///")))
    return PostgresReader(re.sub(r"^postgresql\+\w+:", "postgresql:", database_url))


ESCAPED = "ESCAPE '!'"
"""Behind every LIKE whose pattern `containing` made."""


def containing(text: str) -> str:
    """The LIKE pattern of what contains this text, taken literally."""
    return "%" + re.sub(r"([!%_])", r"!\1", text) + "%"


def by_id(reader: Reader, select: str, column: str, ref: str) -> list[Row]:
    """The row with this id; else those whose id begins so, two at most.

    The beginning is compared letter by letter: in PostgreSQL's usual collations no range
    of texts has it.
    """
    if not ref:
        return []
    exact = reader.rows(f"{select} WHERE {column} = :id", id=ref)
    begin = f"substr({column}, 1, {len(ref)}) = :id"
    return exact or reader.rows(f"{select} WHERE {begin} LIMIT 2", id=ref)


_CHANGES = """
SELECT (SELECT max(seq) FROM journal) AS seq,
  (SELECT max(id) FROM outbox) AS outbox,
  (SELECT max(id) FROM deployment_events) AS events,
  (SELECT max(number) FROM runs) AS runs,
  count(*) AS steps,
  count(DISTINCT r.number) AS open,
  count(r.mlflow_run_id) AS tracked,
  count(r.started_at) AS started,
  count(s.ended_at) AS ended,
  sum(s.attempt + s.executions) AS attempts,
  sum((s.position + 1) * length(s.status)) AS states,
  sum(length(s.message)) AS messages,
  max(s.started_at) AS last_start,
  max(s.ended_at) AS last_end
FROM runs r JOIN step_runs s ON s.run_id = r.id
WHERE r.status IN ('queued', 'running', 'waiting')
"""
"""By indexes: newest entries, and the steps of open runs. Workers write each second that
they live, which is no change of what anybody watches."""


def changes(reader: Reader) -> tuple[int, int]:
    """The journal's length, and a number that differs when anything else has changed."""
    rows = reader.rows(_CHANGES)
    return (int(rows[0]["seq"] or 0), hash(tuple(rows[0].values()))) if rows else (0, 0)


MAX_CONNECTIONS = 6
"""Of one reader, however many threads it has: hundreds of gates may wait in one worker."""


class _Pool:
    """Connections that threads borrow in turn. Thread-safe."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._lock = threading.Lock()
        self._idle: list[Any] = []
        self._cleared = 0

    @contextmanager
    def borrowed(self) -> Iterator[Any]:
        """A connection that nobody else has; opened where none is idle."""
        with self._room:
            with self._lock:
                cleared = self._cleared
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                connection = self._connect()
            try:
                yield connection
            finally:
                with self._lock:
                    keep = cleared == self._cleared
                    if keep:
                        self._idle.append(connection)
                if not keep:
                    connection.close()

    def clear(self) -> None:
        """Close all connections: those that are lent out when they come back.

        Closing one while another thread reads from it ends the process (tried).
        """
        with self._lock:
            self._cleared += 1
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


class _NoFile(Exception):
    """There is no database yet."""


class SqliteReader:
    """Reads an SQLite file; a missing file or a missing table reads as empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pool = _Pool(self._connect)
        # Its counter of changes is a connection's own: always asked of the same one.
        self._counting = threading.Lock()
        self._counter: sqlite3.Connection | None = None
        self._counted: tuple[int, tuple[int, int]] | None = None

    def rows(self, sql: str, **params: Any) -> list[Row]:
        """All rows of a query; raises `StateCorrupt` where the file is not a database."""
        try:
            with self._pool.borrowed() as connection, closing(connection.cursor()) as cursor:
                return [dict(row) for row in cursor.execute(sql, params)]
        except _NoFile:
            return []
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise self._broken(error) from error
        except sqlite3.DatabaseError as error:
            raise self._broken(error) from error

    def change_counter(self) -> tuple[int, int]:
        """What `_CHANGES` finds; asked only where SQLite has counted commits by others."""
        try:
            with self._counting:
                if self._counter is None:
                    self._counter, self._counted = self._connect(), None
                version = int(self._counter.execute("PRAGMA data_version").fetchone()[0])
                if self._counted is None or self._counted[0] != version:
                    self._counted = (version, changes(self))
                return self._counted[1]
        except _NoFile:
            return (0, 0)
        except sqlite3.DatabaseError as error:
            raise self._broken(error) from error

    def clock(self) -> float:
        """This host's: the file is on it."""
        return time.time()

    def close(self) -> None:
        """Close the connections; one that is being read from closes right after."""
        self._pool.clear()
        with self._counting:
            if self._counter is not None:
                self._counter.close()
                self._counter = None

    def _connect(self) -> sqlite3.Connection:
        if not self._path.exists():
            raise _NoFile
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=ro",
            uri=True,
            timeout=5,
            isolation_level=None,
            check_same_thread=False,  # one thread at a time
        )
        connection.row_factory = sqlite3.Row
        return connection

    def _broken(self, error: sqlite3.Error) -> StateCorrupt:
        return StateCorrupt(
            f"{self._path}: {error}", "check the disk, or restore the file from a backup"
        )


class PostgresReader:
    """Reads PostgreSQL through psycopg."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._pool = _Pool(self._connect)

    def rows(self, sql: str, **params: Any) -> list[Row]:
        """All rows of a query; raises `StateCorrupt` where the server does not answer."""
        import psycopg

        statement = _NAMED.sub(r"%(\1)s", sql.replace("%", "%%"))
        try:
            with self._pool.borrowed() as connection, connection.cursor() as cursor:
                try:
                    cursor.execute(statement, params)
                    return list(cursor.fetchall())
                except psycopg.errors.UndefinedTable:
                    return []
                except psycopg.Error:
                    self._pool.clear()  # this one may be dead, and then all are
                    raise
        except psycopg.Error as error:
            raise StateCorrupt(
                f"state database: {str(error).splitlines()[0]}", "is PostgreSQL reachable?"
            ) from error

    def change_counter(self) -> tuple[int, int]:
        """What `_CHANGES` finds."""
        return changes(self)

    def clock(self) -> float:
        """The server's."""
        return float(self.rows("SELECT extract(epoch FROM clock_timestamp()) AS now")[0]["now"])

    def close(self) -> None:
        """Close the connections; one that is being read from closes right after."""
        self._pool.clear()

    def _connect(self) -> Any:
        import psycopg
        from psycopg.rows import dict_row

        connection = psycopg.connect(
            self._dsn, autocommit=True, row_factory=dict_row, connect_timeout=5
        )
        connection.execute("SET default_transaction_read_only = on")
        return connection
