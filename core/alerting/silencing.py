"""Silences: alerts that nobody wants to see for a while, and why."""

from __future__ import annotations

import sqlalchemy as sa

from core.alerting.matching import to_json
from core.domain.alert import Matcher
from core.errors import NotFound, WrongState
from core.ids import short_id
from core.state.alert_tables import alert_silences
from core.state.store import Transaction


def silence(tx: Transaction, matcher: Matcher, ends_at: float, reason: str) -> str:
    """Silence what fits up to a moment (Unix seconds); returns the silence's id."""
    made = short_id()
    tx.execute(
        alert_silences.insert().values(
            id=made,
            matcher=to_json(matcher),
            reason=reason,
            made_by=tx.actor,
            made_at=tx.now,
            ends_at=ends_at,
        )
    )
    tx.journal(
        "silence.made", f"silence/{made}", matches=matcher.words(), until=ends_at, reason=reason
    )
    return made


def end_silence(tx: Transaction, silence_id: str) -> None:
    """End a silence before its time; raises `NotFound`, and `WrongState` where it is over."""
    table = alert_silences
    row = tx.row(sa.select(table).where(table.c.id == silence_id))
    if row is None:
        raise NotFound(f"silence {silence_id}: no such silence", "see: opsdeck alerts silences")
    if row["ended_at"] is not None:
        raise WrongState(f"silence {silence_id} was ended already, by {row['ended_by']}")
    if row["ends_at"] <= tx.now:
        raise WrongState(f"silence {silence_id} has ended by itself already")
    tx.execute(
        table.update().where(table.c.id == silence_id).values(ended_by=tx.actor, ended_at=tx.now)
    )
    tx.journal("silence.ended", f"silence/{silence_id}")
