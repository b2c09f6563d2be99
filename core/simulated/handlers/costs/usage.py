"""What was used: the hours of SageMaker's jobs and endpoints and the minutes of builds, by day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.simulated.handlers.costs.prices import BUILD_MINUTE, REGIONS, hourly, usage_type
from core.simulated.listing import epoch
from core.simulated.state import State

DAY = 86_400.0
_JOBS = (
    ("sagemaker.training-jobs", "Training", "TrainingStartTime", "TrainingEndTime"),
    ("sagemaker.processing-jobs", "Processing", "ProcessingStartTime", "ProcessingEndTime"),
    ("sagemaker.transform-jobs", "BatchTransform", "TransformStartTime", "TransformEndTime"),
)


@dataclass(frozen=True, slots=True)
class Use:
    """A resource's use on a day: `amount` hours (or minutes of builds) and their cost in USD."""

    day: float
    amount: float
    cost: float
    dimensions: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)


def used(states: list[State], start: float, end: float) -> Iterator[Use]:
    """All use between two moments (epoch seconds), cut at the days."""
    for state in states:
        for table, component, begun, over in _JOBS:
            for record in state.table(table).values():
                yield from _job(state, record, component, begun, over, start, end)
        for record in state.table("sagemaker.endpoints").values():
            yield from _endpoint(state, record, start, end)
        for build in state.table("codebuild.builds").values():
            yield from _build(state, build, start, end)


def _pieces(since: float, until: float, start: float, end: float) -> Iterator[tuple[float, float]]:
    """(day, seconds of it) of a span, within the span that is asked for."""
    at, until = max(since, start), min(until, end)
    while at < until:
        day = at // DAY * DAY
        edge = min(until, day + DAY)
        yield day, edge - at
        at = edge


def _job(
    state: State,
    record: Mapping[str, Any],
    component: str,
    begun: str,
    over: str,
    start: float,
    end: float,
) -> Iterator[Use]:
    if record.get(begun) is None:
        return
    since = epoch(record[begun])
    until = epoch(record[over]) if record.get(over) is not None else state.now
    resources = (
        record.get("ResourceConfig")
        or record.get("TransformResources")
        or (record.get("ProcessingResources") or {}).get("ClusterConfig")
        or {}
    )
    whole = max(1.0, until - since)
    billed = float(record.get("BillableTimeInSeconds") or whole) / whole
    instance = str(resources.get("InstanceType") or "ml.m5.large")
    count = int(resources.get("InstanceCount") or 1) * billed
    yield from _instances(state, record, component, instance, count, since, until, start, end)


def _endpoint(state: State, record: Mapping[str, Any], start: float, end: float) -> Iterator[Use]:
    since = epoch(record["CreationTime"])
    for each in record["_blue"]["variants"]:
        if not each.get("InstanceType"):
            continue
        count = float(each.get("CurrentInstanceCount") or 1)
        yield from _instances(
            state, record, "Hosting", each["InstanceType"], count, since, state.now, start, end
        )


def _instances(
    state: State,
    record: Mapping[str, Any],
    component: str,
    instance: str,
    count: float,
    since: float,
    until: float,
    start: float,
    end: float,
) -> Iterator[Use]:
    dimensions = {
        "SERVICE": "Amazon SageMaker",
        "USAGE_TYPE": usage_type(component, instance, state.region),
        "INSTANCE_TYPE": instance,
        "OPERATION": "RunInstance",
        "RESOURCE_ID": str(record["_arn"]),
        **_place(state),
    }
    tags = {each["Key"]: each["Value"] for each in record.get("_tags") or []}
    price = hourly(instance, state.region)
    for day, seconds in _pieces(since, until, start, end):
        hours = seconds * count / 3600
        yield Use(day, hours, hours * price, dimensions, tags)


def _build(state: State, build: Mapping[str, Any], start: float, end: float) -> Iterator[Use]:
    until = build.get("endTime", state.now)
    prefix = REGIONS.get(state.region, ("", state.region.upper(), 1.0))[1]
    dimensions = {
        "SERVICE": "CodeBuild",
        "USAGE_TYPE": f"{prefix}-Build-Min:Linux:g1.small",
        "INSTANCE_TYPE": "NoInstanceType",
        "OPERATION": "Build",
        "RESOURCE_ID": str(build["arn"]),
        **_place(state),
    }
    for day, seconds in _pieces(build["startTime"], until, start, end):
        yield Use(day, seconds / 60, seconds / 60 * BUILD_MINUTE, dimensions)


def _place(state: State) -> dict[str, str]:
    return {"REGION": state.region, "LINKED_ACCOUNT": state.account_id, "RECORD_TYPE": "Usage"}
