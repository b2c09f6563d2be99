"""Counting requests: totals, what is in flight, latencies over the last minute.

Latencies go into logarithmic buckets (7 % apart, so that a percentile is within 4 %), one
set a second, kept for 60 seconds. Single-threaded: only the event loop counts.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.serving.records import RevisionStats

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
        self.histogram[_slot(seconds)] += 1
        now = int(time.monotonic())
        if not self._ring or self._ring[-1].at != now:
            self._ring.append(_Second(now))
        second = self._ring[-1]
        second.requests += 1
        second.errors += failed
        bucket = _bucket(seconds)
        second.latencies[bucket] = second.latencies.get(bucket, 0) + 1

    def stats(self) -> RevisionStats:
        """The figures now."""
        now = time.monotonic()
        recent = [item for item in self._ring if now - item.at <= WINDOW_SECONDS]
        merged: dict[int, int] = {}
        for second in recent:
            for bucket, count in second.latencies.items():
                merged[bucket] = merged.get(bucket, 0) + count
        total = sum(second.requests for second in recent)
        span = max(1.0, now - recent[0].at) if recent else 1.0
        return RevisionStats(
            revision=self.revision,
            requests=self.requests,
            errors=self.errors,
            rejected=self.rejected,
            in_flight=self.in_flight,
            rps=total / span,
            p50_ms=percentile_ms(merged, 0.50),
            p99_ms=percentile_ms(merged, 0.99),
            recent_requests=total,
            recent_errors=sum(second.errors for second in recent),
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


def prometheus(name: str, revisions: Iterable[RevisionTraffic], shed: int) -> str:
    """The figures in Prometheus' text format, version 0.0.4."""
    rows = list(revisions)
    label = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    lines: list[str] = []
    for metric, kind, meaning, attribute in (
        ("requests_total", "counter", "Requests answered", "requests"),
        ("errors_total", "counter", "Requests answered with a 5xx", "errors"),
        ("rejected_total", "counter", "Requests answered with a 4xx", "rejected"),
        ("in_flight", "gauge", "Requests being answered", "in_flight"),
    ):
        lines += [f"# HELP opsdeck_{metric} {meaning}.", f"# TYPE opsdeck_{metric} {kind}"]
        lines += [
            f'opsdeck_{metric}{{endpoint="{label}",revision="{row.revision}"}} '
            f"{getattr(row, attribute)}"
            for row in rows
        ]
    lines += [
        "# HELP opsdeck_shed_total Requests answered 429.",
        "# TYPE opsdeck_shed_total counter",
    ]
    lines.append(f'opsdeck_shed_total{{endpoint="{label}"}} {shed}')
    metric = "opsdeck_request_seconds"
    lines += [f"# HELP {metric} Time to answer.", f"# TYPE {metric} histogram"]
    for row in rows:
        lines += _histogram(metric, f'endpoint="{label}",revision="{row.revision}"', row)
    return "\n".join(lines) + "\n"


def _histogram(metric: str, labels: str, row: RevisionTraffic) -> list[str]:
    lines: list[str] = []
    running = 0
    for bound, count in zip((*PROMETHEUS_SECONDS, math.inf), row.histogram, strict=True):
        running += count
        shown = "+Inf" if bound == math.inf else f"{bound:g}"
        lines.append(f'{metric}_bucket{{{labels},le="{shown}"}} {running}')
    lines.append(f"{metric}_sum{{{labels}}} {row.seconds_sum:.6f}")
    lines.append(f"{metric}_count{{{labels}}} {row.requests}")
    return lines
