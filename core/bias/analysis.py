"""Clarify's files: `analysis.json`, the constraints made of a baseline, and the violations.

`analysis.json` is version 1.0 of what SageMaker Clarify writes; the constraints of a bias
monitor have the same form (what the metrics were), as its documentation says. JSON has no
infinity: it is written as the text "Infinity".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from core.bias.drift import Drift
from core.bias.metrics import Stage
from core.bias.report import BiasReport, GroupBias, Result

VERSION = "1.0"
CHECK = "bias_drift_check"


def analysis(report: BiasReport) -> dict[str, Any]:
    """The report as `analysis.json`: a section for each stage that was computed."""
    found: dict[str, Any] = {"version": VERSION}
    for stage in Stage:
        section = _section(report, stage)
        if section is not None:
            found[f"{stage}_bias_metrics"] = section
    return found


def _section(report: BiasReport, stage: Stage) -> dict[str, Any] | None:
    facets: dict[str, list[dict[str, Any]]] = {}
    for bias in report.groups:
        results = [r for r in bias.results if r.metric.stage is stage]
        if results:
            facets.setdefault(bias.group.facet, []).append(_of_group(bias, results))
    if not facets:
        return None
    return {
        "label": report.question.label.column,
        "label_value_or_threshold": report.positive,
        "facets": facets,
    }


def _of_group(bias: GroupBias, results: Sequence[Result]) -> dict[str, Any]:
    ordered = sorted(results, key=lambda result: result.metric.name)
    return {"value_or_threshold": bias.group.value, "metrics": [_metric(r) for r in ordered]}


def _metric(result: Result) -> dict[str, Any]:
    named = {"name": result.metric.name, "description": result.metric.description}
    if result.error:
        return {**named, "value": None, "error": result.error}
    return {**named, "value": json_number(result.value)}


def json_number(value: float) -> float | str | None:
    """A number as JSON has it: infinity as text, nothing for NaN."""
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def violations(drifts: Iterable[Drift]) -> dict[str, Any]:
    """`constraint_violations.json` of the drifts that are breached."""
    return {
        "version": VERSION,
        "violations": [
            {
                "facet": drift.facet,
                "facet_value": drift.facet_value,
                "metric_name": drift.metric.name,
                "constraint_check_type": CHECK,
                "description": (
                    f"Value {drift.value} does not meet the constraint requirement: farther "
                    f"from {drift.metric.neutral:g} than {drift.then} in the baseline"
                ),
            }
            for drift in drifts
            if drift.breached
        ],
    }
