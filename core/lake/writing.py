"""Writing rows: data files first, then the commit that makes them part of the dataset."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyiceberg.io.pyarrow import _dataframe_to_data_files
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from core.lake.arrowtypes import fitted
from core.lake.commits import Note, commit
from core.lake.evolution import apply, needed
from core.lake.tables import Tables

_CHUNK_BYTES = 128 << 20
"""How much of a stream is held at once, and goes into one file (of a partition)."""


def evolved(tables: Tables, name: str, given: pa.Schema, evolve: str, by: str) -> Table:
    """The table with columns for rows of this schema; raises `SchemaMismatch`."""
    table = tables.load(name)
    if not needed(table, given, evolve):
        return table

    def attempt(current: Table, transaction: Any) -> None:
        # Looked at again: somebody may have done the same meanwhile.
        apply(transaction, needed(current, given, evolve))

    return commit(tables, name, Note("evolve", by), attempt, table=table)[0]


def written(tables: Tables, table: Table, data: pa.Table | pa.RecordBatchReader) -> list[DataFile]:
    """Data files with these rows, of which no snapshot knows yet. Raises `SchemaMismatch`."""
    rows = fitted(data, table.schema().as_arrow())
    write_id, counter = uuid.uuid4(), itertools.count(0)
    files: list[DataFile] = []
    try:
        with tables.plain():
            # pyiceberg hands all of a stream to its writers at once, whatever its size.
            whole = isinstance(data, pa.Table) and table.spec().is_unpartitioned()
            parts = [rows] if whole else _chunks(rows)
            for part in parts:
                files += _dataframe_to_data_files(
                    table_metadata=table.metadata,
                    write_uuid=write_id,
                    counter=counter,
                    df=part,
                    io=table.io,
                )
    except BaseException:
        discard(table, files)
        raise
    return files


def _chunks(rows: pa.RecordBatchReader) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in rows:
        if not batch.num_rows:
            continue
        held.append(batch)
        size += batch.nbytes
        if size > _CHUNK_BYTES:
            yield pa.Table.from_batches(held)
            held, size = [], 0
    if held:
        yield pa.Table.from_batches(held)


def discard(table: Table, files: list[DataFile]) -> None:
    """Delete data files that no commit has taken in; what stays behind, upkeep will find."""
    for file in files:
        try:
            table.io.delete(file.file_path)
        except OSError:
            return
