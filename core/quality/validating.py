"""Asking a snapshot of a dataset for its expectations, and keeping what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from core.domain.dataset import Snapshot
from core.domain.profile import DatasetProfile
from core.domain.quality import CheckScope, Validation
from core.explore.frames import frame_schema, frames
from core.explore.keeping import baseline_snapshot, ensure_profile
from core.explore.rights import Seen, what_is_seen
from core.lake.names import check_name
from core.quality import _surroundings as around
from core.quality._records import record_validation, unrecorded
from core.quality.context import Context
from core.quality.evaluate import evaluate
from core.quality.files import load_expectations
from core.reads.datasets import find_dataset, find_snapshot

if TYPE_CHECKING:
    from core.governance.access import Access
    from core.lake.lake import Lake
    from core.session import Session


def validate_dataset(
    session: Session,
    dataset: str,
    *,
    at: str | None = None,
    file: Path | None = None,
    by: str | None = None,
    run_id: str | None = None,
    access: Access | None = None,
) -> Validation:
    """Ask a snapshot (the newest unless `at` names another) for what its file, or `file`,
    expects, and put the answers on record. It returns them whether or not they are good:
    `Validation.passed` says, and whatever comes next must not run where it is False.

    Read as the session's actor sees the dataset: checks of columns that they see masked, or not
    at all, are skipped, and the notes say so. In a read-only session nothing is kept. Raises
    `NotFound`, `NoExpectations`, `ExpectationsInvalid`, `Refused`.
    """
    from core.governance.access import Access
    from core.lake import open_lake

    check_name(dataset)
    find_dataset(session.reader, dataset)
    expectations = load_expectations(session.workspace.root, dataset, file)
    with open_lake(session) as lake:
        access = access if access is not None else Access(session, lake)
        snapshot = find_snapshot(session.reader, dataset, lake.resolve(dataset, at))
        seen = what_is_seen(access, dataset, snapshot.id)
        rows = access.scan(dataset, at=snapshot.id, purpose="validate")
        context = _context(session, lake, access, snapshot, seen)
        found = evaluate(expectations, frames(rows), frame_schema(rows.schema), context)
    who = by or session.actor
    if session.read_only:
        return unrecorded(expectations, found, snapshot_id=snapshot.id, by=who, notes=seen.words)
    with session.change("data validate") as tx:
        made = record_validation(
            tx,
            expectations,
            found,
            snapshot_id=snapshot.id,
            run_id=run_id,
            by=who,
            notes=seen.words,
        )
        tx.journal(
            "quality.validate",
            f"dataset/{dataset}",
            snapshot=snapshot.number,
            passed=made.passed,
            failed_rows=made.failed_rows,
            why=made.why,
        )
    return made


def _context(
    session: Session, lake: Lake, access: Access, snapshot: Snapshot, seen: Seen
) -> Context:
    dataset = snapshot.dataset

    def read(name: str, columns: Sequence[str]) -> pa.RecordBatchReader:
        return access.scan(name, columns=columns, purpose=f"validate {dataset}")

    def profiles(ref: str, columns: Sequence[str]) -> tuple[DatasetProfile, DatasetProfile | None]:
        against = baseline_snapshot(session, dataset, ref, snapshot)
        before = ensure_profile(session, lake, against) if against is not None else None
        return ensure_profile(session, lake, snapshot), before

    return Context(
        CheckScope.SNAPSHOT,
        at=snapshot.at,
        rows_added=snapshot.added_rows,
        earlier_rows=around.earlier_rows(session.reader, dataset, snapshot.number),
        earlier_batches=around.earlier_batches(session.reader, dataset, snapshot.number),
        values_of=around.values_by(read),
        profiles=None if seen.rows else profiles,
        hidden=seen.hidden,
    )
