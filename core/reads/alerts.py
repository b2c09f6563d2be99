"""Alerts, as read from the state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.domain.alert import Alert, AlertState, Severity
from core.errors import BadInput, NotFound
from core.state.reading import Reader, by_id


def list_alerts(
    reader: Reader, *, state: str | None = None, target: str | None = None, limit: int = 100
) -> tuple[Alert, ...]:
    """Alerts, newest first; `state` and `target` narrow them down."""
    wanted = [("state", state), ("target", target)]
    given = {key: value for key, value in wanted if value is not None}
    where = " AND ".join(f"{key} = :{key}" for key in given)
    rows = reader.rows(
        f"SELECT * FROM alerts {'WHERE ' + where if where else ''}"
        " ORDER BY at DESC, id DESC LIMIT :limit",
        limit=limit,
        **given,
    )
    return tuple(alert_of(row) for row in rows)


def find_alert(reader: Reader, ref: str) -> Alert:
    """An alert by its id or the beginning of it; raises `NotFound`, `BadInput` (ambiguous)."""
    rows = by_id(reader, "SELECT * FROM alerts", "id", ref)
    if not rows:
        raise NotFound(f"alert {ref}: no such alert", "see: opsdeck alerts list --all")
    if len(rows) > 1:
        raise BadInput(f"alert {ref}: several begin so", "give more of its id")
    return alert_of(rows[0])


def alert_of(row: Mapping[str, Any]) -> Alert:
    """A row of `alerts` as a record."""
    return Alert(
        **{
            **row,
            "severity": Severity(row["severity"]),
            "state": AlertState(row["state"]),
            "labels": json.loads(row["labels"]),
            "evidence": json.loads(row["evidence"]),
            "last_at": row["last_at"] or row["at"],
            "opened_at": row["opened_at"] or row["at"],
            "level_at": row["level_at"] or row["opened_at"] or row["at"],
        }
    )
