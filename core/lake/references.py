"""Which versions of a dataset something refers to, and who reads it: plain reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from core.state.reading import Reader


def referred(reader: Reader, name: str) -> dict[str, str]:
    """Snapshot ids that must stay readable, each with who needs it.

    These are the cursors of views and feature views, and what runs and models read. Tags and
    branches are the lake's own and not among them.
    """
    found: dict[str, str] = {}
    for row in reader.rows(
        "SELECT target_kind, target, snapshot_id FROM lineage_edges WHERE source_kind = 'dataset'"
        " AND source = :name AND snapshot_id IS NOT NULL"
        " AND target_kind IN ('run', 'model', 'endpoint')",
        name=name,
    ):
        found[row["snapshot_id"]] = f"{row['target_kind']} {row['target']}"
    for row in reader.rows(
        "SELECT name, version, cursor FROM feature_views WHERE state <> 'deleted'"
    ):
        for identity in _of(name, row["cursor"]):
            found[identity] = f"feature view {row['name']}@{row['version']}"
    for row in reader.rows("SELECT name, cursor FROM views WHERE dropped_at IS NULL"):
        for identity in _of(name, row["cursor"]):
            found[identity] = f"view {row['name']}"
    return found


def _of(name: str, cursor: str) -> Iterator[str]:
    """Snapshot ids in a cursor: of this dataset where it says which, else all of them."""
    value = json.loads(cursor or "{}")
    if isinstance(value, dict) and name in value:
        value = value[name]
    yield from _ids(value)


def _ids(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _ids(each)
    elif isinstance(value, list):
        for each in value:
            yield from _ids(each)
    elif isinstance(value, str | int) and str(value).isdecimal():
        yield str(value)


def readers_of(reader: Reader, name: str) -> tuple[str, ...]:
    """Views, feature views and others that would miss the dataset, in words."""
    found = {
        f"view {row['name']}"
        for row in reader.rows("SELECT name, sources FROM views WHERE dropped_at IS NULL")
        if name in json.loads(row["sources"])
    }
    found |= {
        f"{row['target_kind'].replace('_', ' ')} {row['target']}"
        for row in reader.rows(
            "SELECT DISTINCT target_kind, target FROM lineage_edges WHERE source_kind = 'dataset'"
            " AND source = :name AND target_kind IN ('view', 'feature_view')",
            name=name,
        )
    }
    return tuple(sorted(found))
