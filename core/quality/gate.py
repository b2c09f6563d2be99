"""The gate before a commit: a batch that fails its expectations goes to quarantine, whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import sqlalchemy as sa

from core.domain.alert import Severity
from core.domain.quality import (
    CheckScope,
    Expectations,
    QuarantineState,
    Validation,
    Verdict,
)
from core.explore.frames import frame_of, frames
from core.quality import _surroundings as around
from core.quality._records import reasons_of, record_validation
from core.quality.context import Context
from core.quality.evaluate import Evaluation, evaluate
from core.quality.files import expectations_path, load_expectations
from core.quality.held import How, forget_rows, held_id, held_path, row_reasons, write_rows
from core.reads import quality as _reads
from core.reads.datasets import find_dataset
from core.releases.alerts import raise_alert
from core.state.lake_tables import quarantine

if TYPE_CHECKING:
    from polars import DataFrame

    from core.domain.profile import DatasetProfile
    from core.lake.lake import Lake
    from core.session import Session
    from core.state.store import Transaction


def gate(
    session: Session,
    dataset: str,
    table: pa.Table,
    *,
    batch_id: str,
    by: str,
    run_id: str | None = None,
    mode: str = "append",
    keys: Sequence[str] = (),
    where: str | None = None,
    message: str = "",
    evolve: str = "add",
    lake: Lake | None = None,
) -> Verdict:
    """Whether `table` may be committed to `dataset`; if not, it is in quarantine afterwards.

    Called before the commit, with what the commit will be: `mode` append, overwrite or upsert
    with `keys`, `where`, `message` and `evolve` as of `core.lake`. They are kept beside the
    rows, so that a replay commits the same with the same `batch_id`. The verdict on a batch
    that is held, or is in the dataset already, is that of the first time.

    Rows of the dataset and of those it refers to are looked up whoever sends the batch; none
    is shown. Raises `ExpectationsInvalid` (then nothing may be committed: it is not known what
    is expected), `DiskFull`, `ReadOnly`.
    """
    root = session.workspace.root
    if expectations_path(root, dataset) is None:
        return Verdict(True, None, message="no expectations")
    session.refuse_when_read_only("quality gate")
    expectations = load_expectations(root, dataset)
    held = _held(session, dataset, batch_id)
    if held is not None:
        return held
    how = How(mode, tuple(keys), where, message, evolve, run_id)
    evaluation = evaluate_batch(session, expectations, table, how, lake)
    if not evaluation.passed and _is_in(session, dataset, batch_id, lake):
        return Verdict(True, None, message="in the dataset already")
    if evaluation.passed:
        with session.change("quality gate") as tx:
            made = record_validation(
                tx, expectations, evaluation, batch_id=batch_id, run_id=run_id, by=by
            )
        return Verdict(True, made, message=made.why)
    return _hold(session, expectations, table, evaluation, how, batch_id, by)


def evaluate_batch(
    session: Session,
    expectations: Expectations,
    table: pa.Table,
    how: How,
    lake: Lake | None = None,
) -> Evaluation:
    """What comes of asking a batch; nothing is kept."""
    frame = frame_of(table)
    dataset = expectations.dataset
    exists = around.is_there(session, dataset)

    def read(name: str, columns: Sequence[str]) -> pa.RecordBatchReader:
        return _lake(session, lake).read(name, columns=columns)

    def existing(columns: Sequence[str]) -> Iterator[DataFrame]:
        if how.mode != "append" or not exists:
            return iter(())
        known = {column.name for column in find_dataset(session.reader, dataset).columns}
        return frames(read(dataset, columns)) if known >= set(columns) else iter(())

    def profiles(
        baseline: str, columns: Sequence[str]
    ) -> tuple[DatasetProfile, DatasetProfile | None]:
        from core.explore.keeping import baseline_snapshot, batch_profile, ensure_profile

        against = baseline_snapshot(session, dataset, baseline, None) if exists else None
        before = ensure_profile(session, _lake(session, lake), against) if against else None
        return batch_profile(dataset, frame.select(columns), before), before

    context = Context(
        CheckScope.BATCH,
        rows_added=frame.height,
        earlier_batches=around.earlier_batches(session.reader, dataset) if exists else (),
        existing=existing,
        values_of=around.values_by(read),
        profiles=profiles,
    )
    return evaluate(expectations, [frame], frame.schema, context)


def _held(session: Session, dataset: str, batch_id: str) -> Verdict | None:
    """The verdict on a batch that is in quarantine already."""
    name = held_id(dataset, batch_id)
    rows = session.reader.rows("SELECT * FROM quarantine WHERE id = :id", id=name)
    if not rows or rows[0]["state"] == QuarantineState.REPLAYED:
        return None
    found = _reads.quarantined_of(rows[0])
    made: Validation | None = None
    if found.validation_id is not None:
        kept = session.reader.rows(
            "SELECT * FROM validations WHERE id = :id", id=found.validation_id
        )
        made = _reads.validation_of(kept[0]) if kept else None
    return Verdict(False, made, found.id, found.message)


def _hold(
    session: Session,
    expectations: Expectations,
    table: pa.Table,
    evaluation: Evaluation,
    how: How,
    batch_id: str,
    by: str,
) -> Verdict:
    """Put the batch to quarantine: its rows in a file, then all that is said of it at once."""
    dataset = expectations.dataset
    name = held_id(dataset, batch_id)
    path = held_path(session.workspace, dataset, name)
    told = row_reasons(table.num_rows, evaluation.reasons, evaluation.results)
    write_rows(session.workspace, path, table, told, how)
    try:
        with session.change("quality gate") as tx:
            made = record_validation(
                tx, expectations, evaluation, batch_id=batch_id, run_id=how.run_id, by=by
            )
            _note(tx, session, made, name, path)
    except BaseException:
        if not session.reader.rows("SELECT id FROM quarantine WHERE id = :id", id=name):
            forget_rows(path)
        raise
    return Verdict(False, made, name, made.why)


def _note(tx: Transaction, session: Session, made: Validation, name: str, path: Path) -> None:
    known = tx.row(sa.select(quarantine.c.id).where(quarantine.c.id == name))
    if known is not None:  # the same batch twice at once: the first told of it
        return
    message = made.why
    tx.execute(
        quarantine.insert().values(
            id=name,
            dataset=made.dataset,
            batch_id=made.batch_id,
            validation_id=made.id,
            at=tx.now,
            by=made.by,
            state=QuarantineState.HELD,
            rows=made.rows,
            bad_rows=made.failed_rows,
            path=path.relative_to(session.workspace.root).as_posix(),
            reasons=json.dumps(reasons_of(made.results)),
            message=message,
        )
    )
    detail: Mapping[str, object] = {
        "dataset": made.dataset,
        "batch": made.batch_id,
        "rows": made.rows,
        "bad_rows": made.failed_rows,
        "why": message,
    }
    tx.journal("quarantine.hold", f"quarantine/{name}", **detail)
    raise_alert(
        tx,
        "quarantine",
        f"dataset/{made.dataset}",
        f"a batch of {made.rows:,} rows is held back",
        f"{message}; see: opsdeck data quarantine show {name}",
        severity=Severity.WARNING,
        alert_id=name,
    )


def _is_in(session: Session, dataset: str, batch_id: str, lake: Lake | None) -> bool:
    """Whether the batch was committed before: by somebody who died before saying so."""
    if not around.is_there(session, dataset):
        return False
    _lake(session, lake).sync(dataset)
    return around.committed(session.reader, dataset, batch_id) is not None


def _lake(session: Session, lake: Lake | None) -> Lake:
    if lake is not None:
        return lake
    from core.lake import open_lake

    return open_lake(session)
