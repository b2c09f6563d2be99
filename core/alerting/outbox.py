"""Deliveries on their way: taken, sent together, tried again, given up. At least once.

A delivery is a row; whoever sends it takes it first, and one that is taken for longer than a
message may last is anybody's again. An address is used by one sender at a time, so what has
waited for it goes out as one message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core.alerting import rows
from core.alerting.messages import Item
from core.alerting.settings import AlertSettings, Target
from core.ids import short_id
from core.reads.alerts import alert_of
from core.state import schema
from core.state.alert_tables import alert_deliveries
from core.state.reading import Reader
from core.state.store import Transaction

Row = Mapping[str, Any]

TAKEN_SECONDS = 180.0
"""Longer than any message may last: whoever took it has died."""

FIRST_WAIT, LONGEST_WAIT, GIVE_UP_SECONDS = 15.0, 1_800.0, 24 * 3600.0
TEST = "test"
MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Parcel:
    """What goes to one target as one message. `items` is empty for a test."""

    target: str
    ids: tuple[int, ...]
    items: tuple[Item, ...]
    test_by: str = ""


def targets_due(reader: Reader, now: float) -> tuple[str, ...]:
    """The targets for which something is due and not taken."""
    found = reader.rows(
        "SELECT DISTINCT target FROM alert_deliveries WHERE sent_at IS NULL"
        " AND gave_up_at IS NULL AND due_at <= :now AND (taken_at IS NULL OR taken_at < :stale)"
        " ORDER BY target",
        now=now,
        stale=now - TAKEN_SECONDS,
    )
    return tuple(row["target"] for row in found)


def take(tx: Transaction, settings: AlertSettings, target: str, taker: str) -> Parcel | None:
    """Take what may go to a target now, as one message; `None` where nothing may.

    What its throttle holds back waits, but for what is critical. What is for a target that the
    file does not name any more is given up.
    """
    waiting = _waiting(tx, target)
    known = settings.targets.get(target)
    if known is None:
        for row in waiting:
            give_up(tx, row, "the file names no such target any more")
        return None
    tests = [row for row in waiting if row["kind"] == TEST]
    chosen = tests[:1] or _allowed(tx, known, waiting)
    if not chosen:
        return None
    ids = tuple(int(row["id"]) for row in chosen)
    table = alert_deliveries
    tx.execute(table.update().where(table.c.id.in_(ids)).values(taken_by=taker, taken_at=tx.now))
    if tests:
        return Parcel(target, ids, (), test_by=chosen[0]["person"])
    return Parcel(target, ids, _items(tx, chosen))


def sent(tx: Transaction, parcel: Parcel) -> None:
    """It has arrived."""
    table = alert_deliveries
    tx.execute(
        table.update()
        .where(table.c.id.in_(parcel.ids))
        .values(
            sent_at=tx.now, attempts=table.c.attempts + 1, error="", taken_at=None,
            message_id=short_id(),
        )
    )  # fmt: skip
    for item in parcel.items:
        rows.event(tx, item.alert.id, "told", f"{parcel.target} ({item.kind})")


def failed(tx: Transaction, parcel: Parcel, error: str) -> None:
    """It has not: it is tried again later and later, for a day; a test is not."""
    table = alert_deliveries
    for row in tx.rows(sa.select(table).where(table.c.id.in_(parcel.ids))):
        attempts = row["attempts"] + 1
        wait = min(FIRST_WAIT * 2 ** (attempts - 1), LONGEST_WAIT)
        if row["kind"] == TEST or tx.now + wait > row["created_at"] + GIVE_UP_SECONDS:
            give_up(tx, row, error)
            continue
        tx.execute(
            table.update()
            .where(table.c.id == row["id"])
            .values(attempts=attempts, error=error, due_at=tx.now + wait, taken_at=None)
        )
        if attempts == 1:
            rows.event(tx, row["alert_id"], "not told", f"{error}; it is tried again")


def give_up(tx: Transaction, row: Row, error: str) -> None:
    """Try no more."""
    table = alert_deliveries
    tx.execute(
        table.update()
        .where(table.c.id == row["id"])
        .values(gave_up_at=tx.now, error=error, attempts=table.c.attempts + 1, taken_at=None)
    )
    if row["alert_id"] is not None:
        rows.event(tx, str(row["alert_id"]), "not told", f"given up: {error}")


def _waiting(tx: Transaction, target: str) -> list[Row]:
    table = alert_deliveries
    found = tx.rows(
        sa.select(table)
        .where(
            table.c.target == target,
            table.c.sent_at.is_(None),
            table.c.gave_up_at.is_(None),
            table.c.due_at <= tx.now,
            sa.or_(table.c.taken_at.is_(None), table.c.taken_at < tx.now - TAKEN_SECONDS),
        )
        .order_by(table.c.id)
        .limit(MOST_AT_ONCE)
    )
    return list(found)


def _allowed(tx: Transaction, target: Target, waiting: Sequence[Row]) -> list[Row]:
    """What the throttle lets through: all together as one message, or only what is critical; the
    rest is due when there is room again."""
    table = alert_deliveries
    row = tx.row(
        sa.select(
            sa.func.count(sa.distinct(table.c.message_id)).label("n"),
            sa.func.min(table.c.sent_at).label("first"),
        ).where(
            table.c.target == target.name,
            table.c.sent_at > tx.now - target.throttle.seconds,
            table.c.kind != TEST,
        )
    )
    if row is None or row["n"] < target.throttle.messages:
        return list(waiting)
    held = [each["id"] for each in waiting if each["severity"] != "critical"]
    tx.execute(
        table.update()
        .where(table.c.id.in_(held))
        .values(due_at=row["first"] + target.throttle.seconds)
    )
    return [each for each in waiting if each["severity"] == "critical"]


def _items(tx: Transaction, chosen: Sequence[Row]) -> tuple[Item, ...]:
    """The newest of each alert: who gets one message need not hear twice of the same."""
    newest = {row["alert_id"]: str(row["kind"]) for row in chosen}
    table = schema.alerts
    found = tx.rows(sa.select(table).where(table.c.id.in_(list(newest))))
    return tuple(Item(alert_of(row), newest[row["id"]]) for row in found)
