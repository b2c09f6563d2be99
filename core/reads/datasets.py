"""Datasets of the lake, as mirrored in the state: no lake library is needed to list them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from core.domain.dataset import Column, Dataset, Ref, Snapshot
from core.errors import NotFound
from core.state.reading import Reader

_DATASETS = """
SELECT d.*, s.number AS number, (
  SELECT count(*) FROM dataset_snapshots n WHERE n.dataset = d.name AND n.expired_at IS NULL
) AS snapshots
FROM datasets d
LEFT JOIN dataset_snapshots s ON s.dataset = d.name AND s.snapshot_id = d.current_snapshot
"""


def list_datasets(
    reader: Reader, *, kind: str | None = None, dropped: bool = False
) -> tuple[Dataset, ...]:
    """Datasets by name; `dropped` those that were dropped instead."""
    where = "d.dropped_at IS NOT NULL" if dropped else "d.dropped_at IS NULL"
    given = {"kind": kind} if kind else {}
    narrowed = " AND d.kind = :kind" if kind else ""
    rows = reader.rows(f"{_DATASETS} WHERE {where}{narrowed} ORDER BY d.name", **given)
    return tuple(dataset_of(row) for row in rows)


def find_dataset(reader: Reader, name: str, *, dropped: bool = False) -> Dataset:
    """A dataset by its name; raises `NotFound` where there is none (or it was dropped)."""
    rows = reader.rows(f"{_DATASETS} WHERE d.name = :name", name=name)
    if not rows or (rows[0]["dropped_at"] is not None and not dropped):
        raise NotFound(f"dataset {name}: no such dataset", "see: opsdeck data list")
    return dataset_of(rows[0])


def list_snapshots(
    reader: Reader, name: str, *, expired: bool = False, limit: int | None = None
) -> tuple[Snapshot, ...]:
    """Snapshots of a dataset, newest first; with `expired` also those that were expired."""
    narrowed = "" if expired else " AND expired_at IS NULL"
    rows = reader.rows(
        f"SELECT * FROM dataset_snapshots WHERE dataset = :name{narrowed} ORDER BY number DESC"
        + (f" LIMIT {int(limit)}" if limit is not None else ""),
        name=name,
    )
    return _with_refs(reader, name, rows)


def find_snapshot(reader: Reader, name: str, ref: str) -> Snapshot:
    """A snapshot by number (`12`, `#12`), id, tag or branch; raises `NotFound`."""
    named = reader.rows(
        "SELECT snapshot_id FROM dataset_refs WHERE dataset = :name AND name = :ref",
        name=name,
        ref=ref,
    )
    digits = ref.removeprefix("#")
    given: dict[str, Any] = {"name": name, "id": named[0]["snapshot_id"] if named else ref}
    where = "snapshot_id = :id"
    if digits.isdecimal() and len(digits) < 10:
        where, given["number"] = "(snapshot_id = :id OR number = :number)", int(digits)
    rows = reader.rows(
        f"SELECT * FROM dataset_snapshots WHERE dataset = :name AND {where}", **given
    )
    if not rows:
        raise NotFound(
            f"dataset {name}: no snapshot, tag or branch {ref}",
            f"see: opsdeck data snapshots {name}",
        )
    return _with_refs(reader, name, rows[:1])[0]


def list_refs(reader: Reader, name: str) -> tuple[Ref, ...]:
    """Tags and branches of a dataset, by name."""
    rows = reader.rows("SELECT * FROM dataset_refs WHERE dataset = :name ORDER BY name", name=name)
    return tuple(Ref(**row) for row in rows)


def _with_refs(
    reader: Reader, name: str, rows: Sequence[Mapping[str, Any]]
) -> tuple[Snapshot, ...]:
    if not rows:
        return ()
    refs: dict[str, list[str]] = {}
    for ref in list_refs(reader, name):
        refs.setdefault(ref.snapshot_id, []).append(ref.name)
    found = reader.rows("SELECT current_snapshot FROM datasets WHERE name = :name", name=name)
    current = found[0]["current_snapshot"] if found else None
    return tuple(
        snapshot_of(row, current=current, refs=refs.get(row["snapshot_id"], ())) for row in rows
    )


def columns_of(text: str) -> tuple[Column, ...]:
    """Columns as they stand in a row."""
    return tuple(Column(**each) for each in json.loads(text))


def snapshot_of(
    row: Mapping[str, Any], *, current: str | None = None, refs: Sequence[str] = ()
) -> Snapshot:
    """A row of `dataset_snapshots` as a record."""
    return Snapshot(
        dataset=row["dataset"],
        id=row["snapshot_id"],
        columns=columns_of(row["schema"]),
        current=row["snapshot_id"] == current,
        refs=tuple(refs),
        **{
            key: row[key]
            for key in (
                "number",
                "parent_id",
                "at",
                "operation",
                "rows",
                "added_rows",
                "deleted_rows",
                "files",
                "bytes",
                "by",
                "message",
                "run_id",
                "batch_id",
                "expired_at",
            )
        },
    )


def dataset_of(row: Mapping[str, Any]) -> Dataset:
    """A row of `datasets` (with `number` and `snapshots`) as a record."""
    kept = {key: value for key, value in row.items() if key not in ("schema", "metadata_version")}
    return Dataset(
        **{
            **kept,
            "columns": columns_of(row["schema"]),
            "settings": json.loads(row["settings"]),
        }
    )
