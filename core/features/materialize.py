"""The one routine that feeds an online store from the offline rows.

It looks at what was appended to the source since it looked last; at everything where rows were
rewritten, or where a view's rows are not its source's one by one. Rows may come in any order:
a newer one is never overwritten by an older. Heavy: imports DuckDB.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb

from core.domain.features import FeatureSpec, Materialized
from core.errors import NotFound
from core.features import sql
from core.features.onlinewriter import OnlineWriter, locked
from core.features.rowwise import columns_needed, is_row_by_row
from core.features.sql import ROWS, feature_columns, key_columns, scalar

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 50_000


class Offline(Protocol):
    """Where a view's rows come from: `core.lake.lake.Lake`, or what reads as it does."""

    def read(
        self, name: str, *, at: str | None = None, columns: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """The rows of a snapshot."""

    def changes(
        self, name: str, since: str | None, until: str | None = None
    ) -> pa.RecordBatchReader | None:
        """The rows that were appended between two; None where only a full read will do."""

    def schema(self, name: str, at: str | None = None) -> pa.Schema:
        """The columns."""

    def resolve(self, name: str, at: str | None = None) -> str:
        """A snapshot's id."""


@dataclass(frozen=True, slots=True)
class Range:
    """Events from `since` up to, and without, `until`: µs since 1970, None for no bound."""

    since: int | None = None
    until: int | None = None


def materialize(
    offline: Offline,
    spec: FeatureSpec,
    version: int,
    file: Path,
    *,
    now: float | None = None,
    rebuild: bool = False,
    only: Range | None = None,
    spill: Path | None = None,
    patience: float = 30.0,
) -> Materialized:
    """Bring the online store of a view's version up to date, or make it anew (`rebuild`).

    With `only` the rows of that range of event times are looked at again and the cursor stays:
    a backfill. Events after `now` (epoch seconds) wait in the store until a later run. Killed
    at any moment it has done nothing or everything; run again it changes nothing. Raises
    `Busy`, `OnlineUnavailable`, `TransformFailed`, `NotFound` (the source), `DiskFull`.
    """
    begun = time.monotonic()
    moment = round((time.time() if now is None else now) * 1e6)
    ref = f"{spec.name}@{version}"
    with locked(file, patience):
        store = OnlineWriter(file, spec, version)
        try:
            found = _Run(offline, spec, store, moment, spill).run(rebuild, only)
            online, later = store.counts()
        finally:
            store.close()
    mode, snapshot, counts = found
    return Materialized(
        ref, mode, snapshot, counts.read, counts.written, counts.removed, counts.skipped, later,
        online, time.monotonic() - begun,
    )  # fmt: skip


@dataclass(slots=True)
class _Counts:
    read: int = 0
    written: int = 0
    removed: int = 0
    skipped: int = 0


class _Run:
    """One run over an open store."""

    def __init__(
        self, offline: Offline, spec: FeatureSpec, store: OnlineWriter, now: int, spill: Path | None
    ) -> None:
        self._offline = offline
        self._spec = spec
        self._store = store
        self._now = now
        self._spill = spill

    def run(self, rebuild: bool, only: Range | None) -> tuple[str, str | None, _Counts]:
        """What was done, the snapshot that was read, and how many of what."""
        source = self._spec.source
        try:
            target = self._offline.resolve(source)
        except NotFound:
            if self._store.cursor is not None:
                raise
            self._offline.schema(source)  # there must be such a dataset
            return "unchanged", None, _Counts()
        if only is not None:
            return "backfill", target, self._take(self._all(target), only, None)
        if rebuild or self._store.cursor is None:
            return "full", target, self._take(self._all(target), Range(), target, replace=True)
        if self._store.cursor == target:
            counts = _Counts()
            counts.written, counts.removed = self._store.apply([], [], now=self._now, cursor=None)
            return "unchanged", target, counts
        rows = None
        if is_row_by_row(self._spec):
            rows = self._offline.changes(source, self._store.cursor, target)
        if rows is None:
            return "full", target, self._take(self._all(target), Range(), target, replace=True)
        return "incremental", target, self._take(rows, Range(), target)

    def _all(self, target: str) -> pa.RecordBatchReader:
        source = self._spec.source
        wanted = columns_needed(self._spec, self._offline.schema(source, target).names)
        return self._offline.read(source, at=target, columns=wanted)

    def _take(
        self, rows: pa.RecordBatchReader, only: Range, cursor: str | None, replace: bool = False
    ) -> _Counts:
        counts = _Counts()
        with sql.connection(self._spill) as con:
            counts.skipped = sql.make_rows(
                con, self._spec, rows, since=only.since, until=only.until
            )
            counts.read = int(scalar(con, f"SELECT count(*) FROM {ROWS}"))
            newest = _fetched(con, _newest(con, self._spec, self._now))
            later = _fetched(con, _later(self._spec, self._now))  # begun when the first has ended
            counts.written, counts.removed = self._store.apply(
                newest, later, now=self._now, cursor=cursor, replace=replace
            )
        return counts


def _newest(con: duckdb.DuckDBPyConnection, spec: FeatureSpec, now: int) -> str:
    """The SQL of each entity's row that counts at a moment, as `OnlineWriter` takes it."""
    names = key_columns(len(spec.entity))
    listed = ", ".join(names)
    same = " AND ".join(f"b.{name} = r.{name}" for name in names)
    oldest = "" if spec.ttl is None else f" AND et >= {now - round(spec.ttl * 1e6)}"
    con.execute(
        f"CREATE TEMP TABLE opsdeck_best AS SELECT {listed}, max(x) AS x FROM {ROWS}"
        f" WHERE et <= {now}{oldest} GROUP BY ALL"
    )
    columns = _columns(spec)
    return (
        f"SELECT {columns} FROM (SELECT r.* FROM opsdeck_best b JOIN {ROWS} r"
        f" ON {same} AND b.x = r.x) AS hits QUALIFY row_number() OVER"
        f" (PARTITION BY {listed} ORDER BY del DESC, {sql.tie(spec.features)} DESC) = 1"
    )


def _later(spec: FeatureSpec, now: int) -> str:
    """The same of every moment that is still to come."""
    listed = ", ".join(key_columns(len(spec.entity)))
    return (
        f"SELECT {_columns(spec)} FROM {ROWS} WHERE et > {now} QUALIFY row_number() OVER"
        f" (PARTITION BY {listed}, et ORDER BY x DESC, del DESC, {sql.tie(spec.features)} DESC) = 1"
    )


def _columns(spec: FeatureSpec) -> str:
    features = [
        f"epoch_us({name})" if feature.type == "timestamp" else name
        for name, feature in zip(feature_columns(len(spec.features)), spec.features, strict=True)
    ]
    keys = key_columns(len(spec.entity))
    return ", ".join([*keys, "et", "cr", "del", f"{sql.tie(spec.features)} AS tie", *features])


def _fetched(con: duckdb.DuckDBPyConnection, text: str) -> Iterator[Sequence[Any]]:
    """A query's rows, some at a time."""
    con.execute(text)
    while rows := con.fetchmany(_BATCH):
        yield from rows
