"""Which columns of a frame a step's selectors choose."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from core.pipelines._report import did_you_mean
from core.recipes.errors import StepBroken

Tags = Mapping[str, frozenset[str]]


def kinds_of(dtype: Any) -> frozenset[str]:
    """The words for a type: `number` and `integer`, `time` and `date`, …"""
    words = {"any"}
    if dtype.is_numeric():
        words |= {"number", "integer" if dtype.is_integer() else "float"}
    elif dtype == pl.String:
        words |= {"text"}
    elif dtype in (pl.Categorical, pl.Enum):
        words |= {"category"}
    elif dtype == pl.Boolean:
        words |= {"flag"}
    elif dtype.is_temporal():
        words |= {"time"}
        words |= {
            str(each).lower() for each in (pl.Date, pl.Datetime, pl.Duration) if dtype == each
        }
    elif dtype in (pl.List, pl.Array):
        words |= {"list"}
    elif dtype == pl.Binary:
        words |= {"binary"}
    return frozenset(words)


def choose(
    selectors: Sequence[str],
    leave_out: Sequence[str],
    schema: Mapping[str, Any],
    *,
    tags: Tags | None = None,
    target: str = "",
) -> tuple[str, ...]:
    """The columns chosen, in the order of the selectors, then of the frame.

    The target is chosen by its name only. Raises `StepBroken` for a name that is not there.
    """
    chosen: dict[str, None] = {}
    for selector in selectors:
        for name in _one(selector, schema, tags or {}, named=True):
            if name != target or selector == target:
                chosen[name] = None
    for selector in leave_out:
        for name in _one(selector, schema, tags or {}, named=False):
            chosen.pop(name, None)
    return tuple(chosen)


def _one(selector: str, schema: Mapping[str, Any], tags: Tags, named: bool) -> Iterable[str]:
    if selector in schema:
        return [selector]
    if selector == "all":
        return list(schema)
    if len(selector) > 2 and selector.startswith("/") and selector.endswith("/"):
        pattern = re.compile(selector[1:-1])
        return [name for name in schema if pattern.search(name)]
    if selector.startswith("type:"):
        return [name for name, dtype in schema.items() if selector[5:] in kinds_of(dtype)]
    if selector.startswith("tag:"):
        return [name for name in schema if selector[4:] in tags.get(name, frozenset())]
    if not named:
        return []
    raise missing(selector, schema)


def missing(name: str, schema: Iterable[str]) -> StepBroken:
    """The error for a column that is not there, with the nearest name."""
    return StepBroken(f"there is no column {name}", did_you_mean(name, schema))
