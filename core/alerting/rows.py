"""Rows of alerts that every change writes: the timeline, and what somebody should be told."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from core.state import schema
from core.state.alert_tables import alert_events, alert_notices, alert_settings
from core.state.store import Transaction


class NoticeKind(StrEnum):
    """Why somebody is told."""

    OPENED = "opened"
    WORSE = "worse"
    REOPENED = "reopened"
    ESCALATED = "escalated"
    ASSIGNED = "assigned"
    BACK = "back"
    """It was snoozed or silenced, and that is over."""
    RESOLVED = "resolved"


def event(tx: Transaction, alert_id: str, kind: str, message: str = "") -> None:
    """Put an entry on the alert's timeline."""
    tx.execute(
        alert_events.insert().values(
            alert_id=alert_id, at=tx.now, actor=tx.actor, kind=kind, message=message
        )
    )


def notice(tx: Transaction, alert_id: str, kind: NoticeKind, level: int = 0) -> None:
    """Ask the worker to tell whoever should know, after the commit."""
    tx.execute(alert_notices.insert().values(alert_id=alert_id, kind=kind, level=level, at=tx.now))


def alert_row(tx: Transaction, alert_id: str) -> Mapping[str, Any] | None:
    """The row of an alert as this transaction sees it."""
    return tx.row(sa.select(schema.alerts).where(schema.alerts.c.id == alert_id))


def change(tx: Transaction, alert_id: str, **values: Any) -> None:
    """Set columns of an alert."""
    table = schema.alerts
    tx.execute(table.update().where(table.c.id == alert_id).values(**values))


def seconds(tx: Transaction, key: str, default: float) -> float:
    """A time of the workspace's file, as the worker or whoever acted last left it here."""
    row = tx.row(sa.select(alert_settings.c.value).where(alert_settings.c.key == key))
    return float(row["value"]) if row is not None else default
