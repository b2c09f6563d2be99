"""Columns that are a statistic of the target per category, computed over all the rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from core.domain.split import Leak
from core.recipes.leaks.columns import as_numbers

MOST_LEVELS = 2_000
AGREE = 0.995


def target_statistics(
    frame: pl.DataFrame, target: str, features: list[str], train: pl.Series | None
) -> Iterator[Leak]:
    """Float columns that are, per value of another column, the target's mean (also leave-one-
    out), median or sum over all rows. With a split, one that fits the training rows alone is
    what it should be, and none is reported."""
    y = as_numbers(frame[target])
    if y is None or y.null_count():
        return
    floats = [n for n in features if frame[n].dtype.is_float() and frame[n].n_unique() > 1]
    most = min(MOST_LEVELS, frame.height // 2)
    flat = [n for n in features if not frame[n].dtype.is_nested()]
    groups = [n for n in flat if 1 < frame[n].n_unique() <= most]
    for group in groups:
        rows = frame.select(pl.col(group).alias("g"), *[pl.col(n) for n in floats if n != group])
        rows = rows.with_columns(y.alias("\0y"))
        known = _statistics(rows, None)
        trained = _statistics(rows, train) if train is not None else None
        for name in floats:
            if name == group:
                continue
            what = _agrees(rows[name], known)
            if what is None or (trained is not None and _agrees(rows[name], trained) == what):
                continue
            yield Leak(
                "target statistic",
                "leak",
                (name, group),
                f"{name} is the {what} of {target} per {group}, over all rows",
                "use target_encode or group_statistic in a recipe, fitted on the training part",
                None,
                AGREE,
                {"statistic": what},
            )


def _statistics(rows: pl.DataFrame, train: pl.Series | None) -> dict[str, pl.Series]:
    if train is None:
        y, n = pl.col("\0y"), pl.len().over("g")
        made = rows.select(
            y.mean().over("g").alias("mean"),
            y.median().over("g").alias("median"),
            y.sum().over("g").alias("sum"),
            ((y.sum().over("g") - y) / (n - 1)).alias("leave-one-out mean"),
        )
        return {name: made[name] for name in made.columns}
    table = rows.filter(train).group_by("g").agg(
        pl.col("\0y").mean().alias("mean"),
        pl.col("\0y").median().alias("median"),
        pl.col("\0y").sum().alias("sum"),
    )  # fmt: skip
    wide = rows.select("g").join(table, on="g", how="left", nulls_equal=True, maintain_order="left")
    return {name: wide[name] for name in ("mean", "median", "sum")}


def _agrees(column: pl.Series, statistics: dict[str, pl.Series]) -> str | None:
    for what, value in statistics.items():
        if value.n_unique() < 2:
            continue
        size: Any = value.abs().max()
        gap = (column.cast(pl.Float64) - value).abs()
        share: Any = (gap <= 1e-6 * max(float(size or 0.0), 1e-9)).fill_null(False).mean()
        if share >= AGREE:
            return what
    return None
