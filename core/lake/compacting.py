"""Merging small files, so that reading a dataset opens few.

The rows stay as they are: it is one snapshot of operation `compact`, which incremental readers
skip. The merged files are written before the commit; where somebody has rewritten one of the
old files meanwhile, they are thrown away again.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from typing import Any

from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan, _dataframe_to_data_files
from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table

from core.domain.upkeep import Compaction
from core.errors import WrongState
from core.lake.commits import Note, commit, find_noted
from core.lake.errors import CommitConflict
from core.lake.mirror import MAIN, mirror
from core.lake.rewriting import Rewrite, put, tasks_of
from core.lake.tables import Tables
from core.lake.writing import discard
from core.reads.datasets import find_snapshot

SMALL_BYTES = 16 << 20
TARGET_BYTES = 64 << 20
LEAST_FILES = 8
MOST_FILES = 400
"""In one commit: what is left over is for the next time."""


def compact(
    tables: Tables, name: str, *, dry_run: bool = False, by: str = "", least: int = LEAST_FILES
) -> Compaction:
    """Merge files below `SMALL_BYTES` into ones of up to `TARGET_BYTES`, where at least `least`
    of a partition are so small."""
    tables.session.refuse_when_read_only("data compact")
    table = tables.load(name)
    with tables.plain():
        tasks = _small(table, least)
        size = sum(task.file.file_size_in_bytes for task in tasks)
        if dry_run or not tasks:
            would = -(-size // TARGET_BYTES) if tasks else 0
            return Compaction(name, None, len(tasks), would, size, dry_run)
        files = list(_merged(table, tasks))
    note = Note("compact", by or tables.session.actor, message=f"{len(tasks)} files merged")
    removed = [task.file for task in tasks]
    paths = {file.file_path for file in removed}

    def attempt(current: Table, transaction: Any) -> None:
        present = {task.file.file_path for task in tasks_of(transaction, MAIN, AlwaysTrue())}
        if not paths <= present:
            raise WrongState(f"dataset {name}: its files were rewritten meanwhile", "try again")
        put(transaction, MAIN, note, Rewrite(removed=removed, added=files))

    try:
        after, _ = commit(tables, name, note, attempt, table=table)
    except (CommitConflict, WrongState):  # any other may have come after the deed
        discard(table, files)
        raise
    mirror(tables.session, name, after)
    made = find_noted(after, "commit", note.commit)
    number = (
        find_snapshot(tables.session.reader, name, str(made.snapshot_id)).number if made else None
    )
    return Compaction(name, number, len(removed), len(files), size)


def _small(table: Table, least: int) -> list[FileScanTask]:
    groups: dict[Any, list[FileScanTask]] = {}
    for task in table.scan().plan_files():
        if task.file.file_size_in_bytes < SMALL_BYTES or task.delete_files:
            key = (task.file.spec_id, str(task.file.partition))
            groups.setdefault(key, []).append(task)
    chosen = [task for group in groups.values() if len(group) >= least for task in group]
    return chosen[:MOST_FILES]


def _merged(table: Table, tasks: list[FileScanTask]) -> Iterator[DataFile]:
    write_id, counter = uuid.uuid4(), itertools.count(0)
    groups: dict[Any, list[FileScanTask]] = {}
    for task in tasks:
        groups.setdefault((task.file.spec_id, str(task.file.partition)), []).append(task)
    scan = ArrowScan(
        table_metadata=table.metadata,
        io=table.io,
        projected_schema=table.schema(),
        row_filter=AlwaysTrue(),
    )
    for group in groups.values():
        for part in _parts(group):
            yield from _dataframe_to_data_files(
                table_metadata=table.metadata,
                df=scan.to_table(part),
                io=table.io,
                write_uuid=write_id,
                counter=counter,
            )


def _parts(group: list[FileScanTask]) -> Iterator[list[FileScanTask]]:
    """Files that make about one new file each; held in memory one at a time."""
    part: list[FileScanTask] = []
    size = 0
    for task in group:
        part.append(task)
        size += task.file.file_size_in_bytes
        if size >= TARGET_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
