"""Reading the state database: plain SQL, no SQLAlchemy, so that the first frame is quick.

Statements are written with `:name` parameters and in the part of SQL that SQLite and
PostgreSQL share. A reader is thread-safe: each thread has a connection of its own, opened
read-only.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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
        """A pair that differs whenever the state may have changed."""

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


class SqliteReader:
    """Reads an SQLite file; a missing file or a missing table reads as empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()

    def rows(self, sql: str, **params: Any) -> list[Row]:
        """All rows of a query; raises `StateCorrupt` where the file is not a database."""
        connection = self._connection()
        if connection is None:
            return []
        try:
            return [dict(row) for row in connection.execute(sql, params)]
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise self._broken(error) from error
        except sqlite3.DatabaseError as error:
            raise self._broken(error) from error

    def change_counter(self) -> tuple[int, int]:
        """SQLite's own counter of commits by others, and the journal's length."""
        connection = self._connection()
        if connection is None:
            return (0, 0)
        try:
            version = connection.execute("PRAGMA data_version").fetchone()[0]
            return (int(version), 0)
        except sqlite3.DatabaseError as error:
            raise self._broken(error) from error

    def close(self) -> None:
        """Close this thread's connection; those of other threads close when these end.

        Closing one while another thread reads from it ends the process (tried).
        """
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        self._local = threading.local()
        if connection is not None:
            connection.close()

    def _connection(self) -> sqlite3.Connection | None:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            return connection
        if not self._path.exists():
            return None
        try:
            connection = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=ro",
                uri=True,
                timeout=5,
                isolation_level=None,
            )
        except sqlite3.OperationalError as error:
            raise self._broken(error) from error
        connection.row_factory = sqlite3.Row
        self._local.connection = connection
        return connection

    def _broken(self, error: sqlite3.Error) -> StateCorrupt:
        return StateCorrupt(
            f"{self._path}: {error}", "check the disk, or restore the file from a backup"
        )


class PostgresReader:
    """Reads PostgreSQL through psycopg, one connection a thread."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._local = threading.local()
        self._open: list[Any] = []
        self._lock = threading.Lock()

    def rows(self, sql: str, **params: Any) -> list[Row]:
        """All rows of a query; raises `StateCorrupt` where the server does not answer."""
        import psycopg

        statement = _NAMED.sub(r"%(\1)s", sql.replace("%", "%%"))
        try:
            with self._cursor() as cursor:
                cursor.execute(statement, params)
                return list(cursor.fetchall())
        except psycopg.errors.UndefinedTable:
            return []
        except psycopg.Error as error:
            self._drop()
            raise StateCorrupt(
                f"state database: {str(error).splitlines()[0]}", "is PostgreSQL reachable?"
            ) from error

    def change_counter(self) -> tuple[int, int]:
        """The journal's length and the newest step change."""
        row = self.rows(
            "SELECT (SELECT coalesce(max(seq), 0) FROM journal) AS seq,"
            " (SELECT coalesce(sum(n_tup_ins + n_tup_upd), 0) FROM pg_stat_user_tables) AS changes"
        )
        return (int(row[0]["seq"]), int(row[0]["changes"])) if row else (0, 0)

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()
        self._local = threading.local()

    def _drop(self) -> None:
        """Close this thread's connection, which may be dead; the next read opens another."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            self._local.connection = None
            connection.close()
            with self._lock:
                if connection in self._open:
                    self._open.remove(connection)

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        import psycopg
        from psycopg.rows import dict_row

        connection = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = psycopg.connect(
                self._dsn, autocommit=True, row_factory=dict_row, connect_timeout=5
            )
            connection.execute("SET default_transaction_read_only = on")
            self._local.connection = connection
            with self._lock:
                self._open.append(connection)
        with connection.cursor() as cursor:
            yield cursor
