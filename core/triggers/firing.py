"""Writing a firing down: every one is a row, and the rows are the outbox of triggers."""

from __future__ import annotations

import json

from core.domain.trigger import Cause, FiringDecision
from core.ids import short_id
from core.state.store import Transaction, without_secrets
from core.state.trigger_tables import trigger_firings

MOST_EVIDENCE = 20_000
"""Characters of a cause's evidence that are kept."""


def ask(tx: Transaction, name: str, cause: Cause) -> str:
    """A firing that waits for its decision; its id.

    While one of the same cause waits for that, it counts there and is no second one.
    """
    table = trigger_firings
    waiting = tx.row(
        table.select().where(
            table.c.trigger == name,
            table.c.cause_key == cause.same,
            table.c.decision == FiringDecision.ASKED,
        )
    )
    if waiting is not None:
        tx.execute(
            table.update()
            .where(table.c.id == waiting["id"])
            .values(times=waiting["times"] + 1, last_at=tx.now)
        )
        return str(waiting["id"])
    firing = short_id()
    tx.execute(
        table.insert().values(
            id=firing,
            trigger=name,
            at=tx.now,
            last_at=tx.now,
            kind=cause.kind,
            cause_key=cause.same,
            cause=_text(cause),
            actor=tx.actor,
            decision=FiringDecision.ASKED,
        )
    )
    tx.journal(
        "trigger.fire",
        f"trigger/{name}",
        firing=firing,
        kind=cause.kind.value,
        about=cause.subject,
        message=cause.message,
    )
    return firing


def _text(cause: Cause) -> str:
    """The cause as JSON, without secrets, and of its evidence no more than is good."""
    value = {
        "subject": cause.subject,
        "message": cause.message,
        "evidence": without_secrets(dict(cause.evidence)),
    }
    text = json.dumps(value, ensure_ascii=False, default=str)
    if len(text) > MOST_EVIDENCE:
        value["evidence"] = {"left_out": f"{len(text):,} characters"}
        text = json.dumps(value, ensure_ascii=False, default=str)
    return text
