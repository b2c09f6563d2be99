"""Handing labels on: what people agreed on becomes labels of the endpoint.

Labels go in first and are marked as handed on after: where a process dies in between they go in
once more, and of equal labels the latest holds.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from core.capture import reporting
from core.capture.labelfile import Label
from core.capture.labels import store_labels
from core.capture.merge import merge_new
from core.domain.labelling import TaskState
from core.session import Session


def hand_over(session: Session, endpoint: str, folder: Path, before: float) -> int:
    """Make the labels of an endpoint's that were agreed on by a moment; how many there were."""
    from core.state.trigger_tables import label_tasks as T  # noqa: N812 - a table

    rows = session.reader.rows(
        "SELECT inference_id, label, done_at FROM label_tasks WHERE endpoint = :endpoint"
        " AND state = 'done' AND handed_at IS NULL AND done_at <= :before ORDER BY done_at",
        endpoint=endpoint,
        before=before,
    )
    if not rows:
        return 0
    labels = [Label(row["inference_id"], json.loads(row["label"]), row["done_at"]) for row in rows]
    store_labels(folder, labels)
    merge_new(folder)
    with session.change("labels hand over") as tx:
        handed = 0
        for row in rows:
            handed += tx.execute(
                T.update()
                .where(
                    T.c.endpoint == endpoint,
                    T.c.inference_id == row["inference_id"],
                    T.c.state == TaskState.DONE,
                    T.c.handed_at.is_(None),
                )
                .values(handed_at=time.time())
            ).rowcount
        tx.journal("labels.hand_over", f"endpoint/{endpoint}", labels=handed)
    reporting.report(session.reader, folder)
    return len(rows)
