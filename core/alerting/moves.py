"""What a person (or the worker, by policy) does to an alert: one transaction each.

Every move looks at the row as it is now, changes it, puts an entry on the timeline and in the
journal, and asks for a notification where somebody else should know.

    open ──acknowledge──▶ acknowledged ──resolve──▶ resolved
     ▲ ▲                    │      │                   │
     │ └──escalate, snooze──┘      │                   │
     └──the cause comes back───────┴───────────────────┘
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.alerting import rows
from core.alerting.incidents import end_alert
from core.alerting.rows import NoticeKind
from core.domain.alert import AlertState
from core.errors import NotFound, WrongState
from core.state.store import Transaction

Row = Mapping[str, Any]


def acknowledge(tx: Transaction, alert_id: str, comment: str = "") -> None:
    """Say that one looks after it. Raises `WrongState` where it is not open."""
    row = _row(tx, alert_id)
    if row["state"] != AlertState.OPEN:
        raise _wrong(row, tx.now)
    rows.change(
        tx, alert_id, state=AlertState.ACKNOWLEDGED, acked_by=tx.actor, acked_at=tx.now,
        wakes_at=None, snoozed_by=None,
    )  # fmt: skip
    rows.event(tx, alert_id, "acknowledged", comment)
    _journal(tx, row, "acknowledged", comment=comment)


def assign(tx: Transaction, alert_id: str, owner: str, comment: str = "") -> None:
    """Give it to somebody. Raises `WrongState` where it is resolved, or theirs already."""
    row = _live(tx, alert_id)
    if row["owner"] == owner:
        raise WrongState(f"alert {alert_id} is {owner}'s already")
    rows.change(tx, alert_id, owner=owner)
    rows.event(tx, alert_id, "assigned", _words(f"to {owner}", comment))
    rows.notice(tx, alert_id, NoticeKind.ASSIGNED)
    _journal(tx, row, "assigned", owner=owner, comment=comment)


def snooze(tx: Transaction, alert_id: str, until: float, shown: str, comment: str = "") -> None:
    """Put it off: it is not shown and does not escalate until then, and then is open again.
    `shown` is the moment in words. Raises `WrongState` where it is resolved."""
    row = _live(tx, alert_id)
    rows.change(tx, alert_id, wakes_at=until, snoozed_by=tx.actor)
    rows.event(tx, alert_id, "snoozed", _words(f"until {shown}", comment))
    _journal(tx, row, "snoozed", until=until, comment=comment)


def wake(tx: Transaction, alert_id: str, why: str) -> None:
    """Show an alert again that was snoozed or silenced: open, its escalation from the start of
    the level that it had. For the worker: raises nothing where it is resolved by now."""
    row = _row(tx, alert_id)
    if row["state"] == AlertState.RESOLVED:
        return
    rows.change(
        tx, alert_id, state=AlertState.OPEN, acked_by=None, acked_at=None, wakes_at=None,
        snoozed_by=None, level_at=tx.now,
    )  # fmt: skip
    rows.event(tx, alert_id, "back", why)
    rows.notice(tx, alert_id, NoticeKind.BACK, row["level"])
    _journal(tx, row, "back", why=why)


def escalate(tx: Transaction, alert_id: str, level: int, told: str, why: str = "") -> None:
    """Tell the next level, whose number (from 0) is `level` and who is `told`. One that was
    acknowledged is open again: whoever had it wants somebody else. Raises `WrongState` where it
    is resolved or has been escalated so far meanwhile."""
    row = _live(tx, alert_id)
    if row["level"] >= level:
        raise WrongState(f"alert {alert_id} has been escalated to level {row['level'] + 1} already")
    rows.change(
        tx, alert_id, state=AlertState.OPEN, acked_by=None, acked_at=None, level=level,
        level_at=tx.now, wakes_at=None, snoozed_by=None,
    )  # fmt: skip
    rows.event(tx, alert_id, "escalated", _words(f"to level {level + 1} ({told})", why))
    rows.notice(tx, alert_id, NoticeKind.ESCALATED, level)
    _journal(tx, row, "escalated", level=level + 1, told=told, why=why)


def resolve(tx: Transaction, alert_id: str, comment: str = "") -> None:
    """Say that it is over. Raises `WrongState` where that has been said."""
    _live(tx, alert_id)
    end_alert(tx, alert_id, comment)


def comment(tx: Transaction, alert_id: str, text: str) -> None:
    """Leave a remark on the timeline; also on one that is over."""
    row = _row(tx, alert_id)
    rows.event(tx, alert_id, "comment", text)
    _journal(tx, row, "comment", comment=text)


def _row(tx: Transaction, alert_id: str) -> Row:
    row = rows.alert_row(tx, alert_id)
    if row is None:
        raise NotFound(f"alert {alert_id}: no such alert", "see: opsdeck alerts list --all")
    return row


def _live(tx: Transaction, alert_id: str) -> Row:
    row = _row(tx, alert_id)
    if row["state"] == AlertState.RESOLVED:
        raise _wrong(row, tx.now)
    return row


def _wrong(row: Row, now: float) -> WrongState:
    """The error of a move that comes too late: who did what, and when."""
    over = row["state"] == AlertState.RESOLVED
    who = row["resolved_by"] if over else row["acked_by"]
    at = row["resolved_at"] if over else row["acked_at"]
    ago = f" {_ago(now - at)} ago" if at else ""
    hint = "it opens again by itself if the cause comes back" if over else (
        f"take it over: opsdeck alerts assign {row['id']} --to YOU"
    )  # fmt: skip
    words = f"alert {row['id']} is {row['state']} already, by {who or 'somebody'}{ago}"
    return WrongState(words, hint)


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def _journal(tx: Transaction, row: Row, done: str, **detail: Any) -> None:
    said = {key: value for key, value in detail.items() if value not in ("", None)}
    tx.journal(f"alert.{done}", f"alert/{row['id']}", title=row["title"], **said)


def _words(what: str, comment: str) -> str:
    return f"{what}: {comment}" if comment else what
