"""Raising an alert, in the transaction of what it tells of."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from core.alerting import rows
from core.alerting.families import family_of
from core.alerting.incidents import end_alert
from core.alerting.rows import NoticeKind
from core.domain.alert import AlertState, Severity
from core.ids import short_id
from core.state import schema
from core.state.store import Transaction


def raise_alert(
    tx: Transaction,
    kind: str,
    target: str,
    title: str,
    message: str = "",
    *,
    severity: Severity = Severity.CRITICAL,
    deployment_id: str | None = None,
    receipt_id: str | None = None,
    alert_id: str | None = None,
    over: bool = False,
) -> str:
    """Leave an alert of its own; returns its id. `over`: there is nothing left to do about it.

    The same `alert_id` again changes nothing. What can be seen again and end by itself is
    raised with `core.alerting.raise_incident`.
    """
    table = schema.alerts
    made = alert_id or short_id()
    if tx.row(sa.select(table.c.id).where(table.c.id == made)) is not None:
        return made
    tx.execute(
        table.insert().values(
            id=made,
            at=tx.now,
            severity=severity,
            opened_at=tx.now,
            last_at=tx.now,
            level_at=tx.now,
            kind=kind,
            family=family_of(kind),
            target=target,
            deployment_id=deployment_id,
            receipt_id=receipt_id,
            title=title,
            message=message,
            state=AlertState.RESOLVED if over else AlertState.OPEN,
            resolved_by=tx.actor if over else None,
            resolved_at=tx.now if over else None,
        )
    )
    rows.event(tx, made, "opened", title)
    if not over:
        rows.notice(tx, made, NoticeKind.OPENED)
    return made


def resolve_alerts(tx: Transaction, deployment_id: str, kinds: Sequence[str]) -> None:
    """Close the alerts of these kinds about a deployment: what they waited for has happened."""
    table = schema.alerts
    for row in tx.rows(
        sa.select(table.c.id).where(
            table.c.deployment_id == deployment_id,
            table.c.kind.in_(list(kinds)),
            table.c.state != AlertState.RESOLVED,
        )
    ):
        end_alert(tx, row["id"], "what it waited for has happened")
