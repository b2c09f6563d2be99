"""Sending a test to an address, the way an alert would go."""

from __future__ import annotations

import time

import sqlalchemy as sa

from core.alerting.config import alert_settings
from core.alerting.errors import NotificationFailed
from core.alerting.messages import test_message
from core.alerting.outbox import TEST
from core.alerting.sending import send
from core.alerting.settings import Target
from core.domain.alertview import Delivery
from core.errors import BadInput
from core.reads.alerts import find_delivery
from core.session import Session
from core.state.alert_tables import alert_deliveries

_PATIENCE_SECONDS = 15.0
"""For the worker to look, and to write down what came of it."""


def send_test(session: Session, name: str, *, by_worker: bool) -> Delivery | None:
    """Send a test; returns how it went where a worker sent it, `None` where this process did.
    Raises `BadInput`, `SecretMissing`, `NotificationFailed`."""
    workspace = session.workspace
    targets = alert_settings(workspace).targets
    if name not in targets:
        known = ", ".join(sorted(targets)) or "none: name some under alerts: targets:"
        raise BadInput(f"no target {name!r}", f"known: {known}")
    if by_worker:
        return _through_the_worker(session, targets[name])
    send(targets[name], test_message(workspace.name, workspace.environment, session.actor))
    with session.change("alerts notify") as tx:
        tx.journal("alert.notify_test", f"target/{name}")
    return None


def _through_the_worker(session: Session, target: Target) -> Delivery:
    with session.change("alerts notify") as tx:
        made = tx.execute(
            alert_deliveries.insert()
            .values(
                target=target.name, kind=TEST, severity="info", person=session.actor,
                created_at=tx.now, due_at=tx.now,
            )
            .returning(alert_deliveries.c.id)
        ).scalar_one()  # fmt: skip
        tx.journal("alert.notify_test", f"target/{target.name}")
    deadline = time.monotonic() + target.seconds + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = find_delivery(session.reader, made)
        if found.sent_at is not None:
            return found
        if found.gave_up_at is not None:
            raise NotificationFailed(found.error, "see: opsdeck alerts notify")
        time.sleep(0.1)
    _withdraw(session, made)
    raise NotificationFailed(
        f"target {target.name}: the worker has not got to it", "see .opsdeck/worker.log"
    )


def _withdraw(session: Session, made: int) -> None:
    with session.change("alerts notify") as tx:
        tx.execute(
            sa.update(alert_deliveries)
            .where(alert_deliveries.c.id == made, alert_deliveries.c.sent_at.is_(None))
            .values(gave_up_at=tx.now, error="nobody waits for it any more")
        )
