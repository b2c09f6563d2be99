"""Triggers' firings and what is kept of triggers, as read from the state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.domain.trigger import Cause, CauseKind, Firing, FiringDecision
from core.errors import BadInput, NotFound
from core.state.reading import Reader, by_id

_SELECT = (
    "SELECT f.*, r.number AS run_number, r.status AS run_status FROM trigger_firings f"
    " LEFT JOIN runs r ON r.id = f.run_id"
)


def list_firings(
    reader: Reader,
    *,
    trigger: str | None = None,
    decision: str | None = None,
    model: str | None = None,
    limit: int = 50,
) -> tuple[Firing, ...]:
    """Firings, newest first."""
    wanted = [("trigger", trigger), ("decision", decision), ("model", model)]
    given = {key: value for key, value in wanted if value is not None}
    where = " AND ".join(f"f.{key} = :{key}" for key in given)
    rows = reader.rows(
        f"{_SELECT} {'WHERE ' + where if where else ''} ORDER BY f.at DESC, f.id DESC LIMIT :limit",
        limit=limit,
        **given,
    )
    return tuple(firing_of(row) for row in rows)


def find_firing(reader: Reader, ref: str) -> Firing:
    """A firing by its id or the beginning of it; raises `NotFound`, `BadInput` (ambiguous)."""
    rows = by_id(reader, _SELECT, "f.id", ref)
    if not rows:
        raise NotFound(f"firing {ref}: no such firing", "see: opsdeck triggers show NAME")
    if len(rows) > 1:
        raise BadInput(f"firing {ref}: several begin so", "give more of its id")
    return firing_of(rows[0])


def firing_of(row: Mapping[str, Any]) -> Firing:
    """A row of `trigger_firings` (with its run's number and status) as a record."""
    return Firing(
        id=row["id"],
        trigger=row["trigger"],
        at=row["at"],
        cause=cause_of(row),
        actor=row["actor"],
        decision=FiringDecision(row["decision"]),
        reason=row["reason"],
        model=row["model"],
        pipeline=row["pipeline"],
        decided_at=row["decided_at"],
        times=row["times"],
        last_at=row["last_at"],
        run_id=row["run_id"],
        run=row.get("run_number"),
        run_status=row.get("run_status") or "",
        params=json.loads(row["params"]),
        data=json.loads(row["data"]),
        alert_id=row["alert_id"],
    )


def cause_of(row: Mapping[str, Any]) -> Cause:
    """Why it fired."""
    told = json.loads(row["cause"])
    return Cause(
        CauseKind(row["kind"]),
        told.get("subject", ""),
        told.get("message", ""),
        row["cause_key"],
        told.get("evidence", {}),
    )


def kept_rows(reader: Reader) -> dict[str, dict[str, Any]]:
    """What is kept of each trigger, by name."""
    return {row["name"]: row for row in reader.rows("SELECT * FROM triggers")}


def run_counts(reader: Reader) -> dict[str, int]:
    """How many runs each trigger has started."""
    rows = reader.rows(
        "SELECT trigger, count(*) AS n FROM trigger_firings WHERE decision = 'started'"
        " GROUP BY trigger"
    )
    return {row["trigger"]: row["n"] for row in rows}


def last_firings(reader: Reader) -> dict[str, Firing]:
    """The newest firing of each trigger that has fired."""
    rows = reader.rows(
        f"{_SELECT} WHERE f.id IN (SELECT id FROM (SELECT id, row_number() OVER"
        " (PARTITION BY trigger ORDER BY at DESC, id DESC) AS place FROM trigger_firings) p"
        " WHERE place = 1)"
    )
    return {row["trigger"]: firing_of(row) for row in rows}
