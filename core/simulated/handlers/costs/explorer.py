"""Cost Explorer: GetCostAndUsage, GetCostForecast, GetDimensionValues, GetTags."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.costs.usage import DAY, Use, used
from core.simulated.registry import operation
from core.simulated.state import Call, State

_METRICS = (
    "AmortizedCost",
    "BlendedCost",
    "NetAmortizedCost",
    "NetUnblendedCost",
    "UnblendedCost",
    "UsageQuantity",
)
LEARNT_DAYS = 14


def _day(text: str) -> float:
    try:
        return dt.datetime.strptime(text[:10], "%Y-%m-%d").replace(tzinfo=dt.UTC).timestamp()
    except ValueError as error:
        raise Fault("ValidationException", f"{text} is not a date", 400) from error


def _date(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%d")


def _period(call: Call) -> tuple[float, float]:
    asked = call.params["TimePeriod"]
    start, end = _day(asked["Start"]), _day(asked["End"])
    if start >= end:
        raise Fault("ValidationException", "Start date should be before end date", 400)
    return start, end


def _spans(start: float, end: float, granularity: str) -> Iterator[tuple[float, float]]:
    if granularity == "HOURLY":
        raise Fault("NotSimulated", "ce: the granularity HOURLY is not simulated", 501)
    at = start
    while at < end:
        after = at + DAY
        if granularity == "MONTHLY":
            moment = dt.datetime.fromtimestamp(at, dt.UTC).replace(day=1) + dt.timedelta(days=32)
            after = moment.replace(day=1, hour=0).timestamp()
        yield at, min(after, end)
        at = after


def _uses(state: State, start: float, end: float, where: Mapping[str, Any] | None) -> list[Use]:
    """What the account used in all of its regions: costs are not of one region."""
    states = state.world.states(state.account_id)
    until = min(end, state.now)
    return [each for each in used(states, start, until) if where is None or _fits(each, where)]


def _fits(use: Use, where: Mapping[str, Any]) -> bool:
    if "And" in where:
        return all(_fits(use, each) for each in where["And"])
    if "Or" in where:
        return any(_fits(use, each) for each in where["Or"])
    if "Not" in where:
        return not _fits(use, where["Not"])
    if "Dimensions" in where:
        asked = where["Dimensions"]
        value = use.dimensions.get(asked["Key"])
    elif "Tags" in where:
        asked = where["Tags"]
        value = use.tags.get(asked["Key"])
    else:
        raise Fault("NotSimulated", f"ce: the filter {sorted(where)} is not simulated", 501)
    options = asked.get("MatchOptions") or ["EQUALS"]
    if "ABSENT" in options:
        return value is None
    tests = {
        "STARTS_WITH": str.startswith,
        "ENDS_WITH": str.endswith,
        "CONTAINS": str.__contains__,
    }
    test = next((tests[each] for each in options if each in tests), str.__eq__)
    return value is not None and any(bool(test(value, each)) for each in asked.get("Values", []))


def _key(use: Use, group: Mapping[str, str]) -> str:
    if group["Type"] == "TAG":
        return f"{group['Key']}${use.tags.get(group['Key'], '')}"
    if group["Type"] != "DIMENSION":
        raise Fault("NotSimulated", f"ce: grouping by {group['Type']} is not simulated", 501)
    if group["Key"] not in use.dimensions:
        raise Fault("NotSimulated", f"ce: the dimension {group['Key']} is not simulated", 501)
    return use.dimensions[group["Key"]]


def _total(uses: list[Use], metrics: list[str]) -> dict[str, dict[str, str]]:
    cost = math.fsum(each.cost for each in uses)
    amount = math.fsum(each.amount for each in uses)
    return {
        name: {"Amount": f"{amount:.10f}", "Unit": "N/A"}
        if name == "UsageQuantity"
        else {"Amount": f"{cost:.10f}", "Unit": "USD"}
        for name in metrics
    }


@operation("ce", "GetCostAndUsage")
def cost_and_usage(state: State, call: Call) -> dict[str, Any]:
    asked = call.params
    unknown = sorted(set(asked["Metrics"]) - set(_METRICS))
    if unknown:
        raise Fault("ValidationException", f"Invalid metrics: {', '.join(unknown)}", 400)
    start, end = _period(call)
    groups = asked.get("GroupBy", [])
    uses = _uses(state, start, end, asked.get("Filter"))
    results = []
    for since, until in _spans(start, end, asked["Granularity"]):
        inside = [each for each in uses if since <= each.day < until]
        told: dict[str, Any] = {
            "TimePeriod": {"Start": _date(since), "End": _date(until)},
            "Total": {} if groups else _total(inside, asked["Metrics"]),
            "Groups": [],
            "Estimated": until > state.now,
        }
        if groups:
            parts: dict[tuple[str, ...], list[Use]] = {}
            for each in inside:
                parts.setdefault(tuple(_key(each, one) for one in groups), []).append(each)
            told["Groups"] = [
                {"Keys": list(key), "Metrics": _total(parts[key], asked["Metrics"])}
                for key in sorted(parts)
            ]
        results.append(told)
    answer: dict[str, Any] = {"ResultsByTime": results, "DimensionValueAttributes": []}
    if groups:
        answer["GroupDefinitions"] = groups
    return answer


@operation("ce", "GetCostForecast")
def forecast(state: State, call: Call) -> dict[str, Any]:
    """The mean of the last days goes on; the bounds are those of a normal distribution."""
    start, end = _period(call)
    if start < state.now // DAY * DAY:
        raise Fault("ValidationException", "Start date must not be in the past", 400)
    today = state.now // DAY * DAY
    uses = _uses(state, today - LEARNT_DAYS * DAY, today, call.params.get("Filter"))
    daily = [
        math.fsum(each.cost for each in uses if each.day == today - back * DAY)
        for back in range(1, LEARNT_DAYS + 1)
    ]
    if not any(daily):
        raise Fault("DataUnavailableException", "Insufficient amount of historical data", 400)
    mean = math.fsum(daily) / len(daily)
    spread = math.sqrt(math.fsum((each - mean) ** 2 for each in daily) / (len(daily) - 1))
    wide = _quantile(float(call.params.get("PredictionIntervalLevel") or 80) / 100)
    results = []
    for since, until in _spans(start, end, call.params["Granularity"]):
        days = (until - since) / DAY
        off = wide * spread * math.sqrt(days)
        results.append(
            {
                "TimePeriod": {"Start": _date(since), "End": _date(until)},
                "MeanValue": f"{mean * days:.10f}",
                "PredictionIntervalLowerBound": f"{max(0.0, mean * days - off):.10f}",
                "PredictionIntervalUpperBound": f"{mean * days + off:.10f}",
            }
        )
    total = mean * (end - start) / DAY
    return {
        "Total": {"Amount": f"{total:.10f}", "Unit": "USD"},
        "ForecastResultsByTime": results,
    }


def _quantile(level: float) -> float:
    """How many standard deviations hold this share of a normal distribution."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(0.5 + level / 2)


@operation("ce", "GetDimensionValues")
def dimension_values(state: State, call: Call) -> dict[str, Any]:
    start, end = _period(call)
    name = call.params["Dimension"]
    found = {each.dimensions.get(name) for each in _uses(state, start, end, None)} - {None}
    wanted = call.params.get("SearchString", "").lower()
    values = sorted(str(each) for each in found if wanted in str(each).lower())
    return {
        "DimensionValues": [{"Value": each, "Attributes": {}} for each in values],
        "ReturnSize": len(values),
        "TotalSize": len(values),
    }


@operation("ce", "GetTags")
def tags(state: State, call: Call) -> dict[str, Any]:
    start, end = _period(call)
    uses = _uses(state, start, end, None)
    key = call.params.get("TagKey")
    found = (
        {each.tags[key] for each in uses if key in each.tags}
        if key
        else {name for each in uses for name in each.tags}
    )
    return {"Tags": sorted(found), "ReturnSize": len(found), "TotalSize": len(found)}
