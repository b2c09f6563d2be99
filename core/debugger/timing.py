"""Rules over when things were logged, and what the steps' processes used."""

from __future__ import annotations

import statistics
from itertools import pairwise
from typing import Any

from core.debugger.progress import Issue
from core.domain.run import RunDetail, StepRun
from core.tracking import MetricSeries

STDDEV = 5.0
N_OUTLIERS = 10
INITIALIZATION_MINUTES = 20.0
_LEAST_STEPS = 20
_LEAST_SECONDS = 1.0


def step_durations(series: MetricSeries) -> list[tuple[int, float, float]]:
    """Of each training step after the first: its number, its end (epoch seconds), its seconds.
    Empty where the steps were logged all at once."""
    ends: dict[int, float] = {}
    for step, at in zip(series.steps, series.timestamps, strict=True):
        ends.setdefault(step, at / 1000)
    ordered = sorted(ends.items())
    if len(ordered) < _LEAST_STEPS or ordered[-1][1] - ordered[0][1] < _LEAST_SECONDS:
        return []
    return [(step, at, max(0.0, at - before)) for (_, before), (step, at) in pairwise(ordered)]


def outliers(series: MetricSeries) -> Issue | None:
    """StepOutlier: more than 10 steps that took more than 5 deviations longer than the mean."""
    durations = step_durations(series)
    seconds = [each for _, _, each in durations]
    mean, spread = statistics.fmean(seconds), statistics.pstdev(seconds)
    slow = [one for one in durations if one[2] > mean + STDDEV * spread]
    if len(slow) <= N_OUTLIERS:
        return None
    step, at, took = slow[0]
    return Issue(
        step,
        at,
        f"{len(slow)} of {len(seconds)} steps took more than {STDDEV:g} deviations longer than "
        f"the mean of {mean:.3g} s (step {step}: {took:.3g} s)",
        {"steps": len(slow), "mean_seconds": mean, "deviation_seconds": spread},
    )


def slow_start(step: StepRun, first: float) -> Issue | None:
    """MaxInitializationTime: no metric in the first 20 minutes of the step that logs. `first`
    is when its first one was logged (epoch seconds)."""
    if step.started_at is None:
        return None
    waited = (first - step.started_at) / 60
    if waited <= INITIALIZATION_MINUTES:
        return None
    return Issue(
        None,
        step.started_at + INITIALIZATION_MINUTES * 60,
        f"took {waited:.0f} minutes to its first metric (more than {INITIALIZATION_MINUTES:.0f})",
        {"minutes": round(waited, 2)},
    )


def logging_step(detail: RunDetail, at: float) -> StepRun | None:
    """The step that ran at a moment, the last begun of several."""
    going = [
        step
        for step in detail.steps
        if step.started_at is not None
        and step.started_at <= at
        and (step.ended_at is None or at <= step.ended_at)
    ]
    return max(going, key=lambda step: step.started_at or 0.0, default=None)


def usage(detail: RunDetail) -> dict[str, dict[str, Any]]:
    """What the processes of the steps that have ended used: of one processor in percent (over
    100 % with several), MB at the most."""
    found: dict[str, dict[str, Any]] = {}
    for step in detail.steps:
        if step.cpu_seconds is None or not step.seconds:
            continue
        found[step.step] = {
            "seconds": round(step.seconds, 3),
            "cpu_percent": round(100 * step.cpu_seconds / step.seconds, 1),
            "max_rss_mb": step.max_rss_mb,
        }
    return found
