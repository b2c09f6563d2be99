"""Metrics as they are kept, and their statistics over periods."""

from __future__ import annotations

import datetime as dt
import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.simulated.faults import Fault
from core.simulated.state import State

Key = tuple[str, str, tuple[tuple[str, str], ...]]
Axis = Callable[[float], float]
"""From epoch seconds to the time that periods are cut in."""
BASIC = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
_EXTENDED = re.compile(r"^(p|tm)(\d{1,2}(?:\.\d{1,10})?|100)$")


@dataclass(frozen=True, slots=True)
class Sample:
    """A value that came `count` times; or a statistic set (then low and high differ)."""

    total: float
    low: float
    high: float
    count: float

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0


@dataclass
class Series:
    """One metric: samples in the order of time (epoch seconds)."""

    unit: str = "None"
    times: list[float] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    def add(self, at: float, sample: Sample) -> None:
        if not self.times or at >= self.times[-1]:
            self.times.append(at)
            self.samples.append(sample)
            return
        place = bisect_left(self.times, at)
        self.times.insert(place, at)
        self.samples.insert(place, sample)

    def between(self, start: float, end: float) -> Iterable[tuple[float, Sample]]:
        """The samples of [start, end)."""
        first, last = bisect_left(self.times, start), bisect_left(self.times, end)
        return zip(self.times[first:last], self.samples[first:last], strict=True)


def epoch(value: Any) -> float:
    """Epoch seconds of a time as it came."""
    return value.timestamp() if isinstance(value, dt.datetime) else float(value)


def kept(state: State) -> dict[Key, Series]:
    """All metrics of the account."""
    found: dict[Any, Series] = state.table("cloudwatch.metrics")
    return found


def key_of(namespace: str, name: str, dimensions: Mapping[str, str]) -> Key:
    return (namespace, name, tuple(sorted(dimensions.items())))


def dimensions_of(given: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """AWS's list of Name and Value as a dict."""
    return {each["Name"]: each.get("Value", "") for each in given}


def record(
    state: State,
    namespace: str,
    name: str,
    dimensions: Mapping[str, str],
    value: float,
    *,
    at: float | None = None,
    count: float = 1.0,
    unit: str = "None",
) -> None:
    """Keep a value that came `count` times at `at` (epoch seconds; now if not given)."""
    series = kept(state).setdefault(key_of(namespace, name, dimensions), Series(unit))
    moment = state.now if at is None else at
    series.add(moment, Sample(value * count, value, value, count))


def statistic(samples: list[Sample], stat: str) -> float:
    """A statistic of samples (at least one); Fault for one that is not known."""
    if stat == "Sum":
        return math.fsum(each.total for each in samples)
    if stat == "SampleCount":
        return math.fsum(each.count for each in samples)
    if stat == "Average":
        count = math.fsum(each.count for each in samples)
        return math.fsum(each.total for each in samples) / count if count else 0.0
    if stat == "Minimum":
        return min(each.low for each in samples)
    if stat == "Maximum":
        return max(each.high for each in samples)
    found = _EXTENDED.match(stat)
    if found is None:
        if re.match(r"^(p|tm|wm|tc|ts|pr|iqm|tm\()", stat, re.IGNORECASE) and stat[-1:].isalnum():
            raise Fault("NotSimulated", f"cloudwatch: the statistic {stat} is not simulated", 501)
        raise Fault(
            "InvalidParameterValue", f"The value {stat} for parameter Stat is not supported.", 400
        )
    share = float(found[2]) / 100
    return _percentile(samples, share) if found[1] == "p" else _trimmed(samples, share)


def _weighted(samples: list[Sample]) -> tuple[list[tuple[float, float]], float]:
    ordered = sorted((each.mean, each.count) for each in samples)
    return ordered, math.fsum(count for _, count in ordered)


def _percentile(samples: list[Sample], share: float) -> float:
    """By nearest rank over the values, each as often as it came."""
    ordered, total = _weighted(samples)
    rank, seen = share * total, 0.0
    for value, count in ordered:
        seen += count
        if seen >= rank - 1e-9:
            return value
    return ordered[-1][0]


def _trimmed(samples: list[Sample], share: float) -> float:
    """The mean of the lowest `share` of the values."""
    ordered, total = _weighted(samples)
    left, summed = share * total, 0.0
    for value, count in ordered:
        taken = min(count, left)
        summed, left = summed + value * taken, left - taken
    return summed / (share * total) if share * total else ordered[0][0]


def grouped(
    series: Series | None, start: float, end: float, period: float, axis: Axis
) -> dict[float, list[Sample]]:
    """Samples of [start, end) by the beginning of their period on the axis."""
    out: dict[float, list[Sample]] = {}
    if series is not None:
        for at, sample in series.between(start, end):
            out.setdefault(axis(at) // period * period, []).append(sample)
    return out


def statistics(
    series: Series | None, start: float, end: float, period: float, stat: str, axis: Axis
) -> dict[float, float]:
    """A statistic by the beginning of each period that has samples."""
    groups = grouped(series, start, end, period, axis)
    return {at: statistic(samples, stat) for at, samples in groups.items()}


def shown(at: float) -> float:
    """The axis of what is read: epoch seconds themselves."""
    return at
