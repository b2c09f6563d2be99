"""Profiles of snapshots: each is made once and kept in the state.

What is kept is of all rows as they are. Whoever may not see them so gets a profile made of
what they see, which is not kept: `core.services.explore`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import sqlalchemy as sa

from core.domain.dataset import Snapshot
from core.domain.profile import DatasetProfile
from core.errors import NotFound
from core.explore.frames import frame_schema, frames
from core.explore.profiling import Profiler, in_parts
from core.reads import profiles as _reads
from core.reads.datasets import find_snapshot, list_snapshots
from core.state.lake_tables import profiles

if TYPE_CHECKING:
    from core.lake.lake import Lake
    from core.session import Session

PREVIOUS = "previous"


def profile_rows(
    dataset: str,
    rows: pa.RecordBatchReader,
    snapshot: Snapshot,
    *,
    earlier: DatasetProfile | None = None,
) -> DatasetProfile:
    """The profile of a snapshot's rows as they are read, in the bins of an earlier one."""
    types = {column.name: column.type for column in snapshot.columns}
    profiler = Profiler(dataset, frame_schema(rows.schema), edges=edges_of(earlier), types=types)
    for part in in_parts(frames(rows)):
        profiler.add(part)
    return profiler.finish(snapshot.id, snapshot.number)


def keep(session: Session, profile: DatasetProfile) -> None:
    """Keep the profile of a snapshot, in place of one that was kept before."""
    table = profiles
    with session.change("data profile") as tx:
        same = sa.and_(
            table.c.dataset == profile.dataset, table.c.snapshot_id == profile.snapshot_id
        )
        tx.execute(table.delete().where(same))
        tx.execute(
            table.insert().values(
                dataset=profile.dataset,
                snapshot_id=profile.snapshot_id,
                at=profile.at,
                rows=profile.rows,
                sampled_rows=profile.sampled_rows,
                body=json.dumps(asdict(profile)),
            )
        )


def ensure_profile(session: Session, lake: Lake, snapshot: Snapshot) -> DatasetProfile:
    """The kept profile of a snapshot; made of all its rows, and kept, where there is none.

    Not for showing: it is made whoever asks.
    """
    found = _reads.find_profile(session.reader, snapshot.dataset, snapshot.id)
    if found is not None:
        return found
    earlier = _reads.newest_profile(session.reader, snapshot.dataset)
    rows = lake.read(snapshot.dataset, at=snapshot.id)
    made = profile_rows(snapshot.dataset, rows, snapshot, earlier=earlier)
    if not session.read_only:
        keep(session, made)
    return made


def baseline_snapshot(
    session: Session, dataset: str, ref: str, current: Snapshot | None
) -> Snapshot | None:
    """The snapshot that a check compares with: `previous` is the one before `current` (the
    newest, where that is None) that holds rows; None where there is none."""
    if ref != PREVIOUS:
        try:
            return find_snapshot(session.reader, dataset, ref)
        except NotFound:
            return None
    for snapshot in list_snapshots(session.reader, dataset):
        if snapshot.rows and (current is None or snapshot.number < current.number):
            return snapshot
    return None


def batch_profile(
    dataset: str, frame: pl.DataFrame, earlier: DatasetProfile | None
) -> DatasetProfile:
    """The profile of rows that are no snapshot yet."""
    profiler = Profiler(dataset, frame.schema, edges=edges_of(earlier))
    profiler.add(frame)
    return profiler.finish()


def edges_of(profile: DatasetProfile | None) -> Mapping[str, Sequence[float]]:
    """The bins of a profile's histograms, by column."""
    if profile is None:
        return {}
    return {
        column.name: column.number.histogram.edges
        for column in profile.columns
        if column.number is not None and column.number.histogram is not None
    }
