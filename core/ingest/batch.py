"""One batch into a dataset: found, planned, claimed, read, judged, committed, noted.

In that order, so that a process that is killed anywhere leaves either nothing or a commit that
the next one finds by the batch's id. Nothing is taken in twice, and nothing is lost.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from core.domain.ingest import (
    BadRow,
    FileState,
    Ingest,
    IngestFile,
    IngestReport,
)
from core.errors import NotFound, OpsdeckError
from core.ids import new_id
from core.ingest import rejects
from core.ingest.errors import BatchQuarantined, SourceChanged
from core.ingest.ledger import Ledger, folder_of
from core.ingest.options import IngestOptions
from core.ingest.planning import Plan, plan, refuse
from core.ingest.reading import Reader, ValueReader
from core.ingest.shaping import fitted, partitions_of, preview_of, reader_of
from core.ingest.sources import Source
from core.ingest.staging import Staging
from core.session import Session

if TYPE_CHECKING:
    from core.lake.lake import Lake

PREVIEW = 5

Judged = tuple[Source, IngestFile, str]
Progress = Callable[[str], None]


class Batch:
    """Files, or a query's rows, on their way into one dataset."""

    def __init__(
        self,
        session: Session,
        lake: Lake,
        dataset: str,
        options: IngestOptions,
        *,
        source: str,
        progress: Progress = lambda _text: None,
    ) -> None:
        self._session = session
        self._lake = lake
        self._name = dataset
        self._options = options
        self._source = source
        self._progress = progress
        self._ledger = Ledger(session, dataset)
        self._bad: list[BadRow] = []
        self._current = self._schema()

    def _schema(self) -> pa.Schema | None:
        try:
            return self._lake.schema(self._name)
        except NotFound:
            if self._options.create:
                return None
            raise NotFound(
                f"dataset {self._name}: no such dataset",
                "add --create, or see: opsdeck data list",
            ) from None

    # -- files

    def files(self, sources: Sequence[Source]) -> IngestReport:
        """Take in those of the files that are new (or all, where the options say so)."""
        if not self._session.read_only:
            self._ledger.settle(self._lake)
        replaces = self._options.mode == "overwrite"
        judged = self._ledger.judge(sources, again=self._options.again, all_=replaces)
        todo = [one for one in judged if one[1].state in (FileState.NEW, FileState.AGAIN)]
        if not todo:
            return self._report([file for _, file, _ in judged])
        readers = [reader_of(source, self._options.read) for source, _, _ in todo]
        made = plan(
            readers,
            partitions_of([source for source, _, _ in todo]),
            self._current,
            self._options.read,
        )
        if self._options.dry_run:
            return self._dry(judged, todo, readers, made)
        refuse(self._name, made.changes, self._options)
        claims = [(file, mark) for _, file, mark in todo]
        begun = self._ledger.open("batch", self._source, claims, self._options.run_id)
        staging = Staging(folder_of(self._session, begun.id))
        with self._given_up(begun.id, staging):
            taken = self._staged(todo, readers, made, staging)
            for source, _, _ in todo:
                if not source.unchanged():
                    raise SourceChanged(
                        f"{source.uri}: changed while it was read", "wait until it is complete"
                    )
            done = self._committed(begun, staging, taken)
        by_uri = {file.uri: file for file, _ in taken}
        files = [by_uri.get(file.uri, file) for _, file, _ in judged]
        return self._report(files, made, staging.rows, done)

    def _staged(
        self, todo: Sequence[Judged], readers: Sequence[Reader], made: Plan, staging: Staging
    ) -> list[tuple[IngestFile, str]]:
        taken = []
        for (source, file, mark), reader in zip(todo, readers, strict=True):
            before = staging.rows
            self._progress(f"reading {source.uri}")
            for table in self._tables(source, reader, made):
                staging.write(table)
            note = reader.note()
            taken.append((replace(file, rows=staging.rows - before, note=note), mark))
        staging.finish()
        return taken

    def _tables(self, source: Source | None, reader: Reader, made: Plan) -> Iterator[pa.Table]:
        """A source's good rows with the plan's columns."""
        rename = self._options.read.rename
        names = made.names[reader.uri]
        types = {name: made.types[rename.get(name, name)] for name in names}
        formats = {
            name: made.formats[ours]
            for name in names
            if (ours := rename.get(name, name)) in made.formats
        }
        fails = self._options.read.on_error == "fail"
        sieve = rejects.Rejects(reader)
        constants = dict(source.partitions) if source is not None else {}
        for part in reader.typed(types, formats, skip=not fails):
            if part.bad and fails:
                raise rejects.error_of(reader, part)
            yield fitted(sieve.sift(part), made, rename, constants)
        self._bad += sieve.rows()

    def _dry(
        self,
        judged: Sequence[Judged],
        todo: Sequence[Judged],
        readers: Sequence[Reader],
        made: Plan,
    ) -> IngestReport:
        """Everything is read and checked, nothing is kept."""
        rows: dict[str, int] = {}
        preview: list[Mapping[str, Any]] = []
        for (source, _, _), reader in zip(todo, readers, strict=True):
            for table in self._tables(source, reader, made):
                rows[source.uri] = rows.get(source.uri, 0) + table.num_rows
                if len(preview) < PREVIEW:
                    preview += preview_of(table, PREVIEW - len(preview))
        notes = {reader.uri: reader.note() for reader in readers}
        files = [
            replace(file, rows=rows.get(file.uri, 0), note=notes[file.uri])
            if file.uri in notes
            else file
            for _, file, _ in judged
        ]
        report = self._report(files, made, sum(rows.values()))
        return replace(report, preview=tuple(preview))

    # -- queries

    def query(self, open_query: Callable[[Path], Any]) -> IngestReport:
        """Take in the rows of a query; `open_query` runs it, fetching into a folder."""
        if not self._session.read_only:
            self._ledger.settle(self._lake)
        staging = Staging(folder_of(self._session, new_id()))
        try:
            reader = ValueReader(open_query(staging.folder), self._options.read)
            made = plan([reader], {}, self._current, self._options.read)
            file = IngestFile(self._source, 0, "sql", FileState.NEW)
            tables = self._tables(None, reader, made)
            if self._options.dry_run:
                rows = 0
                preview: list[Mapping[str, Any]] = []
                for table in tables:
                    rows += table.num_rows
                    preview += preview_of(table, PREVIEW - len(preview))
                report = self._report([replace(file, rows=rows)], made, rows)
                return replace(report, preview=tuple(preview))
            refuse(self._name, made.changes, self._options)
            begun = self._ledger.open(
                "batch", self._source, [], self._options.run_id, batch_id=staging.folder.name
            )
            with self._given_up(begun.id, staging):
                for table in tables:
                    staging.write(table)
                staging.finish()
                done = self._committed(begun, staging, [])
            return self._report([replace(file, rows=staging.rows)], made, staging.rows, done)
        finally:
            staging.remove()

    # -- the end of either

    def _committed(
        self, begun: Ingest, staging: Staging, taken: Sequence[tuple[IngestFile, str]]
    ) -> Ingest:
        message = self._left_out(begun.id)
        if not staging.rows and self._options.mode != "overwrite":
            return self._ledger.done(
                begun.id, rows=0, snapshot_id=None, files=taken, message=message or "no rows"
            )
        self._judge(begun, staging, taken)
        created = self._current is None
        self._progress(f"committing {staging.rows:,} rows")
        if created:
            self._lake.create(self._name, staging.reader().schema, owner=self._session.actor)
        try:
            snapshot = self._write(begun, staging)
        except OpsdeckError:
            if created and not self._is_in(begun.id):
                self._lake.drop(self._name, purge=True, force=True)
            raise
        back = {new: old for old, new in self._options.read.rename.items()}
        return self._ledger.done(
            begun.id,
            rows=staging.rows,
            snapshot_id=snapshot.id,
            files=taken,
            replaced=self._options.mode == "overwrite",
            message=message,
            columns={name: (back.get(name, name),) for name in staging.reader().schema.names},
        )

    def _write(self, begun: Ingest, staging: Staging) -> Any:
        given = self._options
        note: dict[str, Any] = {
            "by": self._session.actor,
            "batch_id": begun.id,
            "message": given.message or f"from {self._source}",
            "run_id": given.run_id,
            "evolve": "add" if given.evolve else "refuse",
        }
        match given.mode:
            case "overwrite":
                return self._lake.overwrite(self._name, staging.reader(), **note)
            case "upsert":
                return self._lake.upsert(self._name, staging.reader(), keys=given.keys, **note)
        return self._lake.append(self._name, staging.reader(), **note)

    def _judge(
        self, begun: Ingest, staging: Staging, taken: Sequence[tuple[IngestFile, str]]
    ) -> None:
        """What is expected of the dataset decides. Raises `BatchQuarantined`."""
        from core.quality.files import expectations_path
        from core.quality.gate import gate

        if expectations_path(self._session.workspace.root, self._name) is None:
            return
        verdict = gate(
            self._session,
            self._name,
            staging.table(),
            batch_id=begun.id,
            by=self._session.actor,
            run_id=self._options.run_id,
            mode=self._options.mode,
            keys=self._options.keys,
            message=self._options.message or f"from {self._source}",
            evolve="add" if self._options.evolve else "refuse",
            lake=self._lake,
        )
        if verdict.passed:
            return
        self._ledger.done(
            begun.id,
            rows=staging.rows,
            snapshot_id=None,
            files=taken,
            state="quarantined",
            message=verdict.message,
        )
        raise BatchQuarantined(
            f"dataset {self._name}: {verdict.message}: the batch is in quarantine, not in the"
            " dataset",
            f"see: opsdeck data quarantine show {verdict.quarantine_id}",
        )

    def _left_out(self, batch_id: str) -> str:
        if not self._bad:
            return ""
        count = f"{len(self._bad):,} row{'s' if len(self._bad) > 1 else ''} left out"
        if self._options.read.on_error == "skip":
            return count
        path = rejects.keep(self._session, self._name, batch_id, self._bad)
        return f"{count}: {path.relative_to(self._session.workspace.root)}"

    def _is_in(self, batch_id: str) -> bool:
        self._lake.sync(self._name)
        return bool(
            self._session.reader.rows(
                "SELECT number FROM dataset_snapshots WHERE dataset = :name AND batch_id = :batch",
                name=self._name,
                batch=batch_id,
            )
        )

    @contextlib.contextmanager
    def _given_up(self, batch_id: str, staging: Staging) -> Iterator[None]:
        """Whatever happens, the ledger says whether the batch is in; where even that cannot be
        said now, the next ingest finds out."""
        try:
            yield
        except BatchQuarantined:
            raise
        except BaseException as error:
            said = error.message if isinstance(error, OpsdeckError) else type(error).__name__
            with contextlib.suppress(OpsdeckError):
                self._ledger.settle(self._lake, only=batch_id, why=said)
            raise
        finally:
            staging.remove()

    def _report(
        self,
        files: Sequence[IngestFile],
        made: Plan | None = None,
        rows: int = 0,
        done: Ingest | None = None,
    ) -> IngestReport:
        return IngestReport(
            dataset=self._name,
            dry_run=self._options.dry_run,
            creates=self._current is None,
            mode=self._options.mode,
            files=tuple(files),
            columns=made.columns if made else (),
            changes=made.changes if made else (),
            rows=rows,
            bad=tuple(self._bad[:100]),
            bad_rows=len(self._bad),
            ingest=done,
        )
