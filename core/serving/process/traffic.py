"""Counting requests: totals, what is in flight, latencies over the last minute.

Latencies go into logarithmic buckets (7 % apart, so that a percentile is within 4 %), one
set a second, kept for 60 seconds. Single-threaded: only the event loop counts.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from dataclasses import dataclass, field

from core.serving.records import Record, RevisionStats

WINDOW_SECONDS = 60
PROMETHEUS_SECONDS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
_GROWTH = math.log(1.07)
_SMALLEST = 1e-5  # seconds; everything faster falls in bucket 0


def _bucket(seconds: float) -> int:
    return 0 if seconds <= _SMALLEST else int(math.log(seconds / _SMALLEST) / _GROWTH) + 1


def _middle_ms(bucket: int) -> float:
    return _SMALLEST * math.exp((bucket - 0.5) * _GROWTH) * 1000


@dataclass(slots=True)
class _Second:
    at: int
    requests: int = 0
    errors: int = 0
    latencies: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class RevisionTraffic:
    """The traffic of one revision."""

    revision: int
    requests: int = 0
    errors: int = 0  # 5xx
    rejected: int = 0  # 4xx
    timeouts: int = 0  # 504
    in_flight: int = 0
    seconds_sum: float = 0.0
    histogram: list[int] = field(default_factory=lambda: [0] * (len(PROMETHEUS_SECONDS) + 1))
    _ring: deque[_Second] = field(default_factory=lambda: deque(maxlen=WINDOW_SECONDS + 1))

    def record(self, status: int, seconds: float) -> None:
        """One request that was answered after `seconds`."""
        self.requests += 1
        self.seconds_sum += seconds
        failed = status >= 500
        self.errors += failed
        self.rejected += 400 <= status < 500
        self.timeouts += status == 504
        self.histogram[_slot(seconds)] += 1
        now = int(time.monotonic())
        if not self._ring or self._ring[-1].at != now:
            self._ring.append(_Second(now))
        second = self._ring[-1]
        second.requests += 1
        second.errors += failed
        bucket = _bucket(seconds)
        second.latencies[bucket] = second.latencies.get(bucket, 0) + 1

    def figures(self) -> RevisionFigures:
        """The figures now, in the form that those of several servers are added up in."""
        now = time.monotonic()
        recent = [item for item in self._ring if now - item.at <= WINDOW_SECONDS]
        merged: Counter[int] = Counter()
        for second in recent:
            merged.update(second.latencies)
        return RevisionFigures(
            revision=self.revision,
            requests=self.requests,
            errors=self.errors,
            rejected=self.rejected,
            in_flight=self.in_flight,
            recent_requests=sum(second.requests for second in recent),
            recent_errors=sum(second.errors for second in recent),
            span=max(1.0, now - recent[0].at) if recent else 1.0,
            latencies=dict(merged),
        )

    def stats(self) -> RevisionStats:
        """The figures now."""
        return self.figures().stats()


@dataclass(frozen=True, slots=True)
class RevisionFigures(Record):
    """The traffic of one revision in one server, or in several together."""

    revision: int
    requests: int = 0
    errors: int = 0
    rejected: int = 0
    in_flight: int = 0
    recent_requests: int = 0  # of the last minute, as all that follow
    recent_errors: int = 0
    span: float = 1.0  # seconds that the recent requests came in
    latencies: dict[int, int] = field(default_factory=dict)  # requests by bucket

    def __post_init__(self) -> None:
        # In JSON a key is a string.
        buckets = {int(bucket): count for bucket, count in self.latencies.items()}
        object.__setattr__(self, "latencies", buckets)

    def __add__(self, other: RevisionFigures) -> RevisionFigures:
        """Both together, as if one server had had all of it."""
        merged = Counter(self.latencies)
        merged.update(other.latencies)
        return RevisionFigures(
            self.revision,
            self.requests + other.requests,
            self.errors + other.errors,
            self.rejected + other.rejected,
            self.in_flight + other.in_flight,
            self.recent_requests + other.recent_requests,
            self.recent_errors + other.recent_errors,
            max(self.span, other.span),
            dict(merged),
        )

    def ended(self) -> RevisionFigures:
        """What stays of it once its server has gone: the totals."""
        return RevisionFigures(self.revision, self.requests, self.errors, self.rejected)

    def stats(self) -> RevisionStats:
        """Rates and percentiles of these figures."""
        return RevisionStats(
            revision=self.revision,
            requests=self.requests,
            errors=self.errors,
            rejected=self.rejected,
            in_flight=self.in_flight,
            rps=self.recent_requests / self.span,
            p50_ms=percentile_ms(self.latencies, 0.50),
            p99_ms=percentile_ms(self.latencies, 0.99),
            recent_requests=self.recent_requests,
            recent_errors=self.recent_errors,
        )


def _slot(seconds: float) -> int:
    for index, bound in enumerate(PROMETHEUS_SECONDS):
        if seconds <= bound:
            return index
    return len(PROMETHEUS_SECONDS)


def percentile_ms(buckets: dict[int, int], share: float) -> float | None:
    """The latency under which `share` of the requests stayed, in milliseconds (nearest rank)."""
    total = sum(buckets.values())
    wanted = math.ceil(share * total)
    seen = 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= wanted:
            return _middle_ms(bucket)
    return None
