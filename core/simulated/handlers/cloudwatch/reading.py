"""PutMetricData, ListMetrics, GetMetricStatistics, GetMetricData."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers._shared import page, with_token
from core.simulated.handlers.cloudwatch import mathematics
from core.simulated.handlers.cloudwatch.mathematics import Evaluation, Line, Value
from core.simulated.handlers.cloudwatch.series import (
    BASIC,
    Axis,
    Sample,
    Series,
    dimensions_of,
    epoch,
    grouped,
    kept,
    key_of,
    shown,
    statistic,
    statistics,
)
from core.simulated.registry import operation
from core.simulated.state import Call, State

MOST_POINTS = 1_440
DAY = 86_400


def _invalid(message: str) -> Fault:
    return Fault("InvalidParameterValue", message, 400)


@operation("cloudwatch", "PutMetricData")
def put(state: State, call: Call) -> dict[str, Any]:
    namespace = call.params["Namespace"]
    data = list(call.params.get("MetricData", []))
    for group in call.params.get("EntityMetricData", []):
        data.extend(group.get("MetricData", []))
    for datum in data:
        at = epoch(datum["Timestamp"]) if "Timestamp" in datum else state.now
        if not state.now - 14 * DAY <= at <= state.now + 2 * 3600:
            raise _invalid(
                "The parameter MetricData.member.1.Timestamp must specify a time within the past "
                "two weeks and not more than two hours in the future."
            )
        key = key_of(namespace, datum["MetricName"], dimensions_of(datum.get("Dimensions", [])))
        series = kept(state).setdefault(key, Series(datum.get("Unit", "None")))
        for sample in _samples(datum):
            series.add(at, sample)
    return {}


def _samples(datum: Mapping[str, Any]) -> list[Sample]:
    if "StatisticValues" in datum:
        known = datum["StatisticValues"]
        return [Sample(known["Sum"], known["Minimum"], known["Maximum"], known["SampleCount"])]
    if "Values" in datum:
        counts = datum.get("Counts") or [1.0] * len(datum["Values"])
        pairs = zip(datum["Values"], counts, strict=False)
        return [Sample(value * count, value, value, count) for value, count in pairs]
    if "Value" not in datum:
        raise _invalid("One of Value, Values and StatisticValues must be given.")
    value = float(datum["Value"])
    if not math.isfinite(value):
        raise _invalid(f"The value {value} for parameter MetricData.member.1.Value is invalid.")
    return [Sample(value, value, value, 1.0)]


@operation("cloudwatch", "ListMetrics")
def metrics(state: State, call: Call) -> dict[str, Any]:
    asked = call.params
    wanted = [(each["Name"], each.get("Value")) for each in asked.get("Dimensions", [])]
    recent = state.now - 3 * 3600 if asked.get("RecentlyActive") == "PT3H" else None
    found = [
        {
            "Namespace": namespace,
            "MetricName": name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions],
        }
        for (namespace, name, dimensions), series in kept(state).items()
        if asked.get("Namespace") in (None, namespace)
        and asked.get("MetricName") in (None, name)
        and all(
            any(key == k and value in (None, v) for k, v in dimensions) for key, value in wanted
        )
        and (recent is None or (series.times and series.times[-1] >= recent))
    ]
    some, token = page(found, asked.get("NextToken"), 500, error="InvalidParameterValue")
    return with_token({"Metrics": some}, token, "NextToken")


@operation("cloudwatch", "GetMetricStatistics")
def get_statistics(state: State, call: Call) -> dict[str, Any]:
    asked = call.params
    start, end, period = epoch(asked["StartTime"]), epoch(asked["EndTime"]), asked["Period"]
    _check(start, end, period)
    if (end - start) / period > MOST_POINTS:
        raise Fault(
            "InvalidParameterCombination",
            f"You have requested up to {int((end - start) / period)} datapoints, which exceeds "
            f"the limit of {MOST_POINTS}.",
            400,
        )
    plain, extended = asked.get("Statistics", []), asked.get("ExtendedStatistics", [])
    if not plain and not extended:
        raise Fault(
            "InvalidParameterCombination", "Statistics or ExtendedStatistics must be given.", 400
        )
    dimensions = dimensions_of(asked.get("Dimensions", []))
    series = kept(state).get(key_of(asked["Namespace"], asked["MetricName"], dimensions))
    points = []
    for at, samples in grouped(series, start, end, period, shown).items():
        point: dict[str, Any] = {"Timestamp": at, "Unit": series.unit if series else "None"}
        point |= {each: statistic(samples, each) for each in plain if each in BASIC}
        if extended:
            point["ExtendedStatistics"] = {each: statistic(samples, each) for each in extended}
        points.append(point)
    return {"Label": asked["MetricName"], "Datapoints": points}


def _check(start: float, end: float, period: int) -> None:
    if start >= end:
        raise _invalid("The parameter StartTime must be less than the parameter EndTime.")
    if period not in (1, 5, 10, 20, 30) and (period <= 0 or period % 60):
        raise _invalid(
            "The parameter Period must be a value in the set [1, 5, 10, 20, 30] or a multiple of 60"
        )


def evaluate(
    state: State,
    queries: Sequence[Mapping[str, Any]],
    start: float,
    end: float,
    axis: Axis = shown,
) -> dict[str, tuple[Mapping[str, Any], Value, list[float]]]:
    """Each query by id with its value and the beginnings of its periods.

    Raises Fault ValidationError for queries that refer to nothing or in a circle.
    """
    by_id = {each["Id"]: each for each in queries}
    if len(by_id) != len(queries):
        raise Fault("ValidationError", "The Ids of MetricDataQueries must be unique.", 400)
    periods = [int(each["MetricStat"]["Period"]) for each in queries if "MetricStat" in each]
    default = max(periods) if periods else 300
    lines: dict[str, Value] = {}
    plain: dict[str, Line] = {}
    for ident, query in by_id.items():
        if "MetricStat" in query:
            plain[ident] = _line(state, query["MetricStat"], start, end, axis)
    lines.update(plain)
    grids: dict[str, list[float]] = {}
    pending = [each for each in queries if "MetricStat" not in each]
    for query in queries:
        stat = query.get("MetricStat", {})
        period = int(stat.get("Period") or query.get("Period") or default)
        first = axis(start) // period * period
        count = max(0, math.ceil((axis(end) - first) / period))
        grids[query["Id"]] = [first + number * period for number in range(min(count, 100_800))]
    while pending:
        ready = [each for each in pending if _needs(each) <= set(lines)]
        if not ready:
            missing = sorted({name for each in pending for name in _needs(each)} - set(lines))
            raise Fault(
                "ValidationError",
                f"Error in expression '{pending[0]['Id']}': there is no {', '.join(missing)}",
                400,
            )
        for query in ready:
            ident = query["Id"]
            evaluation = Evaluation(
                lines, plain, grids[ident], float(query.get("Period") or default)
            )
            lines[ident] = evaluation.value(query["Expression"])
            pending.remove(query)
    return {ident: (query, lines[ident], grids[ident]) for ident, query in by_id.items()}


def _needs(query: Mapping[str, Any]) -> set[str]:
    if "Expression" not in query:
        raise Fault("ValidationError", "Either MetricStat or Expression must be given.", 400)
    return mathematics.names(query["Expression"])


def _line(state: State, stat: Mapping[str, Any], start: float, end: float, axis: Axis) -> Line:
    metric = stat["Metric"]
    dimensions = dimensions_of(metric.get("Dimensions", []))
    series = kept(state).get(key_of(metric["Namespace"], metric["MetricName"], dimensions))
    return statistics(series, start, end, float(stat["Period"]), stat["Stat"], axis)


@operation("cloudwatch", "GetMetricData")
def get_data(state: State, call: Call) -> dict[str, Any]:
    asked = call.params
    start, end = epoch(asked["StartTime"]), epoch(asked["EndTime"])
    for query in asked["MetricDataQueries"]:
        _check(start, end, int(query.get("MetricStat", {}).get("Period") or 60))
    results = []
    descending = asked.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    for query, value, grid in evaluate(state, asked["MetricDataQueries"], start, end).values():
        if query.get("ReturnData", True) is False:
            continue
        lines = mathematics.scalar_line(value, grid)
        for line in lines:
            points = sorted(line.items(), reverse=descending)
            results.append(
                {
                    "Id": query["Id"],
                    "Label": _label(query),
                    "Timestamps": [at for at, _ in points],
                    "Values": [each for _, each in points],
                    "StatusCode": "Complete",
                }
            )
    return _paged(results, asked)


def _label(query: Mapping[str, Any]) -> str:
    metric = query.get("MetricStat", {}).get("Metric", {})
    return str(query.get("Label") or metric.get("MetricName") or query["Id"])


def _paged(results: list[dict[str, Any]], asked: Mapping[str, Any]) -> dict[str, Any]:
    """At most MaxDatapoints of each call, the rest by NextToken."""
    most = int(asked.get("MaxDatapoints") or 100_800)
    flat = [
        (number, at) for number, each in enumerate(results) for at in range(len(each["Values"]))
    ]
    some, token = page(flat, asked.get("NextToken"), most, error="InvalidNextToken")
    if len(some) == len(flat):
        return {"MetricDataResults": results, "Messages": []}
    out = []
    for number, each in enumerate(results):
        places = [at for which, at in some if which == number]
        whole = bool(places) and places[-1] == len(each["Values"]) - 1
        if places:
            out.append(
                each
                | {
                    "Timestamps": [each["Timestamps"][at] for at in places],
                    "Values": [each["Values"][at] for at in places],
                    "StatusCode": "Complete" if whole else "PartialData",
                }
            )
    return with_token({"MetricDataResults": out, "Messages": []}, token, "NextToken")
