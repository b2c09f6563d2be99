"""Expectations and profiles as SageMaker Model Monitor writes its baseline.

`statistics.json` and `constraints.json` with the field names of its documentation
(https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-statistics.html and
…-byoc-constraints.html), version 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from core.domain.profile import ColumnKind, ColumnProfile, DatasetProfile, NumberStats
from core.domain.quality import Check, Expectations
from core.explore.shift import respread
from core.quality.suggesting import is_code, type_word

BUCKETS = 10
_K, _C = 2048, 0.64
_MOST_ITEMS = 512


def statistics(profile: DatasetProfile) -> dict[str, Any]:
    """The content of `statistics.json`."""
    return {
        "version": 0,
        "dataset": {"item_count": profile.rows},
        "features": [_feature(column) for column in profile.columns],
    }


def constraints(profile: DatasetProfile, expectations: Expectations | None) -> dict[str, Any]:
    """The content of `constraints.json`: what the file expects; of columns that it says nothing
    about what held in the profile."""
    by_column: dict[str, dict[str, Check]] = {}
    for check in expectations.checks if expectations else ():
        if len(check.columns) == 1:
            by_column.setdefault(check.columns[0], {}).setdefault(check.kind, check)
    features = [_constraint(each, profile, by_column.get(each.name)) for each in profile.columns]
    return {
        "version": 0,
        "features": features,
        "monitoring_config": {
            "evaluate_constraints": "Enabled",
            "emit_metrics": "Enabled",
            "datatype_check_threshold": 1.0,
            "domain_content_threshold": 1.0,
            "distribution_constraints": {
                "perform_comparison": "Enabled",
                "comparison_threshold": 0.1,
                "comparison_method": "Robust",
                "categorical_comparison_threshold": 0.1,
                "categorical_drift_method": "LInfinity",
            },
        },
    }


def inferred_type(column: ColumnProfile) -> str:
    """Integral, Fractional, String or Unknown."""
    if column.kind is ColumnKind.NUMBER:
        return "Integral" if type_word(column) == "integer" else "Fractional"
    return "Unknown" if column.kind is ColumnKind.OTHER else "String"


def _feature(column: ColumnProfile) -> dict[str, Any]:
    made: dict[str, Any] = {"name": column.name, "inferred_type": inferred_type(column)}
    nan = column.number.nan if column.number is not None else 0
    missing = column.missing + nan
    common = {"num_present": column.rows - missing, "num_missing": missing}
    if column.number is not None:
        made["numerical_statistics"] = _numerical(column.number, common)
    else:
        made["string_statistics"] = {
            "common": common,
            "distinct_count": column.distinct or 0,
            "distribution": {
                "categorical": {"buckets": [{"value": v, "count": n} for v, n in column.top]}
            },
        }
    return made


def _numerical(stats: NumberStats, common: Mapping[str, int]) -> dict[str, Any]:
    n = common["num_present"] - stats.infinite
    made: dict[str, Any] = {"common": dict(common)}
    if stats.mean is None or stats.minimum is None or stats.maximum is None:
        return made
    # Theirs is the deviation of a whole population, ours that of a sample.
    spread = (stats.std or 0.0) * math.sqrt((n - 1) / n) if n > 1 else 0.0
    return made | {
        "mean": stats.mean,
        "sum": stats.mean * n,
        "std_dev": spread,
        "min": stats.minimum,
        "max": stats.maximum,
        "distribution": {
            "kll": {
                "buckets": _buckets(stats, n),
                "sketch": {"parameters": {"c": _C, "k": float(_K)}, "data": _sketch(stats, n)},
            }
        },
    }


def _buckets(stats: NumberStats, n: int) -> list[dict[str, float]]:
    """Ten buckets of equal width from least to greatest, of the histogram's counts."""
    low, high = stats.minimum or 0.0, stats.maximum or 0.0
    edges = [low + (high - low) * i / BUCKETS for i in range(BUCKETS + 1)]
    edges[-1] = high
    counts = [0.0] * BUCKETS
    bins = stats.histogram
    if bins is not None and bins.total:
        if high > low:
            spread = respread(bins, edges)
            counts = [float(count) for count in spread.counts]
            counts[0] += spread.below
            counts[-1] += spread.above
        else:
            counts[0] = float(bins.total)
        scale = n / bins.total  # of a sample: as many as there are in all
        counts = [float(round(count * scale)) for count in counts]
        counts[counts.index(max(counts))] += n - sum(counts)
    return [
        {"lower_bound": edges[i], "upper_bound": edges[i + 1], "count": counts[i]}
        for i in range(BUCKETS)
    ]


def _sketch(stats: NumberStats, n: int) -> list[list[float]]:
    """Values by level, one at level i standing for 2^i: evenly spaced quantiles, so many that
    their weights add up to all."""
    if n <= 0:
        return [[]]
    level = max(0, math.ceil(math.log2(n / _MOST_ITEMS))) if n > _MOST_ITEMS else 0
    data: list[list[float]] = []
    for i in range(level + 1):
        count = n >> level if i == level else (n >> i) & 1
        data.append([_quantile(stats, (j + 0.5) / count) for j in range(count)])
    return data


def _quantile(stats: NumberStats, share: float) -> float:
    """Between the quantiles that were kept, by interpolation."""
    points = [(0.0, stats.minimum or 0.0), *stats.quantiles, (1.0, stats.maximum or 0.0)]
    for (low, one), (high, two) in pairwise(points):
        if share <= high:
            part = (share - low) / (high - low) if high > low else 0.0
            return one + (two - one) * part
    return points[-1][1]


def _constraint(
    column: ColumnProfile, profile: DatasetProfile, checks: Mapping[str, Check] | None
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": column.name,
        "inferred_type": inferred_type(column),
        "completeness": _completeness(column, checks),
    }
    if column.number is not None:
        made["num_constraints"] = {"is_non_negative": _non_negative(column.number, checks)}
    domains = _domains(column, profile, checks)
    if domains is not None:
        made["string_constraints"] = {"domains": domains}
    return made


def _completeness(column: ColumnProfile, checks: Mapping[str, Check] | None) -> float:
    if checks is not None:
        if "nullable" in checks:
            return 1.0
        return 1.0 - float(checks["max_missing"].value) if "max_missing" in checks else 0.0
    return 1.0 - column.missing_share


def _non_negative(stats: NumberStats, checks: Mapping[str, Check] | None) -> bool:
    if checks is not None:
        bounds = [checks[kind].value for kind in ("ge", "gt") if kind in checks]
        return any(isinstance(each, int | float) and each >= 0 for each in bounds)
    return stats.negatives == 0


def _domains(
    column: ColumnProfile, profile: DatasetProfile, checks: Mapping[str, Check] | None
) -> list[str] | None:
    if inferred_type(column) != "String":
        return None
    if checks is not None:
        return [str(each) for each in checks["isin"].value] if "isin" in checks else None
    return sorted(value for value, _ in column.top) if is_code(column, profile) else None
