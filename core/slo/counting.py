"""How many events an objective had, and how many of them were bad, minute by minute.

Hours that are over are counted once and kept in memory; the last ones, to which points may still
come, are read anew each time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from core.analysis.alarms import breaches
from core.domain.series import Statistics
from core.domain.slo import SloDefinition, SloKind
from core.series.reading import read_statistics
from core.series.sets import middle
from core.slo.burning import Counted
from core.state.reading import Reader

HOUR = 3600.0
OPEN_HOURS = 2  # to which points may still come

Minutes = dict[float, Counted]


class Counter:
    """The events of one objective. Not thread-safe."""

    def __init__(self, slo: SloDefinition) -> None:
        self.slo = slo
        self._hours: dict[float, Counted] = {}
        self._minutes: Minutes = {}
        self._closed = 0.0  # hours that begin before this have been counted

    def refresh(self, reader: Reader, now: float) -> None:
        """Read what has come since the last time."""
        closed = math.floor(now / HOUR) * HOUR - (OPEN_HOURS - 1) * HOUR
        oldest = math.floor((now - self.slo.window) / HOUR) * HOUR
        since = max(oldest, self._closed) if 0 < self._closed <= closed else oldest
        if since == oldest:
            self._hours = {}
        minutes = self._read(reader, since, now + HOUR)
        for at, counted in minutes.items():
            if at < closed:
                hour = math.floor(at / HOUR) * HOUR
                self._hours[hour] = _sum([self._hours.get(hour, (0.0, 0.0)), counted])
        recent = now - max(12 * HOUR, OPEN_HOURS * HOUR)
        kept = {at: n for at, n in self._minutes.items() if recent <= at < since}
        self._minutes = kept | {at: n for at, n in minutes.items() if at >= recent}
        self._hours = {at: n for at, n in self._hours.items() if at >= oldest}
        self._closed = closed

    def count(self, seconds: float, now: float) -> Counted:
        """What happened in the last so many seconds: by minutes up to twelve hours, beyond them
        by hours."""
        since = now - seconds
        if seconds <= 12 * HOUR:
            return _sum([n for at, n in self._minutes.items() if since <= at < now])
        hours = [n for at, n in self._hours.items() if at >= since]
        return _sum([*hours, *(n for at, n in self._minutes.items() if self._closed <= at < now)])

    def _read(self, reader: Reader, since: float, until: float) -> Minutes:
        slo = self.slo
        if slo.kind is SloKind.QUALITY:
            return self._windows(reader, since, until)
        dims = {"variant": slo.variant} if slo.variant else {}
        metric = "errors" if slo.kind is SloKind.AVAILABILITY else "latency"
        found: Minutes = {}
        rows = read_statistics(
            reader, f"endpoint/{slo.endpoint}", metric, dims, since=since, until=until
        )
        for at, one in rows:
            counted = (one.samples, one.total) if metric == "errors" else _slow(one, slo.latency_ms)
            _add(found, at, counted)
        if metric == "errors" and not slo.variant:
            # Shed requests reached no variant, and were not answered either.
            shed = read_statistics(
                reader, f"endpoint/{slo.endpoint}", "shed", {}, since=since, until=until
            )
            for at, one in shed:
                _add(found, at, (one.total, one.total))
        return found

    def _windows(self, reader: Reader, since: float, until: float) -> Minutes:
        slo, found = self.slo, Minutes()
        assert slo.metric is not None
        rows = read_statistics(
            reader, slo.metric.source, slo.metric.metric, slo.metric.dims, since=since, until=until
        )
        for at, one in rows:
            if one.samples > 0:
                good = breaches(slo.comparison, one.total / one.samples, slo.threshold)
                _add(found, at, (1.0, 0.0 if good else 1.0))
        return found


def _slow(one: Statistics, most: float) -> Counted:
    """The answers, and those that took longer."""
    buckets: Mapping[int, float] = one.buckets or {}
    return one.samples, sum(count for bucket, count in buckets.items() if middle(bucket) > most)


def _add(found: Minutes, at: float, counted: Counted) -> None:
    minute = math.floor(at / 60) * 60.0
    found[minute] = _sum([found.get(minute, (0.0, 0.0)), counted])


def _sum(parts: Sequence[Counted]) -> Counted:
    return sum(part[0] for part in parts), sum(part[1] for part in parts)
