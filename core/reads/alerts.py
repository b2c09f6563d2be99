"""Alerts, as read from the state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.domain.alert import Alert, AlertEvent, AlertState, Cause, Matcher, Severity, Silence
from core.domain.alertview import Delivery
from core.errors import BadInput, NotFound
from core.state.reading import Reader, by_id

ACTIVE = "active"
"""In place of a state: what is not resolved."""

MOST_ACTIVE = 5_000
_ORDER = (
    "CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END,"
    " coalesce(opened_at, at) DESC, id"
)


_CAUSE_PARSED = ("alert_id", "severity", "evidence")


def list_alerts(
    reader: Reader, *, state: str | None = None, target: str | None = None, limit: int = 100
) -> tuple[Alert, ...]:
    """Alerts, newest first; `state` (`active` for open and acknowledged ones) and `target`
    narrow them down."""
    wanted = [("state", None if state == ACTIVE else state), ("target", target)]
    given = {key: value for key, value in wanted if value is not None}
    parts = [f"{key} = :{key}" for key in given]
    parts += ["state <> 'resolved'"] if state == ACTIVE else []
    rows = reader.rows(
        f"SELECT * FROM alerts {'WHERE ' + ' AND '.join(parts) if parts else ''}"
        " ORDER BY at DESC, id DESC LIMIT :limit",
        limit=limit,
        **given,
    )
    return tuple(alert_of(row) for row in rows)


def active_alerts(reader: Reader, *, opened: bool = False) -> tuple[Alert, ...]:
    """What is not resolved (`opened`: nor acknowledged), worst first, then newest first."""
    where = "state = 'open'" if opened else "state <> 'resolved'"
    rows = reader.rows(
        f"SELECT * FROM alerts WHERE {where} ORDER BY {_ORDER} LIMIT :limit", limit=MOST_ACTIVE
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


def causes_of(reader: Reader, alert_id: str, limit: int = 50) -> tuple[Cause, ...]:
    """What an alert was raised for: what is not over first, worst first, then oldest first."""
    rows = reader.rows(
        "SELECT * FROM alert_causes WHERE alert_id = :id ORDER BY"
        " CASE WHEN over_at IS NULL THEN 0 ELSE 1 END,"
        " CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END,"
        " first_at, cause_key LIMIT :limit",
        id=alert_id,
        limit=limit,
    )
    return tuple(
        Cause(
            **{key: value for key, value in row.items() if key not in _CAUSE_PARSED},
            severity=Severity(row["severity"]),
            evidence=json.loads(row["evidence"]),
        )
        for row in rows
    )


def events_of(reader: Reader, alert_id: str, limit: int = 200) -> tuple[AlertEvent, ...]:
    """An alert's timeline, oldest first; of a long one the end."""
    rows = reader.rows(
        "SELECT id, at, actor, kind, message FROM alert_events WHERE alert_id = :id"
        " ORDER BY id DESC LIMIT :limit",
        id=alert_id,
        limit=limit,
    )
    return tuple(AlertEvent(**row) for row in reversed(rows))


_DELIVERY = (
    "SELECT id, target, alert_id, kind, severity, person, created_at, due_at, attempts, sent_at,"
    " gave_up_at, error FROM alert_deliveries"
)


def deliveries_of(reader: Reader, alert_id: str, limit: int = 50) -> tuple[Delivery, ...]:
    """Who was told of an alert and who is to be, oldest first."""
    rows = reader.rows(
        f"{_DELIVERY} WHERE alert_id = :id ORDER BY id DESC LIMIT :limit", id=alert_id, limit=limit
    )
    return tuple(Delivery(**row) for row in reversed(rows))


def list_deliveries(
    reader: Reader, *, open_only: bool = False, limit: int = 50
) -> tuple[Delivery, ...]:
    """The newest deliveries, newest first; `open_only`: what is neither sent nor given up."""
    where = "WHERE sent_at IS NULL AND gave_up_at IS NULL" if open_only else ""
    rows = reader.rows(f"{_DELIVERY} {where} ORDER BY id DESC LIMIT :limit", limit=limit)
    return tuple(Delivery(**row) for row in rows)


def find_delivery(reader: Reader, number: int) -> Delivery:
    """A delivery by its number; raises `NotFound`."""
    rows = reader.rows(f"{_DELIVERY} WHERE id = :number", number=number)
    if not rows:
        raise NotFound(f"delivery {number}: no such delivery", "see: opsdeck alerts notify")
    return Delivery(**rows[0])


def list_silences(
    reader: Reader, now: float, *, all_: bool = False, limit: int = 200
) -> tuple[Silence, ...]:
    """Silences, those that end first in front; with `all_` also those that are over."""
    where = "" if all_ else "WHERE ended_at IS NULL AND ends_at > :now"
    given = {} if all_ else {"now": now}
    rows = reader.rows(
        f"SELECT * FROM alert_silences {where} ORDER BY ends_at, id LIMIT :limit",
        limit=limit,
        **given,
    )
    return tuple(silence_of_row(row) for row in rows)


def find_silence(reader: Reader, ref: str) -> Silence:
    """A silence by its id or the beginning of it; raises `NotFound`, `BadInput` (ambiguous)."""
    rows = by_id(reader, "SELECT * FROM alert_silences", "id", ref)
    if not rows:
        raise NotFound(f"silence {ref}: no such silence", "see: opsdeck alerts silences")
    if len(rows) > 1:
        raise BadInput(f"silence {ref}: several begin so", "give more of its id")
    return silence_of_row(rows[0])


def silence_of_row(row: Mapping[str, Any]) -> Silence:
    """A row of `alert_silences` as a record."""
    return Silence(**{**row, "matcher": Matcher(**json.loads(row["matcher"]))})


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
