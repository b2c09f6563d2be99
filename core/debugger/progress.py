"""Rules over one metric as it goes: what they find first, and how it stands.

Each answers an `Issue` with the step at which the rule would have fired first, or None. Values
that are not finite are `exploding`'s matter; the other rules pass over them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from core.tracking import MetricSeries

NUM_STEPS = 10
DIFF_PERCENT = 0.1
RATIO_THRESHOLD = 0.1
PATIENCE = 1
PATIENCE_TRAIN = 5
PATIENCE_VALIDATION = 10
DELTA = 0.01
UNCHANGED_STEPS = 3
RTOL, ATOL = 1e-5, 1e-8
VANISHED = 1e-7
STALLED_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Issue:
    """What a rule found: the first step, when that was logged (epoch seconds), in words."""

    step: int | None
    at: float | None
    words: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Point:
    step: int
    at: float
    value: float


def _points(series: MetricSeries) -> list[_Point]:
    """The finite values, the last of each step."""
    found: dict[int, _Point] = {}
    rows = zip(series.steps, series.timestamps, series.values, strict=True)
    for step, at, value in rows:
        if math.isfinite(value):
            found[step] = _Point(step, at / 1000, value)
    return [found[step] for step in sorted(found)]


def not_decreasing(series: MetricSeries) -> Issue | None:
    """LossNotDecreasing: every 10 steps the loss is at least 0.1 % below what it was 10 or more
    steps before."""
    first: _Point | None = None
    checks = failed = 0
    still = False
    before: _Point | None = None
    for point in _points(series):
        if before is None:
            before = point
            continue
        if point.step - before.step < NUM_STEPS:
            continue
        checks += 1
        still = before.value - point.value < abs(before.value) * DIFF_PERCENT / 100
        if still:
            failed += 1
            first = first or point
        before = point
    if first is None:
        return None
    return Issue(
        first.step,
        first.at,
        f"fell by less than {DIFF_PERCENT} % in {failed} of {checks} spans of {NUM_STEPS} steps"
        + (", the last too" if still else ""),
        {"checks": checks, "failed": failed, "still": still},
    )


def enough_steps(series: MetricSeries) -> bool:
    """Whether there is one span to judge by."""
    points = _points(series)
    return len(points) > 1 and points[-1].step - points[0].step >= NUM_STEPS


def overfit(training: MetricSeries, validation: MetricSeries) -> Issue | None:
    """Overfit: (validation - training) / training above 0.1 for more than one step. Against
    each validation loss stands the mean training loss since the one before."""
    ahead = deque(_points(training))
    mean = ratio = 0.0
    beyond = 0
    first: _Point | None = None
    for point in _points(validation):
        since = []
        while ahead and ahead[0].step <= point.step:
            since.append(ahead.popleft().value)
        mean = math.fsum(since) / len(since) if since else mean
        if mean <= 0:
            continue
        ratio = (point.value - mean) / mean
        beyond = beyond + 1 if ratio > RATIO_THRESHOLD else 0
        if beyond > PATIENCE:
            first = first or point
    if first is None:
        return None
    return Issue(
        first.step,
        first.at,
        f"is {ratio:.0%} above the training loss by now (it was more than "
        f"{RATIO_THRESHOLD:.0%} for over {PATIENCE} step)",
        {"ratio": ratio, "threshold": RATIO_THRESHOLD},
    )


def overtrained(series: MetricSeries, patience: int) -> Issue | None:
    """Overtraining: no gain of 0.01 or more over the best so far for `patience` steps."""
    best: _Point | None = None
    waited = 0
    first: _Point | None = None
    for point in _points(series):
        if best is None or point.value <= best.value - DELTA:
            best, waited = point, 0
            continue
        waited += 1
        if waited >= patience and first is None:
            first = point
    if first is None or best is None:
        return None
    return Issue(
        first.step,
        first.at,
        f"no gain of {DELTA} for {patience} steps; the best was {best.value:.4g} at step "
        f"{best.step}",
        {"best": best.value, "best_step": best.step, "patience": patience},
    )


def exploding(series: MetricSeries) -> Issue | None:
    """ExplodingTensor: a value that is infinite or no number."""
    bad = [
        (step, at, value)
        for step, at, value in zip(series.steps, series.timestamps, series.values, strict=True)
        if not math.isfinite(value)
    ]
    if not bad:
        return None
    step, at, value = bad[0]
    word = "no number (NaN)" if math.isnan(value) else "infinite"
    return Issue(step, at / 1000, f"became {word}; {len(bad)} such values", {"values": len(bad)})


def unchanged(series: MetricSeries) -> Issue | None:
    """UnchangedTensor: equal values (rtol 1e-5, atol 1e-8) at 3 steps that follow each other."""
    points = _points(series)
    alike, first = 1, None
    for before, point in pairwise(points):
        same = abs(point.value - before.value) <= ATOL + RTOL * abs(before.value)
        alike = alike + 1 if same else 1
        if alike >= UNCHANGED_STEPS and first is None:
            first = point
    if first is None:
        return None
    return Issue(
        first.step,
        first.at,
        f"did not change over {UNCHANGED_STEPS} steps (it was {first.value:.6g})",
        {"value": first.value, "still": alike >= UNCHANGED_STEPS},
    )


def vanished(series: MetricSeries) -> Issue | None:
    """VanishingGradient, of gradients that were logged as a metric: below 1e-7."""
    found = [point for point in _points(series) if abs(point.value) < VANISHED]
    if not found:
        return None
    first = found[0]
    return Issue(
        first.step, first.at, f"was {first.value:.3g}, below {VANISHED:g}", {"steps": len(found)}
    )


def stalled(last: float, now: float) -> Issue | None:
    """StalledTrainingRule: nothing new for 1,800 seconds. `last` is when something was last
    heard, both in epoch seconds."""
    silent = now - last
    if silent < STALLED_SECONDS:
        return None
    return Issue(
        None,
        last + STALLED_SECONDS,
        f"no metric for {silent:.0f} s (more than {STALLED_SECONDS:.0f})",
        {"silent_seconds": round(silent, 1)},
    )
