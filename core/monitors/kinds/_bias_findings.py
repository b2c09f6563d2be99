"""What a window's report of bias comes to: measurements, violations, one line, Clarify's files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.bias.analysis import CHECK, analysis, json_number, violations
from core.bias.drift import Drift, compare
from core.bias.report import BiasReport, GroupBias, Result
from core.bias.tables import Tables
from core.monitors.kind import (
    Findings,
    Measurement,
    MonitorDefinition,
    State,
    StoredBaseline,
    Violation,
)
from core.monitors.kinds._bias_settings import Settings
from core.monitors.kinds._periods import often, recall


def findings(
    definition: MonitorDefinition,
    report: BiasReport,
    baseline: StoredBaseline | None,
    rows: int,
    memory: Mapping[str, Any],
) -> Findings:
    """Every metric of every group against the baseline. Too few rows for a statement are
    insufficient, and so is a window of which nothing could be compared."""
    settings: Settings = definition.settings
    few = rows < definition.window.minimum_rows
    drifts = {} if few else _drifts(report, baseline, settings)
    kept = recall(memory, {k: drift.breached for k, drift in drifts.items()},
                  settings.evaluation_periods)  # fmt: skip
    told = {
        key: drift
        for key, drift in drifts.items()
        if drift.breached and often(kept, key) >= settings.datapoints_to_alarm
    }
    measured = tuple(
        _measurement(bias, result, drifts.get(_key(bias, result)), told, kept, settings, few)
        for bias in report.groups
        for result in bias.results
    )
    state = State.VIOLATED if told else State.OK if drifts else State.INSUFFICIENT
    files: dict[str, Any] = {"analysis.json": analysis(report)}
    if baseline is not None:
        files["constraints.json"] = baseline.summary["analysis"]
    files["constraint_violations.json"] = violations(told.values())
    headline = _headline(report, drifts, told, few, rows, definition.window.minimum_rows)
    return Findings(
        state, measured, tuple(_violation(d) for d in told.values()), headline, files, kept
    )


def _key(bias: GroupBias, result: Result) -> str:
    return f"{bias.group.name}|{result.metric.name}"


def _drifts(
    report: BiasReport, baseline: StoredBaseline | None, settings: Settings
) -> dict[str, Drift]:
    if baseline is None:
        return {}
    then = {
        name: Tables.from_json(kept) for name, kept in baseline.summary.get("groups", {}).items()
    }
    metrics = list({r.metric.name: r.metric for b in report.groups for r in b.results}.values())
    found = compare(report.groups, then, metrics, settings.margin, settings.false_discoveries)
    return {f"{drift.group}|{drift.metric.name}": drift for drift in found}


def _measurement(
    bias: GroupBias,
    result: Result,
    drift: Drift | None,
    told: Mapping[str, Drift],
    kept: Mapping[str, Any],
    settings: Settings,
    few: bool,
) -> Measurement:
    detail: dict[str, Any] = {"says": result.says, "rows": bias.rows, "others": bias.others}
    for name, value in (("value", result.value), ("low", result.low), ("high", result.high)):
        if math.isinf(value):
            detail[name] = json_number(value)
    found = Measurement(
        result.metric.name,
        _finite(result.value),
        bias.group.facet,
        bias.group.name,
        _finite(result.low),
        _finite(result.high),
        state=State.INFO,
        definition=f"{result.metric.description}, {settings.confidence:.0%} interval",
        detail=detail,
    )
    if few or bias.few or result.note or result.error:
        detail["why"] = result.error or bias.few or result.note or "too few rows"
        return replace(found, state=State.INSUFFICIENT)
    if drift is None:
        return found
    key = _key(bias, result)
    detail["then"] = json_number(drift.then)
    detail["breaches"] = f"{often(kept, key)} of {settings.evaluation_periods}"
    side, threshold = _threshold(drift, settings.margin)
    return replace(
        found,
        p_value=drift.p_value,
        threshold=threshold,
        comparison=side,
        state=State.VIOLATED if key in told else State.OK,
        definition=f"{found.definition}; farther from neutral ({drift.metric.neutral:g}) than the "
        f"baseline by {settings.margin:g}, BH q={settings.false_discoveries:g}",
    )


def _threshold(drift: Drift, margin: float) -> tuple[str, float | None]:
    """On the side of neutral where the value lies: the baseline's distance and the margin."""
    neutral = drift.metric.neutral
    away = abs(drift.then - neutral) + margin
    if drift.value >= neutral:
        return "GreaterThanThreshold", _finite(neutral + away)
    return "LessThanThreshold", _finite(neutral - away)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _violation(drift: Drift) -> Violation:
    said = f"{drift.metric.name} of {drift.group}: {_shown(drift.value)}, was {_shown(drift.then)}"
    return Violation(
        drift.facet,
        CHECK,
        f"{said}: {drift.metric.says(drift.value)}",
        drift.metric.name,
        _finite(drift.value),
        _finite(drift.then),
        "info",
        drift.group,
    )


def _headline(
    report: BiasReport,
    drifts: Mapping[str, Drift],
    told: Mapping[str, Drift],
    few: bool,
    rows: int,
    least: int,
) -> str:
    if few:
        return f"too few rows: {rows}, not {least}"
    if told:
        worst = min(told.values(), key=lambda drift: (drift.p_value, -drift.farther))
        more = f", and {len(told) - 1} more" if len(told) > 1 else ""
        return f"{_violation(worst).description}{more}"
    if not drifts:
        return _why(report)
    breached = sum(drift.breached for drift in drifts.values())
    if breached:
        metrics = "1 metric is" if breached == 1 else f"{breached} metrics are"
        return f"{metrics} farther from neutral than at the baseline, for now"
    groups = len({drift.group for drift in drifts.values()})
    return f"{groups} group{'s' if groups > 1 else ''} no farther from neutral than at the baseline"


def _why(report: BiasReport) -> str:
    said: Sequence[str] = [bias.few for bias in report.groups if bias.few] or report.notes
    return said[0] if said else "nothing to compare with the baseline"


def _shown(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "∞" if value > 0 else "−∞"
