"""What `Lake` does to keep datasets small and quick, and to change their columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyiceberg.table import Table

from core.domain.dataset import Dataset
from core.domain.upkeep import Compaction, Drop, Expiry, Sweep
from core.lake.commits import Note, commit
from core.lake.compacting import LEAST_FILES, compact
from core.lake.dropping import drop, undrop
from core.lake.evolution import edit
from core.lake.expiring import expire
from core.lake.mirror import mirror
from core.lake.sweeping import GRACE_SECONDS, sweep
from core.lake.tables import Tables
from core.reads.datasets import find_dataset
from core.session import Session


class KeepingMixin:
    """Upkeep, columns, and the end of a dataset."""

    session: Session
    tables: Tables

    def evolve(
        self,
        name: str,
        *,
        add: Mapping[str, pa.DataType] | None = None,
        widen: Mapping[str, pa.DataType] | None = None,
        rename: Mapping[str, str] | None = None,
        drop: Iterable[str] = (),
        doc: Mapping[str, str] | None = None,
        by: str = "",
    ) -> Dataset:
        """Change the columns: nothing is rewritten, and older versions keep theirs.

        A dropped column's values stay in older versions until these are expired. Raises
        `BadInput` for what cannot be done, such as making a long out of a double.
        """
        self.session.refuse_when_read_only("data alter")
        dropped = tuple(drop)

        def attempt(table: Table, transaction: Any) -> None:
            with transaction.update_schema() as update:
                edit(update, table, add=add, widen=widen, rename=rename, drop=dropped, doc=doc)

        table, _ = commit(self.tables, name, Note("evolve", by or self.session.actor), attempt)
        detail: dict[str, Any] = {
            "added": sorted(add or {}),
            "widened": sorted(widen or {}),
            "renamed": dict(rename or {}),
            "dropped": sorted(dropped),
            "described": sorted(doc or {}),
        }
        given = {key: value for key, value in detail.items() if value}
        mirror(self.session, name, table, action="altered", **given)
        return find_dataset(self.session.reader, name)

    def expire(
        self,
        name: str,
        *,
        keep: int | None = None,
        older_than: float | None = None,
        only: Sequence[int] | None = None,
        delete_files: bool = False,
        dry_run: bool = False,
        by: str = "",
        most: int | None = None,
    ) -> Expiry:
        """Let versions go, except the newest `keep` (default: as configured), those that are
        named, and those that a view, a feature view, a run or a model refers to.

        `older_than` (epoch seconds) also lets go of newer ones from before then. Their files
        are deleted by a later sweep, or at once with `delete_files`.
        """
        kept = self.tables.config.keep.snapshots if keep is None else keep
        return expire(
            self.tables,
            name,
            keep=kept,
            older_than=older_than,
            only=only,
            delete_files=delete_files,
            dry_run=dry_run,
            by=by,
            most=most,
        )

    def compact(
        self, name: str, *, dry_run: bool = False, by: str = "", least: int = LEAST_FILES
    ) -> Compaction:
        """Merge small files where there are at least `least` of a partition."""
        return compact(self.tables, name, dry_run=dry_run, by=by, least=least)

    def sweep(
        self,
        name: str,
        *,
        older_than_hours: float | None = None,
        grace: float = GRACE_SECONDS,
        dry_run: bool = False,
    ) -> Sweep:
        """Delete files that no version refers to; never those of a commit in progress."""
        return sweep(
            self.tables, name, older_than_hours=older_than_hours, grace=grace, dry_run=dry_run
        )

    def drop(
        self, name: str, *, purge: bool = False, force: bool = False, dry_run: bool = False
    ) -> Drop:
        """Take a dataset out of the lake; its files stay for some days unless `purge`."""
        return drop(self.tables, name, purge=purge, force=force, dry_run=dry_run)

    def undrop(self, name: str) -> Dataset:
        """Bring back a dataset that was dropped and whose files are still there."""
        return undrop(self.tables, name)
