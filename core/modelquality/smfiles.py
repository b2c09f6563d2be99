"""`statistics.json`, `constraints.json` and `constraint_violations.json` of a model quality
monitor, as SageMaker writes them.

Names and shapes: "Model quality metrics and Amazon CloudWatch monitoring",
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html. What is
not defined is the text NaN, as there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from core.modelquality.measuring import Metric, Quality
from core.modelquality.task import Task
from core.modelquality.thresholds import Threshold

_STEMS = {
    Task.REGRESSION: "regression",
    Task.BINARY: "binary_classification",
    Task.MULTICLASS: "multiclass_classification",
}
VERSION = 0.0


def statistics(quality: Quality, start: float, end: float, evaluated: float) -> dict[str, Any]:
    """The content of `statistics.json`; times are epoch seconds, 0 for unknown."""
    metrics: dict[str, Any] = {}
    if quality.confusion:
        metrics["confusion_matrix"] = {
            truth: dict(said) for truth, said in quality.confusion.items()
        }
    metrics |= {
        name: {
            "value": _number(metric.value),
            "standard_deviation": _number(metric.standard_deviation),
        }
        for name, metric in quality.metrics.items()
    }
    metrics |= {name: dict(curve) for name, curve in quality.curves.items()}
    times = {"start_time": start, "end_time": end, "evaluation_time": evaluated}
    return {
        "version": VERSION,
        "dataset": {"item_count": quality.rows}
        | {name: _time(at) for name, at in times.items() if at},
        f"{_STEMS[quality.task]}_metrics": metrics,
    }


def constraints(task: Task, thresholds: Iterable[Threshold]) -> dict[str, Any]:
    """The content of `constraints.json`."""
    return {
        "version": VERSION,
        f"{_STEMS[task]}_constraints": {
            each.metric: {
                "threshold": _number(each.value),
                "comparison_operator": each.comparison,
            }
            for each in thresholds
        },
    }


def violations(breaches: Iterable[tuple[Threshold, Metric]]) -> dict[str, Any]:
    """The content of `constraint_violations.json`."""
    return {
        "version": VERSION,
        "violations": [
            {
                "constraint_check_type": threshold.comparison,
                "description": describe(threshold, metric),
                "metric_name": threshold.metric,
            }
            for threshold, metric in breaches
        ],
    }


def describe(threshold: Threshold, metric: Metric) -> str:
    """A violation in SageMaker's words."""
    return (
        f"Metric {threshold.metric} with {metric.value:.6g} +/- "
        f"{_number(metric.standard_deviation)} was {threshold.comparison} '{threshold.value:.6g}'"
    )


def read_constraints(content: Mapping[str, Any]) -> dict[str, tuple[float, str]]:
    """Thresholds of a `constraints.json`, SageMaker's own included: metric → (threshold,
    comparison). Entries that hold no number are left out."""
    found: dict[str, tuple[float, str]] = {}
    for stem in _STEMS.values():
        for metric, rule in (content.get(f"{stem}_constraints") or {}).items():
            try:
                value = float(rule["threshold"])
            except (KeyError, TypeError, ValueError):
                continue
            if math.isfinite(value):
                found[str(metric)] = (value, str(rule.get("comparison_operator", "")))
    return found


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
