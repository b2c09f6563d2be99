"""The rule of a gate that lets a clearly better candidate go by itself: `auto:`."""

from __future__ import annotations

import math
import re
from typing import Any

from core.pipelines._fields import read_fields
from core.pipelines._keys import AUTO
from core.pipelines._nodes import Map, Node, Scalar, describe
from core.pipelines._report import Report, did_you_mean

_PERCENT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*")
_HIGHER = ("r2", "auc", "accuracy", "f1", "precision", "recall", "score", "lift", "gini")
_LOWER = ("mae", "mse", "rmse", "mape", "loss", "error", "brier", "logloss", "wape")
BETTER = ("lower", "higher")


def read_auto(report: Report, where: str, node: Node) -> dict[str, Any] | None:
    """`on` (a metric), `better` (lower or higher), `margin` and whether it is `relative` (to
    the champion's value), `minimum_rows`, and `segments` as `(text, line)` pairs that are tied
    when all steps are known. None where it cannot be read; faults go to `report`."""
    known = len(report)
    values = read_fields(report, where, node, AUTO, "a rule (such as {on: mae, margin: 2%, …})")
    if not isinstance(node, Map):
        return None
    line = {entry.key: entry.line for entry in node.entries}
    for key, hint in (("on", "the metric to compare: on: mae"), ("margin", "such as 2% or 1.5")):
        if key not in line:
            report.add(node.line, where, f"no {key}", hint)
    if not values.get("segments"):
        hint = "add segments: [evaluate.comparison], rows with candidate_METRIC and champion_METRIC"
        report.add(node.line, where, "no segments: being better on all is not enough", hint)
    margin = _margin(report, f"{where}.margin", values.get("margin"))
    better = values.get("better") or _better(str(values.get("on", "")))
    if "on" in values and not better:
        hint = "add better: lower, or better: higher"
        report.add(line["on"], f"{where}.on", f"which way is {values['on']} better?", hint)
    if better and better not in BETTER:
        message = f"lower or higher, not {better}"
        report.add(line["better"], f"{where}.better", message, did_you_mean(str(better), BETTER))
    if len(report) > known or margin is None:
        return None
    return {
        "on": values["on"],
        "better": better,
        "margin": margin[0],
        "relative": margin[1],
        "minimum_rows": values.get("minimum_rows", 30),
        "segments": values["segments"],
    }


def _margin(report: Report, where: str, node: Node | None) -> tuple[float, bool] | None:
    """A margin and whether it is a share of the champion's value."""
    if node is None:
        return None
    value = node.value if isinstance(node, Scalar) else None
    percent = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if percent is not None:
        value = float(percent[1]) / 100
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 < value < 1e12
        or not math.isfinite(value)
    ):
        hint = "such as 2% of the champion's value, or 1.5 of the metric itself"
        report.add(node.line, where, f"expected a margin above 0, found {describe(node)}", hint)
        return None
    return float(value), percent is not None


def _better(metric: str) -> str:
    """Which way a metric of this name is better, as far as its name tells."""
    words = metric.lower().replace("-", "_").split("_")
    for word in reversed(words):
        if word in _HIGHER:
            return "higher"
        if word in _LOWER:
            return "lower"
    return ""
