"""How sure one may be of a metric: resampled tables of counts, and intervals from them.

The resamples are draws from the Dirichlet posterior of the table's shares (a Bayesian bootstrap
of the rows, Rubin 1981, with a prior count in each cell instead of none, so that a small group
without one positive row has an interval of its own width and not of none). The rows are taken
as independent. One table of eight counts is drawn thousands of times in milliseconds, however
many rows stand behind it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.bias.formulas import positive_difference
from core.bias.metrics import Metric
from core.bias.tables import Counts, Table

PRIOR = 0.5
"""Rows added to each cell (Jeffreys' prior)."""
DRAWS = 2_000
SEED = 20_260_301


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a metric lies, with the confidence asked for; infinite ends are possible."""

    low: float
    high: float


def resample(table: Table, counts: Counts, draws: int = DRAWS, seed: int = SEED) -> Counts:
    """Tables of shares drawn for a table of counts, along a new first axis.

    Tables by a group variable share one prior, so that many small groups are not drowned in it.
    """
    rng = np.random.default_rng(seed)
    grouped = table in (Table.LABEL_GROUPS, Table.PREDICTION_GROUPS)
    prior = PRIOR / len(counts) if grouped else PRIOR
    drawn = rng.standard_gamma(counts + prior, size=(draws, *counts.shape))
    total = drawn.sum(axis=tuple(range(1, drawn.ndim)), keepdims=True)
    found: Counts = drawn / total
    return found


def interval(
    metric: Metric, counts: Counts, confidence: float = 0.95, draws: int = DRAWS
) -> Interval | None:
    """The interval of a metric for a table, always with the metric's own value in it.

    An unsigned metric reaches down to neutral where the difference that it measures may as well
    be none. `None` where the metric is not defined.
    """
    value = metric.value(counts)
    if np.isnan(value):
        return None
    drawn = resample(metric.table, counts, draws)
    values = metric.formula(drawn)
    tail = (1 - confidence) / 2
    low, high = quantiles(values, tail)
    if metric.unsigned and metric.table is Table.LABELS and counts.shape[-1] == 2:
        least, most = quantiles(positive_difference(drawn), tail)
        low = metric.neutral if least <= 0 <= most else low
    return Interval(min(low, value), max(high, value))


def quantiles(values: Counts, tail: float) -> tuple[float, float]:
    """The two order statistics that leave `tail` out on each side; NaN counts as nothing.

    Order statistics and no interpolation: between two infinities there is nothing.
    """
    known = np.sort(values[~np.isnan(values)])
    if not len(known):
        return -np.inf, np.inf
    at = int(tail * len(known))
    return float(known[at]), float(known[len(known) - 1 - at])
