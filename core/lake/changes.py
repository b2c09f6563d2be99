"""What was appended between two snapshots."""

from __future__ import annotations

import pyarrow as pa
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.snapshots import Snapshot as IcebergSnapshot

from core.lake.mirror import operation_of


def appended_between(table: Table, since: str | None, until: int) -> pa.RecordBatchReader | None:
    """Rows appended after `since` up to `until`; `None` where only a full read will do."""
    if since is None or not since.isdecimal():
        return None
    start = int(since)
    if not _only_appends(table, start, until):
        return None
    if start == until:
        return pa.RecordBatchReader.from_batches(table.schema().as_arrow(), [])
    scan = table.incremental_append_scan(
        from_snapshot_id_exclusive=start, to_snapshot_id_inclusive=until
    )
    return scan.to_arrow_batch_reader()


def _only_appends(table: Table, since: int, until: int) -> bool:
    """Whether the way back from one to the other knows appends only (and rewriting of files
    that leaves the rows as they are)."""
    at: int | None = until
    while at is not None and at != since:
        snapshot = table.metadata.snapshot_by_id(at)
        if snapshot is None or not _adds_only(snapshot):
            return False
        at = snapshot.parent_snapshot_id
    return at == since


def _adds_only(snapshot: IcebergSnapshot) -> bool:
    if operation_of(snapshot) == "compact":
        return True
    return snapshot.summary is not None and snapshot.summary.operation == Operation.APPEND
