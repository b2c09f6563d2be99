"""What becomes of alerts while nobody looks: escalation, what was put off, the daily digest.

Each runs in a transaction of the worker and looks at the rows as they are there, so that several
workers do not do the same twice.
"""

from __future__ import annotations

import sqlalchemy as sa

from core.alerting import moves
from core.alerting.escalation import next_level
from core.alerting.matching import policy_of, silence_of
from core.alerting.quiet import next_at
from core.alerting.routing import (
    DIGEST,
    SILENCED,
    active_silences,
    addresses,
    alerts_where,
    deliver,
)
from core.alerting.settings import AlertSettings
from core.domain.alert import AlertState
from core.reads.alerts import alert_of
from core.state import schema
from core.state.alert_tables import alert_notices, alert_settings
from core.state.store import Transaction


def escalate_due(tx: Transaction, settings: AlertSettings) -> int:
    """Tell the next level of what nobody has acknowledged in time; returns how many alerts.

    Only of what a worker has seen: alerts that are older than their notices wake nobody.
    """
    done = 0
    silences = active_silences(tx)
    table, notices = schema.alerts, alert_notices
    seen = sa.exists().where(notices.c.alert_id == table.c.id, notices.c.routed_at.is_not(None))
    for alert in alerts_where(tx, table.c.state == AlertState.OPEN, seen):
        policy = policy_of(alert, settings)
        due = next_level(alert, policy)
        if policy is None or due is None or due[1] > tx.now or alert.snoozed(tx.now):
            continue
        if silence_of(alert, silences, tx.now) is not None:
            continue
        level = due[0]
        waited = policy.levels[level].after - policy.levels[alert.level].after
        told = ", ".join(policy.levels[level].notify) or "nobody"
        moves.escalate(tx, alert.id, level, told, f"not acknowledged for {_minutes(waited)}")
        done += 1
    return done


def wake_due(tx: Transaction) -> int:
    """Bring back what was snoozed or silenced up to now; returns how many alerts."""
    table = schema.alerts
    done = 0
    for alert in alerts_where(tx, table.c.wakes_at <= tx.now):
        moves.wake(tx, alert.id, "the snooze is over")
        done += 1
    notices, later = alert_notices, alert_notices.alias()
    hidden = sa.exists().where(
        notices.c.alert_id == table.c.id,
        notices.c.outcome == SILENCED,
        ~sa.exists().where(
            later.c.alert_id == notices.c.alert_id,
            later.c.id > notices.c.id,
            later.c.routed_at.is_not(None),
        ),
    )
    silences = active_silences(tx)
    for alert in alerts_where(tx, hidden):
        if silence_of(alert, silences, tx.now) is None and not alert.snoozed(tx.now):
            moves.wake(tx, alert.id, "the silence is over")
            done += 1
    return done


def digest_due(tx: Transaction, settings: AlertSettings) -> int:
    """Write the day's digest if its time has come; returns how many alerts are in it."""
    digest = settings.digest
    if digest is None:
        return 0
    last = last_digest(tx)
    if last is None:
        keep(tx, "digest", repr(tx.now))
        return 0
    if next_at(digest.minute, digest.zone, last) > tx.now:
        return 0
    keep(tx, "digest", repr(tx.now))
    notices = alert_notices
    told = sa.exists().where(
        notices.c.alert_id == schema.alerts.c.id,
        notices.c.outcome == DIGEST,
        notices.c.routed_at > last,
    )
    # Also what is over by now: it is told for people to know.
    rows = tx.rows(sa.select(schema.alerts).where(told))
    found = [alert_of(row) for row in rows]
    for alert in found:
        to, _ = addresses(digest.notify, alert, settings, tx.now)
        deliver(tx, settings, alert, DIGEST, to)
    return len(found)


def last_digest(tx: Transaction) -> float | None:
    """When the last digest was made (Unix seconds)."""
    row = tx.row(sa.select(alert_settings.c.value).where(alert_settings.c.key == "digest"))
    return None if row is None else float(row["value"])


def keep(tx: Transaction, key: str, value: str) -> None:
    """Set a row of `alert_settings`."""
    table = alert_settings
    changed = tx.execute(
        table.update().where(table.c.key == key).values(value=value, updated_at=tx.now)
    )
    if changed.rowcount == 0:
        tx.execute(table.insert().values(key=key, value=value, updated_at=tx.now))


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
