"""What the worker forgets of the data side, and what it must not."""

from __future__ import annotations

import time
from typing import Any

from core.engine.forgetting import forget_data
from core.ops import Ops
from core.state.lake_tables import (
    dataset_snapshots,
    lineage_edges,
    profiles,
    quarantine,
    validations,
)
from tests.support.opened import database_url, open_as, ops, woken

__all__ = ["database_url", "open_as", "ops", "woken"]

DAY = 86_400.0


def test_old_rows_go_and_those_in_use_stay(ops: Ops) -> None:
    now = time.time()
    with ops.session.change("fill") as tx:
        for number, expired, run in (
            (1, now - 40 * DAY, None),
            (2, now - 40 * DAY, "r1"),  # made by a run
            (3, now - 40 * DAY, None),  # read by one
            (4, now - DAY, None),
            (5, None, None),
        ):
            for name in ("live", "dropped"):
                over: dict[str, Any] = {"expired_at": now - 40 * DAY} if name == "dropped" else {}
                tx.execute(
                    dataset_snapshots.insert().values(
                        dataset=name, snapshot_id=str(number), number=number, at=1.0, run_id=run,
                        operation="append", **({"expired_at": expired} | over),
                    )
                )  # fmt: skip
            tx.execute(
                profiles.insert().values(
                    dataset="live", snapshot_id=str(number), at=1.0, rows=1, body="{}"
                )
            )
        tx.execute(
            lineage_edges.insert().values(
                id="e", source_kind="dataset", source="live", target_kind="run", target="1",
                via="read", snapshot_id="3", first_at=1.0, last_at=1.0, by="a",
            )
        )  # fmt: skip
        for name, age, passed in (
            ("old", 100, 0), ("held", 100, 0), ("good", 100, 1), ("new", 1, 0)
        ):  # fmt: skip
            tx.execute(
                validations.insert().values(
                    id=name, dataset="live", at=now - age * DAY, by="a", passed=passed, body="{}"
                )
            )
        tx.execute(
            quarantine.insert().values(
                id="q", dataset="live", batch_id="b", validation_id="held", at=1.0, by="a",
                state="held", rows=1, bad_rows=1, path="p",
            )
        )  # fmt: skip

    with ops.session.change("forget") as tx:
        forget_data(tx)

    def left(sql: str) -> list[Any]:
        return [next(iter(row.values())) for row in ops.session.reader.rows(sql)]

    numbers = "SELECT number FROM dataset_snapshots WHERE dataset = '{}' ORDER BY number"
    assert left(numbers.format("live")) == [2, 3, 4, 5]
    assert left(numbers.format("dropped")) == [2, 3, 5]
    assert left("SELECT snapshot_id FROM profiles") == ["5"]
    assert left("SELECT id FROM validations ORDER BY id") == ["good", "held", "new"]
