"""A table of the lake, its versions and the names they have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `type` in Iceberg's words (`long`, `double`, `string`, `timestamp`, …)."""

    name: str
    type: str
    nullable: bool = True
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Ref:
    """A name for a snapshot: `kind` is `tag` (stays) or `branch` (moves with its commits)."""

    dataset: str
    name: str
    kind: str
    snapshot_id: str
    at: float
    by: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One immutable version of a dataset.

    `number` counts from 1 and is never given twice; `id` is the lake's own (64 bits, as text).
    `operation` is create, append, overwrite, upsert, delete or compact. `rows`, `files` and
    `bytes` are of the whole dataset at this version. `refs` are the tags and branches on it;
    `expired_at` says since when its rows can no longer be read. Times are epoch seconds.
    """

    dataset: str
    id: str
    number: int
    parent_id: str | None
    at: float
    operation: str
    rows: int | None = None
    added_rows: int | None = None
    deleted_rows: int | None = None
    files: int | None = None
    bytes: int | None = None
    columns: tuple[Column, ...] = ()
    by: str = ""
    message: str = ""
    run_id: str | None = None
    batch_id: str | None = None
    expired_at: float | None = None
    current: bool = False
    refs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset as it stands. `kind`: table, view (materialised), features, captures.

    `rows`, `bytes` and `columns` are those of the current snapshot; `snapshots` counts the
    versions that can still be read. `settings` is how it is kept up. Times are epoch seconds.
    """

    name: str
    kind: str
    description: str
    owner: str
    created_at: float
    created_by: str
    location: str
    columns: tuple[Column, ...]
    current_snapshot: str | None
    number: int | None
    rows: int | None
    bytes: int | None
    updated_at: float | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    snapshots: int = 0
    dropped_at: float | None = None


def schema_difference(old: Iterable[Column], new: Iterable[Column]) -> tuple[str, ...]:
    """What differs between two lists of columns: `+ new type`, `- gone type`, `~ a → b`."""
    before = {each.name: each for each in old}
    after = {each.name: each for each in new}
    lines = [f"+ {name} {each.type}" for name, each in after.items() if name not in before]
    lines += [f"- {name} {each.type}" for name, each in before.items() if name not in after]
    for name, each in after.items():
        was = before.get(name)
        if was is not None and was.type != each.type:
            lines.append(f"~ {name} {was.type} → {each.type}")
        elif was is not None and was.nullable != each.nullable:
            lines.append(f"~ {name} {'may be' if each.nullable else 'is never'} missing")
    return tuple(lines)
