"""Keeping the state's rows about the lake in step with the lake's own metadata.

The metadata is the truth. A commit is mirrored right after it; where a crash lies between, the
next commit or `Lake.sync` catches up. One transaction does both rows and journal.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot as IcebergSnapshot

from core.lake.commits import noted
from core.session import Session
from core.state.lake_tables import dataset_refs, dataset_snapshots, datasets
from core.state.store import Transaction

MAIN = "main"


def columns_json(schema: Schema) -> str:
    """The columns as they stand in rows."""
    return json.dumps(
        [
            {
                "name": field.name,
                "type": str(field.field_type),
                "nullable": field.optional,
                "doc": field.doc or "",
            }
            for field in schema.fields
        ],
        separators=(",", ":"),
        ensure_ascii=False,
    )


def version_of(table: Table) -> int:
    """How often the table's metadata has changed: the number its newest file begins with."""
    return int(MetastoreCatalog._parse_metadata_version(table.metadata_location))


def mirror(session: Session, name: str, table: Table, *, action: str = "", **detail: Any) -> None:
    """Bring the rows of a dataset up to its table; journals each new snapshot, and `action`.

    Older metadata than what is mirrored already adds what is missing and changes nothing else.
    """
    with session.change(f"data {action or 'write'}") as tx:
        row = tx.row(sa.select(datasets).where(datasets.c.name == name))
        if row is None:
            _adopt(tx, name, table)
        fresh = row is None or row["location"] != table.location()
        if row is not None and row["dropped_at"] is not None and not fresh:
            return  # dropped since; what is late here is of no table any more
        _snapshots(tx, name, table)
        if fresh or row is None or version_of(table) >= (row["metadata_version"] or 0):
            _refs(tx, name, table)
            _dataset(tx, name, table)
        if action:
            tx.journal(f"dataset.{action}", f"dataset/{name}", **detail)


def _adopt(tx: Transaction, name: str, table: Table) -> None:
    """A table that was made elsewhere, or whose maker died right then."""
    given = table.properties
    tx.execute(
        datasets.insert().values(
            name=name,
            kind=given.get("opsdeck.kind", "table"),
            description=given.get("comment", ""),
            owner=given.get("opsdeck.owner", tx.actor),
            created_at=tx.now,
            created_by=given.get("opsdeck.owner", tx.actor),
        )
    )


def _snapshots(tx: Transaction, name: str, table: Table) -> None:
    known = _known(tx, name, [str(each.snapshot_id) for each in table.metadata.snapshots])
    last = tx.row(
        sa.select(sa.func.max(dataset_snapshots.c.number).label("number")).where(
            dataset_snapshots.c.dataset == name
        )
    )
    number = int(last["number"] or 0) if last else 0
    for snapshot in sorted(table.metadata.snapshots, key=lambda each: each.sequence_number or 0):
        identity = str(snapshot.snapshot_id)
        if identity in known:
            continue
        number += 1
        values = _values(name, table, snapshot)
        tx.execute(dataset_snapshots.insert().values(number=number, **values))
        tx.journal(
            f"dataset.{values['operation']}",
            f"dataset/{name}",
            number=number,
            snapshot=identity,
            rows=values["rows"],
            by=values["by"],
            **{key: values[key] for key in ("batch_id", "run_id", "message") if values[key]},
        )


def _known(tx: Transaction, name: str, ids: list[str]) -> set[str]:
    """Those that have a row already. Asked for by id: there are far more rows of old."""
    found: set[str] = set()
    for start in range(0, len(ids), 400):
        rows = tx.rows(
            sa.select(dataset_snapshots.c.snapshot_id).where(
                dataset_snapshots.c.dataset == name,
                dataset_snapshots.c.snapshot_id.in_(ids[start : start + 400]),
            )
        )
        found |= {row["snapshot_id"] for row in rows}
    return found


def _values(name: str, table: Table, snapshot: IcebergSnapshot) -> dict[str, Any]:
    parent = snapshot.parent_snapshot_id
    schema = next(
        (each for each in table.metadata.schemas if each.schema_id == snapshot.schema_id),
        table.schema(),
    )
    return {
        "dataset": name,
        "snapshot_id": str(snapshot.snapshot_id),
        "parent_id": str(parent) if parent is not None else None,
        "at": snapshot.timestamp_ms / 1000,
        "operation": operation_of(snapshot),
        "rows": _count(snapshot, "total-records"),
        "added_rows": _count(snapshot, "added-records"),
        "deleted_rows": _count(snapshot, "deleted-records"),
        "files": _count(snapshot, "total-data-files"),
        "bytes": _count(snapshot, "total-files-size"),
        "schema": columns_json(schema),
        "by": noted(snapshot, "by") or "",
        "message": noted(snapshot, "message") or "",
        "run_id": noted(snapshot, "run"),
        "batch_id": noted(snapshot, "batch"),
    }


def operation_of(snapshot: IcebergSnapshot) -> str:
    """What was done, in our words or, where somebody else did it, in Iceberg's."""
    ours = noted(snapshot, "operation")
    if ours is not None:
        return ours
    return str(snapshot.summary.operation.value) if snapshot.summary is not None else "unknown"


def _count(snapshot: IcebergSnapshot, key: str) -> int:
    summary = snapshot.summary
    return int(summary.additional_properties.get(key, 0)) if summary is not None else 0


def _refs(tx: Transaction, name: str, table: Table) -> None:
    old = {
        row["name"]: row
        for row in tx.rows(sa.select(dataset_refs).where(dataset_refs.c.dataset == name))
    }
    new = {key: each for key, each in table.metadata.refs.items() if key != MAIN}
    for gone in old.keys() - new.keys():
        tx.execute(
            dataset_refs.delete().where(dataset_refs.c.dataset == name, dataset_refs.c.name == gone)
        )
    for key, ref in new.items():
        identity = str(ref.snapshot_id)
        if key in old and old[key]["snapshot_id"] == identity:
            continue
        if key in old:
            tx.execute(
                dataset_refs.delete().where(
                    dataset_refs.c.dataset == name, dataset_refs.c.name == key
                )
            )
        tx.execute(
            dataset_refs.insert().values(
                dataset=name,
                name=key,
                kind=str(ref.snapshot_ref_type.value),
                snapshot_id=identity,
                at=tx.now,
                by=tx.actor,
            )
        )


def _dataset(tx: Transaction, name: str, table: Table) -> None:
    live = {str(each.snapshot_id) for each in table.metadata.snapshots}
    for row in tx.rows(
        sa.select(dataset_snapshots.c.snapshot_id).where(
            dataset_snapshots.c.dataset == name, dataset_snapshots.c.expired_at.is_(None)
        )
    ):
        if row["snapshot_id"] not in live:
            tx.execute(
                dataset_snapshots.update()
                .where(
                    dataset_snapshots.c.dataset == name,
                    dataset_snapshots.c.snapshot_id == row["snapshot_id"],
                )
                .values(expired_at=tx.now)
            )
    current = table.current_snapshot()
    tx.execute(
        datasets.update()
        .where(datasets.c.name == name)
        .values(
            location=table.location(),
            schema=columns_json(table.schema()),
            current_snapshot=str(current.snapshot_id) if current else None,
            rows=_count(current, "total-records") if current else 0,
            bytes=_count(current, "total-files-size") if current else 0,
            updated_at=table.metadata.last_updated_ms / 1000,
            metadata_version=version_of(table),
            dropped_at=None,
        )
    )
