"""Drift: what a stack's template says against what its resources are now."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from moto.cloudformation.models import Stack
from moto.cloudformation.parsing import clean_json

from core.aws.infra.resolve import flat
from core.simulated.faults import Fault
from core.simulated.handlers._shared import page, uid, with_token
from core.simulated.handlers.cloudformation.changesets import _stack, refused
from core.simulated.registry import operation
from core.simulated.state import Call, State

SECONDS = 8.0
"""How long a detection takes, in nominal seconds."""
_DETECTIONS, _FOUND = "cloudformation.detections", "cloudformation.drifts"
Properties = dict[str, Any]
Reader = Callable[[State, str], Properties]


def _alarm(state: State, name: str) -> Properties:
    found = state.call(
        "cloudwatch",
        "DescribeAlarms",
        AlarmNames=[name],
        AlarmTypes=["MetricAlarm", "CompositeAlarm"],
    )
    alarms = [*(found.get("MetricAlarms") or ()), *(found.get("CompositeAlarms") or ())]
    if not alarms:
        raise Fault("NotFound", f"alarm {name} does not exist")
    return dict(alarms[0])


def _bucket(state: State, name: str) -> Properties:
    versioning = state.call("s3", "GetBucketVersioning", Bucket=name)
    found: Properties = {"VersioningConfiguration": {"Status": versioning.get("Status", "Off")}}
    try:
        block = state.call("s3", "GetPublicAccessBlock", Bucket=name)
        found["PublicAccessBlockConfiguration"] = block["PublicAccessBlockConfiguration"]
    except Fault as fault:
        if "PublicAccessBlock" not in fault.code:
            raise
        found["PublicAccessBlockConfiguration"] = {}
    return found


def _topic(state: State, arn: str) -> Properties:
    attributes = state.call("sns", "GetTopicAttributes", TopicArn=arn)["Attributes"]
    return {key: attributes[key] for key in ("KmsMasterKeyId", "DisplayName") if key in attributes}


def _rule(state: State, name: str) -> Properties:
    # CloudFormation knows a rule by its name, moto by the bus and the name.
    found = state.call("events", "DescribeRule", Name=name.rsplit("|", 1)[-1])
    return {k: found[k] for k in ("ScheduleExpression", "State", "Description") if k in found}


def _endpoint(state: State, arn: str) -> Properties:
    name = arn.rsplit("/", 1)[-1]
    found = state.call("sagemaker", "DescribeEndpoint", EndpointName=name)
    return {"EndpointConfigName": found.get("EndpointConfigName")}


def _role(state: State, name: str) -> Properties:
    role = state.call("iam", "GetRole", RoleName=name)["Role"]
    return {"MaxSessionDuration": role.get("MaxSessionDuration", 3600)}


_READERS: Mapping[str, Reader] = {
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::CompositeAlarm": _alarm,
    "AWS::Events::Rule": _rule,
    "AWS::IAM::Role": _role,
    "AWS::S3::Bucket": _bucket,
    "AWS::SNS::Topic": _topic,
    "AWS::SageMaker::Endpoint": _endpoint,
}


@operation("cloudformation", "DetectStackDrift")
def detect(state: State, call: Call) -> dict[str, Any]:
    """Begin to compare; it is done in `SECONDS` nominal seconds."""
    stack = _there(state, call.params["StackName"])
    detection = uid()
    record = {
        "StackId": stack.stack_id,
        "StackDriftDetectionId": detection,
        "DetectionStatus": "DETECTION_IN_PROGRESS",
        "Timestamp": state.now,
    }
    state.table(_DETECTIONS)[detection] = record
    state.after(SECONDS, _compare, state, stack, record)
    return {"StackDriftDetectionId": detection}


@operation("cloudformation", "DescribeStackDriftDetectionStatus")
def status(state: State, call: Call) -> dict[str, Any]:
    """How a detection stands."""
    record = state.table(_DETECTIONS).get(call.params["StackDriftDetectionId"])
    if record is None:
        raise refused(f"Drift detection {call.params['StackDriftDetectionId']} does not exist")
    return dict(record)


@operation("cloudformation", "DescribeStackResourceDrifts")
def drifts(state: State, call: Call) -> dict[str, Any]:
    """What the last detection found, resource by resource."""
    stack = _there(state, call.params["StackName"])
    wanted = call.params.get("StackResourceDriftStatusFilters")
    found = [
        each
        for each in state.table(_FOUND).get(stack.stack_id, [])
        if not wanted or each["StackResourceDriftStatus"] in wanted
    ]
    shown, token = page(found, call.params.get("NextToken"), call.params.get("MaxResults"))
    return with_token({"StackResourceDrifts": shown}, token, "NextToken")


@operation("cloudformation", "DescribeStacks")
def describe(state: State, call: Call) -> dict[str, Any]:
    """As moto does it, with what the last detection of drift came to."""
    answer = call.moto()
    for stack in answer.get("Stacks") or ():
        ended = [
            each
            for each in state.table(_DETECTIONS).values()
            if each["StackId"] == stack.get("StackId") and "StackDriftStatus" in each
        ]
        told: Properties = {"StackDriftStatus": "NOT_CHECKED"}
        if ended:
            told = {
                "StackDriftStatus": ended[-1]["StackDriftStatus"],
                "LastCheckTimestamp": ended[-1]["Timestamp"],
            }
        stack["DriftInformation"] = told
    return answer


def _there(state: State, name: str) -> Stack:
    stack = _stack(state, name)
    if stack is None:
        raise refused(f"Stack [{name}] does not exist")
    return stack


def _compare(state: State, stack: Stack, record: Properties) -> None:
    found = []
    for name, each in stack.template_dict.get("Resources", {}).items():
        made = stack.resource_map._parsed_resources.get(name)
        if made is None:
            continue
        wanted = clean_json(each.get("Properties") or {}, stack.resource_map)
        found.append(_drift(state, stack, name, each["Type"], made.physical_resource_id, wanted))
    differing = [f for f in found if f["StackResourceDriftStatus"] in ("MODIFIED", "DELETED")]
    state.table(_FOUND)[stack.stack_id] = found
    record["DetectionStatus"] = "DETECTION_COMPLETE"
    record["StackDriftStatus"] = "DRIFTED" if differing else "IN_SYNC"
    record["DriftedStackResourceCount"] = len(differing)


def _drift(
    state: State, stack: Stack, name: str, kind: str, physical: str, wanted: Properties
) -> Properties:
    drift: Properties = {
        "StackId": stack.stack_id,
        "LogicalResourceId": name,
        "PhysicalResourceId": str(physical),
        "ResourceType": kind,
        "StackResourceDriftStatus": "NOT_CHECKED",
        "Timestamp": state.now,
    }
    reader = _READERS.get(kind)
    if reader is None:
        return drift
    try:
        actual = reader(state, str(physical))
    except Fault:
        return {**drift, "StackResourceDriftStatus": "DELETED"}
    compared = {key: wanted[key] for key in wanted if key in actual}
    current = {key: actual[key] for key in compared}
    differences = _differences(compared, current)
    drift["ExpectedProperties"] = json.dumps(compared, default=str)
    drift["ActualProperties"] = json.dumps(current, default=str)
    drift["PropertyDifferences"] = differences
    drift["StackResourceDriftStatus"] = "MODIFIED" if differences else "IN_SYNC"
    return drift


def _differences(wanted: Properties, actual: Properties) -> list[Properties]:
    old = {path: _plain(value) for path, value in flat(wanted)}
    new = {path: _plain(value) for path, value in flat(actual)}
    return [
        {
            "PropertyPath": "/" + path.replace(".", "/"),
            "ExpectedValue": old.get(path, "null"),
            "ActualValue": new.get(path, "null"),
            "DifferenceType": _kind_of(path in old, path in new),
        }
        for path in {**old, **new}
        if old.get(path) != new.get(path)
    ]


def _kind_of(wanted: bool, there: bool) -> str:
    if not wanted:
        return "ADD"
    return "NOT_EQUAL" if there else "REMOVE"


def _plain(value: str) -> str:
    """`5.0` and `5` are one number, `True` and `true` one truth."""
    try:
        return f"{float(value):g}"
    except ValueError:
        return value.lower() if value in ("True", "False") else value
