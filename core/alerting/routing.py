"""Whom to tell: notices become deliveries, by the workspace's file. Done in the worker.

A notice is written by whatever changes an alert, which does not know the file. Here it is
decided, once for each notice, who is told at which address and when; `outcome` keeps why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core.alerting import rows
from core.alerting.matching import owner_of, policy_of, silence_of
from core.alerting.oncall import on_call
from core.alerting.quiet import end_of_quiet
from core.alerting.rows import NoticeKind
from core.alerting.settings import OWNER, AlertSettings, Target
from core.domain.alert import Alert, AlertState, Severity, Silence
from core.reads.alerts import alert_of, silence_of_row
from core.state import schema
from core.state.alert_tables import alert_deliveries, alert_notices, alert_silences
from core.state.store import Transaction

AT_ONCE = 500
"""How many notices one transaction routes."""

SILENCED, DIGEST = "silenced", "digest"
_TO_ALL_LEVELS = (NoticeKind.OPENED, NoticeKind.REOPENED, NoticeKind.WORSE, NoticeKind.BACK)

Address = tuple[str, str]
"""The name of a target, and the person whose it is (or nothing)."""


def route(tx: Transaction, settings: AlertSettings) -> int:
    """Decide about the notices that wait; returns how many there were."""
    table = alert_notices
    waiting = tx.rows(
        sa.select(table).where(table.c.routed_at.is_(None)).order_by(table.c.id).limit(AT_ONCE)
    )
    silences = active_silences(tx) if waiting else ()
    for notice in waiting:
        row = rows.alert_row(tx, notice["alert_id"])
        assert row is not None, notice["alert_id"]
        outcome = _decide(tx, settings, alert_of(row), notice, silences)
        tx.execute(
            table.update()
            .where(table.c.id == notice["id"])
            .values(routed_at=tx.now, outcome=outcome)
        )
    return len(waiting)


def active_silences(tx: Transaction) -> tuple[Silence, ...]:
    """The silences that are on, as the transaction sees them."""
    table = alert_silences
    found = tx.rows(sa.select(table).where(table.c.ended_at.is_(None), table.c.ends_at > tx.now))
    return tuple(silence_of_row(row) for row in found)


def addresses(
    names: Iterable[str], alert: Alert, settings: AlertSettings, now: float
) -> tuple[list[Address], list[str]]:
    """The addresses that names of a policy stand for now, each once; and what led nowhere."""
    found: dict[str, str] = {}
    astray: list[str] = []
    for name in names:
        known = _addresses_of(name, alert, settings, now)
        if not known:
            astray.append(name)
        for target, person in known:
            found.setdefault(target, person)
    return list(found.items()), astray


def deliver(
    tx: Transaction, settings: AlertSettings, alert: Alert, kind: str, to: Sequence[Address]
) -> None:
    """Write a delivery for each address, due when it is not quiet there."""
    for name, person in to:
        due = due_at(settings.targets[name], alert.severity, tx.now)
        tx.execute(
            alert_deliveries.insert().values(
                target=name, alert_id=alert.id, kind=kind, severity=alert.severity,
                person=person, created_at=tx.now, due_at=due,
            )
        )  # fmt: skip


def due_at(target: Target, severity: Severity, now: float) -> float:
    """When a message may go out: at once, or when it is no longer quiet; critical at once."""
    return now if severity is Severity.CRITICAL else end_of_quiet(target.quiet, now)


def _decide(
    tx: Transaction,
    settings: AlertSettings,
    alert: Alert,
    notice: Mapping[str, Any],
    silences: tuple[Silence, ...],
) -> str:
    kind = NoticeKind(notice["kind"])
    if kind is NoticeKind.RESOLVED:
        return _tell_of_end(tx, settings, alert)
    if alert.state is AlertState.RESOLVED:
        return "resolved before anybody was told"
    if kind in _TO_ALL_LEVELS:
        rows.change(tx, alert.id, level_at=tx.now)
    if silence_of(alert, silences, tx.now) is not None:
        return SILENCED
    if kind is NoticeKind.OPENED and alert.state is AlertState.ACKNOWLEDGED:
        return "acknowledged before anybody was told"
    digest = settings.digest
    if digest is not None and alert.severity in digest.severities and kind in _TO_ALL_LEVELS:
        return DIGEST
    to, astray = addresses(_names(settings, alert, kind, notice["level"]), alert, settings, tx.now)
    if astray:
        rows.event(tx, alert.id, "nobody", "leads to nobody now: " + ", ".join(astray))
    deliver(tx, settings, alert, kind, to)
    return "told: " + ", ".join(name for name, _ in to) if to else "nobody to tell"


def _names(settings: AlertSettings, alert: Alert, kind: NoticeKind, level: int) -> tuple[str, ...]:
    """The names that are told: of one level, of all so far, or of who it was given to."""
    if kind is NoticeKind.ASSIGNED:
        return (OWNER,)
    policy = policy_of(alert, settings)
    if policy is None:
        alone = not settings.policies and alert.severity is not Severity.INFO
        return tuple(settings.targets) if alone else ()
    if kind is NoticeKind.ESCALATED:
        return policy.levels[level].notify if level < len(policy.levels) else ()
    return tuple(name for each in policy.levels[: alert.level + 1] for name in each.notify)


def _addresses_of(name: str, alert: Alert, settings: AlertSettings, now: float) -> list[Address]:
    if name == OWNER:
        owner = owner_of(alert, settings)
        return [] if owner in (None, OWNER) else _addresses_of(str(owner), alert, settings, now)
    if name in settings.targets:
        return [(name, "")]
    if name.startswith("oncall/"):
        schedule = settings.schedules.get(name.removeprefix("oncall/"))
        who = on_call(schedule, now).who if schedule is not None else None
        return [] if who is None else _addresses_of(who, alert, settings, now)
    return [(target, name) for target in settings.people.get(name, ())]


def _tell_of_end(tx: Transaction, settings: AlertSettings, alert: Alert) -> str:
    """Those who were told hear that it is over; what has not gone out is not sent any more."""
    if alert.state is not AlertState.RESOLVED:
        return "opened again before anybody was told"
    table = alert_deliveries
    mine = table.c.alert_id == alert.id
    under_way = sa.and_(table.c.taken_at.is_not(None), table.c.gave_up_at.is_(None))
    told = tx.rows(
        sa.select(table.c.target, table.c.person)
        .where(mine, sa.or_(table.c.sent_at >= alert.opened_at, under_way), table.c.kind != DIGEST)
        .distinct()
    )
    tx.execute(
        table.update()
        .where(
            mine,
            table.c.sent_at.is_(None),
            table.c.gave_up_at.is_(None),
            table.c.taken_at.is_(None),
        )
        .values(gave_up_at=tx.now, error="resolved before it was sent")
    )
    to = {row["target"]: row["person"] for row in told if row["target"] in settings.targets}
    deliver(tx, settings, alert, NoticeKind.RESOLVED, list(to.items()))
    return "told: " + ", ".join(to) if to else "nobody had been told"


def alerts_where(tx: Transaction, *conditions: Any) -> list[Alert]:
    """Alerts that are not resolved, as the transaction sees them."""
    table = schema.alerts
    found = tx.rows(sa.select(table).where(table.c.state != AlertState.RESOLVED, *conditions))
    return [alert_of(row) for row in found]
