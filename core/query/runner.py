"""Running queries: rows for a screen, streams for a file, plans for the curious."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from core.domain.query import QueriedDataset, QueryColumn, QueryResult
from core.errors import BadInput, NotFound, OpsdeckError
from core.governance.access import Access, open_access
from core.ids import new_id
from core.query import history
from core.query.config import QueryLimits, query_limits
from core.query.errors import QueryInvalid
from core.query.sandbox import GovernedTable, Sandbox, Stop
from core.query.skipping import skips
from core.query.statement import Statement, TableRef, read_statement
from core.reads import datasets as _datasets
from core.session import Session

MAX_ROWS = 100_000
"""Rows that one result may hold; more goes to a file."""

BATCH_ROWS = 20_000


@dataclass
class _Run:
    """A query on its way: filled in as it goes, put on record when it ends."""

    sql: str
    id: str
    began: float
    datasets: tuple[QueriedDataset, ...] = ()
    rows: int | None = None

    @property
    def milliseconds(self) -> float:
        return (time.perf_counter() - self.began) * 1000


class Queries:
    """SQL over the datasets that an actor may read. Thread-safe; each query has a connection of
    its own. Heavy: importing this loads DuckDB and Arrow.
    """

    def __init__(self, session: Session, access: Access | None = None) -> None:
        self._session = session
        self._access = access or open_access(session)
        self._limits = query_limits(session.workspace)

    def run(
        self,
        sql: str,
        *,
        at: Mapping[str, str] | None = None,
        limit: int = 1000,
        seconds: float | None = None,
        stop: Stop | None = None,
    ) -> QueryResult:
        """The first `limit` rows of a query. `at` maps datasets to versions (number, tag, time);
        `stop` ends it from another thread.

        Raises `QueryInvalid`, `QueryRefused`, `QueryFailed`, `QueryTimeout`, `QueryTooBig`,
        `QueryCancelled`, `Refused` (no right to read), `NotFound` (no such dataset, version).
        """
        if not 0 <= limit <= MAX_ROWS:
            raise BadInput(f"limit {limit:,}: 0 to {MAX_ROWS:,} rows", "write more to a file")
        with self._run(sql) as run:
            statement, sandbox = self._prepared(run, sql, at, seconds, stop)
            try:
                with sandbox.running() as connection:
                    found = connection.execute(statement.sql)
                    columns = _columns(found.description)
                    rows = found.fetchmany(limit + 1)
            finally:
                sandbox.close()
            run.rows = min(len(rows), limit)
            return QueryResult(
                run.id,
                sql,
                columns,
                tuple(tuple(row) for row in rows[:limit]),
                len(rows) > limit,
                run.milliseconds,
                run.datasets,
            )

    @contextmanager
    def stream(
        self,
        sql: str,
        *,
        at: Mapping[str, str] | None = None,
        limit: int | None = None,
        seconds: float | None = None,
        stop: Stop | None = None,
        tables: Mapping[str, pa.Table] | None = None,
    ) -> Iterator[tuple[pa.RecordBatchReader, tuple[QueriedDataset, ...]]]:
        """All rows of a query as a stream, and what it reads, without a limit of time unless
        one is given; raises as `run` does.

        `tables` are rows in memory that the query may read by name beside the datasets.
        """
        with self._run(sql) as run:
            # A file may take as long as it takes: somebody waits for all of it.
            most = math.inf if seconds is None else seconds
            statement, sandbox = self._prepared(run, sql, at, most, stop, tables)
            try:
                with sandbox.running() as connection:
                    text = statement.sql
                    if limit is not None:
                        text = f"SELECT * FROM ({text}\n) LIMIT {int(limit)}"
                    reader = connection.sql(text).to_arrow_reader(BATCH_ROWS)
                    yield _counted(reader, run), run.datasets
            finally:
                sandbox.close()

    def close(self) -> None:
        """Close the lake, if it was opened."""
        self._access.close()

    def explain(self, sql: str, *, at: Mapping[str, str] | None = None) -> str:
        """How DuckDB would run it, as text."""
        result = self.run(f"EXPLAIN {sql}", at=at)
        return "\n".join(str(row[-1]).rstrip() for row in result.rows)

    def datasets_of(self, sql: str) -> tuple[str, ...]:
        """The datasets that a statement reads, without running it; raises `QueryInvalid`,
        `QueryRefused`."""
        return tuple(table.dataset for table in read_statement(sql).tables)

    def _prepared(
        self,
        run: _Run,
        sql: str,
        at: Mapping[str, str] | None,
        seconds: float | None,
        stop: Stop | None,
        more: Mapping[str, pa.Table] | None = None,
    ) -> tuple[Statement, Sandbox]:
        statement = read_statement(sql, at)
        given = dict(more or {})
        read = tuple(table for table in statement.tables if table.table not in given)
        run.datasets = tuple(self._queried(table) for table in read)
        tables = {
            table.table: self._table(table, queried)
            for table, queried in zip(read, run.datasets, strict=True)
        }
        schemas = {name: table.schema for name, table in tables.items()}
        for name, condition in skips(statement.tree, schemas).items():
            tables[name].skip_by(condition)
        sandbox = Sandbox(self._limited(seconds), stop)
        for name, table in tables.items():
            sandbox.add(name, table)
        for name, rows in given.items():
            sandbox.connection.register(name, rows)
        return statement, sandbox

    def _limited(self, seconds: float | None) -> QueryLimits:
        if seconds is None:
            return self._limits
        return QueryLimits(self._limits.mebibytes, seconds, self._limits.threads)

    def _queried(self, table: TableRef) -> QueriedDataset:
        """Which snapshot a name means now; raises `NotFound`."""
        try:
            snapshot = self._access.source.resolve(table.dataset, table.at)
        except NotFound as error:
            close = _nearest(self._session, table.dataset)
            if close is None or close == table.dataset:
                raise
            raise NotFound(error.message, f"did you mean {close}?") from error
        try:
            number = _datasets.find_snapshot(self._session.reader, table.dataset, snapshot).number
        except NotFound:
            number = None
        return QueriedDataset(table.dataset, snapshot, number, table.at or "")

    def _table(self, table: TableRef, queried: QueriedDataset) -> GovernedTable:
        """The table at that snapshot: all scans of one query see the same rows."""
        source = self._access.source
        at: str | None = queried.snapshot
        if table.at is None and (
            source.schema(table.dataset).names != source.schema(table.dataset, at).names
        ):
            at = None  # columns that were added since are shown, and only the newest has them
        return GovernedTable(self._access, table.dataset, at, None, f"query {table.table}")

    @contextmanager
    def _run(self, sql: str) -> Iterator[_Run]:
        run = _Run(sql, new_id(), time.perf_counter())
        failure: BaseException | None = None
        try:
            yield run
        except RecursionError as error:
            failure = QueryInvalid("query: nested too deeply")
            raise failure from error
        except BaseException as error:
            failure = error
            raise
        finally:
            if failure is None or isinstance(failure, OpsdeckError):
                history.record(
                    self._session, run.id, sql, run.datasets, failure, run.rows, run.milliseconds
                )


def _counted(reader: pa.RecordBatchReader, run: _Run) -> pa.RecordBatchReader:
    def batches() -> Iterator[pa.RecordBatch]:
        run.rows = 0
        for batch in reader:
            run.rows += batch.num_rows
            yield batch

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


def _columns(description: Any) -> tuple[QueryColumn, ...]:
    return tuple(QueryColumn(str(each[0]), str(each[1])) for each in description)


def _nearest(session: Session, name: str) -> str | None:
    import difflib

    known = [each.name for each in _datasets.list_datasets(session.reader)]
    return next(iter(difflib.get_close_matches(name, known, n=1)), None)
