"""Taking rows out of files: the files that hold them are written anew without them.

Each change is one snapshot: files removed and files added in one commit.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.expressions.visitors import _StrictMetricsEvaluator, bind
from pyiceberg.io.pyarrow import (
    ArrowScan,
    _dataframe_to_data_files,
    _expression_to_complementary_pyarrow,
)
from pyiceberg.manifest import DataFile
from pyiceberg.table import DataScan, FileScanTask, Transaction

from core.lake.commits import Note


@dataclass(slots=True)
class Rewrite:
    """Files to take out of a table and files to put in."""

    removed: list[DataFile] = field(default_factory=list)
    added: list[DataFile] = field(default_factory=list)


def tasks_of(
    transaction: Transaction, branch: str, condition: BooleanExpression
) -> list[FileScanTask]:
    """The files of a branch that may hold rows that meet a condition."""
    scan = DataScan(
        table_metadata=transaction.table_metadata, io=transaction._table.io, row_filter=condition
    )
    if branch in transaction.table_metadata.refs:
        scan = scan.use_ref(branch)
    return list(scan.plan_files())


def rows_of(transaction: Transaction, tasks: Sequence[FileScanTask]) -> pa.Table:
    """All rows of some files."""
    return ArrowScan(
        table_metadata=transaction.table_metadata,
        io=transaction._table.io,
        projected_schema=transaction.table_metadata.schema(),
        row_filter=AlwaysTrue(),
    ).to_table(tasks)


def files_with(transaction: Transaction, rows: pa.Table) -> list[DataFile]:
    """New files with these rows; none for none."""
    if not rows.num_rows:
        return []
    return list(
        _dataframe_to_data_files(
            table_metadata=transaction.table_metadata,
            df=rows,
            io=transaction._table.io,
            write_uuid=uuid.uuid4(),
            counter=itertools.count(0),
        )
    )


def without(
    transaction: Transaction,
    tasks: Iterable[FileScanTask],
    kept: Callable[[pa.Table], pa.Table],
) -> Rewrite:
    """Each file written anew with the rows that are `kept`, unless it loses none."""
    rewrite = Rewrite()
    for task in tasks:
        rows = rows_of(transaction, [task])
        rest = kept(rows)
        if rest.num_rows == rows.num_rows:
            continue
        rewrite.removed.append(task.file)
        rewrite.added += files_with(transaction, rest)
    return rewrite


def deletion(transaction: Transaction, branch: str, condition: BooleanExpression) -> Rewrite:
    """What takes out the rows that meet a condition; whole files are not even read."""
    tasks = tasks_of(transaction, branch, condition)
    if isinstance(condition, AlwaysTrue):
        return Rewrite(removed=[task.file for task in tasks])
    schema = transaction.table_metadata.schema()
    all_meet = _StrictMetricsEvaluator(schema, condition).eval
    whole = [task for task in tasks if all_meet(task.file) and not task.delete_files]
    whole_paths = {task.file.file_path for task in whole}
    complement = _expression_to_complementary_pyarrow(bind(schema, condition, True), schema)
    rewrite = without(
        transaction,
        (task for task in tasks if task.file.file_path not in whole_paths),
        lambda rows: rows.filter(complement),
    )
    rewrite.removed += [task.file for task in whole]
    return rewrite


def taking(
    transaction: Transaction, branch: str, met: Callable[[pa.Table], pa.Array]
) -> tuple[Rewrite, pa.Table, int]:
    """What takes out the rows for which `met` gives true, these rows, and how many stay: each
    row is asked about once, so that what goes and what is handed over are the same."""
    taken: list[pa.Table] = []
    stay = 0

    def kept(rows: pa.Table) -> pa.Table:
        nonlocal stay
        found = pc.fill_null(met(rows), False)
        rest = rows.filter(pc.invert(found))
        stay += rest.num_rows
        if rest.num_rows < rows.num_rows:
            taken.append(rows.filter(found))
        return rest

    rewrite = without(transaction, tasks_of(transaction, branch, AlwaysTrue()), kept)
    empty = transaction.table_metadata.schema().as_arrow().empty_table()
    return rewrite, pa.concat_tables(taken) if taken else empty, stay


def put(transaction: Transaction, branch: str, note: Note, rewrite: Rewrite) -> None:
    """One snapshot that takes out and puts in; none where there is nothing to do."""
    if not rewrite.removed and not rewrite.added:
        return
    update = transaction.update_snapshot(snapshot_properties=note.properties(), branch=branch)
    if not rewrite.removed:
        with update.merge_append() as append:
            for file in rewrite.added:
                append.append_data_file(file)
        return
    with update.overwrite() as overwrite:
        overwrite.delete_by_predicate(AlwaysTrue())  # look for the files in every manifest
        for file in rewrite.removed:
            overwrite.delete_data_file(file)
        for file in rewrite.added:
            overwrite.append_data_file(file)
