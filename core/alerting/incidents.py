"""Raising and ending alerts by cause, in the transaction of what was found.

A cause is one thing that can be found again: a feature that drifts, an alarm in ALARM. What is
found of the same target and family while an alert of it is open goes into that alert, however
many causes there are: five hundred features that drift at once are one alert. When all causes
are over the alert is resolved by itself; a cause that comes back soon after opens it again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core.alerting import rows
from core.alerting.families import GROUPING_SECONDS, REOPEN_SECONDS, family_of
from core.alerting.rows import NoticeKind
from core.domain.alert import AlertState, Severity
from core.ids import short_id
from core.state.alert_tables import alert_causes
from core.state.schema import alerts
from core.state.store import Transaction

Row = Mapping[str, Any]


def raise_incident(
    tx: Transaction,
    *,
    cause_key: str,
    kind: str,
    target: str,
    title: str,
    message: str = "",
    severity: Severity | str = Severity.WARNING,
    evidence: Mapping[str, Any] | None = None,
    runbook: str = "",
    labels: Mapping[str, str] | None = None,
) -> str:
    """Say that a cause was seen (again); returns the id of the alert it is part of.

    `cause_key` names the cause for good, such as `monitor/demand-drift:temp`; `evidence` is
    small JSON, whose `open` names what the console can open (`monitor/NAME@WINDOW`,
    `alarm/NAME`, `endpoint/NAME`, `run/N`, `dataset/NAME@V`); `runbook` is a file of the
    workspace that takes the place of the kind's own text. Several calls of one transaction are
    well: a storm of causes is one alert with one notification.
    """
    found = _Found(
        cause_key, kind, title, message, Severity(severity), json.dumps(dict(evidence or {}))
    )
    alert = _open_with(tx, target, cause_key) or _open_of_family(tx, target, family_of(kind))
    if alert is not None:
        _join(tx, alert, found)
        return str(alert["id"])
    alert = _ended_with(tx, target, cause_key, family_of(kind))
    if alert is not None:
        _reopen(tx, alert, found)
        return str(alert["id"])
    return _make(tx, target, found, runbook, dict(labels or {}))


def resolve_incident(tx: Transaction, cause_key: str, message: str = "") -> tuple[str, ...]:
    """Say that a cause is over; returns the ids of the alerts that are resolved by that.

    An alert with other causes that are not over stays. A cause that nobody raised is nothing.
    """
    causes = tx.rows(
        sa.select(alert_causes.c.alert_id)
        .join(alerts, alerts.c.id == alert_causes.c.alert_id)
        .where(
            alert_causes.c.cause_key == cause_key,
            alert_causes.c.over_at.is_(None),
            alerts.c.state != AlertState.RESOLVED,
        )
    )
    ended = []
    for cause in causes:
        alert_id = cause["alert_id"]
        _end_cause(tx, alert_id, cause_key)
        left = _live_causes(tx, alert_id)
        if left:
            rows.change(tx, alert_id, causes=left, **_told_by(tx, alert_id))
            _calmer(tx, alert_id)
        else:
            end_alert(tx, alert_id, message or "the cause is over")
            ended.append(alert_id)
    return tuple(ended)


def end_alert(tx: Transaction, alert_id: str, message: str, by: str | None = None) -> None:
    """Resolve an alert that is not: the row, its causes, the timeline, the journal, a notice."""
    rows.change(
        tx,
        alert_id,
        state=AlertState.RESOLVED,
        resolved_by=by or tx.actor,
        resolved_at=tx.now,
        wakes_at=None,
        snoozed_by=None,
    )
    tx.execute(
        alert_causes.update()
        .where(alert_causes.c.alert_id == alert_id, alert_causes.c.over_at.is_(None))
        .values(over_at=tx.now)
    )
    rows.event(tx, alert_id, "resolved", message)
    rows.notice(tx, alert_id, NoticeKind.RESOLVED)
    tx.journal("alert.resolved", f"alert/{alert_id}", comment=message)


class _Found:
    """What a caller found, ready for a row."""

    def __init__(
        self, key: str, kind: str, title: str, message: str, severity: Severity, evidence: str
    ) -> None:
        self.key, self.kind, self.title = key, kind, title
        self.message, self.severity, self.evidence = message, severity, evidence


def _open_with(tx: Transaction, target: str, cause_key: str) -> Row | None:
    """The alert that is not over and that this very cause is part of, however old it is."""
    return tx.row(
        sa.select(alerts)
        .join(alert_causes, alerts.c.id == alert_causes.c.alert_id)
        .where(
            alert_causes.c.cause_key == cause_key,
            alerts.c.target == target,
            alerts.c.state != AlertState.RESOLVED,
        )
        .order_by(alerts.c.at.desc())
        .limit(1)
    )


def _open_of_family(tx: Transaction, target: str, family: str) -> Row | None:
    since = tx.now - rows.seconds(tx, "grouping", GROUPING_SECONDS)
    return tx.row(
        sa.select(alerts)
        .where(
            alerts.c.target == target,
            alerts.c.family == family,
            alerts.c.state != AlertState.RESOLVED,
            sa.func.coalesce(alerts.c.last_at, alerts.c.at) >= since,
        )
        .order_by(alerts.c.at.desc())
        .limit(1)
    )


def _ended_with(tx: Transaction, target: str, cause_key: str, family: str) -> Row | None:
    """The alert that this cause, or failing that its family, ended with a short while ago."""
    since = tx.now - rows.seconds(tx, "reopen", REOPEN_SECONDS)
    ended = sa.select(alerts).where(
        alerts.c.target == target,
        alerts.c.family == family,
        alerts.c.state == AlertState.RESOLVED,
        alerts.c.resolved_at >= since,
    )
    had_it = sa.exists().where(
        alert_causes.c.alert_id == alerts.c.id, alert_causes.c.cause_key == cause_key
    )
    return tx.row(ended.where(had_it).order_by(alerts.c.resolved_at.desc()).limit(1))


def _make(
    tx: Transaction, target: str, found: _Found, runbook: str, labels: Mapping[str, str]
) -> str:
    made = short_id()
    tx.execute(
        alerts.insert().values(
            id=made,
            at=tx.now,
            opened_at=tx.now,
            last_at=tx.now,
            level_at=tx.now,
            severity=found.severity,
            kind=found.kind,
            family=family_of(found.kind),
            target=target,
            title=found.title,
            message=found.message,
            state=AlertState.OPEN,
            evidence=found.evidence,
            runbook=runbook,
            labels=json.dumps(dict(labels)),
        )
    )
    _new_cause(tx, made, found)
    rows.event(tx, made, "opened", found.title)
    rows.notice(tx, made, NoticeKind.OPENED)
    tx.journal(
        "alert.opened", f"alert/{made}", about=target, kind=found.kind, severity=found.severity,
        title=found.title, cause=found.key,
    )  # fmt: skip
    return made


def _join(tx: Transaction, alert: Row, found: _Found) -> None:
    """A further event of an alert that is not over; worse than before is said."""
    _see(tx, alert["id"], found)
    values: dict[str, Any] = {
        "events": alert["events"] + 1,
        "causes": _live_causes(tx, alert["id"]),
        "last_at": tx.now,
    }
    before = Severity(alert["severity"])
    if found.severity.worse(before):
        values |= {
            "severity": found.severity,
            "kind": found.kind,
            "title": found.title,
            "message": found.message,
            "evidence": found.evidence,
            "wakes_at": None,  # it was put off, or taken, as something less
            "snoozed_by": None,
            "state": AlertState.OPEN,
            "acked_by": None,
            "acked_at": None,
        }
        words = f"{before} → {found.severity}: {found.title}"
        rows.event(tx, alert["id"], "worse", words)
        rows.notice(tx, alert["id"], NoticeKind.WORSE)
        tx.journal(
            "alert.worse", f"alert/{alert['id']}", severity=found.severity, title=found.title,
            cause=found.key, **{"from": before},
        )  # fmt: skip
    rows.change(tx, alert["id"], **values)


def _reopen(tx: Transaction, alert: Row, found: _Found) -> None:
    _see(tx, alert["id"], found)
    rows.change(
        tx,
        alert["id"],
        state=AlertState.OPEN,
        severity=found.severity,
        kind=found.kind,
        title=found.title,
        message=found.message,
        evidence=found.evidence,
        events=alert["events"] + 1,
        causes=1,
        last_at=tx.now,
        opened_at=tx.now,
        reopened=alert["reopened"] + 1,
        acked_by=None,
        acked_at=None,
        resolved_by=None,
        resolved_at=None,
        level=0,
        level_at=tx.now,
    )
    words = f"{found.title}; it was resolved by {alert['resolved_by']}"
    rows.event(tx, alert["id"], "reopened", words)
    rows.notice(tx, alert["id"], NoticeKind.REOPENED)
    tx.journal("alert.reopened", f"alert/{alert['id']}", title=found.title, cause=found.key)


def _see(tx: Transaction, alert_id: str, found: _Found) -> None:
    """Count a cause that the alert has already; give it one that it has not."""
    table = alert_causes
    done = tx.execute(
        table.update()
        .where(table.c.alert_id == alert_id, table.c.cause_key == found.key)
        .values(
            count=table.c.count + 1,
            last_at=tx.now,
            over_at=None,
            kind=found.kind,
            title=found.title,
            message=found.message,
            severity=found.severity,
            evidence=found.evidence,
        )
    )
    if done.rowcount == 0:
        _new_cause(tx, alert_id, found)


def _new_cause(tx: Transaction, alert_id: str, found: _Found) -> None:
    tx.execute(
        alert_causes.insert().values(
            alert_id=alert_id,
            cause_key=found.key,
            kind=found.kind,
            title=found.title,
            message=found.message,
            severity=found.severity,
            evidence=found.evidence,
            first_at=tx.now,
            last_at=tx.now,
        )
    )


def _end_cause(tx: Transaction, alert_id: str, cause_key: str) -> None:
    table = alert_causes
    tx.execute(
        table.update()
        .where(table.c.alert_id == alert_id, table.c.cause_key == cause_key)
        .values(over_at=tx.now)
    )


def _worst(tx: Transaction, alert_id: str) -> Row:
    """The worst cause that is not over, of several the first."""
    live = tx.rows(
        sa.select(alert_causes)
        .where(alert_causes.c.alert_id == alert_id, alert_causes.c.over_at.is_(None))
        .order_by(alert_causes.c.first_at, alert_causes.c.cause_key)
    )
    return min(live, key=lambda row: Severity(row["severity"]).rank)


def _told_by(tx: Transaction, alert_id: str) -> dict[str, Any]:
    """What the alert says, by the causes that are not over."""
    said = _worst(tx, alert_id)
    return {key: said[key] for key in ("kind", "title", "message", "evidence")}


def _calmer(tx: Transaction, alert_id: str) -> None:
    """Where only lesser causes are left the alert is one of theirs: on its timeline, untold."""
    row = tx.row(sa.select(alerts).where(alerts.c.id == alert_id))
    assert row is not None, alert_id
    before, now = Severity(row["severity"]), Severity(_worst(tx, alert_id)["severity"])
    if not before.worse(now):
        return
    rows.change(tx, alert_id, severity=now)
    rows.event(tx, alert_id, "better", f"{before} → {now}: {row['title']}")
    tx.journal("alert.better", f"alert/{alert_id}", severity=now, **{"from": before})


def _live_causes(tx: Transaction, alert_id: str) -> int:
    row = tx.row(
        sa.select(sa.func.count().label("n")).where(
            alert_causes.c.alert_id == alert_id, alert_causes.c.over_at.is_(None)
        )
    )
    return int(row["n"]) if row is not None else 0
