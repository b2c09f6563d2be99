"""What is done with a batch in quarantine: looked at, mended, replayed, discarded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa

from core.alerting.incidents import end_alert
from core.domain.alert import AlertState
from core.domain.quality import Expectations, QuarantinedBatch, QuarantinedRow, QuarantineState
from core.errors import BadInput, NotFound, WrongState
from core.explore.rights import what_is_seen
from core.quality import _surroundings as around
from core.quality._records import reasons_of, record_validation
from core.quality.errors import ValidationFailed
from core.quality.evaluate import Evaluation
from core.quality.files import expectations_path, load_expectations
from core.quality.gate import evaluate_batch
from core.quality.held import HeldRows, How, forget_rows, read_rows, row_reasons, write_rows
from core.quality.holding import is_in
from core.reads.quality import find_quarantined
from core.state import schema
from core.state.lake_tables import quarantine

if TYPE_CHECKING:
    from core.lake.lake import Lake
    from core.session import Session
    from core.state.store import Transaction

MOST_TRIED = 1000
"""Rows that are looked at for somebody who sees only some of them."""
OPEN = (QuarantineState.HELD, QuarantineState.REPAIRED)


class _Held:
    """The rows of a batch as something that governance reads, so that what it hides of the
    dataset is hidden of them too."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def read(
        self,
        name: str,
        *,
        at: str | None = None,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        limit: int | None = None,
    ) -> pa.RecordBatchReader:
        """The rows; `where` only says which ones may be left out."""
        table = self._table if columns is None else self._table.select(list(columns))
        return (table if limit is None else table.slice(0, limit)).to_reader()

    def schema(self, name: str, at: str | None = None) -> pa.Schema:
        """Their columns."""
        return self._table.schema

    def resolve(self, name: str, at: str | None = None) -> str:
        """There is one version."""
        return ""


def held_rows(session: Session, batch: QuarantinedBatch) -> HeldRows:
    """The rows of a batch as they are; raises `NotFound` where they are gone."""
    if batch.state in (QuarantineState.REPLAYED, QuarantineState.DISCARDED):
        raise NotFound(f"quarantine {batch.id}: {batch.state}, its rows are kept no longer")
    return read_rows(session.workspace, session.workspace.root / batch.path)


def shown_rows(
    session: Session, batch: QuarantinedBatch, *, only_bad: bool = True, limit: int = 20
) -> tuple[QuarantinedRow, ...]:
    """Rows with their reasons as the session's actor may see the dataset's; raises `Refused`.

    Columns that the dataset does not have are left out for whoever does not see all of it:
    nobody has said who may see them.
    """
    from core.governance.access import Access

    held = held_rows(session, batch)
    table = held.table
    whole = what_is_seen(Access(session, _Held(table)), batch.dataset).all
    if not whole and around.is_there(session, batch.dataset):
        known = around.column_names(session.reader, batch.dataset)
        table = table.select([name for name in table.column_names if name in known])
    chosen = [i for i, told in enumerate(held.reasons) if told or not only_bad]
    shown: list[QuarantinedRow] = []
    for i in chosen if whole else chosen[:MOST_TRIED]:
        if len(shown) == limit:
            break
        row = table.slice(i, 1)
        if not whole:  # one by one: a row filter may leave some out
            row = Access(session, _Held(row)).scan(batch.dataset, purpose="quarantine").read_all()
        if row.num_rows:
            shown.append(QuarantinedRow(held.numbers[i], row.to_pylist()[0], held.reasons[i]))
    return tuple(shown)


def put_back(
    session: Session, batch: QuarantinedBatch, table: pa.Table, lake: Lake
) -> QuarantinedBatch:
    """Keep mended rows in place of a batch's, with what is still wrong with them."""
    how = held_rows(session, batch).how
    path = session.workspace.root / batch.path
    expectations = _expected(session, batch, how)
    evaluation = evaluate_batch(session, expectations, table, how, lake)
    with session.change("quarantine repair") as tx:
        _check_state(tx, batch, OPEN)
        made = record_validation(tx, expectations, evaluation, batch_id=batch.batch_id, by=tx.actor)
        write_rows(
            session.workspace,
            path,
            table,
            row_reasons(table.num_rows, evaluation.reasons, evaluation.results),
            how,
        )
        values = _found(evaluation) | {
            "state": QuarantineState.REPAIRED,
            "validation_id": made.id,
            "rows": table.num_rows,
            "message": "" if made.passed else made.why,
        }
        _update(tx, batch, values)
        tx.journal(
            "quarantine.repair",
            f"quarantine/{batch.id}",
            dataset=batch.dataset,
            rows=table.num_rows,
            bad_rows=evaluation.failed_rows,
        )
    return find_quarantined(session.reader, batch.id)


def replay(
    session: Session, batch: QuarantinedBatch, lake: Lake, *, as_they_were: bool = False
) -> QuarantinedBatch:
    """Ask the batch again and, if it passes now, commit it as the batch that it was.

    It is committed once, whoever replays it and however often: the commit carries the batch's
    own id. Rows that were taken out of the dataset may go back `as_they_were`, unasked. Raises
    `ValidationFailed` (the batch stays where it is), `WrongState`, `BadInput`.
    """
    _check_way_back(session, batch, lake, as_they_were=as_they_were)
    with session.change("quarantine replay") as tx:
        _check_state(tx, batch, (*OPEN, QuarantineState.REPLAYING))
        _update(tx, batch, {"state": QuarantineState.REPLAYING})
    held = held_rows(session, batch)
    snapshot = _committed(session, batch, lake)
    if snapshot is None:
        try:
            if not as_they_were:
                _ask_again(session, batch, held, lake)
            snapshot = _commit(session, batch, held, lake)
        except BaseException:
            _give_up(session, batch)
            raise
    with session.change("quarantine replay") as tx:
        values = {
            "state": QuarantineState.REPLAYED,
            "snapshot_id": snapshot,
            "decided_by": tx.actor,
            "decided_at": tx.now,
        }
        _update(tx, batch, values)
        _resolve_alert(tx, batch)
        tx.journal(
            "quarantine.replay",
            f"quarantine/{batch.id}",
            dataset=batch.dataset,
            batch=batch.batch_id,
            snapshot=snapshot,
            rows=held.table.num_rows,
        )
    _tell_ingest(session, batch, held, snapshot)
    forget_rows(session.workspace.root / batch.path)
    return find_quarantined(session.reader, batch.id)


def discard(session: Session, batch: QuarantinedBatch, reason: str) -> QuarantinedBatch:
    """Give a batch up; its rows are deleted. Raises `WrongState`."""
    with session.change("quarantine discard") as tx:
        _check_state(tx, batch, OPEN)
        values = {
            "state": QuarantineState.DISCARDED,
            "decided_by": tx.actor,
            "decided_at": tx.now,
            "message": reason,
        }
        _update(tx, batch, values)
        _resolve_alert(tx, batch)
        tx.journal(
            "quarantine.discard",
            f"quarantine/{batch.id}",
            dataset=batch.dataset,
            batch=batch.batch_id,
            rows=batch.rows,
            reason=reason,
        )
    forget_rows(session.workspace.root / batch.path)
    return find_quarantined(session.reader, batch.id)


def _ask_again(session: Session, batch: QuarantinedBatch, held: HeldRows, lake: Lake) -> None:
    root = session.workspace.root
    if expectations_path(root, batch.dataset) is None:
        return
    expectations = _expected(session, batch, held.how)
    evaluation = evaluate_batch(session, expectations, held.table, held.how, lake)
    if evaluation.passed:
        return
    told = row_reasons(held.table.num_rows, evaluation.reasons, evaluation.results)
    write_rows(session.workspace, root / batch.path, held.table, told, held.how)
    with session.change("quarantine replay") as tx:
        made = record_validation(tx, expectations, evaluation, batch_id=batch.batch_id, by=tx.actor)
        message = made.why
        _update(tx, batch, _found(evaluation) | {"validation_id": made.id, "message": message})
    raise ValidationFailed(
        f"quarantine {batch.id}: still held: {message}",
        f"see: opsdeck data quarantine show {batch.id}"
        + ("; they go back unmended with --as-they-were" if held.how.taken else ""),
    )


def _expected(session: Session, batch: QuarantinedBatch, how: How) -> Expectations:
    """What is asked of a batch. Rows that were taken out are no batch of their own, so that how
    many they are says nothing, and nothing may be expected of their dataset."""
    root = session.workspace.root
    if not how.taken:
        return load_expectations(root, batch.dataset)
    if expectations_path(root, batch.dataset) is None:
        return Expectations(batch.dataset, "", ())
    found = load_expectations(root, batch.dataset)
    return replace(found, checks=tuple(c for c in found.checks if c.kind != "batch_volume"))


def _check_way_back(
    session: Session, batch: QuarantinedBatch, lake: Lake, *, as_they_were: bool
) -> None:
    """Refuse what would put rows in twice, or in as nobody has ever had them."""
    if batch.state not in (*OPEN, QuarantineState.REPLAYING):
        return  # which is said where the state is changed
    taken = held_rows(session, batch).how.taken
    if as_they_were and (not taken or batch.state is QuarantineState.REPAIRED):
        why = "its rows were mended" if taken else "it never was in the dataset"
        raise BadInput(
            f"quarantine {batch.id}: {why}: it goes in only if it passes",
            "leave --as-they-were out",
        )
    if not taken or _committed(session, batch, lake) is not None:
        return
    if not around.is_there(session, batch.dataset):
        raise NotFound(f"dataset {batch.dataset}: is gone, and these rows were taken out of it")
    if is_in(session, batch, taken):
        raise WrongState(
            f"quarantine {batch.id}: dataset {batch.dataset} was put back to a version from before"
            " its rows were held: they are in it",
            f"give the copy up: opsdeck data quarantine discard {batch.id}",
        )


def _commit(session: Session, batch: QuarantinedBatch, held: HeldRows, lake: Lake) -> str:
    how, name = held.how, batch.dataset
    if not around.is_there(session, name):
        lake.ensure(name, held.table.schema, owner=session.actor)
    note: dict[str, Any] = {
        "by": session.actor,
        "batch_id": batch.batch_id,
        "message": how.message or "replayed from quarantine",
        "run_id": how.run_id,
        "evolve": how.evolve,
    }
    match how.mode:
        case "overwrite":
            return lake.overwrite(name, held.table, where=how.where, **note).id
        case "upsert":
            return lake.upsert(name, held.table, keys=how.keys, **note).id
    return lake.append(name, held.table, **note).id


def _committed(session: Session, batch: QuarantinedBatch, lake: Lake) -> str | None:
    """The snapshot of a replay that died before it could say so."""
    if not around.is_there(session, batch.dataset):
        return None
    lake.sync(batch.dataset)
    return around.committed(session.reader, batch.dataset, batch.batch_id)


def _give_up(session: Session, batch: QuarantinedBatch) -> None:
    """Back to what it was, unless somebody else has brought the replay to its end."""
    with session.change("quarantine replay") as tx:
        tx.execute(
            quarantine.update()
            .where(quarantine.c.id == batch.id, quarantine.c.state == QuarantineState.REPLAYING)
            .values(
                state=QuarantineState.REPAIRED
                if batch.state is QuarantineState.REPAIRED
                else QuarantineState.HELD
            )
        )


def _tell_ingest(session: Session, batch: QuarantinedBatch, held: HeldRows, snapshot: str) -> None:
    """The record of how the batch came in says now where it went."""
    if not session.reader.rows("SELECT id FROM ingests WHERE id = :id", id=batch.batch_id):
        return
    from core.ingest.ledger import Ledger

    Ledger(session, batch.dataset).done(
        batch.batch_id,
        rows=held.table.num_rows,
        snapshot_id=snapshot,
        replaced=held.how.mode == "overwrite",
        message=f"replayed from quarantine by {session.actor}",
    )


def _check_state(tx: Transaction, batch: QuarantinedBatch, come: Sequence[QuarantineState]) -> None:
    row = tx.row(sa.select(quarantine).where(quarantine.c.id == batch.id))
    if row is None:
        raise NotFound(f"quarantine {batch.id}: no such batch")
    if row["state"] not in come:
        who = f" by {row['decided_by']}" if row["decided_by"] else ""
        raise WrongState(f"quarantine {batch.id} is {row['state']}{who}")


def _update(tx: Transaction, batch: QuarantinedBatch, values: dict[str, Any]) -> None:
    tx.execute(quarantine.update().where(quarantine.c.id == batch.id).values(**values))


def _found(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "bad_rows": evaluation.failed_rows,
        "reasons": json.dumps(reasons_of(evaluation.results)),
    }


def _resolve_alert(tx: Transaction, batch: QuarantinedBatch) -> None:
    table = schema.alerts
    row = tx.row(sa.select(table.c.state).where(table.c.id == batch.id))
    if row is not None and row["state"] != AlertState.RESOLVED:
        end_alert(tx, batch.id, "the batch was decided on")
