"""When a metric counts as worse, and how sure that is.

A threshold is the user's number, or comes from the baseline: its value, worsened by a margin
(10 % of an error; 0.03 of what lies between 0 and 1; 0.05 of r2) or by what chance explains,
whichever is more. Chance: z · sqrt(baseline's error² + window's error²), with z so that all the
thresholds of one window together are passed by chance alone in at most 1 % of windows
(Bonferroni, normal approximation). The comparison is one-sided: better is never a violation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

from core.modelquality.measuring import Metric
from core.modelquality.task import Task

LESS = "LessThanThreshold"
GREATER = "GreaterThanThreshold"
ALPHA = 0.01
RELATIVE_MARGIN = 0.10
ABSOLUTE_MARGIN = 0.03
R2_MARGIN = 0.05
_ERRORS = ("mae", "mse", "rmse", "false_positive_rate", "false_negative_rate")
DEFAULT = {
    Task.REGRESSION: ("mae", "rmse"),
    Task.BINARY: ("accuracy", "f1", "auc"),
    Task.MULTICLASS: ("accuracy", "weighted_f1", "weighted_auc"),
}
"""Metrics that have a threshold unless the user names others."""
_BINARY = (
    "recall", "precision", "accuracy", "true_positive_rate", "true_negative_rate",
    "false_positive_rate", "false_negative_rate", "auc", "au_prc", "f0_5", "f1", "f2",
)  # fmt: skip
_WEIGHTED = (
    "accuracy", "weighted_recall", "weighted_precision", "weighted_f0_5", "weighted_f1",
    "weighted_f2", "weighted_auc",
)  # fmt: skip
METRICS: Mapping[Task, tuple[str, ...]] = {
    Task.REGRESSION: ("mae", "mse", "rmse", "r2"),
    Task.BINARY: _BINARY,
    Task.MULTICLASS: _WEIGHTED,
}
"""Metrics that can have a threshold, by task."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """`value comparison threshold` is a violation. `definition` says where it is from."""

    metric: str
    value: float
    comparison: str
    definition: str

    def breached(self, value: float) -> bool:
        """Whether this value is worse; an undefined one (NaN) is not."""
        return value > self.value if self.comparison == GREATER else value < self.value


def comparison_of(metric: str) -> str:
    """What is worse for a metric: more of it, or less."""
    name = metric.removeprefix("estimated_")
    return GREATER if name in _ERRORS else LESS


def margin_of(metric: str, baseline: float, margin: float | None = None) -> float:
    """How far from the baseline's value is still the same; `margin` is the user's, as a share
    of an error's value and absolute for what lies between 0 and 1."""
    name = metric.removeprefix("estimated_")
    if name in ("mae", "mse", "rmse"):
        return (RELATIVE_MARGIN if margin is None else margin) * abs(baseline)
    default = R2_MARGIN if name == "r2" else ABSOLUTE_MARGIN
    return default if margin is None else margin


def quantile(comparisons: int, alpha: float = ALPHA) -> float:
    """z for so many one-sided comparisons at once."""
    return NormalDist().inv_cdf(1 - alpha / max(1, comparisons))


def from_baseline(
    metric: str,
    baseline: Metric,
    now: Metric,
    *,
    comparisons: int = 1,
    margin: float | None = None,
) -> Threshold | None:
    """The threshold for a window whose metric has the error `now.error`; None where the
    baseline has no value, or nothing is known of the window's error."""
    if not math.isfinite(baseline.value) or not math.isfinite(now.error):
        return None
    error = baseline.error if math.isfinite(baseline.error) else 0.0
    chance = quantile(comparisons) * math.hypot(error, now.error)
    allowed = max(margin_of(metric, baseline.value, margin), chance)
    comparison = comparison_of(metric)
    value = baseline.value + (allowed if comparison == GREATER else -allowed)
    why = "chance" if allowed == chance else "the margin"
    return Threshold(
        metric,
        value,
        comparison,
        f"baseline {baseline.value:.4g}, worsened by {allowed:.3g} ({why}; "
        f"at most {ALPHA:.0%} of windows pass one by chance)",
    )


def from_user(metric: str, value: float) -> Threshold:
    """The threshold that a file names."""
    return Threshold(metric, value, comparison_of(metric), "set in the monitor's file")
