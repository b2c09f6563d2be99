"""How the figures of a release are written: metrics with their units, steps, lengths of time."""

from __future__ import annotations

import math

from core.domain.analysis import AlarmRule, AlarmStatus, Comparison, MetricStatus, OnBreach
from core.domain.release import ReleasePlan, StrategyStep, lasting
from screens.words import number, percent, plural, short

_NAMES = {
    "error_rate": "error rate",
    "rejected_rate": "rejected rate",
    "latency_p50": "p50",
    "latency_p90": "p90",
    "latency_p99": "p99",
    "latency_mean": "mean latency",
    "requests_per_second": "requests/s",
    "score": "mean score",
    "score_mean": "mean score",
    "score_distribution": "scores",
    "ground_truth": "label loss",
    "disagreements": "shadow loss",
}
_SHARES = ("error_rate", "rejected_rate", "score_distribution")
_SIGNS = {
    Comparison.GREATER: ">",
    Comparison.GREATER_OR_EQUAL: "≥",
    Comparison.LESS: "<",
    Comparison.LESS_OR_EQUAL: "≤",
}


def metric_name(metric: str) -> str:
    """A metric as people call it."""
    return _NAMES.get(metric, metric.replace("_", " "))


def step_short(step: StrategyStep) -> str:
    """A rung in as few columns as can be: `10 %`, `bake 5m`, `analyse ≤30m`."""
    time = "" if step.seconds is None else lasting(step.seconds)
    match step.kind:
        case "set_weight":
            return percent(step.weight or 0.0)
        case "shadow":
            return f"shadow {percent(step.weight or 0.0)} {time}".rstrip()
        case "analyse":
            return f"analyse ≤{time}" if time else "analyse"
        case "pause":
            return f"pause {time}" if time else "pause"
        case "ask":
            return "ask"
        case "window":
            return "window"
    return f"{step.kind} {time}".rstrip()


def figure(metric: str, value: float | None) -> str:
    """A value of a metric in its unit; `–` for none."""
    if value is None:
        return "–"
    if metric in _SHARES:
        return share(value)
    if metric.startswith("latency"):
        return f"{short(value)} ms"
    return number(round(value, 6))


def share(value: float) -> str:
    """A share between 0 and 1 as a percentage with what digits tell: `0.26 %`, `4.1 %`, `12 %`."""
    hundred = 100 * value
    if hundred == 0 or abs(hundred) >= 10:
        return percent(hundred)
    digits = 2 if abs(hundred) < 1 else 1
    told = f"{hundred:.{digits}f}"
    return f"{told.removesuffix('.00').removesuffix('.0')} %"


def difference(metric: str, value: float | None) -> str:
    """A difference with its sign, in the unit that `unit` tells; `–` for none.

    Latencies are compared as logarithms: a difference of those is a ratio, told in percent.
    """
    if value is None or not math.isfinite(value):
        return "–"
    told = _told(metric, value)
    if told == 0:
        return "0"
    if abs(told) >= 100:
        return f"{told:+,.0f}" if abs(told) < 1e5 else f"{told:+.1e}"
    return f"{told:+.1f}" if abs(told) >= 9.995 else f"{told:+.2f}"


def _told(metric: str, value: float) -> float:
    if metric == "latency":
        return 100 * math.expm1(min(value, 30.0))
    return 100 * value if metric in _SHARES else value


def unit(metric: str) -> str:
    """The unit of a difference."""
    return " %" if metric == "latency" or metric in _SHARES else ""


def arm_value(metric: str, value: float | None) -> str:
    """What one arm has of a comparison's metric; of latency the geometric mean."""
    if metric == "latency" and value is not None:
        value = math.exp(min(value, 30.0))
    return figure(metric, value)


def margin_words(status: MetricStatus) -> str:
    """How far a difference may go: `< +1 %`, `> -2`, `± 0.1`."""
    mark = {"higher": "< +", "lower": "> -"}.get(status.worse_when, "± ")
    if status.relative and status.champion is None:  # it is a share of what isn't known yet
        return f"{mark}{number(round(100 * status.margin, 3))} %"
    told = f"{_told(status.metric, status.margin):.3g}"
    return f"{mark}{told}{unit(status.metric)}"


def condition(rule: AlarmRule | AlarmStatus) -> str:
    """When an alarm goes off: `error rate > 5 %`."""
    threshold = figure(rule.metric, rule.threshold)
    return f"{metric_name(rule.metric)} {sign_of(rule.comparison)} {threshold}"


def sign_of(comparison: Comparison) -> str:
    """A comparison as its sign."""
    return _SIGNS.get(comparison, str(comparison))


def watched(plan: ReleasePlan, *, brief: bool = False) -> str:
    """What is watched during a release, and what a breach does; `brief` counts it only."""
    alarms = [rule for rule in plan.alarms if not rule.dry_run]
    metrics = [metric_name(rule.metric) for rule in plan.analysis.metrics if not rule.dry_run]
    compared = any(step.kind == "analyse" for step in plan.steps) and metrics
    if not alarms and not compared:
        return "Watched: nothing; nobody but a person goes back."
    parts = []
    if alarms and brief:
        parts.append(plural(len(alarms), "alarm"))
    elif alarms:
        named = ", ".join(f"{rule.name} ({condition(rule)})" for rule in alarms)
        parts.append(f"alarm{'s' * (len(alarms) > 1)} {named}")
    if compared:
        parts.append(f"{' and '.join(metrics)} against the champion")
    does = "rolls back by itself" if plan.on_breach is OnBreach.ROLLBACK else "freezes it"
    return f"Watched: {'; '.join(parts)}. A breach {does}."
