"""What a split came to: the parts' sizes, times, targets and groups."""

from __future__ import annotations

import hashlib
from typing import Any

import polars as pl

from core.domain.split import PartReport, SplitReport, SplitSpec
from core.recipes.splits.assign import strata_of

MOST_SHARES = 12


def report(
    frame: pl.DataFrame,
    parts: pl.Series,
    spec: SplitSpec,
    *,
    dataset: str = "",
    snapshot: str = "",
    target: str = "",
    time: str = "",
) -> SplitReport:
    """Describe a split that `assign` made of the frame."""
    time = time or (spec.columns[0] if spec.kind == "time" else "")
    told = []
    for name in spec.shares or spec.starts:
        told.append(_part(frame.filter(parts == name), name, frame.height, spec, target, time))
    inside = sum(each.rows for each in told)
    return SplitReport(
        dataset,
        snapshot,
        spec,
        frame.height,
        frame.height - inside,
        tuple(told),
        fingerprint(parts),
    )


def fingerprint(parts: pl.Series) -> str:
    """SHA-256 of which row is in which part."""
    text = "\n".join(each or "" for each in parts.to_list())
    return hashlib.sha256(text.encode()).hexdigest()


def _part(
    part: pl.DataFrame, name: str, rows: int, spec: SplitSpec, target: str, time: str
) -> PartReport:
    first = last = ""
    if time and time in part.columns and part.height:
        first, last = _said(part[time].min()), _said(part[time].max())
    mean, shares = None, {}
    if target and target in part.columns:
        y = part[target]
        if y.dtype.is_numeric() or y.dtype == pl.Boolean:
            value: Any = y.cast(pl.Float64).mean()
            mean = None if value is None else float(value)
        if y.n_unique() <= MOST_SHARES:
            shares = _shares(y)
    elif spec.kind == "stratum" and part.height:
        shares = _shares(strata_of(part, spec))
    groups = None
    if spec.kind in ("group", "hash"):
        groups = part.select(spec.columns).n_unique() if part.height else 0
    return PartReport(name, part.height, part.height / rows, first, last, mean, shares, groups)


def _shares(values: pl.Series) -> dict[str, float]:
    counted = values.cast(pl.String).fill_null("(missing)").value_counts(name="\0n").rows()
    ordered = sorted(counted, key=lambda each: (-each[1], each[0]))[:MOST_SHARES]
    return {str(value): n / len(values) for value, n in ordered}


def _said(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
