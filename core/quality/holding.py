"""Rows that are in a dataset already, taken into quarantine by a condition.

The rows are written to the quarantine first; then one commit takes them out of the dataset; then
they are on record as a held batch. The commit carries an id that is kept beside the rows, so
that whoever is killed in between leaves either nothing, or a commit by which `settle` finds the
rows and puts them on record. They go back in by a replay, once.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from core.domain.quality import HoldPreview, QuarantinedBatch, QuarantineState
from core.errors import BadInput, NotFound, OpsdeckError
from core.ids import new_id
from core.lake.errors import KeyUnusable
from core.quality import _surroundings as around
from core.quality.held import How, forget_rows, held_id, held_path, read_rows, write_rows
from core.quality.leftover import unknown_files
from core.quality.predicate import Predicate
from core.reads.quality import find_quarantined
from core.state.lake_tables import quarantine

if TYPE_CHECKING:
    import pyarrow as pa

    from core.lake.lake import Lake
    from core.session import Session

LEFT_SECONDS = 86_400.0
"""After so long rows that were written for a commit that never came are deleted."""


def preview(session: Session, lake: Lake, dataset: str, where: str) -> HoldPreview:
    """How many rows would be held. Raises `ConditionInvalid`, `BadInput`, `NotFound`."""
    with Predicate(dataset, where, lake.schema(dataset), session.actor) as predicate:
        version = lake.dataset(dataset).number or 0
        rows = of = 0
        for batch in lake.read(dataset, columns=predicate.columns):
            found = predicate.met(_table(batch))
            of += len(found)
            rows += found.true_count
    _refuse(dataset, where, rows, of)
    return HoldPreview(dataset, where, rows, of, version)


def hold(session: Session, lake: Lake, dataset: str, where: str, reason: str) -> QuarantinedBatch:
    """Take the rows that meet a condition out of a dataset's newest version, into quarantine.

    Raises `ConditionInvalid`, `BadInput`, and what a commit raises.
    """
    preview(session, lake, dataset, where)  # before a file is written
    batch_id = new_id()
    name = held_id(dataset, batch_id)
    path = held_path(session.workspace, dataset, name)
    how = How(message=f"released from quarantine: {reason}", where=where, taken=f"{batch_id}-out")
    told = {"batch_id": batch_id, "reason": reason}

    with Predicate(dataset, where, lake.schema(dataset), session.actor) as predicate:

        def keep(rows: pa.Table, stay: int) -> None:
            _refuse(dataset, where, rows.num_rows, rows.num_rows + stay)
            kept = rows.replace_schema_metadata({_TOLD: json.dumps(told).encode()})
            write_rows(session.workspace, path, kept, [[where]] * rows.num_rows, how)

        try:
            snapshot = lake.take(
                dataset, predicate.met, keep, by=session.actor, batch_id=how.taken,
                message=f"held in quarantine: {reason}",
            )  # fmt: skip
        except OpsdeckError:
            with contextlib.suppress(OpsdeckError):
                lake.sync(dataset)
                if around.committed(session.reader, dataset, how.taken) is None:
                    forget_rows(path)
            raise
    _record(session, dataset, path, {"by": session.actor, "at": snapshot.at})
    return find_quarantined(session.reader, name)


def settle(session: Session, lake: Lake, dataset: str) -> int:
    """Put on record what was taken out of a dataset by somebody who died before saying so;
    returns how many batches that were. Rows whose commit never came are deleted after a day."""
    left = unknown_files(session, dataset)
    if not left:
        return 0
    with contextlib.suppress(NotFound):
        lake.sync(dataset)
    settled = 0
    for path in left:
        try:
            taken = read_rows(session.workspace, path).how.taken
        except (NotFound, KeyUnusable):  # somebody else has done it; somebody else can
            continue
        if not taken:
            continue
        found = session.reader.rows(
            "SELECT by, at FROM dataset_snapshots WHERE dataset = :name AND batch_id = :batch",
            name=dataset,
            batch=taken,
        )
        if found:
            _record(session, dataset, path, found[0])
            settled += 1
        elif time.time() - path.stat().st_mtime > LEFT_SECONDS:
            forget_rows(path)
    return settled


def is_in(session: Session, batch: QuarantinedBatch, taken: str) -> bool:
    """Whether the rows of a batch that was taken out are in the dataset all the same: it was
    put back to a version from before that."""
    rows = session.reader.rows(
        "SELECT s.snapshot_id, s.parent_id, s.batch_id, s.number, s.at, d.current_snapshot"
        " FROM dataset_snapshots s JOIN datasets d ON d.name = s.dataset"
        " WHERE s.dataset = :name AND s.at >= d.created_at",
        name=batch.dataset,
    )
    known = {row["snapshot_id"]: row for row in rows}
    current = known.get(rows[0]["current_snapshot"]) if rows else None
    if current is None:
        return False
    gone = next((row["number"] for row in rows if row["batch_id"] == taken), None)
    if gone is None:  # so long ago that nobody knows that version any more
        return bool(current["at"] < batch.at)
    line = current  # each version's number is higher than its parent's
    while line["number"] > gone and line["parent_id"] in known:
        line = known[line["parent_id"]]
    return bool(line["number"] < gone)


def _record(session: Session, dataset: str, path: Path, commit: Mapping[str, object]) -> None:
    """The batch's row and the journal's; nothing where they are there."""
    held = read_rows(session.workspace, path)
    told = json.loads((held.table.schema.metadata or {})[_TOLD])
    rows, where = held.table.num_rows, held.how.where or ""
    with session.change("data quarantine hold") as tx:
        if tx.row(sa.select(quarantine.c.id).where(quarantine.c.id == path.stem)) is not None:
            return
        tx.execute(
            quarantine.insert().values(
                id=path.stem, dataset=dataset, batch_id=told["batch_id"], validation_id=None,
                at=commit["at"], by=commit["by"], state=QuarantineState.HELD, rows=rows,
                bad_rows=rows, path=path.relative_to(session.workspace.root).as_posix(),
                reasons=json.dumps([[where, rows]]), message=told["reason"],
            )
        )  # fmt: skip
        tx.journal(
            "quarantine.hold", f"quarantine/{path.stem}", dataset=dataset, batch=told["batch_id"],
            rows=rows, bad_rows=rows, where=where, why=told["reason"],
        )  # fmt: skip


_TOLD = b"opsdeck.held"


def _refuse(dataset: str, where: str, rows: int, of: int) -> None:
    if not rows:
        raise BadInput(
            f"dataset {dataset}: none of its {of:,} rows meets {where[:80]!r}",
            f"look at them: opsdeck data sample {dataset}",
        )
    if rows == of:
        raise BadInput(
            f"dataset {dataset}: all of its {of:,} rows meet {where[:80]!r}, and nothing would be"
            " left",
            f"narrow the condition, or go back to a good version: opsdeck data rollback {dataset}",
        )


def _table(batch: pa.RecordBatch) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_batches([batch])
