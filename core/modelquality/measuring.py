"""All metrics of a set of rows, each with its spread and its interval.

`standard_deviation` is SageMaker's: of five random samples of 80 % of the rows, from 200 rows
on. Samples that share most of their rows vary about half as much as the metric itself, so it is
shown but nothing is decided by it: `error` is the standard error of the metric (see the modules
for each; metrics of a confusion matrix by 400 multinomial draws).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.modelquality.confusion import (
    binary_figures,
    confusion,
    draw_matrices,
    single,
    table,
    weighted_figures,
)
from core.modelquality.numbers import regression_errors, regression_figures
from core.modelquality.pairs import Pairs
from core.modelquality.ranking import (
    auc,
    auc_of_classes,
    average_precision,
    precision_recall_curve,
    roc_curve,
)
from core.modelquality.task import Task

SAMPLES = 5
SHARE = 0.8
MINIMUM = 200
"""SageMaker gives no standard deviation below so many rows."""
_DRAWS = 400
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure. NaN where it is not defined (one class only, no rows)."""

    value: float
    standard_deviation: float = NAN
    error: float = NAN


@dataclass(frozen=True, slots=True)
class Quality:
    """What the rows came to. `confusion` is label → prediction → rows; `curves` by
    SageMaker's names, empty without scores."""

    task: Task
    rows: int
    metrics: Mapping[str, Metric]
    confusion: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    curves: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def value(self, metric: str) -> float:
        """The metric's value, NaN where there is none."""
        found = self.metrics.get(metric)
        return found.value if found else NAN


def figures(pairs: Pairs) -> dict[str, float]:
    """All metrics of these rows by name."""
    if pairs.task is Task.REGRESSION:
        return regression_figures(pairs)
    matrix = confusion(pairs)
    if pairs.task is Task.MULTICLASS:
        found = single(weighted_figures(matrix))
        if pairs.score is not None:
            found["weighted_auc"] = auc_of_classes(pairs.label, pairs.score)[0]
        return found
    found = single(binary_figures(matrix))
    if pairs.score is not None:
        positive = pairs.label == 1
        found["auc"] = auc(positive, pairs.score)[0]
        found["au_prc"] = average_precision(positive, pairs.score)[0]
    return found


def measure(
    pairs: Pairs, *, spread: bool = True, dependence: float = 1.0, seed: int = 0
) -> Quality:
    """All metrics of these rows; `spread` adds SageMaker's standard deviation. So many rows that
    follow each other are worth one (see `core.modelquality.dependence`)."""
    values = figures(pairs)
    wider = math.sqrt(dependence)
    errors = {name: error * wider for name, error in _errors(pairs).items()}
    deviations = _deviations(pairs, seed) if spread else {}
    metrics = {
        name: Metric(value, deviations.get(name, NAN), errors.get(name, NAN))
        for name, value in values.items()
    }
    if pairs.task is Task.REGRESSION:
        return Quality(pairs.task, len(pairs), metrics)
    curves = {}
    if pairs.task is Task.BINARY and pairs.score is not None:
        positive = pairs.label == 1
        curves = {
            "receiver_operating_characteristic_curve": roc_curve(positive, pairs.score),
            "precision_recall_curve": precision_recall_curve(positive, pairs.score),
        }
    return Quality(pairs.task, len(pairs), metrics, table(pairs), curves)


def _errors(pairs: Pairs) -> dict[str, float]:
    if not len(pairs):
        return {}
    if pairs.task is Task.REGRESSION:
        return regression_errors(pairs)
    drawn = draw_matrices(confusion(pairs), _DRAWS)
    of = binary_figures if pairs.task is Task.BINARY else weighted_figures
    found = {name: _deviation(values) for name, values in of(drawn).items()}
    if pairs.score is None:
        return found
    if pairs.task is Task.BINARY:
        positive = pairs.label == 1
        found["auc"] = auc(positive, pairs.score)[1]
        found["au_prc"] = average_precision(positive, pairs.score)[1]
    else:
        found["weighted_auc"] = auc_of_classes(pairs.label, pairs.score)[1]
    return found


def _deviations(pairs: Pairs, seed: int) -> dict[str, float]:
    rows = len(pairs)
    if rows < MINIMUM:
        return {}
    generator = np.random.default_rng(seed)
    seen = [
        figures(pairs.take(generator.permutation(rows)[: round(SHARE * rows)]))
        for _ in range(SAMPLES)
    ]
    return {name: _deviation(np.array([each[name] for each in seen])) for name in seen[0]}


def _deviation(values: np.ndarray) -> float:
    """The sample standard deviation of those that are defined; NaN of fewer than two."""
    known = values[np.isfinite(values)]
    found = float(np.std(known, ddof=1)) if len(known) > 1 else NAN
    return found if math.isfinite(found) else NAN
