"""Whether bias has grown since the baseline: SageMaker's bias_drift_check, aware of noise.

SageMaker calls it a violation when a metric is farther from neutral than in the baseline, by
however little. Here it is one when it is farther by more than `margin`, and by more than chance
shows: p is the share of windows with as many rows in each group, drawn from the baseline's own
distribution (and from how sure one is of that), that come out as far from neutral (a posterior
predictive check: Rubin 1984; Gelman et al., Bayesian Data Analysis, ch. 6). p is judged over
all metrics and groups of a window at once (Benjamini and Hochberg 1995).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.bias.formulas import difference
from core.bias.intervals import SEED, resample
from core.bias.metrics import Metric
from core.bias.report import GroupBias
from core.bias.tables import Counts, Table, Tables
from core.drift.pvalues import adjusted

DRAWS = 10_000
MARGIN = 0.02
FALSE_DISCOVERIES = 0.01
LARGE = 400
"""Counts of a table (by a group variable) above which a tenth of the windows is drawn."""
BY_GROUP = (Table.LABELS, Table.PREDICTIONS, Table.OUTCOMES)


@dataclass(frozen=True, slots=True)
class Drift:
    """One metric of one group against the baseline. `farther` is how much farther from neutral
    it is than it was. `breached` once it has been judged with the
    others."""

    facet: str
    group: str
    facet_value: str
    metric: Metric
    value: float
    then: float
    farther: float
    p_value: float
    breached: bool = False


def compare(
    now: Sequence[GroupBias],
    then: Mapping[str, Tables],
    metrics: Sequence[Metric],
    margin: float = MARGIN,
    discoveries: float = FALSE_DISCOVERIES,
) -> list[Drift]:
    """Every metric of every group that the baseline has too and that has rows enough.

    `then` are the baseline's tables by the group's name. Which are breached is judged over all.
    """
    found = [
        drift
        for bias in now
        if not bias.few and bias.group.name in then
        for drift in _drifts(bias, then[bias.group.name], metrics, margin)
    ]
    judged = adjusted([drift.p_value for drift in found])
    return [
        replace(drift, breached=bool(q <= discoveries and drift.farther > margin))
        for drift, q in zip(found, judged, strict=True)
    ]


def _drifts(
    bias: GroupBias, then: Tables, metrics: Sequence[Metric], margin: float
) -> Iterator[Drift]:
    """Of one group; metrics of the same table share the windows that are drawn."""
    drawn: dict[tuple[Table, bool], Counts] = {}
    for metric in metrics:
        found = _drift(bias, then, metric, margin, drawn)
        if found is not None:
            yield found


def _drift(
    bias: GroupBias,
    then: Tables,
    metric: Metric,
    margin: float,
    drawn: dict[tuple[Table, bool], Counts],
) -> Drift | None:
    result = bias.result(metric.name)
    current, before = bias.tables.get(metric.table), then.get(metric.table)
    if result is None or current is None or before is None or result.error or result.note:
        return None
    if not metric.comparable:
        return None
    base = metric.value(before)
    if np.isnan(base):
        return None
    distance = np.abs(np.array([result.value, base]) - metric.neutral)
    key = metric.table, metric.of_sizes
    if key not in drawn:
        drawn[key] = predicted(metric, current, before)
    return Drift(
        bias.group.facet,
        bias.group.name,
        bias.group.value,
        metric,
        result.value,
        base,
        float(difference(distance[0], distance[1])),
        _p_value(metric, current, drawn[key], margin),
    )


def p_value(metric: Metric, now: Counts, then: Counts, margin: float = 0.0) -> float:
    """How often a window of so many rows is at least as far from neutral less `margin`, were
    all as in the baseline."""
    return _p_value(metric, now, predicted(metric, now, then), margin)


def _p_value(metric: Metric, now: Counts, drawn: Counts, margin: float) -> float:
    values = metric.formula(drawn)
    away = np.abs(values[~np.isnan(values)] - metric.neutral)
    seen = abs(metric.value(now) - metric.neutral) - margin
    return float(((away >= seen).sum() + 1) / (len(away) + 1))


def predicted(metric: Metric, now: Counts, then: Counts) -> Counts:
    """Tables of windows like the baseline, with as many rows in each group as `now` (in all
    where the metric is of the groups' sizes, or the table is not by group first)."""
    rng = np.random.default_rng(SEED)
    draws = DRAWS if then.size <= LARGE else DRAWS // 10
    shares = resample(metric.table, then, draws)
    if metric.of_sizes or metric.table not in BY_GROUP:
        drawn = rng.multinomial(int(now.sum()), shares.reshape(draws, -1))
        return drawn.reshape(shares.shape).astype(np.float64)
    flat = shares.reshape(draws, 2, -1)
    sizes = now.reshape(2, -1).sum(axis=1).astype(np.int64)
    drawn = rng.multinomial(sizes, flat / flat.sum(axis=-1, keepdims=True))
    return drawn.reshape(shares.shape).astype(np.float64)
