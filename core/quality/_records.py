"""Writing validations and quarantined batches to the state, in one transaction with others."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace

import sqlalchemy as sa

from core.domain.quality import CheckResult, CheckStatus, Expectations, Validation
from core.ids import new_id
from core.quality.evaluate import Evaluation
from core.state.lake_tables import validations
from core.state.store import Transaction

KEEP_PASSED = 500
"""Validations of one dataset that passed: streams make one every few seconds."""


def record_validation(
    tx: Transaction,
    expectations: Expectations,
    evaluation: Evaluation,
    *,
    snapshot_id: str | None = None,
    batch_id: str | None = None,
    run_id: str | None = None,
    by: str,
    notes: Sequence[str] = (),
) -> Validation:
    """Put an evaluation on record; the oldest that passed give way to it."""
    made = replace(
        unrecorded(expectations, evaluation, snapshot_id=snapshot_id, by=by, notes=notes),
        id=new_id(),
        batch_id=batch_id,
        at=tx.now,
        run_id=run_id,
    )
    body = {
        "file": made.file,
        "fingerprint": expectations.fingerprint,
        "notes": list(made.notes),
        "results": [asdict(each) for each in made.results],
    }
    tx.execute(
        validations.insert().values(
            id=made.id,
            dataset=made.dataset,
            snapshot_id=snapshot_id,
            batch_id=batch_id,
            at=made.at,
            by=by,
            passed=int(made.passed),
            rows=made.rows,
            failed_rows=made.failed_rows,
            body=json.dumps(body),
            run_id=run_id,
        )
    )
    if made.passed:
        _thin(tx, made.dataset)
    return made


def unrecorded(
    expectations: Expectations,
    evaluation: Evaluation,
    *,
    snapshot_id: str | None,
    by: str,
    notes: Sequence[str] = (),
) -> Validation:
    """An evaluation as a record that is nowhere kept: its id is empty."""
    return Validation(
        id="",
        dataset=expectations.dataset,
        snapshot_id=snapshot_id,
        batch_id=None,
        at=time.time(),
        by=by,
        passed=evaluation.passed,
        rows=evaluation.rows,
        failed_rows=evaluation.failed_rows,
        results=evaluation.results,
        file=expectations.path,
        notes=tuple(notes),
    )


def reasons_of(results: Sequence[CheckResult]) -> list[tuple[str, int | None]]:
    """What failed, with the rows that fail it, for the row of a quarantined batch."""
    return [(each.title, each.failed_rows) for each in results if each.status is CheckStatus.FAILED]


def _thin(tx: Transaction, dataset: str) -> None:
    table = validations
    passed = (table.c.dataset == dataset) & (table.c.passed == 1)
    oldest = tx.row(
        sa.select(table.c.id).where(passed).order_by(table.c.id.desc()).offset(KEEP_PASSED).limit(1)
    )
    if oldest is not None:
        tx.execute(table.delete().where(passed & (table.c.id <= oldest["id"])))
