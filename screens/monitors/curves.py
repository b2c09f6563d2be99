"""A metric over windows as lines of a chart, with its threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from screens.widgets.bars import sparkline
from screens.widgets.chart import Series
from screens.widgets.lines import Line
from screens.words import percent

if TYPE_CHECKING:
    from core.domain.monitor import HeatMap, MonitorRun

LINES = 3
"""Features drawn beside each other; with the threshold they are as many as there are inks."""
_FIRST = ("mae", "accuracy", "f1", "weighted_f1", "auc", "rmse", "ks", "psi")
"""The metrics that a person looks at first."""


def metric_of(heat: HeatMap, wanted: str) -> str:
    """The metric to draw: the one that is wanted, else the one looked at first."""
    if wanted in heat.metrics or not heat.metrics:
        return wanted
    return next((name for name in _FIRST if name in heat.metrics), heat.metrics[0])


def next_metric(heat: HeatMap | None, current: str, *, worst: bool) -> str:
    """The metric after this one; with `worst`, the worst of each feature comes round, too."""
    if heat is None or not heat.metrics:
        return current
    names = ["", *heat.metrics] if worst else list(heat.metrics)
    at = names.index(current) if current in names else -1
    return names[(at + 1) % len(names)]


def series_of(heat: HeatMap) -> tuple[Series, ...]:
    """The whole's line, or those of the worst features; then the threshold."""
    names = [""] if "" in heat.features else list(heat.features[:LINES])
    found = [_line(heat, name) for name in names]
    limit = _threshold(heat, names)
    return tuple(one for one in (*found, limit) if one.values)


def _line(heat: HeatMap, feature: str) -> Series:
    steps, values = [], []
    for place, (key, *_) in enumerate(heat.windows, 1):
        cell = heat.cells.get((feature, key))
        if cell is not None and cell.value is not None and math.isfinite(cell.value):
            steps.append(float(place))
            values.append(cell.value)
    return Series(feature or heat.metric, steps, values)


def _threshold(heat: HeatMap, names: Sequence[str]) -> Series:
    steps, values = [], []
    for place, (key, *_) in enumerate(heat.windows, 1):
        limits = [
            cell.threshold for name in names
            if (cell := heat.cells.get((name, key))) is not None and cell.threshold is not None
        ]  # fmt: skip
        if limits:
            steps.append(float(place))
            values.append(limits[0])
    return Series("threshold", steps, values)


def coverage_line(runs: Sequence[MonitorRun], width: int) -> Line:
    """How far the windows are labelled, the newest at the right; empty where labels play no
    part."""
    oldest_first = list(reversed(runs))
    shares = [run.label_coverage for run in oldest_first if run.label_coverage is not None]
    if not shares:
        return []
    drawn = sparkline([0.0, 1.0, *shares], len(shares) + 2)[2:]
    return [
        ("  labels ", "dim"),
        (drawn[-max(width - 32, 10) :], "accent"),
        (f" {percent(shares[-1] * 100)} of the newest window", "dim"),
    ]
