"""Columns of an Arrow table as the NumPy columns that a report takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.bias.columns import Column, Columns


def columns_of(table: Any) -> Columns:
    """Every column: numbers as numbers (NaN for null), flags and text as they are, anything
    else as text; null is None."""
    return {name: column_of(table.column(name)) for name in table.column_names}


def column_of(column: Any) -> Column:
    """One column of a `pyarrow.Table`."""
    import pyarrow as pa
    from pyarrow import types as pt

    kind = column.type
    if pt.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pt.is_null(kind):
        return np.full(len(column), None, object)
    if pt.is_decimal(kind):
        column = column.cast(pa.float64())
    elif not (pt.is_integer(kind) or pt.is_floating(kind) or pt.is_boolean(kind)):
        return np.asarray(column.cast(pa.string()).to_numpy(zero_copy_only=False), object)
    return np.asarray(
        column.to_numpy() if isinstance(column, pa.ChunkedArray)
        else column.to_numpy(zero_copy_only=False)
    )  # fmt: skip
