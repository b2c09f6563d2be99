"""Metrics over time: points as they are recorded, and datapoints as they are read.

Words are CloudWatch's: a *point* is recorded, a *datapoint* is what a statistic (Average, Sum,
Minimum, Maximum, SampleCount or a percentile such as p99) makes of the points of one period.
Times are epoch seconds (UTC); a period begins at a multiple of its length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

STATISTICS = ("Average", "Sum", "Minimum", "Maximum", "SampleCount")
"""Beside percentiles, written `p50`, `p99` or `p99.9`."""

STANDARD_SECONDS = 60.0
"""How long a point stands for where nobody says otherwise (CloudWatch's standard resolution)."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Several samples taken together (CloudWatch's statistic set): how many, their sum, the
    lowest and the highest. `buckets` counts them by `core.analysis.buckets.score_bucket`;
    without it only one sample, or several that are equal, have percentiles."""

    samples: float
    total: float
    low: float | None = None
    high: float | None = None
    buckets: Mapping[int, float] | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """One measured value, or several together (`statistics`), of a metric.

    `value` None without statistics is a gap that was looked at: there was nothing to measure.
    `dims` narrow the source down (`{"variant": "r7"}`, `{"feature": "temp"}`); empty ones
    count as absent.
    """

    metric: str
    at: float
    value: float | None = None
    dims: Mapping[str, str] = field(default_factory=dict)
    statistics: Statistics | None = None


@dataclass(frozen=True, slots=True)
class Datapoint:
    """What a statistic made of one period (or one point): `value` None is a gap."""

    at: float
    value: float | None
    samples: float = 0.0


@dataclass(frozen=True, slots=True)
class SeriesName:
    """One metric of one source: `endpoint/bike-demand`, `latency`, `{"variant": "champion"}`."""

    source: str
    metric: str
    dims: Mapping[str, str] = field(default_factory=dict)

    def words(self) -> str:
        """On one line: `endpoint/bike-demand:latency{variant=champion}`."""
        inner = ",".join(f"{key}={value}" for key, value in sorted(self.dims.items()))
        return f"{self.source}:{self.metric}" + (f"{{{inner}}}" if inner else "")
