"""Datasets: what the lake holds, and what people can do with it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.catalogue import CatalogueEntry
from core.domain.dataset import Column, Dataset, Ref, Snapshot, schema_difference
from core.domain.upkeep import RollbackPlan
from core.errors import BadInput
from core.governance.access import open_access
from core.governance.renames import following_renames
from core.lake.names import check_name
from core.reads import datasets as _reads
from core.reads.catalogue import read_catalogue
from core.session import Session

if TYPE_CHECKING:
    from core.domain.upkeep import Compaction, Drop, Expiry, Sweep
    from core.lake.lake import Lake


class DataService:
    """The workspace's datasets. Lists come from the state's rows; changes open the lake."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._lake: Lake | None = None

    @property
    def lake(self) -> Lake:
        """The lake, opened at first use; heavy."""
        from core.lake import open_lake

        with self._lock:
            if self._lake is None:
                self._lake = open_lake(self._session)
            return self._lake

    def close(self) -> None:
        """Close the lake, if it was opened."""
        with self._lock:
            if self._lake is not None:
                self._lake.close()

    # -- reading: plain rows

    def list(self, *, kind: str | None = None, dropped: bool = False) -> tuple[Dataset, ...]:
        """Datasets by name; `dropped`: those that were, instead."""
        return _reads.list_datasets(self._session.reader, kind=kind, dropped=dropped)

    def catalogue(self) -> tuple[CatalogueEntry, ...]:
        """Datasets by name with what tells whether they may be relied on: the newest
        validation, batches held back, a view's lag, labels."""
        return read_catalogue(self._session.reader)

    def get(self, name: str) -> Dataset:
        """A dataset; raises `NotFound`."""
        return _reads.find_dataset(self._session.reader, name)

    def snapshots(
        self, name: str, *, expired: bool = False, limit: int | None = None
    ) -> tuple[Snapshot, ...]:
        """Its versions, newest first; raises `NotFound`."""
        self.get(name)
        return _reads.list_snapshots(self._session.reader, name, expired=expired, limit=limit)

    def snapshot(self, name: str, ref: str) -> Snapshot:
        """A version by number, id, tag or branch; raises `NotFound`."""
        self.get(name)
        return _reads.find_snapshot(self._session.reader, name, ref)

    def refs(self, name: str) -> tuple[Ref, ...]:
        """Its tags and branches; raises `NotFound`."""
        self.get(name)
        return _reads.list_refs(self._session.reader, name)

    def schema(self, name: str, at: str | None = None) -> tuple[Column, ...]:
        """The columns of a version (default: those that new rows get)."""
        return self.get(name).columns if at is None else self.snapshot(name, at).columns

    def schema_difference(self, name: str, old: str, new: str | None = None) -> tuple[str, ...]:
        """What changed of the columns from one version to another (default: to now)."""
        return schema_difference(self.schema(name, old), self.schema(name, new))

    # -- changing

    def create(
        self,
        name: str,
        columns: Sequence[tuple[str, str]] | None = None,
        *,
        like: str | None = None,
        owner: str | None = None,
        description: str = "",
        partition: Sequence[str] = (),
    ) -> Dataset:
        """An empty dataset with columns of these names and types, or with those of a file.

        Types are as `core.lake.types` reads them: `long`, `double`, `string`, `timestamp`,
        `decimal(10,2)`, …; one that ends in `!` must have values.
        """
        self._session.refuse_when_read_only("data create")
        check_name(name)
        if bool(columns) == bool(like):
            raise BadInput("give either columns or a file to take them from")
        from core.lake.types import schema_like, schema_of

        schema = schema_like(like) if like else schema_of(columns or ())
        return self.lake.create(
            name,
            schema,
            owner=owner or self._session.actor,
            description=description,
            partition=partition,
        )

    def alter(
        self,
        name: str,
        *,
        add: Mapping[str, str] | None = None,
        widen: Mapping[str, str] | None = None,
        rename: Mapping[str, str] | None = None,
        drop: Sequence[str] = (),
        doc: Mapping[str, str] | None = None,
    ) -> Dataset:
        """Change columns; older versions keep theirs. Raises `BadInput`."""
        self._may_manage("data alter", name)
        if not (add or widen or rename or drop or doc):
            raise BadInput(f"dataset {name}: nothing to change", "see: opsdeck data alter --help")
        from core.lake.types import type_of

        with following_renames(self._session, name, rename or {}):
            return self.lake.evolve(
                name,
                add={key: type_of(key, value) for key, value in (add or {}).items()},
                widen={key: type_of(key, value) for key, value in (widen or {}).items()},
                rename=rename,
                drop=drop,
                doc=doc,
                by=self._session.actor,
            )

    def tag(self, name: str, tag: str, *, at: str | None = None) -> Snapshot:
        """Name a version (default: the current one), which keeps it from being expired."""
        self._may_write("data tag", name)
        return self.lake.tag(name, tag, at=at, by=self._session.actor)

    def untag(self, name: str, tag: str) -> None:
        """Take a tag away; raises `NotFound`."""
        self._may_write("data tag", name)
        self.lake.untag(name, tag, by=self._session.actor)

    def branch(self, name: str, branch: str, *, at: str | None = None) -> Snapshot:
        """Begin a branch at a version (default: the current one)."""
        self._may_write("data branch", name)
        return self.lake.branch(name, branch, at=at, by=self._session.actor)

    def unbranch(self, name: str, branch: str) -> None:
        """Give a branch up; raises `NotFound`."""
        self._may_write("data branch", name)
        self.lake.unbranch(name, branch, by=self._session.actor)

    def publish(self, name: str, branch: str) -> Snapshot:
        """Make what a branch holds the current version; raises `WrongState` where the dataset
        has moved on since."""
        self._may_manage("data branch", name)
        return self.lake.publish(name, branch, by=self._session.actor)

    def rollback_preview(self, name: str, to: str) -> RollbackPlan:
        """What a rollback would change."""
        found = self.get(name)
        target = self.snapshot(name, to)
        now = self.snapshot(name, found.current_snapshot) if found.current_snapshot else None
        return RollbackPlan(
            dataset=name,
            before=now.number if now else None,
            after=target.number,
            rows_before=now.rows if now else None,
            rows_after=target.rows,
            columns=schema_difference(now.columns if now else (), target.columns),
            possible=target.expired_at is None,
        )

    def rollback(self, name: str, to: str, *, reason: str = "") -> Snapshot:
        """Make another version the current one; what is left behind can be read until it is
        expired. Raises `NotFound`, `SnapshotExpired`."""
        self._may_manage("data rollback", name)
        return self.lake.rollback(name, to, by=self._session.actor, reason=reason)

    def expire(
        self,
        name: str,
        *,
        keep: int | None = None,
        older_than: float | None = None,
        delete_files: bool = False,
        dry_run: bool = False,
    ) -> Expiry:
        """Let old versions go, except those that are named or that something refers to."""
        self._may_manage("data expire", name, dry_run=dry_run)
        return self.lake.expire(
            name,
            keep=keep,
            older_than=older_than,
            delete_files=delete_files,
            dry_run=dry_run,
            by=self._session.actor,
        )

    def compact(self, name: str, *, dry_run: bool = False) -> Compaction:
        """Merge small files; the rows stay as they are."""
        self._may_manage("data compact", name, dry_run=dry_run)
        return self.lake.compact(name, dry_run=dry_run, by=self._session.actor, least=2)

    def sweep(self, name: str, *, dry_run: bool = False) -> Sweep:
        """Delete files that no version refers to."""
        self._may_manage("data expire", name, dry_run=dry_run)
        return self.lake.sweep(name, dry_run=dry_run)

    def drop(
        self, name: str, *, purge: bool = False, force: bool = False, dry_run: bool = False
    ) -> Drop:
        """Take a dataset out of the lake. Raises `WrongState` where something reads it."""
        self._may_manage("data drop", name, dry_run=dry_run)
        return self.lake.drop(name, purge=purge, force=force, dry_run=dry_run)

    def undrop(self, name: str) -> Dataset:
        """Bring back a dataset that was dropped and whose files are still there."""
        self._session.refuse_when_read_only("data drop --undo")
        open_access(self._session).check_manage(name)
        return self.lake.undrop(name)

    def keep_up(self, name: str) -> str:
        """What the worker does when a dataset wants it: see `core.lake.upkeep`."""
        from core.lake.upkeep import keep_up

        self._session.refuse_when_read_only(f"data keep_up {name}")
        return keep_up(self.lake.tables, name)

    def make_key(self, path: Path) -> str:
        """A new key for an encrypted lake, in a file only its owner can read; returns the
        public part. Raises `BadInput` where the file exists."""
        self._session.refuse_when_read_only("data key")
        from core.lake.encryption import make_key

        return make_key(path)

    # -- who may

    def _may_write(self, what: str, name: str) -> None:
        """Raise `ReadOnly`, `NotFound`, `Refused`."""
        self._session.refuse_when_read_only(what)
        self.get(name)
        open_access(self._session).check_write(name)

    def _may_manage(self, what: str, name: str, *, dry_run: bool = False) -> None:
        """The same for what is lost or changed for good; a dry run needs no right to change."""
        if not dry_run:
            self._session.refuse_when_read_only(what)
        self.get(name)
        open_access(self._session).check_manage(name)
