"""A recipe tried on a sample: rows and columns before and after."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import polars as pl

from core.domain.recipe import ColumnChange, RecipePreview
from core.recipes.plan import Plan
from core.recipes.select import Tags

SHOWN = 5


def preview(
    plan: Plan,
    frame: pl.DataFrame,
    *,
    dataset: str = "",
    shown: int = SHOWN,
    total: int | None = None,
    tags: Tags | None = None,
) -> RecipePreview:
    """Fit and apply the recipe to a sample, `frame`. Raises `StepBroken`."""
    fitted, after = plan.fit_apply(frame, tags=tags)
    changed = {name for trace in fitted.trace for name in trace.changed}
    lineage = fitted.columns_of()
    columns = []
    for name in (*after.columns, *[n for n in frame.columns if n not in after.columns]):
        was, now = name in frame.columns, name in after.columns
        kind = "same" if was and now else "added" if now else "removed"
        if kind == "same" and name in changed:
            kind = "changed"
        columns.append(
            ColumnChange(
                name,
                kind,
                str(frame.schema[name]) if was else "",
                str(after.schema[name]) if now else "",
                frame[name].null_count() if was else 0,
                after[name].null_count() if now else 0,
                lineage.get(name, ()),
            )
        )
    return RecipePreview(
        plan.recipe.name,
        dataset,
        frame.height,
        after.height,
        fitted.trace,
        tuple(columns),
        _rows(frame.head(shown)),
        _rows(after.head(shown)),
        total,
    )


def _rows(frame: pl.DataFrame) -> tuple[Mapping[str, Any], ...]:
    return tuple({n: _plain(v) for n, v in row.items()} for row in frame.iter_rows(named=True))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, timedelta):
        return str(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
