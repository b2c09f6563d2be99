"""Rows in place of those with the same keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import (
    AlwaysTrue,
    And,
    BooleanExpression,
    GreaterThanOrEqual,
    LessThanOrEqual,
)
from pyiceberg.table import Transaction

from core.errors import BadInput
from core.lake.rewriting import Rewrite, tasks_of, without

_ROW = "__opsdeck_row"
_AT_LEAST: Any = GreaterThanOrEqual  # their stubs know no positional arguments
_AT_MOST: Any = LessThanOrEqual


def last_of_each(name: str, rows: pa.Table, keys: Sequence[str]) -> pa.Table:
    """The rows without those that a later one with the same keys replaces.

    Raises `BadInput` for keys that are no columns or have missing values.
    """
    if not keys:
        raise BadInput(f"dataset {name}: no keys", "name the columns that tell rows apart")
    for key in keys:
        if key not in rows.column_names:
            raise BadInput(f"dataset {name}: no column {key!r}", "name columns of the dataset")
        if rows.column(key).null_count:
            raise BadInput(f"dataset {name}: key {key!r} has missing values", "fill them first")
    if not rows.num_rows:
        return rows
    numbered = rows.select(list(keys)).append_column(_ROW, pa.array(range(rows.num_rows)))
    last = numbered.group_by(list(keys), use_threads=False).aggregate([(_ROW, "max")])
    if last.num_rows == rows.num_rows:
        return rows
    kept = last.column(f"{_ROW}_max")
    return rows.take(pc.take(kept, pc.sort_indices(kept)))


def replacement(
    transaction: Transaction, branch: str, rows: pa.Table, keys: Sequence[str]
) -> Rewrite:
    """What takes out the rows of a branch that have the keys of one of these."""
    wanted = rows.select(list(keys))
    tasks = tasks_of(transaction, branch, _bounds(wanted))
    return without(transaction, tasks, lambda present: _others(present, wanted, list(keys)))


def _others(present: pa.Table, wanted: pa.Table, keys: list[str]) -> pa.Table:
    """The rows whose keys are not wanted, in their order."""
    numbered = present.select(keys).append_column(_ROW, pa.array(range(present.num_rows)))
    rest = numbered.join(wanted, keys=keys, join_type="left anti").column(_ROW)
    if len(rest) == present.num_rows:
        return present
    return present.take(pc.take(rest, pc.sort_indices(rest)))


def _bounds(wanted: pa.Table) -> BooleanExpression:
    """Least and greatest of each key: which files need no look."""
    condition: BooleanExpression = AlwaysTrue()
    if not wanted.num_rows:
        return condition
    for key in wanted.column_names:
        kind = wanted.column(key).type
        if not (pa.types.is_integer(kind) or pa.types.is_large_string(kind)):
            continue
        ends = pc.min_max(wanted.column(key)).as_py()
        least, most = _AT_LEAST(key, ends["min"]), _AT_MOST(key, ends["max"])
        condition = And(condition, least, most)
    return condition
