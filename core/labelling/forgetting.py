"""Taking rows of the queue away with the captured requests that they are copies of."""

from __future__ import annotations

import sqlalchemy as sa

from core.state.store import Transaction
from core.state.trigger_tables import label_answers, label_claims, label_tasks


def forget_rows(tx: Transaction, endpoint: str, before: float) -> int:
    """Take away rows captured before a moment (epoch seconds), with what was said of them; how
    many there were."""
    T = label_tasks.c  # noqa: N806 - a table's columns
    gone = sa.select(T.inference_id).where(T.endpoint == endpoint, T.captured_at < before)
    for table in (label_claims, label_answers):
        tx.execute(
            table.delete().where(table.c.endpoint == endpoint, table.c.inference_id.in_(gone))
        )
    done = tx.execute(label_tasks.delete().where(T.endpoint == endpoint, T.captured_at < before))
    return int(done.rowcount)
