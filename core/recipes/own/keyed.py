"""Tables of what was learned per key, and joining them to a frame; small helpers of fitting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import polars as pl

from core.recipes.errors import StepBroken


def default_of(series: pl.Series, strategy: str) -> Any:
    """The mean, median, most frequent (ties: the smallest), min or max of what is there.

    Raises `StepBroken` where everything is missing or the type has no such thing.
    """
    known = series.drop_nulls()
    if series.dtype.is_float():
        known = known.drop_nans()
    if not len(known):
        raise StepBroken(f"column {series.name} has no value at all to learn from")
    if strategy == "most frequent":
        kept = known.cast(pl.String) if series.dtype == pl.Categorical else known
        return plain(kept.mode().sort()[0])
    if not series.dtype.is_numeric() and strategy in ("mean", "median"):
        raise StepBroken(
            f"column {series.name} is {series.dtype}: it has no {strategy}", "use most frequent"
        )
    value = plain(getattr(known, strategy)())
    if series.dtype.is_integer() and isinstance(value, float):
        return round(value)
    return value


def plain(value: Any) -> Any:
    """A value as JSON has it, or a date or time."""
    if isinstance(value, (str, int, float, bool, date, datetime)) or value is None:
        return value
    return str(value)


def keys_of(table: pl.DataFrame, by: Sequence[str]) -> list[list[str | None]]:
    """The key columns as texts, a list a column: what joins again after saving."""
    return [table[each].cast(pl.String).to_list() for each in by]


def joined(
    frame: pl.DataFrame,
    by: Sequence[str],
    keys: Sequence[Sequence[str | None]],
    values: Mapping[str, Sequence[Any]],
) -> pl.DataFrame:
    """The frame with the learned values of its rows' keys; missing for keys never seen.

    Missing key values match each other. The order of rows stays.
    """
    names = [f"\0key{index}" for index in range(len(by))]
    table = pl.DataFrame(
        {
            **{n: pl.Series(list(k), dtype=pl.String) for n, k in zip(names, keys, strict=True)},
            **{n: pl.Series(list(v), strict=False) for n, v in values.items()},
        }
    )
    keyed = frame.with_columns(
        [pl.col(each).cast(pl.String).alias(n) for each, n in zip(by, names, strict=True)]
    )
    found = keyed.join(table, on=names, how="left", nulls_equal=True, maintain_order="left")
    return found.drop(names)


def folds(rows: int, count: int) -> pl.Series:
    """The fold of each row, 0 to `count` - 1: mixed, and the same each time."""
    import numpy as np

    from core.recipes.splits.mixing import mixed

    return pl.Series("\0fold", (mixed(np.arange(rows), 20_260_301) % count).astype("int64"))
