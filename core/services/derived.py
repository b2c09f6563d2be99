"""Datasets made from datasets: reading with one's rights, writing with lineage and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.reads import datasets as _datasets
from core.session import Session

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from core.domain.dataset import Snapshot
    from core.governance.access import Access


@dataclass(frozen=True, slots=True)
class Source:
    """One version of a dataset, as the session's actor may see it."""

    access: Access
    name: str
    snapshot: str
    number: int
    rows: int | None
    tags: Mapping[str, frozenset[str]]
    purpose: str

    @classmethod
    def open(cls, session: Session, name: str, at: str | None, *, purpose: str) -> Source:
        """The version that `at` names; raises `NotFound`, `Refused`."""
        from core.governance.access import open_access

        _datasets.find_dataset(session.reader, name)
        access = open_access(session)
        snapshot = access.source.resolve(name, at)
        known = _datasets.list_snapshots(session.reader, name, expired=True)
        found = next((each for each in known if each.id == snapshot), None)
        tags = {column: frozenset(those) for column, those in access.tags(name).items()}
        # How many rows there are is not told to who may not see all of them.
        rows = found.rows if found and access.sees_all(name) else None
        number = found.number if found else 0
        return cls(access, name, snapshot, number, rows, tags, purpose)

    def frame(
        self,
        *,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        limit: int | None = None,
    ) -> pl.DataFrame:
        """Its rows as a Polars frame; raises `Refused`, `BadInput` (the condition)."""
        from core.recipes.steps import frame_of

        return frame_of(
            self.access.scan(
                self.name,
                at=self.snapshot,
                columns=columns,
                where=where,
                limit=limit,
                purpose=self.purpose,
            )
        )


def write_derived(
    session: Session,
    name: str,
    rows: pa.Table,
    *,
    sources: Sequence[Source],
    lineage: Mapping[str, Sequence[str]],
    via: str,
    detail: str,
    message: str,
    action: str,
    facts: Mapping[str, Any],
) -> Snapshot:
    """Make `rows` the newest version of dataset `name`, which is made where it is not there.

    `lineage` maps its columns to columns of the (one) source; edges and labels go with them,
    in the journal as `action`. Raises `Refused`, and what the lake raises.
    """
    from core.domain.datalineage import NodeKind, edges_between
    from core.governance.access import open_access
    from core.lake import open_lake
    from core.state.edges import record_edges

    access, lake = open_access(session), open_lake(session)
    access.check_write(name)
    plain = storable(rows)
    inherited = {
        column: [(source.name, each) for source in sources for each in inputs]
        for column, inputs in lineage.items()
    }
    lake.ensure(name, plain.schema, owner=session.actor, description=message)
    # Labels first: nobody sees a row of it before its columns are labelled.
    access.inherit(name, inherited)
    written = lake.overwrite(name, plain, by=session.actor, message=message, evolve="any")
    with session.change(action) as tx:
        for source in sources:
            record_edges(
                tx,
                edges_between(
                    (NodeKind.DATASET, source.name),
                    (NodeKind.DATASET, name),
                    via,
                    columns={name: tuple(inputs) for name, inputs in lineage.items()},
                    detail=detail,
                    snapshot_id=written.id,
                ),
            )
        tx.journal(
            action,
            f"dataset/{name}",
            sources={source.name: source.number for source in sources},
            snapshot=written.number,
            rows=rows.num_rows,
            **facts,
        )
    return written


def storable(rows: pa.Table) -> pa.Table:
    """The rows with types that the lake keeps: categories as texts, short integers as longer
    ones, spans as microseconds, times of a day as microseconds."""
    import pyarrow as pa
    import pyarrow.types as kinds

    def kept(kind: pa.DataType) -> pa.DataType:
        if kinds.is_dictionary(kind):
            return kept(kind.value_type)
        if kinds.is_duration(kind) or kind in (pa.uint32(), pa.uint64()):
            return pa.int64()
        if kind in (pa.int8(), pa.int16(), pa.uint8(), pa.uint16()):
            return pa.int32()
        if kinds.is_time(kind):
            return pa.time64("us")
        if kinds.is_timestamp(kind):
            return pa.timestamp("us", kind.tz)
        if kinds.is_list(kind) or kinds.is_large_list(kind):
            return pa.large_list(kept(kind.value_type))
        return pa.float64() if kinds.is_null(kind) else kind

    fields = [pa.field(each.name, kept(each.type), True) for each in rows.schema]
    return rows.cast(pa.schema(fields), safe=False)
