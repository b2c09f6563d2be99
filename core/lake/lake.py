"""The lake: datasets that are created, written, read, named and kept up.

Heavy: importing this loads pyiceberg and pyarrow. A `Lake` is thread-safe, and any number of
processes may work on one lake: a commit that meets another is tried again. It knows nothing of
grants: rows that are shown or handed out go through `core.governance.access`.

All calls block. They raise `NotFound`, `BadInput`, `LakeUnavailable`, `LakeCorrupt`,
`DiskFull`, `KeyUnusable` and, where they change something, `ReadOnly`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
from pyiceberg.table import Table

from core.domain.dataset import Dataset, Snapshot
from core.errors import NotFound, OpsdeckError
from core.lake import rewriting, upserting
from core.lake.arrowtypes import fitted
from core.lake.changes import appended_between
from core.lake.commits import Note, commit, find_noted
from core.lake.expiring import STEP
from core.lake.expressions import row_filter, selection
from core.lake.keeping import KeepingMixin
from core.lake.making import MakingMixin
from core.lake.mirror import mirror
from core.lake.naming import NamingMixin
from core.lake.resolving import resolve
from core.lake.tables import Tables
from core.lake.writing import discard, evolved, written
from core.reads import datasets as _reads
from core.session import Session

Rows: TypeAlias = pa.Table | pa.RecordBatchReader


class Lake(MakingMixin, NamingMixin, KeepingMixin):
    """One workspace's lake, in a session's name."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.tables = Tables(session)

    # -- writing

    def append(
        self,
        name: str,
        data: Rows,
        *,
        by: str,
        batch_id: str | None = None,
        message: str = "",
        run_id: str | None = None,
        evolve: str = "add",
        branch: str | None = None,
    ) -> Snapshot:
        """Add rows. With `batch_id` they are added at most once, ever: a second time returns
        the snapshot of the first. Raises `SchemaMismatch`, `CommitConflict`."""
        note = Note("append", by, batch_id, message, run_id)
        done = self._done(name, note)
        if done is not None:
            return done
        table = evolved(self.tables, name, data.schema, evolve, by)
        files = written(self.tables, table, data)

        def attempt(current: Table, transaction: Any) -> None:
            update = transaction.update_snapshot(
                snapshot_properties=note.properties(), branch=self._branch(current, branch)
            )
            with update.merge_append() as producer:
                for file in files:
                    producer.append_data_file(file)

        return self._commit(name, note, attempt, table, files)

    def overwrite(
        self,
        name: str,
        data: Rows,
        *,
        where: str | None = None,
        by: str,
        batch_id: str | None = None,
        message: str = "",
        run_id: str | None = None,
        evolve: str = "add",
        branch: str | None = None,
    ) -> Snapshot:
        """Put these rows in place of all, or of those that `where` describes."""
        note = Note("overwrite", by, batch_id, message, run_id)
        done = self._done(name, note)
        if done is not None:
            return done
        table = evolved(self.tables, name, data.schema, evolve, by)
        condition = row_filter(name, table.schema(), where)
        files = written(self.tables, table, data)

        def attempt(current: Table, transaction: Any) -> None:
            target = self._branch(current, branch)
            rewrite = rewriting.deletion(transaction, target, condition)
            rewrite.added += files
            rewriting.put(transaction, target, note, rewrite)

        return self._commit(name, note, attempt, table, files)

    def upsert(
        self,
        name: str,
        data: Rows,
        *,
        keys: Sequence[str],
        by: str,
        batch_id: str | None = None,
        message: str = "",
        run_id: str | None = None,
        evolve: str = "add",
        branch: str | None = None,
    ) -> Snapshot:
        """Put each row in place of the one with the same keys, or add it.

        Held in memory. Of rows with the same keys among `data` the last wins.
        """
        note = Note("upsert", by, batch_id, message, run_id)
        done = self._done(name, note)
        if done is not None:
            return done
        table = evolved(self.tables, name, data.schema, evolve, by)
        rows = upserting.last_of_each(
            name, fitted(data, table.schema().as_arrow()).read_all(), keys
        )
        files = written(self.tables, table, rows)

        def attempt(current: Table, transaction: Any) -> None:
            target = self._branch(current, branch)
            rewrite = upserting.replacement(transaction, target, rows, keys)
            rewrite.added += files
            rewriting.put(transaction, target, note, rewrite)

        return self._commit(name, note, attempt, table, files)

    def delete(
        self,
        name: str,
        where: str | Mapping[str, Any],
        *,
        by: str,
        batch_id: str | None = None,
        message: str = "",
        run_id: str | None = None,
        branch: str | None = None,
    ) -> Snapshot:
        """Delete the rows that `where` describes: a condition, or the values that columns must
        have. Older snapshots keep theirs until they are expired. Where nothing matches, the
        present snapshot is returned."""
        note = Note("delete", by, batch_id, message, run_id)
        done = self._done(name, note)
        if done is not None:
            return done
        table = self.tables.load(name)
        condition = row_filter(name, table.schema(), where)

        def attempt(current: Table, transaction: Any) -> None:
            target = self._branch(current, branch)
            rewriting.put(
                transaction, target, note, rewriting.deletion(transaction, target, condition)
            )

        return self._commit(name, note, attempt, table, [])

    def take(
        self,
        name: str,
        met: Callable[[pa.Table], pa.Array],
        keep: Callable[[pa.Table, int], None],
        *,
        by: str,
        batch_id: str,
        message: str = "",
    ) -> Snapshot:
        """Delete the rows for which `met` gives true, after `keep` has put them somewhere.

        `keep` gets them, and how many rows stay, before each attempt to commit: where another
        commit comes in between, once more, with the rows of then. What it raises ends the
        matter, and nothing is deleted. With the same `batch_id` it happens at most once.
        """
        note = Note("delete", by, batch_id, message)
        done = self._done(name, note)
        if done is not None:
            return done

        def attempt(_current: Table, transaction: Any) -> None:
            rewrite, rows, stay = rewriting.taking(transaction, "main", met)
            keep(rows, stay)
            rewriting.put(transaction, "main", note, rewrite)

        return self._commit(name, note, attempt, self.tables.load(name), [])

    def _branch(self, table: Table, branch: str | None) -> str:
        if branch is None or branch == "main":
            return "main"
        ref = table.metadata.refs.get(branch)
        if ref is None or ref.snapshot_ref_type.value != "branch":
            name = table.name()[-1]
            raise NotFound(
                f"dataset {name}: no branch {branch}",
                f"make it: opsdeck data branch {name} {branch}",
            )
        return branch

    def _done(self, name: str, note: Note) -> Snapshot | None:
        """The snapshot of a batch that was committed before, though it may be expired now."""
        self.session.refuse_when_read_only(f"data {note.operation}")
        if note.batch_id is None:
            return None
        rows = self.session.reader.rows(
            "SELECT s.* FROM dataset_snapshots s JOIN datasets d ON d.name = s.dataset"
            " WHERE s.dataset = :name AND s.batch_id = :batch AND s.at >= d.created_at",
            name=name,
            batch=note.batch_id,
        )
        return _reads.snapshot_of(rows[0]) if rows else None

    def _commit(
        self, name: str, note: Note, attempt: Any, table: Table, files: list[Any]
    ) -> Snapshot:
        try:
            after, new = commit(self.tables, name, note, attempt, table=table)
        except Exception as error:
            # Some errors come after the deed, such as a connection that breaks at its end.
            # Where nobody can tell, the files stay: the upkeep will.
            try:
                now = self.tables.load(name)
            except OpsdeckError:
                raise error from None
            if not find_noted(now, "commit", note.commit):
                discard(table, files)
                raise
            after, new = now, True
        if not new:
            discard(table, files)
        mirror(self.session, name, after)
        self._lighten(name, len(after.snapshots()))
        found = find_noted(after, "commit", note.commit)
        if found is None and note.batch_id is not None:
            found = find_noted(after, "batch", note.batch_id)
        if found is None:
            found = after.current_snapshot()
            assert found is not None, name
        return _reads.find_snapshot(self.session.reader, name, str(found.snapshot_id))

    def _lighten(self, name: str, live: int) -> None:
        """Where no worker keeps the dataset up, let some versions go: each one that is kept
        makes every commit slower."""
        keep = self.tables.config.keep.snapshots
        if live >= 2 * keep + STEP and live % STEP == 0:
            self.expire(name, most=live - keep)

    # -- reading

    def read(
        self,
        name: str,
        *,
        at: str | None = None,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        limit: int | None = None,
    ) -> pa.RecordBatchReader:
        """Rows as a stream. `where` such as `temp > 0.5 and season = 'winter'`."""
        table = self.tables.load(name)
        # Without `at` the columns are those of now: they may have been renamed since.
        snapshot_id = None if at is None else resolve(self.session.reader, name, table, at)
        schema = table.scan(snapshot_id=snapshot_id).projection()
        with self.tables.plain():
            scan = table.scan(
                row_filter=row_filter(name, schema, where),
                selected_fields=selection(name, schema, columns),
                snapshot_id=snapshot_id,
                limit=limit,
            )
            return scan.to_arrow_batch_reader()

    def changes(
        self, name: str, since: str | None, until: str | None = None
    ) -> pa.RecordBatchReader | None:
        """Rows appended after snapshot `since`, up to `until` (default: the current one).

        `None` where only a full read will do: rows were rewritten or deleted between, a
        snapshot between was expired, or `since` is none of this line of versions.
        """
        table = self.tables.load(name)
        end = resolve(self.session.reader, name, table, until)
        with self.tables.plain():
            return appended_between(table, since, end)

    def schema(self, name: str, at: str | None = None) -> pa.Schema:
        """The columns of a snapshot (default: those that new rows get)."""
        table = self.tables.load(name)
        if at is None:
            return table.schema().as_arrow()
        snapshot_id = resolve(self.session.reader, name, table, at)
        return table.scan(snapshot_id=snapshot_id).projection().as_arrow()

    def resolve(self, name: str, at: str | None = None) -> str:
        """The id of the snapshot meant: `at` is a number (`12`, `#12`), an id, a tag, a
        branch or an ISO time; none means the current one. Raises `NotFound`,
        `SnapshotExpired`."""
        return str(resolve(self.session.reader, name, self.tables.load(name), at))

    def dataset(self, name: str) -> Dataset:
        """A dataset as mirrored; raises `NotFound`."""
        return _reads.find_dataset(self.session.reader, name)

    def snapshots(self, name: str, *, expired: bool = False) -> tuple[Snapshot, ...]:
        """Its snapshots, newest first."""
        _reads.find_dataset(self.session.reader, name)
        return _reads.list_snapshots(self.session.reader, name, expired=expired)

    def sync(self, name: str) -> Dataset:
        """Mirror what was committed elsewhere, or right before a crash."""
        mirror(self.session, name, self.tables.load(name))
        return _reads.find_dataset(self.session.reader, name)

    def close(self) -> None:
        """Give back the catalogue's connections."""
        self.tables.close()

    def __enter__(self) -> Lake:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
