"""Training sets: entity rows with the features of their moment, governed and on record.

Heavy: opens the lake.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from core.domain.datalineage import Edge, NodeKind, edges_between
from core.domain.features import FeatureUse, FeatureView, Joined
from core.errors import BadInput
from core.features.errors import JoinRefused
from core.features.join import JoinPart, point_in_time
from core.features.offline import opener
from core.features.place import spill_of
from core.features.rowwise import lineage_columns
from core.features.trainingset import ENDINGS, origins, read_entities, write_file
from core.governance.access import Access
from core.session import Session

if TYPE_CHECKING:
    from core.lake.lake import Lake

Uses = Sequence[tuple[FeatureUse, FeatureView]]


@dataclass(frozen=True, slots=True)
class JoinedRows:
    """What a join made: the rows, for each view how many found one of its rows, and the
    snapshot of each source that was read."""

    table: pa.Table
    matched: Mapping[str, int]
    snapshots: Mapping[str, str]


def join_rows(
    session: Session, access: Access, entities: pa.Table, uses: Uses, *, time_column: str,
    cutoff: bool, times: bool, at: Mapping[str, str],
) -> JoinedRows:  # fmt: skip
    """Join in memory. Every source is read at one snapshot, that of `at` or its newest."""
    snapshots: dict[str, str] = {}
    parts = []
    for use, view in uses:
        source = view.spec.source
        wanted = at.get(use.ref) or at.get(use.view) or at.get(source)
        if source not in snapshots:
            snapshots[source] = access.source.resolve(source, wanted)
        rows = opener(access, view.spec, snapshots[source], f"join of {view.ref}")
        parts.append(JoinPart(view.spec, rows, view.ref, use.keys, use.only, use.prefix))
    table = point_in_time(
        entities, parts, time=time_column, cutoff=cutoff, times=True,
        spill=spill_of(session.workspace),
    )  # fmt: skip
    matched = {}
    for part in parts:
        name = f"{part.prefix or part.spec.name + '__'}event_time"
        matched[part.ref] = table.num_rows - table.column(name).null_count
        if not times:
            table = table.drop_columns([name])
    return JoinedRows(table, matched, snapshots)


def join_into(
    session: Session, access: Access, lake: Lake, entities: str, uses: Uses, *,
    time_column: str, output: str, cutoff: bool, times: bool, at: Mapping[str, str],
) -> Joined:  # fmt: skip
    """Join the rows of a file or dataset into a file or dataset."""
    begun = time.monotonic()
    if "." in output and not output.endswith((".csv", ".parquet", ".pq")):
        raise BadInput(f"{output}: no kind of file that is written", "end it in .csv or .parquet")
    to_dataset = "." not in output
    if to_dataset:
        access.check_write(output)
        _refuse_other(session, output)
    given = read_entities(access, entities, at.get(entities))
    found = join_rows(
        session, access, given, uses, time_column=time_column, cutoff=cutoff, times=times, at=at
    )
    snapshot = None
    if to_dataset:
        snapshot = _store(session, access, lake, found, entities, uses, output)
    else:
        write_file(found.table, output)
    return Joined(
        found.table.num_rows, tuple(found.table.column_names), found.matched, found.snapshots,
        output, snapshot, time.monotonic() - begun,
    )  # fmt: skip


def _refuse_other(session: Session, output: str) -> None:
    """Raise `JoinRefused` where a dataset of this name exists that no join has made: its rows
    would be replaced."""
    exists = session.reader.rows(
        "SELECT name FROM datasets WHERE name = :name AND dropped_at IS NULL", name=output
    )
    made = session.reader.rows(
        "SELECT id FROM lineage_edges WHERE target_kind = 'dataset' AND target = :name"
        " AND source_kind = 'feature_view' LIMIT 1",
        name=output,
    )
    if exists and not made:
        raise JoinRefused(f"dataset {output} exists, and is no training set", "name another output")


def _store(
    session: Session, access: Access, lake: Lake, found: JoinedRows, entities: str, uses: Uses,
    output: str,
) -> str:  # fmt: skip
    """Make the rows a dataset's newest snapshot, with its lineage and inherited labels."""
    from core.state.edges import record_edges

    names = ", ".join(view.ref for _, view in uses)
    lake.ensure(
        output, found.table.schema, owner=session.actor, description=f"Training set with {names}"
    )
    known = {}
    for _, view in uses:
        have = lake.schema(view.spec.source).names
        known[view.ref] = lineage_columns(view.spec, have)
    made = origins(uses, known)
    of_dataset = not entities.endswith(tuple(ENDINGS.split(", ")))
    if of_dataset:
        for column in lake.schema(entities).names:
            made.setdefault(column, []).append((entities, column))
    access.inherit(output, made)  # before there is a row to be seen
    message = f"{entities} with {names}, point in time"
    snapshot = lake.overwrite(output, found.table, by=session.actor, message=message)
    edges: list[Edge] = []
    for use, view in uses:
        wanted = use.only or tuple(feature.name for feature in view.spec.features)
        edges += edges_between(
            (NodeKind.FEATURE_VIEW, view.ref), (NodeKind.DATASET, output), "features",
            columns={use.prefix + name: (name,) for name in wanted}, snapshot_id=snapshot.id,
        )  # fmt: skip
    if of_dataset:
        edges += edges_between(
            (NodeKind.DATASET, entities), (NodeKind.DATASET, output), "features",
            snapshot_id=snapshot.id,
        )  # fmt: skip
    with session.change("features join") as tx:
        record_edges(tx, edges)
    return snapshot.id
