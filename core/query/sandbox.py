"""A database in memory in which there is nothing but governed datasets.

No files, no network, no extensions, no settings that could be changed back. Its tables are
objects of ours: DuckDB asks them for the columns and rows that it needs, and they ask the one
read path. So a statement sees what its actor may see and nothing else, whatever it says.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads

from core.governance.access import Access
from core.governance.tree import one_line
from core.query.config import QueryLimits
from core.query.errors import (
    QueryCancelled,
    QueryFailed,
    QueryInvalid,
    QueryRefused,
    QueryTimeout,
    QueryTooBig,
)


class GovernedTable(pads.Dataset):  # type: ignore[misc]
    """One snapshot of a dataset as its actor may see it; every scan reads it anew."""

    def __init__(  # the base class has a constructor that must not be called
        self, access: Access, name: str, at: str | None, skip: str | None, purpose: str
    ) -> None:
        self._access, self._name, self._at = access, name, at
        self._skip, self._purpose = skip, purpose
        self._schema = access.schema(name, at=at, purpose=purpose)
        self.error: Exception | None = None

    @property
    def schema(self) -> pa.Schema:
        """The columns that are shown."""
        return self._schema

    def skip_by(self, condition: str | None) -> None:
        """Leave out rows that do not meet it, where that is cheap."""
        self._skip = condition

    def scanner(
        self, columns: list[str] | None = None, filter: Any = None, **_: Any
    ) -> pads.Scanner:
        """What DuckDB calls when it reads: with the columns and the filter that it wants."""
        try:
            reader = self._access.scan(
                self._name,
                at=self._at,
                columns=self._needed(columns, filter),
                skip=self._skip,
                purpose=self._purpose,
            )
        except Exception as error:
            self.error = error
            raise
        return pads.Scanner.from_batches(
            self._watched(reader), schema=reader.schema, columns=columns, filter=filter
        )

    def _needed(self, columns: list[str] | None, filter: Any) -> list[str]:
        """The columns to read: those asked for and those that the filter names (or seems to: it
        cannot be taken apart), in the dataset's order; at least one."""
        names: list[str] = self._schema.names
        if columns is None:
            return names
        text = "" if filter is None else str(filter)
        wanted = set(columns)
        return [name for name in names if name in wanted or name in text] or names[:1]

    def _watched(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        except Exception as error:
            self.error = error
            raise


class Stop:
    """Ends a query from another thread: `stop.set()`. May be set before it begins."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """End it; what has been fetched is thrown away."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Whether it was set within that time."""
        return self._event.wait(seconds)


class Sandbox:
    """A connection with limits; used by one thread, once. Close it."""

    def __init__(self, limits: QueryLimits, stop: Stop | None = None) -> None:
        self._limits = limits
        self._stop = stop or Stop()
        self._tables: list[GovernedTable] = []
        self._why: QueryTimeout | QueryCancelled | None = None
        self._over = threading.Event()
        self.connection = duckdb.connect(":memory:")
        for setting in (
            "SET TimeZone='UTC'",
            f"SET memory_limit='{limits.mebibytes}MiB'",
            f"SET threads={limits.threads}",
            "SET temp_directory=''",
            "SET enable_external_access=false",
            "SET autoinstall_known_extensions=false",
            "SET autoload_known_extensions=false",
            "SET allow_community_extensions=false",
            "SET python_enable_replacements=false",
            "SET max_expression_depth=250",
            "SET lock_configuration=true",
        ):
            self.connection.execute(setting)

    def add(self, name: str, table: GovernedTable) -> None:
        """Let statements read the table under this name."""
        self._tables.append(table)
        self.connection.register(name, table)

    @contextmanager
    def running(self) -> Iterator[Any]:
        """The connection, watched: ended when its time is up or somebody stops it, and with
        DuckDB's errors as ours."""
        watch = threading.Thread(target=self._watch, name="query-watch", daemon=True)
        watch.start()
        try:
            yield self.connection
            if self._why is not None:
                raise self._why
        except (duckdb.Error, OSError, RuntimeError) as error:
            plain = self._plain(error)
            if plain is error:  # such as a pipe that nobody reads any more
                raise
            raise plain from error
        except MemoryError as error:
            raise self._too_big() from error
        finally:
            self._over.set()
            watch.join()

    def _watch(self) -> None:
        end = time.monotonic() + self._limits.seconds
        while not self._over.is_set():
            left = end - time.monotonic()
            if self._stop.wait(min(0.05, max(0.0, left))):
                self._why = QueryCancelled("query: cancelled")
            elif left <= 0:
                self._why = QueryTimeout(
                    f"query: ended after {self._limits.seconds:g} seconds",
                    "narrow it, or allow more: --timeout, lake.query.time in opsdeck.yaml",
                )
            if self._why is not None:
                self.connection.interrupt()
                self._over.wait(0.05)

    def _plain(self, error: Exception) -> Exception:
        """A DuckDB error as one of ours."""
        if self._why is not None:
            return self._why
        for table in self._tables:
            if table.error is not None:
                return table.error
        if isinstance(error, duckdb.OutOfMemoryException):
            return self._too_big()
        if isinstance(error, duckdb.PermissionException | duckdb.IOException):
            return QueryRefused(
                f"query: {one_line(error)[:200]}", "queries read datasets and nothing else"
            )
        if isinstance(
            error, duckdb.ParserException | duckdb.BinderException | duckdb.CatalogException
        ):
            return QueryInvalid(f"query: {one_line(error)[:300]}", _candidates(str(error)))
        if isinstance(error, duckdb.Error):
            return QueryFailed(f"query: {one_line(error)[:300]}")
        return error

    def _too_big(self) -> QueryTooBig:
        return QueryTooBig(
            f"query: needs more than {self._limits.mebibytes:,} MiB of memory",
            "narrow it with WHERE or fewer columns, or raise lake.query.memory in opsdeck.yaml",
        )

    def close(self) -> None:
        """Give everything back."""
        self._over.set()
        self.connection.close()


def _candidates(text: str) -> str:
    """What DuckDB proposes in place of a name that is not there."""
    for line in text.splitlines()[1:]:
        if line.startswith(("Candidate", "Did you mean")):
            return line.strip()[:200]
    return ""
