"""Which files are in which dataset: rows of `ingests` and `ingested_files`.

A batch claims its files before it reads them, so that two processes never take in the same
one; what a dead process has claimed is settled by whoever comes next: either its commit is in
the dataset, or it never happened.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.domain.datalineage import NodeKind, edges_between
from core.domain.ingest import FileState, Ingest, IngestFile
from core.errors import NotFound, WrongState
from core.ids import new_id
from core.ingest.rejects import rejected_path
from core.ingest.sources import Source
from core.processes import is_alive, started
from core.reads.ingests import find_ingest, ingest_of
from core.session import Session
from core.state.edges import record_edges
from core.state.lake_tables import ingested_files, ingests
from core.state.store import Transaction

ELSEWHERE_SECONDS = 24 * 3600.0
"""After so long a batch of another host is given up: whether it lives cannot be seen here."""


def folder_of(session: Session, batch_id: str) -> Path:
    """Where a batch is prepared."""
    return session.workspace.state_dir / "ingest" / batch_id


def fingerprint(source: Source, digest: str) -> str:
    """What a file was: size, mark and content."""
    return f"{source.size}:{source.mark}:{digest}"


class Ledger:
    """One dataset's files and batches."""

    def __init__(self, session: Session, dataset: str) -> None:
        self._session = session
        self._dataset = dataset

    def judge(
        self, sources: Sequence[Source], *, again: bool, all_: bool
    ) -> list[tuple[Source, IngestFile, str]]:
        """Each source with what is to be done with it, and its fingerprint if it is read.

        A file is known by address, size and mark; one of another mark by its content.
        `all_`: the batch replaces the dataset, so what is in it does not matter.
        """
        rows = self._session.reader.rows(
            "SELECT f.uri, f.fingerprint, f.batch_id, i.state FROM ingested_files f"
            " LEFT JOIN ingests i ON i.id = f.batch_id WHERE f.dataset = :dataset ORDER BY f.at",
            dataset=self._dataset,
        )
        by_uri: dict[str, list[dict[str, Any]]] = {}
        by_content: dict[str, str] = {}
        for row in rows:
            by_uri.setdefault(row["uri"], []).append(row)
            by_content.setdefault(_content(row["fingerprint"]), row["uri"])
        judged = []
        for source in sources:
            state, note, digest = self._state(source, by_uri.get(source.uri, []), by_content)
            if all_ or (again and state not in (FileState.NEW, FileState.BUSY)):
                state, note = FileState.AGAIN, ""
            if state is FileState.NEW and source.size:
                by_content.setdefault(f"{source.size}:{digest}", source.uri)
            file = IngestFile(source.uri, source.size, source.format, state, note=note)
            print_ = ""
            if state in (FileState.NEW, FileState.AGAIN):
                print_ = fingerprint(source, digest or source.digest())
            judged.append((source, file, print_))
        return judged

    def _state(
        self, source: Source, rows: Sequence[dict[str, Any]], by_content: dict[str, str]
    ) -> tuple[FileState, str, str]:
        mark = f"{source.size}:{source.mark}:"
        for row in rows:
            if row["fingerprint"].startswith(mark):
                if row["state"] == "open":
                    return FileState.BUSY, f"batch {row['batch_id']} is taking it in", ""
                return FileState.KNOWN, "", ""
        digest = source.digest()
        content = f"{source.size}:{digest}"
        if any(_content(row["fingerprint"]) == content for row in rows):
            return FileState.KNOWN, "", digest
        if rows:
            return FileState.CHANGED, "changed since it was taken in", digest
        other = by_content.get(content)
        if other is not None and source.size:
            return FileState.SAME, f"the same content as {other}", digest
        return FileState.NEW, "", digest

    def open(
        self,
        kind: str,
        source: str,
        files: Sequence[tuple[IngestFile, str]],
        run_id: str | None = None,
        batch_id: str | None = None,
    ) -> Ingest:
        """A new batch, its files claimed. Raises `WrongState` where another process has claimed
        one of them meanwhile."""
        identity = batch_id or new_id()
        with self._session.change("data ingest") as tx:
            tx.execute(
                ingests.insert().values(
                    id=identity,
                    dataset=self._dataset,
                    kind=kind,
                    source=source,
                    state="open",
                    at=tx.now,
                    by=tx.actor,
                    files=_json(files),
                    run_id=run_id,
                    holder=_me(),
                )
            )
            for file, mark in files:
                if file.state is FileState.NEW:
                    if tx.row(sa.select(ingested_files).where(self._is(file.uri, mark))):
                        raise WrongState(
                            f"{file.uri}: another process is taking it in", "run it again"
                        )
                    tx.execute(self._claim(file.uri, mark, identity, tx.now))
        return find_ingest(self._session.reader, identity)

    def _claim(self, uri: str, mark: str, batch_id: str, at: float) -> Any:
        values = {"dataset": self._dataset, "uri": uri, "fingerprint": mark}
        return ingested_files.insert().values(**values, batch_id=batch_id, at=at)

    def _is(self, uri: str, mark: str) -> Any:
        return sa.and_(
            ingested_files.c.dataset == self._dataset,
            ingested_files.c.uri == uri,
            ingested_files.c.fingerprint == mark,
        )

    def done(
        self,
        batch_id: str,
        *,
        rows: int | None,
        snapshot_id: str | None,
        files: Sequence[tuple[IngestFile, str]] | None = None,
        replaced: bool = False,
        state: str = "done",
        message: str = "",
        columns: Mapping[str, tuple[str, ...]] | None = None,
    ) -> Ingest:
        """The batch is in the dataset (or kept aside: `state` quarantined). `replaced`: nothing
        else is in it. `columns`: which of the source's each of the dataset's was made of."""
        with self._session.change("data ingest") as tx:
            values: dict[str, Any] = {
                "state": state,
                "ended_at": tx.now,
                "rows": rows,
                "snapshot_id": snapshot_id,
                "message": message,
                "holder": None,
            }
            if files is not None:
                values["files"] = _json(files)
            tx.execute(ingests.update().where(ingests.c.id == batch_id).values(**values))
            if snapshot_id is not None:
                self._trace(tx, batch_id, snapshot_id, columns)
            if replaced and state == "done":
                others = sa.and_(
                    ingested_files.c.dataset == self._dataset, ingested_files.c.batch_id != batch_id
                )
                tx.execute(ingested_files.delete().where(others))
            for file, mark in files or ():
                tx.execute(ingested_files.delete().where(self._is(file.uri, mark)))
                if file.rows != 0:  # an empty one may still be filled
                    tx.execute(self._claim(file.uri, mark, batch_id, tx.now))
            tx.journal(
                f"ingest.{state}",
                f"dataset/{self._dataset}",
                batch=batch_id,
                rows=rows,
                snapshot=snapshot_id,
                files=len(files or ()),
                **({"message": message} if message else {}),
            )
        return find_ingest(self._session.reader, batch_id)

    def _trace(
        self,
        tx: Transaction,
        batch_id: str,
        snapshot_id: str,
        columns: Mapping[str, tuple[str, ...]] | None,
    ) -> None:
        """Note where the dataset comes from."""
        row = tx.row(sa.select(ingests).where(ingests.c.id == batch_id))
        assert row is not None, batch_id
        edges = edges_between(
            (NodeKind.SOURCE, row["source"]),
            (NodeKind.DATASET, self._dataset),
            "ingest",
            columns=columns,
            detail=batch_id,
            run_id=row["run_id"],
            snapshot_id=snapshot_id,
        )
        record_edges(tx, edges)

    def failed(self, batch_id: str, message: str) -> None:
        """The batch is not in the dataset; its files may be taken in by another."""
        with self._session.change("data ingest") as tx:
            changed = tx.execute(
                ingests.update()
                .where(ingests.c.id == batch_id, ingests.c.state == "open")
                .values(state="failed", ended_at=tx.now, message=message[:500], holder=None)
            )
            if changed.rowcount:
                tx.execute(ingested_files.delete().where(ingested_files.c.batch_id == batch_id))
                rejected_path(self._session, self._dataset, batch_id).unlink(missing_ok=True)
                tx.journal(
                    "ingest.failed", f"dataset/{self._dataset}", batch=batch_id, message=message
                )

    def settle(self, lake: Any, only: str | None = None, why: str = "") -> None:
        """End what dead processes have left open (or the batch `only`, which failed: `why`)."""
        rows = self._session.reader.rows(
            "SELECT * FROM ingests WHERE dataset = :dataset AND state = 'open'"
            " AND kind <> 'stream'",
            dataset=self._dataset,
        )
        left = [row for row in rows if row["id"] == only or (not only and not _lives(row))]
        if not only:
            self._sweep()
        if not left:
            return
        with contextlib.suppress(NotFound):  # then nothing of it is anywhere
            lake.sync(self._dataset)
        for row in left:
            found = self._session.reader.rows(
                "SELECT snapshot_id, added_rows, operation FROM dataset_snapshots"
                " WHERE dataset = :dataset AND batch_id = :batch",
                dataset=self._dataset,
                batch=row["id"],
            )
            if found:
                files = [
                    (file, one["mark"])
                    for file, one in zip(
                        ingest_of(row).files, json.loads(row["files"]), strict=True
                    )
                ]
                self.done(
                    row["id"],
                    rows=found[0]["added_rows"],
                    snapshot_id=found[0]["snapshot_id"],
                    files=files,
                    replaced=found[0]["operation"] == "overwrite",
                    message=why or "its process ended right after the commit",
                )
            else:
                self.failed(row["id"], why or "its process ended before the commit")
            shutil.rmtree(folder_of(self._session, row["id"]), ignore_errors=True)

    def _sweep(self) -> None:
        """Delete what dead processes have prepared of batches that are ended by now."""
        folder = self._session.workspace.state_dir / "ingest"
        for path in folder.iterdir() if folder.is_dir() else ():
            rows = self._session.reader.rows(
                "SELECT state FROM ingests WHERE id = :id", id=path.name
            )
            try:
                old = time.time() - path.stat().st_mtime > ELSEWHERE_SECONDS
            except FileNotFoundError:
                continue
            if rows[0]["state"] != "open" if rows else old:
                shutil.rmtree(path, ignore_errors=True)


def _content(mark: str) -> str:
    size, _, rest = mark.partition(":")
    return f"{size}:{rest.rpartition(':')[2]}"


def _json(files: Sequence[tuple[IngestFile, str]]) -> str:
    return json.dumps(
        [
            {
                "uri": file.uri,
                "size": file.size,
                "format": file.format,
                "state": file.state,
                "rows": file.rows,
                "mark": mark,
            }
            for file, mark in files
        ]
    )


def _me() -> str:
    return f"{socket.gethostname()}/{os.getpid()}/{started(os.getpid())}"


def _lives(row: dict[str, Any]) -> bool:
    """Whether the process that opened a batch may still be at it."""
    host, _, rest = (row["holder"] or "//").partition("/")
    pid, _, start = rest.partition("/")
    if host != socket.gethostname():
        return bool(time.time() - row["at"] < ELSEWHERE_SECONDS)
    return pid.isdigit() and is_alive(int(pid), start)
