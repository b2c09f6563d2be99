"""Expectations as a pandera schema over polars, for row checks and for whoever wants one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandera.polars as pa
import polars as pl

from core.domain.quality import Check
from core.quality._types import Unsuited, expected_dtype, value_for

ABOUT_COLUMN = ("required", "dtype", "nullable", "unique")


def frame_schema(
    checks: Sequence[Check],
    columns: Mapping[str, pl.DataType],
    *,
    strict: bool = False,
    unique: bool = True,
) -> tuple[pa.DataFrameSchema, dict[str, str]]:
    """A schema whose checks are named by their keys, and why others could not be put in.

    `columns` are the types that the data have: `dtype: integer` is met by any of its family.
    With `unique=False` uniqueness is left to the caller, who sees more than one part.
    """
    by_column: dict[str, list[Check]] = {}
    for check in checks:
        if len(check.columns) == 1 and check.kind in _ROW:
            by_column.setdefault(check.columns[0], []).append(check)
    unsuited: dict[str, str] = {}
    made = {
        name: _column(name, asked, columns.get(name), unique, unsuited)
        for name, asked in by_column.items()
        if name in columns or any(each.kind == "required" for each in asked)
    }
    together: list[str] | None = None
    if unique:
        several = [list(c.columns) for c in checks if c.kind == "unique" and len(c.columns) > 1]
        together = several[0] if len(several) == 1 else None
    return pa.DataFrameSchema(made, strict=strict, unique=together), unsuited


def _column(
    name: str,
    asked: Sequence[Check],
    actual: pl.DataType | None,
    unique: bool,
    unsuited: dict[str, str],
) -> pa.Column:
    kinds = {each.kind: each for each in asked}
    made: list[pa.Check] = []
    for check in asked:
        if check.kind in ABOUT_COLUMN or actual is None:
            continue
        try:
            made.append(_BUILD[check.kind](value_for(check, actual), check.key))
        except Unsuited as why:
            unsuited[check.key] = str(why)
    dtype: pl.DataType | None = None
    if "dtype" in kinds and actual is not None:
        dtype = expected_dtype(kinds["dtype"].value, actual)
    return pa.Column(
        dtype,
        made,
        nullable="nullable" not in kinds,
        unique=unique and "unique" in kinds,
        required="required" in kinds,
        name=name,
    )


def _finite(data: pa.PolarsData) -> pl.LazyFrame:
    return data.lazyframe.select(pl.col(data.key).is_finite())


_BUILD: Mapping[str, Any] = {
    "eq": lambda value, key: pa.Check.eq(value, name=key),
    "ne": lambda value, key: pa.Check.ne(value, name=key),
    "gt": lambda value, key: pa.Check.gt(value, name=key),
    "ge": lambda value, key: pa.Check.ge(value, name=key),
    "lt": lambda value, key: pa.Check.lt(value, name=key),
    "le": lambda value, key: pa.Check.le(value, name=key),
    "isin": lambda value, key: pa.Check.isin(value, name=key),
    "notin": lambda value, key: pa.Check.notin(value, name=key),
    "matches": lambda value, key: pa.Check.str_matches(rf"^(?:{value})$", name=key),
    "contains": lambda value, key: pa.Check.str_contains(value, name=key),
    "starts_with": lambda value, key: pa.Check.str_startswith(value, name=key),
    "ends_with": lambda value, key: pa.Check.str_endswith(value, name=key),
    "min_length": lambda value, key: pa.Check.str_length(min_value=value, name=key),
    "max_length": lambda value, key: pa.Check.str_length(max_value=value, name=key),
    "finite": lambda value, key: pa.Check(_finite, name=key),
}
_ROW = {*_BUILD, *ABOUT_COLUMN}
