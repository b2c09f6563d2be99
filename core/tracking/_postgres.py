"""Read-only statements on an MLflow store in PostgreSQL."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

from core.errors import TrackingUnavailable

if TYPE_CHECKING:
    import psycopg

_OPTIONS = "-c default_transaction_read_only=on -c statement_timeout=10000"
_CONNECT_SECONDS = 5


class PostgresDatabase:
    """A connection a thread, opened when first used, and once again when it was lost."""

    def __init__(self, uri: str) -> None:
        """`uri` as MLflow takes it (`postgresql://…`, with or without `+psycopg2`)."""
        self._conninfo = re.sub(r"^postgres(?:ql)?(?:\+\w+)?:", "postgresql:", uri)
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: list[psycopg.Connection[tuple[Any, ...]]] = []

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows; none where a table is missing."""
        import psycopg

        statement = sql.replace("?", "%s").encode()
        for last in (False, True):
            try:
                return self._connection().execute(statement, values).fetchall()
            except psycopg.errors.UndefinedTable:
                return []
            except psycopg.OperationalError as error:
                lost = self._forget_if_closed()
                if last or not lost:
                    raise _unavailable(error) from error
            except psycopg.Error as error:
                raise _unavailable(error) from error
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()
            self._local = threading.local()

    def _connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        import psycopg

        known: psycopg.Connection[tuple[Any, ...]] | None = getattr(self._local, "connection", None)
        if known is not None and not known.closed:
            return known
        fresh: psycopg.Connection[tuple[Any, ...]] = psycopg.connect(
            self._conninfo,
            autocommit=True,
            connect_timeout=_CONNECT_SECONDS,
            options=_OPTIONS,
            application_name="opsdeck-reader",
        )
        with self._lock:
            self._open.append(fresh)
        self._local.connection = fresh
        return fresh

    def _forget_if_closed(self) -> bool:
        connection = getattr(self._local, "connection", None)
        if connection is None or not connection.closed:
            return False
        with self._lock:
            if connection in self._open:
                self._open.remove(connection)
        self._local.connection = None
        return True


def _unavailable(error: Exception) -> TrackingUnavailable:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    # The driver's words name host and database, never the password.
    return TrackingUnavailable(f"tracking database: {lines[0]}", "is it up, and may we read it?")
