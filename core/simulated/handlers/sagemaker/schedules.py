"""Monitoring schedules: they fire by their cron expression, and each time a job looks at data.

With the tag `simulate-violations: FEATURE:CHECK FEATURE:CHECK` an execution needs no captured
data and finds just those violations.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker import jobs, monitored
from core.simulated.handlers.sagemaker.common import (
    drop,
    keep,
    knob,
    measure,
    read_json,
    sagemaker_arn,
    touch,
    write,
)
from core.simulated.handlers.sagemaker.definitions import definition
from core.simulated.handlers.sagemaker.monitoralerts import TABLE, fresh, raised, schedule_of
from core.simulated.listing import Record, described, select, summaries
from core.simulated.registry import operation
from core.simulated.state import Call, State

EXECUTIONS = "sagemaker.monitoring-executions"
SCHEDULING, LATE, PENDING = 20.0, 60.0, 30.0
HOUR = 3600.0
_CRON = re.compile(r"cron\((\d+) (\*|\d+)(?:/(\d+))? \? \* \* \*\)")


def period(expression: str) -> tuple[float, float]:
    """(seconds between two firings, seconds after midnight of one); 0 for NOW."""
    if expression == "NOW":
        return 0.0, 0.0
    found = _CRON.fullmatch(expression)
    if found is None:
        raise Fault("ValidationException", f"Invalid schedule expression: {expression}")
    minute = int(found[1]) * 60.0
    if found[3]:
        start = 0 if found[2] == "*" else int(found[2])
        return int(found[3]) * HOUR, start * HOUR + minute
    if found[2] == "*":
        return HOUR, minute
    return 24 * HOUR, int(found[2]) * HOUR + minute


def _next(now: float, every: float, offset: float) -> float:
    """The next firing strictly after `now`, both in epoch seconds."""
    return (math.floor((now - offset) / every) + 1) * every + offset


def job_of(state: State, record: Record) -> Record:
    """What a schedule's jobs do: inputs, outputs, baseline, image, role and resources."""
    config = record["MonitoringScheduleConfig"]
    inline = config.get("MonitoringJobDefinition")
    if inline:
        inputs = inline["MonitoringInputs"][0]
        return {
            "kind": config.get("MonitoringType", "DataQuality"),
            "input": inputs.get("EndpointInput") or inputs.get("BatchTransformInput"),
            "outputs": inline["MonitoringOutputConfig"]["MonitoringOutputs"],
            "baseline": inline.get("BaselineConfig") or {},
            "image": inline["MonitoringAppSpecification"]["ImageUri"],
            "resources": inline["MonitoringResources"],
            "role": inline["RoleArn"],
        }
    if "MonitoringJobDefinitionName" not in config or "MonitoringType" not in config:
        raise Fault(
            "ValidationException",
            "Specify a MonitoringJobDefinition, or a MonitoringJobDefinitionName and its type.",
        )
    kind = config["MonitoringType"]
    found = definition(state, kind, config["MonitoringJobDefinitionName"])
    inputs = found[f"{kind}JobInput"]
    return {
        "kind": kind,
        "input": inputs.get("EndpointInput") or inputs.get("BatchTransformInput"),
        "outputs": found[f"{kind}JobOutputConfig"]["MonitoringOutputs"],
        "baseline": found.get(f"{kind}BaselineConfig") or {},
        "image": found[f"{kind}AppSpecification"].get("ImageUri", "simulated/monitor"),
        "resources": found["JobResources"],
        "role": found["RoleArn"],
    }


@operation("sagemaker", "CreateMonitoringSchedule")
def create_schedule(state: State, call: Call) -> dict[str, Any]:
    params = dict(call.params)
    name = str(params["MonitoringScheduleName"])
    arn = sagemaker_arn(state, "monitoring-schedule", name)
    if name in state.table(TABLE):
        raise Fault("ResourceInUse", f"Monitoring schedule {arn} already exists.", 400)
    record: Record = {**params, "MonitoringScheduleArn": arn, "MonitoringScheduleStatus": "Pending"}
    _settings(state, record)
    keep(state, TABLE, name, arn, record)
    record.update(_alert=fresh(state, name), _history=[])
    record["_timer"] = state.after(SCHEDULING, _scheduled, state, record)
    return {"MonitoringScheduleArn": arn}


def _settings(state: State, record: Record) -> None:
    """Check what a schedule says, and keep what lists show of it."""
    job = job_of(state, record)
    endpoint = job["input"].get("EndpointName")
    if endpoint:
        state.call("sagemaker", "DescribeEndpoint", EndpointName=endpoint)
    config = record["MonitoringScheduleConfig"]
    period((config.get("ScheduleConfig") or {}).get("ScheduleExpression", "NOW"))
    record.update(EndpointName=endpoint, MonitoringType=job["kind"])
    record["MonitoringJobDefinitionName"] = config.get("MonitoringJobDefinitionName")


def _scheduled(state: State, record: Record) -> None:
    touch(state, record, MonitoringScheduleStatus="Scheduled")
    _arm(state, record)


def _arm(state: State, record: Record) -> None:
    config = record["MonitoringScheduleConfig"].get("ScheduleConfig") or {}
    every, offset = period(config.get("ScheduleExpression", "NOW"))
    if every == 0:
        if not record.get("_fired"):
            record["_fired"] = True
            _fire(state, record, state.now)
        return
    at = _next(state.now, every, offset)
    wait = state.clock.nominal(at) - state.clock.nominal()
    record["_timer"] = state.after(wait, _due, state, record, at)


def _due(state: State, record: Record, at: float) -> None:
    _fire(state, record, at)
    _arm(state, record)


@operation("sagemaker", "StartMonitoringSchedule", "StopMonitoringSchedule")
def switch_schedule(state: State, call: Call) -> dict[str, Any]:
    record = schedule_of(state, call)
    start = call.operation.startswith("Start")
    state.cancel(record["_timer"])
    touch(state, record, MonitoringScheduleStatus="Scheduled" if start else "Stopped")
    if start:
        _arm(state, record)
    return {}


@operation("sagemaker", "UpdateMonitoringSchedule")
def update_schedule(state: State, call: Call) -> dict[str, Any]:
    record = schedule_of(state, call)
    changed = {**record, "MonitoringScheduleConfig": call.params["MonitoringScheduleConfig"]}
    _settings(state, changed)
    state.cancel(record["_timer"])
    touch(state, record, **{k: v for k, v in changed.items() if not k.startswith("_")})
    record["_fired"] = False
    record["MonitoringScheduleStatus"] = "Pending"
    record["_timer"] = state.after(SCHEDULING, _scheduled, state, record)
    return {"MonitoringScheduleArn": record["MonitoringScheduleArn"]}


@operation("sagemaker", "DeleteMonitoringSchedule")
def delete_schedule(state: State, call: Call) -> dict[str, Any]:
    record = schedule_of(state, call)
    state.cancel(record["_timer"])
    drop(state, TABLE, record["MonitoringScheduleName"])
    return {}


@operation("sagemaker", "DescribeMonitoringSchedule")
def describe_schedule(state: State, call: Call) -> dict[str, Any]:
    record = schedule_of(state, call)
    last = max(
        _executions(state, record["MonitoringScheduleName"]),
        key=lambda each: float(each["CreationTime"]),
        default=None,
    )
    return described(call, {**record, "LastMonitoringExecutionSummary": last})


@operation("sagemaker", "ListMonitoringSchedules")
def list_schedules(state: State, call: Call) -> dict[str, Any]:
    rows = select(
        call,
        state.table(TABLE).values(),
        name="MonitoringScheduleName",
        status="MonitoringScheduleStatus",
        equal={
            "EndpointName": "EndpointName",
            "MonitoringTypeEquals": "MonitoringType",
            "MonitoringJobDefinitionName": "MonitoringJobDefinitionName",
        },
    )
    return summaries(call, "MonitoringScheduleSummaries", rows)


# -- executions


def _executions(state: State, name: str) -> list[Record]:
    every = state.table(EXECUTIONS).values()
    return [each for each in every if each["MonitoringScheduleName"] == name]


def _fire(state: State, record: Record, at: float) -> None:
    name = record["MonitoringScheduleName"]
    execution: Record = {
        "MonitoringScheduleName": name,
        "ScheduledTime": at,
        "CreationTime": state.now,
        "LastModifiedTime": state.now,
        "MonitoringExecutionStatus": "Pending",
        "EndpointName": record["EndpointName"],
        "MonitoringType": record["MonitoringType"],
        "MonitoringJobDefinitionName": record["MonitoringJobDefinitionName"],
    }
    state.table(EXECUTIONS)[f"{name}/{at}"] = execution
    state.after(PENDING, _run, state, record, execution)


def _run(state: State, record: Record, execution: Record) -> None:
    job = job_of(state, record)
    at = dt.datetime.fromtimestamp(state.now, dt.UTC)
    params: Record = {
        "ProcessingJobName": f"model-monitoring-{at:%Y%m%d%H%M}-{state.unique()}",
        "ProcessingResources": job["resources"],
        "AppSpecification": {"ImageUri": job["image"]},
        "RoleArn": job["role"],
        "Tags": record["_tags"],
    }

    def done(processing: Record) -> None:
        _done(state, record, execution, job, processing)

    processing = jobs.start(state, jobs.PROCESSING, params, done)
    processing["MonitoringScheduleArn"] = record["MonitoringScheduleArn"]
    execution["ProcessingJobArn"] = processing["ProcessingJobArn"]
    touch(state, execution, MonitoringExecutionStatus="InProgress")


def _done(state: State, record: Record, execution: Record, job: Record, processing: Record) -> None:
    status = processing["ProcessingJobStatus"]
    if status != "Completed":
        reason = processing.get("FailureReason", status)
        touch(state, execution, MonitoringExecutionStatus=status, FailureReason=reason)
        return
    try:
        found = _analysed(state, record, execution, job)
    except Fault as fault:
        touch(state, execution, MonitoringExecutionStatus="Failed", FailureReason=fault.message)
        return
    status = "CompletedWithViolations" if found else "Completed"
    touch(state, execution, MonitoringExecutionStatus=status)
    processing["ExitMessage"] = status
    raised(state, record, bool(found))


def _analysed(state: State, record: Record, execution: Record, job: Record) -> list[dict[str, str]]:
    """Look at the data, write the reports, and say what does not hold."""
    at = float(execution["ScheduledTime"])
    baseline = {
        name: read_json(state, each["S3Uri"])
        for name, each in job["baseline"].items()
        if isinstance(each, dict) and each.get("S3Uri")
    }
    stats, wanted = baseline.get("StatisticsResource"), baseline.get("ConstraintsResource")
    asked = knob(record, "violations")
    if asked is not None:
        now = stats or {"version": 0.0, "dataset": {"item_count": 0}, "features": []}
        found = [_asked(each) for each in asked.split()]
    else:
        now = monitored.statistics(_data(state, record, at))
        found = list(monitored.violations(now, stats, wanted))
    when = dt.datetime.fromtimestamp(at, dt.UTC)
    root = job["outputs"][0]["S3Output"]["S3Uri"].rstrip("/")
    path = f"{record['EndpointName'] or 'batch'}/{record['MonitoringScheduleName']}"
    folder = f"{root}/{path}/{when:%Y/%m/%d/%H}"
    reports = {
        "statistics.json": now,
        "constraints.json": wanted or monitored.constraints(now),
        "constraint_violations.json": {"violations": found},
    }
    for name, report in reports.items():
        trouble = write(state, f"{folder}/{name}", json.dumps(report, indent=1))
        if trouble is not None:
            raise Fault("ClientError", trouble)
    _metrics(state, record, now, stats)
    return found


def _asked(text: str) -> dict[str, str]:
    feature, _, check = text.partition(":")
    check = check or "baseline_drift_check"
    return {
        "feature_name": feature,
        "constraint_check_type": check,
        "description": f"{check} of {feature} does not hold.",
    }


def _data(state: State, record: Record, at: float) -> list[dict[str, str]]:
    config = record["MonitoringScheduleConfig"].get("ScheduleConfig") or {}
    every, _ = period(config.get("ScheduleExpression", "NOW"))
    endpoint = record["EndpointName"]
    if endpoint is None:
        raise Fault("ClientError", "Job inputs had no data")
    found = state.call("sagemaker", "DescribeEndpoint", EndpointName=endpoint)
    capture = found.get("DataCaptureConfig")
    if capture is None:
        raise Fault("ClientError", f"Endpoint {endpoint} captures no data")
    since = at - (every or 24 * HOUR)
    rows = monitored.captured(state, capture["DestinationS3Uri"], endpoint, since, at)
    if not rows:
        raise Fault("ClientError", "Job inputs had no data")
    return rows


def _metrics(state: State, record: Record, now: Record, stats: Record | None) -> None:
    if record["EndpointName"] is None or record["MonitoringType"] != "DataQuality":
        return
    known = {each["name"]: each for each in (stats or {}).get("features", [])}
    for each in now["features"][:20]:
        far = monitored.distance(known.get(each["name"], {}), each)
        if far is not None:
            measure(
                state,
                "aws/sagemaker/Endpoints/data-metrics",
                f"feature_baseline_drift_{monitored.metric_of(each['name'])}",
                far,
                "None",
                Endpoint=record["EndpointName"],
                MonitoringSchedule=record["MonitoringScheduleName"],
            )


@operation("sagemaker", "ListMonitoringExecutions")
def list_executions(state: State, call: Call) -> dict[str, Any]:
    members = ("MonitoringScheduleName", "EndpointName", "MonitoringJobDefinitionName")
    rows = select(
        call,
        state.table(EXECUTIONS).values(),
        name="MonitoringScheduleName",
        status="MonitoringExecutionStatus",
        equal={"MonitoringTypeEquals": "MonitoringType", **{each: each for each in members}},
    )
    return summaries(call, "MonitoringExecutionSummaries", rows)
