"""Alerts: what somebody should know of, and who looks after it."""

from __future__ import annotations

from typing import Any

from core.domain.alert import Alert, AlertState
from core.errors import WrongState
from core.reads import alerts as _alerts
from core.session import Session


class AlertsService:
    """The workspace's alerts."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(
        self, *, state: str | None = "open", target: str | None = None, limit: int = 100
    ) -> tuple[Alert, ...]:
        """Alerts, newest first; `state` None means all. `target` such as `endpoint/bike`."""
        return _alerts.list_alerts(self._session.reader, state=state, target=target, limit=limit)

    def get(self, ref: str) -> Alert:
        """An alert by its id or the beginning of it; raises `NotFound`."""
        return _alerts.find_alert(self._session.reader, ref)

    def acknowledge(self, ref: str, comment: str = "") -> Alert:
        """Say that one looks after it; raises `WrongState` where it is not open."""
        return self._move(ref, AlertState.ACKNOWLEDGED, (AlertState.OPEN,), comment)

    def resolve(self, ref: str, comment: str = "") -> Alert:
        """Say that it is over; raises `WrongState` where that has been said."""
        return self._move(
            ref, AlertState.RESOLVED, (AlertState.OPEN, AlertState.ACKNOWLEDGED), comment
        )

    def _move(self, ref: str, to: AlertState, come: tuple[AlertState, ...], comment: str) -> Alert:
        import sqlalchemy as sa

        from core.state import schema

        verb = "acknowledge" if to is AlertState.ACKNOWLEDGED else "resolve"
        self._session.refuse_when_read_only(f"alerts {verb}")
        found = self.get(ref)
        table = schema.alerts
        with self._session.change(f"alerts {verb}") as tx:
            row = tx.row(sa.select(table).where(table.c.id == found.id))
            assert row is not None, found.id
            if row["state"] not in come:
                who = row["resolved_by"] or row["acked_by"] or "somebody"
                raise WrongState(f"alert {found.id} is {row['state']} already, by {who}")
            values: dict[str, Any] = {"state": to}
            if to is AlertState.ACKNOWLEDGED:
                values |= {"acked_by": tx.actor, "acked_at": tx.now}
            else:
                values |= {"resolved_by": tx.actor, "resolved_at": tx.now}
            tx.execute(table.update().where(table.c.id == found.id).values(**values))
            tx.journal(f"alert.{to}", f"alert/{found.id}", title=found.title, comment=comment)
        return self.get(found.id)
