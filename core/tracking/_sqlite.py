"""Read-only statements on an MLflow store in an SQLite file."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

from core.errors import TrackingUnavailable

_BUSY_SECONDS = 5.0


class SqliteDatabase:
    """A connection a thread, opened when first used, and again when the file was replaced."""

    def __init__(self, uri: str) -> None:
        """`uri` as MLflow takes it: `sqlite:///` and a path, absolute or relative."""
        self._path = Path(uri.removeprefix("sqlite:///").split("?", 1)[0])
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: list[sqlite3.Connection] = []

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows; none where the file or a table is missing."""
        try:
            connection = self._connection()
            return [] if connection is None else connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            if "no such table" in str(error):  # being created, or empty
                return []
            raise TrackingUnavailable(
                f"{self._path}: {error}", "is it an MLflow store, and may it be read?"
            ) from error

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()
            self._local = threading.local()

    def _connection(self) -> sqlite3.Connection | None:
        try:
            found = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise TrackingUnavailable(f"{self._path}: {error.strerror}") from error
        identity = (found.st_dev, found.st_ino)
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None and self._local.identity == identity:
            return connection
        fresh = sqlite3.connect(
            f"file:{quote(str(self._path.resolve()))}?mode=ro",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,  # `close` may come from another thread
        )
        with self._lock:
            if connection is not None and connection in self._open:
                self._open.remove(connection)
                connection.close()
            self._open.append(fresh)
        self._local.connection, self._local.identity = fresh, identity
        return fresh
