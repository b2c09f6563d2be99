"""Statistic sets: taking them together, and what each statistic makes of them.

Percentiles are nearest rank over the buckets of `core.analysis.buckets.score_bucket` (2 %
apart, so within 1 % of the true one) and never beyond the lowest and the highest sample; of
points that are single samples they are exact.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.analysis.buckets import score_bucket
from core.domain.series import STATISTICS, Statistics
from core.errors import BadInput

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,2})?|100)")
_STEP = math.log(1.02)  # of `score_bucket`
_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Stored:
    """A row of `metric_points`."""

    at: float
    span: float
    statistics: Statistics


def check_statistic(stat: str) -> str:
    """The statistic, if it is one; raises `BadInput`."""
    if stat not in STATISTICS and _PERCENTILE.fullmatch(stat) is None:
        known = ", ".join(STATISTICS)
        raise BadInput(f"statistic {stat}: unknown", f"known: {known}, and p50, p99, p99.9 …")
    return stat


def of_row(row: Mapping[str, Any]) -> Stored:
    """A row as it was recorded."""
    buckets = row["buckets"]
    counts = {int(key): float(n) for key, n in json.loads(buckets).items()} if buckets else None
    found = Statistics(row["samples"], row["total"], row["low"], row["high"], counts)
    return Stored(row["at"], row["span"], found)


def together(sets: Iterable[Statistics]) -> Statistics:
    """All samples of these sets as one. Single samples are given buckets, so that a percentile
    may still be asked; sets without any leave the whole without them."""
    rows = [each for each in sets if each.samples > 0]
    if len(rows) <= 1:
        return rows[0] if rows else Statistics(0.0, 0.0)
    lows = [each.low for each in rows if each.low is not None]
    highs = [each.high for each in rows if each.high is not None]
    counted = [bucketed(each) for each in rows]
    merged: dict[int, float] | None = {}
    for buckets in counted:
        if buckets is None or merged is None:
            merged = None
            break
        for bucket, count in buckets.items():
            merged[bucket] = merged.get(bucket, 0.0) + count
    return Statistics(
        sum(each.samples for each in rows),
        sum(each.total for each in rows),
        min(lows) if lows else None,
        max(highs) if highs else None,
        merged,
    )


def bucketed(one: Statistics) -> Mapping[int, float] | None:
    """The samples of a set by bucket; `None` where that cannot be known any more."""
    if one.buckets is not None:
        return one.buckets
    if one.low is None or one.low != one.high or not math.isfinite(one.low):
        return None
    return {score_bucket(one.low): one.samples}


def statistic(rows: list[Statistics], stat: str) -> float | None:
    """What the statistic makes of these; `None` where there is no sample, or where a
    percentile cannot be told any more. `stat` is one that `check_statistic` let pass."""
    rows = [row for row in rows if row.samples > 0]
    if not rows:
        return None
    match stat:
        case "SampleCount":
            return sum(row.samples for row in rows)
        case "Sum":
            return _known(sum(row.total for row in rows))
        case "Average":
            return _known(sum(row.total for row in rows) / sum(row.samples for row in rows))
        case "Minimum":
            return min((row.low for row in rows if row.low is not None), default=None)
        case "Maximum":
            return max((row.high for row in rows if row.high is not None), default=None)
    return _percentile(rows, float(stat[1:]) / 100)


def _known(value: float) -> float | None:
    """Infinities of both signs add up to nothing that could be told."""
    return None if math.isnan(value) else value


def _percentile(rows: list[Statistics], share: float) -> float | None:
    if all(row.low is not None and row.low == row.high for row in rows):
        return _exact([(row.low or 0.0, row.samples) for row in rows], share)
    whole = together(rows)
    if whole.buckets is None:
        return None
    value = _exact([(middle(key), count) for key, count in whole.buckets.items()], share)
    if value is None:
        return None
    value = value if whole.low is None else max(whole.low, value)
    return value if whole.high is None else min(whole.high, value)


def _exact(weighted: list[tuple[float, float]], share: float) -> float | None:
    """Nearest rank: the least value with at least this share of the samples up to it."""
    wanted = max(1.0, math.ceil(share * sum(count for _, count in weighted) - 1e-9))
    seen = 0.0
    for value, count in sorted(weighted):
        seen += count
        if seen >= wanted - 1e-9:
            return value
    return None


def middle(bucket: int) -> float:
    """The middle of a bucket of `score_bucket`."""
    if bucket == 0:
        return 0.0
    size = _LEAST * math.exp((abs(bucket) - 0.5) * _STEP)
    return size if bucket > 0 else -size
