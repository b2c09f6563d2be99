"""CloudWatch's metrics as lines over time, many in one call (GetMetricData).

CloudWatch keeps points of a minute for 15 days, of five minutes for 63, of an hour for 455
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html), so a
period that is too fine for how far one looks back is widened: it would find nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from core.aws.words import epoch
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

MOST_AT_ONCE = 500
MOST_POINTS = 1_440
DAY = 86_400.0
Points = tuple[tuple[float, float], ...]
"""(epoch seconds, value), oldest first."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One line that is wanted. `stat` is CloudWatch's: Sum, Average, Minimum, Maximum,
    SampleCount, p50, p99.9, tm90."""

    namespace: str
    name: str
    stat: str
    dimensions: Mapping[str, str] = field(default_factory=dict)


def series(
    account: Account,
    namespace: str,
    metric: str,
    dimensions: Mapping[str, str],
    stat: str,
    period: int,
    since: float,
    until: float | None = None,
) -> Points:
    """One metric since `since` (epoch seconds), a point each `period` seconds."""
    wanted = Metric(namespace, metric, stat, dimensions)
    return several(account, {"it": wanted}, period, since, until)["it"]


def several(
    account: Account,
    wanted: Mapping[str, Metric],
    period: int,
    since: float,
    until: float | None = None,
) -> dict[str, Points]:
    """Several metrics by the names given to them, 500 in a call; each is there, if only empty.

    Raises `BadInput` for a period that CloudWatch has not, and the errors of `core.aws.errors`.
    """
    end = time.time() if until is None else until
    fit = fitting(period, since, end)
    found: dict[str, dict[float, float]] = {name: {} for name in wanted}
    names = list(wanted)
    for first in range(0, len(names), MOST_AT_ONCE):
        part = names[first : first + MOST_AT_ONCE]
        queries = [_query(number, wanted[name], fit) for number, name in enumerate(part)]
        for name, at, value in _read(account, part, queries, since, end):
            found[name][at] = value
    return {name: tuple(sorted(points.items())) for name, points in found.items()}


def fitting(period: int, since: float, until: float) -> int:
    """The period, widened to what is kept for so long and to at most 1,440 points a line."""
    if period not in (1, 5, 10, 20, 30) and (period < 60 or period % 60):
        raise BadInput(
            f"period {period}: CloudWatch has 1, 5, 10, 20, 30 and multiples of 60 seconds"
        )
    back = max(0.0, time.time() - since)
    unit = 3600 if back > 63 * DAY else 300 if back > 15 * DAY else 60
    if back > 3 * 3600:  # points finer than a minute are kept for three hours
        period = max(period, unit)
    most = math.ceil((until - since) / MOST_POINTS)
    if max(period, most) <= 60 and most <= period:
        return period
    return math.ceil(max(period, most) / unit) * unit


def _query(number: int, metric: Metric, period: int) -> dict[str, Any]:
    return {
        "Id": f"q{number}",
        "MetricStat": {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [
                    {"Name": key, "Value": value} for key, value in metric.dimensions.items()
                ],
            },
            "Period": period,
            "Stat": metric.stat,
        },
        "ReturnData": True,
    }


def _read(
    account: Account, names: Sequence[str], queries: list[dict[str, Any]], since: float, end: float
) -> Iterator[tuple[str, float, float]]:
    pages = account.pages(
        "cloudwatch",
        "get_metric_data",
        MetricDataQueries=queries,
        StartTime=datetime.fromtimestamp(since, UTC),
        EndTime=datetime.fromtimestamp(end, UTC),
        ScanBy="TimestampAscending",
    )
    for page in pages:
        for result in page.get("MetricDataResults", ()):
            name = names[int(result["Id"][1:])]
            for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                yield name, epoch(at) or 0.0, float(value)
