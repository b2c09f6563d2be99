"""Materialised views, as read from the state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.domain.view import SourceLag, View, ViewState
from core.errors import NotFound
from core.state.reading import Reader

_SELECT = (
    "SELECT v.*, d.rows AS rows, d.description AS description, s.number AS snapshot"
    " FROM views v LEFT JOIN datasets d ON d.name = v.name AND d.dropped_at IS NULL"
    " LEFT JOIN dataset_snapshots s ON s.dataset = v.name AND s.snapshot_id = d.current_snapshot"
    " WHERE v.dropped_at IS NULL"
)


def list_views(reader: Reader) -> tuple[View, ...]:
    """Every view, by name."""
    rows = reader.rows(f"{_SELECT} ORDER BY v.name")
    return tuple(_view(reader, row) for row in rows)


def find_view(reader: Reader, name: str) -> View:
    """One view; raises `NotFound`."""
    rows = reader.rows(f"{_SELECT} AND v.name = :name", name=name)
    if not rows:
        known = ", ".join(row["name"] for row in reader.rows(f"{_SELECT} ORDER BY v.name"))
        raise NotFound(f"view {name}: no such view", f"known: {known or 'none yet'}")
    return _view(reader, rows[0])


def _view(reader: Reader, row: Mapping[str, Any]) -> View:
    settings = json.loads(row["settings"])
    cursor = json.loads(row["cursor"])
    sources = tuple(_lag(reader, name, cursor.get(name)) for name in json.loads(row["sources"]))
    state = ViewState(row["state"])
    if state is ViewState.FRESH and any(lag.behind for lag in sources):
        state = ViewState.STALE
    return View(
        name=row["name"],
        sql=row["sql"],
        keys=tuple(json.loads(row["keys"])),
        sources=sources,
        mode=row["mode"],
        why_full=settings.get("why_full", {}),
        state=state,
        every=settings.get("every"),
        owner=row["owner"],
        description=row["description"] or "",
        created_at=row["created_at"],
        refreshed_at=row["refreshed_at"],
        rows=row["rows"],
        snapshot=row["snapshot"],
        message=row["message"],
    )


def _lag(reader: Reader, dataset: str, seen: str | None) -> SourceLag:
    """Compactions change no rows, so they put nobody behind."""
    numbers = reader.rows(
        "SELECT number, snapshot_id FROM dataset_snapshots WHERE dataset = :name"
        " AND snapshot_id IN (:seen, (SELECT current_snapshot FROM datasets WHERE name = :name))",
        name=dataset,
        seen=seen or "",
    )
    at = next((row["number"] for row in numbers if row["snapshot_id"] == seen), None)
    newest = max((row["number"] for row in numbers), default=None)
    missing = reader.rows(
        "SELECT count(*) AS behind, min(at) AS since FROM dataset_snapshots"
        " WHERE dataset = :name AND number > :seen AND operation NOT IN ('compact', 'create')",
        name=dataset,
        seen=at or 0,
    )[0]
    return SourceLag(dataset, at, newest, missing["behind"], missing["since"])
