"""What was appended between two snapshots."""

from __future__ import annotations

import pyarrow as pa
from pyiceberg.table import (
    FileScanTask,
    Table,
    _to_arrow_batch_reader_via_file_scan_tasks,
)
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.snapshots import Snapshot as IcebergSnapshot

from core.lake.mirror import operation_of


def appended_between(table: Table, since: str | None, until: int) -> pa.RecordBatchReader | None:
    """Rows appended after `since` up to `until`; `None` where only a full read will do."""
    if since is None or not since.isdecimal():
        return None
    start = int(since)
    if start == until:
        return pa.RecordBatchReader.from_batches(table.schema().as_arrow(), [])
    if _only_appends(table, start, until):
        scan = table.incremental_append_scan(
            from_snapshot_id_exclusive=start, to_snapshot_id_inclusive=until
        )
        return scan.to_arrow_batch_reader()
    tasks = _files_added(table, start, until)
    if tasks is None:
        return None
    return _to_arrow_batch_reader_via_file_scan_tasks(table.scan(), table.schema(), tasks)


def _files_added(table: Table, since: int, until: int) -> list[FileScanTask] | None:
    """The files that one snapshot has and the other has not: what was appended, where the other
    has lost none. This needs none of the snapshots between, which may be expired."""
    before, after = table.snapshot_by_id(since), table.snapshot_by_id(until)
    if before is None or after is None or before.timestamp_ms > after.timestamp_ms:
        return None
    old = {task.file.file_path for task in table.scan(snapshot_id=since).plan_files()}
    tasks = list(table.scan(snapshot_id=until).plan_files())
    if not old <= {task.file.file_path for task in tasks} or any(t.delete_files for t in tasks):
        return None
    return [task for task in tasks if task.file.file_path not in old]


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
