"""SQL over datasets: running, exporting, explaining, history, completion."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from core.domain.query import Exported, PastQuery, QueryResult
from core.errors import NotAllowed
from core.reads import datasets as _datasets
from core.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

    from core.query.completion import Catalogue
    from core.query.runner import Queries
    from core.query.sandbox import Stop


class QueriesService:
    """Questions about the workspace's datasets. Asking is reading: read-only sessions may, and
    leave no history."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._queries: Queries | None = None

    @property
    def queries(self) -> Queries:
        """What runs them; heavy, made at first use."""
        from core.query.runner import Queries

        with self._lock:
            if self._queries is None:
                self._queries = Queries(self._session)
            return self._queries

    def close(self) -> None:
        """Close the lake, if it was opened."""
        if self._queries is not None:
            self._queries.close()

    def run(
        self,
        sql: str,
        *,
        at: Mapping[str, str] | None = None,
        limit: int = 1000,
        seconds: float | None = None,
        stop: Stop | None = None,
    ) -> QueryResult:
        """The first `limit` rows of a query; see `core.query.runner.Queries.run`."""
        from core.query.attended import attended
        from core.query.sandbox import Stop

        stop = stop or Stop()
        return attended(
            stop,
            lambda: self.queries.run(sql, at=at, limit=limit, seconds=seconds, stop=stop),
        )

    def table(
        self,
        sql: str,
        *,
        at: Mapping[str, str] | None = None,
        tables: Mapping[str, pa.Table] | None = None,
    ) -> pa.Table:
        """All rows of a query over datasets and `tables` in memory, in memory."""
        with self.queries.stream(sql, at=at, tables=tables) as (reader, _):
            return reader.read_all()

    def explain(self, sql: str, *, at: Mapping[str, str] | None = None) -> str:
        """How it would be run, as text."""
        return self.queries.explain(sql, at=at)

    def export(
        self,
        sql: str,
        path: Path,
        *,
        format: str | None = None,
        at: Mapping[str, str] | None = None,
        limit: int | None = None,
        seconds: float | None = None,
        stop: Stop | None = None,
    ) -> Exported:
        """All rows of a query in a file: csv, json (one object a line) or parquet, by the file's
        name unless said. Raises `BadInput`, `DiskFull`, and as `run` does."""
        from core.query.attended import attended
        from core.query.exporting import format_of, write_file
        from core.query.sandbox import Stop

        path, stop = Path(path), stop or Stop()
        kind = format or format_of(path)

        def work() -> Exported:
            began = time.perf_counter()
            with self.queries.stream(sql, at=at, limit=limit, seconds=seconds, stop=stop) as found:
                reader, datasets = found
                rows, size = write_file(reader, path, kind)
            milliseconds = (time.perf_counter() - began) * 1000
            return Exported(str(path), kind, rows, size, milliseconds, datasets)

        return attended(stop, work)

    def write(
        self,
        sql: str,
        file: BinaryIO,
        *,
        format: str,
        at: Mapping[str, str] | None = None,
        limit: int | None = None,
        seconds: float | None = None,
    ) -> int:
        """All rows of a query to an open file, such as standard output; returns how many."""
        from core.query.attended import attended
        from core.query.exporting import write
        from core.query.sandbox import Stop

        stop = Stop()

        def work() -> int:
            with self.queries.stream(sql, at=at, limit=limit, seconds=seconds, stop=stop) as found:
                return write(found[0], file, format)

        return attended(stop, work)

    def history(
        self, *, everybody: bool = False, about: str = "", limit: int = 50
    ) -> tuple[PastQuery, ...]:
        """What the actor asked before, newest first; admins may see what everybody asked.
        `about` narrows it to texts that contain it. Raises `NotAllowed`."""
        from core.governance.config import governance_config
        from core.query.history import past_queries

        actor = self._session.actor
        if everybody and not governance_config(self._session.workspace).is_admin(actor):
            raise NotAllowed(
                f"{actor} is no admin: others' queries are theirs",
                "admins stand in opsdeck.yaml, lake.admins",
            )
        reader = self._session.reader
        return past_queries(reader, actor=None if everybody else actor, about=about, limit=limit)

    def catalogue(self) -> Catalogue:
        """Names for completion, from the state's rows: no lake is opened."""
        from core.query.completion import Catalogue

        reader = self._session.reader
        found = _datasets.list_datasets(reader)
        refs = reader.rows("SELECT dataset, name FROM dataset_refs ORDER BY at DESC")
        versions: dict[str, list[str]] = {}
        for row in refs:
            versions.setdefault(row["dataset"], []).append(row["name"])
        return Catalogue(
            {each.name: {column.name: column.type for column in each.columns} for each in found},
            versions,
        )
