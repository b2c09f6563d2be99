"""Reading series back, by plain SQL: as they were recorded, or one datapoint a period."""

from __future__ import annotations

import math
from collections.abc import Mapping

from core.domain.series import Datapoint, SeriesName, Statistics
from core.errors import BadInput
from core.series.naming import dims_of, dims_text
from core.series.sets import Stored, check_statistic, of_row, statistic
from core.state.reading import Reader

MOST_PERIODS = 50_000

_POINTS = """
SELECT p.at, p.span, p.samples, p.total, p.low, p.high, p.buckets
FROM metric_points p JOIN metric_series s ON s.id = p.series
WHERE s.source = :source AND s.metric = :metric AND s.dims = :dims
"""


def read(
    reader: Reader,
    source: str,
    metric: str,
    dims: Mapping[str, str] | None = None,
    *,
    since: float,
    until: float,
    period: float | None = None,
    stat: str = "Average",
) -> tuple[Datapoint, ...]:
    """The datapoints of a series from `since` up to before `until` (epoch seconds).

    With a `period` (seconds) there is one for each period that begins in that time, oldest
    first, with the value None where nothing was measured; without it each point as it was
    recorded. Raises `BadInput` for an unknown statistic and for more than 50,000 periods.
    """
    check_statistic(stat)
    if period is None:
        rows = _stored(reader, source, metric, dims, since, until)
        return tuple(_datapoint(row.at, [row.statistics], stat) for row in rows)
    if period <= 0 or (until - since) / period > MOST_PERIODS:
        raise BadInput(
            f"{metric}: {until - since:g} s in periods of {period:g} s are too many",
            "ask for longer periods or less time",
        )
    first, end = math.ceil(since / period), math.ceil(until / period)
    groups: dict[int, list[Statistics]] = {number: [] for number in range(first, end)}
    for row in _stored(reader, source, metric, dims, first * period, end * period):
        number = min(max(first, math.floor(row.at / period)), end - 1)
        groups[number].append(row.statistics)
    return tuple(_datapoint(number * period, rows, stat) for number, rows in groups.items())


def read_statistics(
    reader: Reader,
    source: str,
    metric: str,
    dims: Mapping[str, str] | None = None,
    *,
    since: float,
    until: float,
) -> list[tuple[float, Statistics]]:
    """The points of a series as statistic sets, oldest first: for whoever counts by itself."""
    rows = _stored(reader, source, metric, dims, since, until)
    return [(row.at, row.statistics) for row in rows]


def latest(
    reader: Reader,
    source: str,
    metric: str,
    dims: Mapping[str, str] | None = None,
    *,
    count: int = 1,
    until: float | None = None,
    stat: str = "Average",
) -> tuple[Datapoint, ...]:
    """The last points of a series as they were recorded, the newest last: of those before
    `until`, where it is given."""
    check_statistic(stat)
    before = "" if until is None else " AND p.at < :until"
    given = {} if until is None else {"until": until}
    rows = reader.rows(
        f"{_POINTS}{before} ORDER BY p.at DESC LIMIT :count",
        source=source,
        metric=metric,
        dims=dims_text(dims),
        count=count,
        **given,
    )
    found = [of_row(row) for row in reversed(rows)]
    return tuple(_datapoint(row.at, [row.statistics], stat) for row in found)


def list_series(
    reader: Reader, source: str | None = None, metric: str | None = None
) -> tuple[SeriesName, ...]:
    """Every series, or those of a source and a metric, by name."""
    given = {key: v for key, v in (("source", source), ("metric", metric)) if v is not None}
    where = " AND ".join(f"{key} = :{key}" for key in given)
    rows = reader.rows(
        f"SELECT source, metric, dims FROM metric_series {'WHERE ' + where if where else ''}"
        " ORDER BY source, metric, dims",
        **given,
    )
    return tuple(SeriesName(row["source"], row["metric"], dims_of(row["dims"])) for row in rows)


def _stored(
    reader: Reader,
    source: str,
    metric: str,
    dims: Mapping[str, str] | None,
    since: float,
    until: float,
) -> list[Stored]:
    rows = reader.rows(
        f"{_POINTS} AND p.at >= :since AND p.at < :until ORDER BY p.at",
        source=source,
        metric=metric,
        dims=dims_text(dims),
        since=since,
        until=until,
    )
    return [of_row(row) for row in rows]


def _datapoint(at: float, rows: list[Statistics], stat: str) -> Datapoint:
    return Datapoint(at, statistic(rows, stat), sum(row.samples for row in rows))
