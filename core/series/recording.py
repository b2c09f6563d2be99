"""Recording points, in the transaction of whoever has measured them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.domain.series import STANDARD_SECONDS, Point, Statistics
from core.series.naming import dims_text

if TYPE_CHECKING:
    from core.state.store import Transaction

_UPSERT = """
INSERT INTO metric_points (series, at, span, samples, total, low, high, buckets)
VALUES (:series, :at, :span, :samples, :total, :low, :high, :buckets)
ON CONFLICT (series, at) DO UPDATE SET span = excluded.span, samples = excluded.samples,
  total = excluded.total, low = excluded.low, high = excluded.high, buckets = excluded.buckets
"""


def record(
    tx: Transaction, source: str, points: Sequence[Point], span: float = STANDARD_SECONDS
) -> int:
    """Record points of a source, such as `monitor/NAME` or `endpoint/NAME`; returns how many.

    `span` is how many seconds each stands for: those under 60 s are kept for hours, others for
    days, before they are made coarser (see `core.series.keeping`). A point of the same series
    and time is put in place of the one before: what was measured anew counts.
    """
    if not points:
        return 0
    import sqlalchemy as sa

    ids = _series(tx, source, {(point.metric, dims_text(point.dims)) for point in points})
    rows = [
        {"series": ids[point.metric, dims_text(point.dims)], "span": span, **_values(point)}
        for point in points
    ]
    tx.connection.execute(sa.text(_UPSERT), rows)
    return len(rows)


def _series(
    tx: Transaction, source: str, wanted: set[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """The ids of these series of the source; those that are new are made."""
    import sqlalchemy as sa

    from core.state.alarm_tables import metric_series as table

    query = sa.select(table.c.id, table.c.metric, table.c.dims).where(table.c.source == source)

    def known() -> dict[tuple[str, str], int]:
        return {(row["metric"], row["dims"]): row["id"] for row in tx.rows(query)}

    ids = known()
    new = sorted(wanted - ids.keys())
    if new:
        rows = [{"source": source, "metric": metric, "dims": dims} for metric, dims in new]
        tx.connection.execute(table.insert(), rows)
        ids = known()
    return ids


def _values(point: Point) -> dict[str, Any]:
    found = statistics_of(point)
    return {
        "at": float(point.at),
        "samples": float(found.samples),
        "total": float(found.total),
        "low": found.low,
        "high": found.high,
        "buckets": buckets_text(found),
    }


def buckets_text(found: Statistics) -> str | None:
    """The counts by bucket as they stand in a row."""
    if found.buckets is None:
        return None
    return json.dumps({str(key): n for key, n in sorted(found.buckets.items()) if n})


def statistics_of(point: Point) -> Statistics:
    """The point as a statistic set; what is no number is a gap."""
    if point.statistics is not None:
        return point.statistics
    if point.value is None or math.isnan(point.value):
        return Statistics(0.0, 0.0)
    value = float(point.value)
    return Statistics(1.0, value, value, value)
