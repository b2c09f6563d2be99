"""Letting old versions go, in small steps, and never one that somebody needs.

A commit costs more the more versions its table has (each is in its metadata): about a hundred
are kept.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.update import RemoveSnapshotsUpdate, ValidatableTableRequirement

from core.domain.upkeep import Expiry, KeptVersion
from core.errors import NotFound
from core.lake.commits import Note, commit
from core.lake.files import delete_all, files_of, size_of_all
from core.lake.mirror import mirror
from core.lake.references import referred
from core.lake.tables import Tables

STEP = 50
"""So many at once: a commit of others waits no longer than for one of their own."""


class Unneeded(ValidatableTableRequirement):
    """Checked against the table right before the change: the versions are there, and nobody has
    tagged one meanwhile."""

    type: Literal["opsdeck-unneeded"] = "opsdeck-unneeded"
    ids: list[int]

    def validate(  # type: ignore[override]  # as its siblings do
        self, base_metadata: TableMetadata | None
    ) -> None:
        """Raises `CommitFailedException`: look again."""
        if base_metadata is None:
            raise CommitFailedException("the table is gone")
        wanted = set(self.ids)
        if any(ref.snapshot_id in wanted for ref in base_metadata.refs.values()):
            raise CommitFailedException("a version was named meanwhile")
        if wanted - {each.snapshot_id for each in base_metadata.snapshots}:
            raise CommitFailedException("a version was expired meanwhile")


def expirable(
    table: Table, needed: dict[str, str], keep: int, older_than: float | None
) -> tuple[list[int], list[tuple[int, str]]]:
    """Ids of the versions to let go, oldest first, and of those that stay, each with a reason.

    The newest `keep` stay, and with `older_than` (epoch seconds) only those of them that are
    not older; named, current and referred ones stay in any case.
    """
    ordered = sorted(table.metadata.snapshots, key=lambda each: each.sequence_number or 0)
    names: dict[int, str] = {}
    for name, ref in table.metadata.refs.items():
        kind = ref.snapshot_ref_type.value
        names[ref.snapshot_id] = "current" if name == "main" else f"{kind} {name}"
    going: list[int] = []
    staying: list[tuple[int, str]] = []
    newest = {each.snapshot_id for each in ordered[-keep:]} if keep > 0 else set()
    for snapshot in ordered:
        old = older_than is not None and snapshot.timestamp_ms / 1000 < older_than
        if snapshot.snapshot_id in newest and not old:
            continue
        why = names.get(snapshot.snapshot_id) or needed.get(str(snapshot.snapshot_id))
        if why is None:
            going.append(snapshot.snapshot_id)
        else:
            staying.append((snapshot.snapshot_id, why))
    return going, staying


def expire(
    tables: Tables,
    name: str,
    *,
    keep: int,
    older_than: float | None = None,
    only: Sequence[int] | None = None,
    delete_files: bool = False,
    dry_run: bool = False,
    by: str = "",
    most: int | None = None,
) -> Expiry:
    """Let versions go; see `expirable`. `only` narrows it to these snapshot ids; `most` is how
    many at most. With `delete_files` what only they referred to is deleted at once: whoever
    reads such a version just then is cut off."""
    tables.session.refuse_when_read_only("data expire")
    reader = tables.session.reader
    table = tables.load(name)
    going, staying = expirable(table, referred(reader, name), keep, older_than)
    if only is not None:
        _check_only(name, only, going, staying)
        going = [each for each in going if each in only]
    going = going[:most]
    numbers = _numbers(tables, name, [*going, *(identity for identity, _ in staying)])
    result: dict[str, Any] = {"files": 0, "bytes": 0}
    if delete_files and going:
        with tables.plain():
            lost = files_of(table, going) - files_of(
                table,
                [each.snapshot_id for each in table.snapshots() if each.snapshot_id not in going],
            )
            result = {"files": len(lost), "bytes": size_of_all(table, lost)}
    if not dry_run:
        for start in range(0, len(going), STEP):
            table = _step(tables, name, going[start : start + STEP], by)
        if delete_files and going:
            with tables.plain():
                delete_all(table, lost)
    return Expiry(
        dataset=name,
        numbers=tuple(numbers[each] for each in going if each in numbers),
        live=len(table.snapshots()) - (len(going) if dry_run else 0),
        kept=tuple(
            KeptVersion(numbers.get(identity), str(identity), why) for identity, why in staying
        ),
        dry_run=dry_run,
        **result,
    )


def _step(tables: Tables, name: str, ids: list[int], by: str) -> Table:
    def attempt(table: Table, transaction: Any) -> None:
        live = {each.snapshot_id for each in table.snapshots()}
        named = {ref.snapshot_id for ref in table.metadata.refs.values()}
        needed = referred(tables.session.reader, name)
        now = [each for each in ids if each in live - named and str(each) not in needed]
        if now:
            update = RemoveSnapshotsUpdate.model_validate({"snapshot-ids": now})
            transaction._stage((update,), (Unneeded(ids=now),))

    # What was committed and not mirrored yet would be forgotten for good.
    mirror(tables.session, name, tables.load(name))
    table, _ = commit(tables, name, Note("expire", by or tables.session.actor), attempt)
    mirror(tables.session, name, table, action="expired", snapshots=len(ids))
    return table


def _check_only(
    name: str, only: Sequence[int], going: Sequence[int], staying: list[tuple[int, str]]
) -> None:
    reasons = dict(staying)
    for identity in only:
        if identity not in going:
            why = reasons.get(identity, "among the newest that are kept")
            raise NotFound(
                f"dataset {name}: snapshot {identity} stays: {why}", "take its tag away first"
            )


def _numbers(tables: Tables, name: str, ids: Sequence[int]) -> dict[int, int]:
    rows = tables.session.reader.rows(
        "SELECT snapshot_id, number FROM dataset_snapshots WHERE dataset = :name", name=name
    )
    wanted = set(ids)
    return {
        int(row["snapshot_id"]): row["number"] for row in rows if int(row["snapshot_id"]) in wanted
    }


def older_than_days(days: float | None) -> float | None:
    """The moment so many days ago, in epoch seconds."""
    return None if days is None else time.time() - days * 86_400
