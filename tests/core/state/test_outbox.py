"""The outbox: who has seen the newest message waits for a higher number."""

from __future__ import annotations

import sqlalchemy as sa

from core.state import schema
from core.state.store import Store


def test_numbers_do_not_start_again_after_a_purge(database_url: str) -> None:
    store = Store(database_url)
    store.migrate()
    newest = 0
    for _ in range(3):
        with store.transaction("ada") as tx:
            tx.outbox("control", "run:1:gate")
            tx.outbox("control", "run:2:gate")
        with store.transaction("ada") as tx:
            ids = [row["id"] for row in tx.rows(sa.select(schema.outbox.c.id))]
            assert min(ids) > newest
            newest = max(ids)
            tx.execute(schema.outbox.delete())
    store.close()
