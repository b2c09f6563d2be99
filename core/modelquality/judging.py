"""Metrics of the whole and of segments held against their thresholds; the worst named.

Of the 1 % of windows that may pass a threshold by chance, half is for the whole and half for
the segments, so that many segments do not make the whole blind.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.modelquality.measuring import Metric, Quality
from core.modelquality.thresholds import (
    GREATER,
    Threshold,
    comparison_of,
    from_baseline,
    from_user,
    margin_of,
)

BADLY = 3.0
"""So many margins worse than the baseline is bad enough to wake somebody."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A metric of the whole (`segment` empty) or of a segment, with what it was held against."""

    metric: str
    segment: str
    rows: int
    now: Metric
    baseline: Metric | None
    threshold: Threshold | None
    loss: float

    @property
    def breached(self) -> bool:
        """Whether it is worse than allowed."""
        return self.threshold is not None and self.threshold.breached(self.now.value)

    @property
    def badly(self) -> bool:
        """Whether it is breached and far from the baseline."""
        return self.breached and self.loss >= BADLY


def judge(
    quality: Quality,
    baseline: Mapping[str, Metric],
    watched: Sequence[str],
    *,
    segment: str = "",
    limits: Mapping[str, float] | None = None,
    margin: float | None = None,
    comparisons: int = 1,
) -> list[Judged]:
    """The watched metrics of some rows; `limits` are the user's own thresholds."""
    found = []
    for name in watched:
        now = quality.metrics.get(name)
        if now is None:
            continue
        before = baseline.get(name)
        threshold = None
        if limits and name in limits:
            threshold = from_user(name, limits[name])
        elif before is not None:
            threshold = from_baseline(name, before, now, comparisons=comparisons, margin=margin)
        loss = loss_in_margins(name, now, before, margin)
        found.append(Judged(name, segment, quality.rows, now, before, threshold, loss))
    return found


def loss_in_margins(
    metric: str, now: Metric, baseline: Metric | None, margin: float | None = None
) -> float:
    """How much worse than the baseline, in margins; below 0 it is better, NaN unknown."""
    if baseline is None or not math.isfinite(baseline.value) or not math.isfinite(now.value):
        return float("nan")
    step = margin_of(metric, baseline.value, margin)
    worse = now.value - baseline.value
    worse = worse if comparison_of(metric) == GREATER else -worse
    return worse / step if step > 0 else math.copysign(math.inf, worse) if worse else 0.0


def worst(judged: Iterable[Judged]) -> Judged | None:
    """The one that lost the most, a breached one before any other; None of none."""
    known = [each for each in judged if not math.isnan(each.loss)]
    return max(known, key=lambda each: (each.breached, each.loss), default=None)
