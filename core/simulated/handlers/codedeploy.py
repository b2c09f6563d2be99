"""CodeDeploy: deployments that go through the lifecycle events of their targets by the clock.

Applications and deployment groups are moto's. A deployment whose description has the words
`simulate-outcome: Failed EVENT` fails at that event (`ValidateService` if none is named).
Targets are the EC2 instances that the group's tags find, two made-up ones where there are none,
one function or one service on Lambda and ECS.
"""

from __future__ import annotations

import re
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers._shared import page, with_token
from core.simulated.handlers.cloudwatch.series import epoch
from core.simulated.registry import operation
from core.simulated.state import Call, State

Deployment = dict[str, Any]
SECONDS = 8.0
_EVENTS = {
    "Server": (
        "ApplicationStop",
        "DownloadBundle",
        "BeforeInstall",
        "Install",
        "AfterInstall",
        "ApplicationStart",
        "ValidateService",
    ),
    "Lambda": ("BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"),
    "ECS": (
        "BeforeInstall",
        "Install",
        "AfterInstall",
        "AllowTestTraffic",
        "AfterAllowTestTraffic",
        "BeforeAllowTraffic",
        "AllowTraffic",
        "AfterAllowTraffic",
    ),
}
_KIND = {"Server": "instanceTarget", "Lambda": "lambdaTarget", "ECS": "ecsTarget"}
_TYPE = {"Server": "InstanceTarget", "Lambda": "LambdaTarget", "ECS": "ECSTarget"}
_OVER = ("Succeeded", "Failed", "Stopped")
_FAILS = re.compile(r"simulate-outcome: Failed(?: (\w+))?")


def table(state: State) -> dict[str, Deployment]:
    """The deployments by id, oldest first."""
    return state.table("codedeploy.deployments")


@operation("codedeploy", "CreateDeployment")
def create(state: State, call: Call) -> dict[str, Any]:
    asked = call.params
    if not asked.get("deploymentGroupName"):
        raise Fault("DeploymentGroupNameRequiredException", "A deployment group is needed.", 400)
    group = _group(state, asked["applicationName"], asked["deploymentGroupName"])
    revision = asked.get("revision")
    if revision is None:
        raise Fault("RevisionRequiredException", "The revision was not specified.", 400)
    made = _start(state, group, dict(asked), "user")
    return {"deploymentId": made["deploymentId"]}


def _group(state: State, application: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = state.moto(
        "codedeploy",
        "GetDeploymentGroup",
        applicationName=application,
        deploymentGroupName=name,
    )["deploymentGroupInfo"]
    return found


def _start(state: State, group: dict[str, Any], asked: dict[str, Any], creator: str) -> Deployment:
    application = group["applicationName"]
    platform = state.moto("codedeploy", "GetApplication", applicationName=application)
    kind = platform["application"].get("computePlatform") or "Server"
    earlier = [each for each in _of(state, application, group["deploymentGroupName"])
               if each["status"] == "Succeeded"]  # fmt: skip
    ident = f"d-{state.unique()[:9].upper()}"
    made: Deployment = {
        "applicationName": application,
        "deploymentGroupName": group["deploymentGroupName"],
        "deploymentConfigName": asked.get("deploymentConfigName")
        or group.get("deploymentConfigName")
        or "CodeDeployDefault.OneAtATime",
        "deploymentId": ident,
        "revision": asked["revision"],
        "status": "Created",
        "createTime": state.now,
        "description": asked.get("description", ""),
        "creator": creator,
        "ignoreApplicationStopFailures": bool(asked.get("ignoreApplicationStopFailures")),
        "autoRollbackConfiguration": asked.get("autoRollbackConfiguration")
        or group.get("autoRollbackConfiguration")
        or {"enabled": False},
        "deploymentStyle": group.get("deploymentStyle")
        or {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"},
        "computePlatform": kind,
        "_targets": _targets(state, ident, kind, group),
        "_alarms": asked.get("overrideAlarmConfiguration") or group.get("alarmConfiguration") or {},
        "_ready": (group.get("blueGreenDeploymentConfiguration") or {})
        .get("deploymentReadyOption", {})
        .get("actionOnTimeout")
        == "STOP_DEPLOYMENT",
    }
    if earlier:
        made["previousRevision"] = earlier[-1]["revision"]
    table(state)[ident] = made
    made["_timer"] = state.after(2.0, _step, state, made, 0)
    return made


def _targets(state: State, ident: str, kind: str, group: dict[str, Any]) -> list[dict[str, Any]]:
    names = [f"{group['applicationName']}:{group['deploymentGroupName']}"]
    if kind == "Server":
        names = _instances(state, group) or ["i-0a1b2c3d4e5f60718", "i-0918f7e6d5c4b3a29"]
    return [
        {
            "deploymentId": ident,
            "targetId": name,
            "targetArn": state.arn("ec2", f"instance/{name}")
            if kind == "Server"
            else state.arn("codedeploy", name),
            "status": "Pending",
            "lastUpdatedAt": state.now,
            "lifecycleEvents": [
                {"lifecycleEventName": event, "status": "Pending"} for event in _EVENTS[kind]
            ],
        }
        for name in names
    ]


def _instances(state: State, group: dict[str, Any]) -> list[str]:
    filters = [
        {"Name": f"tag:{each['Key']}", "Values": [each.get("Value", "*")]}
        for each in group.get("ec2TagFilters") or []
    ]
    if not filters:
        return []
    found = state.call("ec2", "DescribeInstances", Filters=filters)["Reservations"]
    return [each["InstanceId"] for one in found for each in one["Instances"]]


def _step(state: State, made: Deployment, number: int) -> None:
    """Begin event `number` of all targets, or end."""
    if number == 0:
        made |= {"status": "InProgress", "startTime": state.now}
    fired = _firing(state, made)
    if fired:
        error = {"code": "ALARM_ACTIVE", "message": f"Alarms are active: {', '.join(fired)}"}
        _end(state, made, "Stopped", error)
        return
    events = _EVENTS[made["computePlatform"]]
    if number == len(events):
        _end(state, made, "Succeeded")
        return
    if events[number] in ("AllowTraffic", "ValidateService") and made.pop("_ready", False):
        made["status"] = "Ready"
        made["_at"] = number
        return
    for target in made["_targets"]:
        event = target["lifecycleEvents"][number]
        event |= {"status": "InProgress", "startTime": state.now}
        target |= {"status": "InProgress", "lastUpdatedAt": state.now}
    made["_timer"] = state.after(SECONDS, _over, state, made, number)


def _over(state: State, made: Deployment, number: int) -> None:
    name = _EVENTS[made["computePlatform"]][number]
    asked = _FAILS.search(made["description"])
    last = asked is not None and name == (asked[1] or _EVENTS[made["computePlatform"]][-1])
    for target in made["_targets"]:
        event = target["lifecycleEvents"][number]
        event |= {"status": "Failed" if last else "Succeeded", "endTime": state.now}
        event["diagnostics"] = {
            "errorCode": "ScriptFailed" if last else "Success",
            "message": "Script at specified location: scripts/check.sh failed with exit code 1"
            if last
            else "Succeeded",
            "scriptName": "scripts/check.sh" if last else "",
        }
        target["lastUpdatedAt"] = state.now
    if last:
        error = {
            "code": "HEALTH_CONSTRAINTS",
            "message": f"The overall deployment failed because {len(made['_targets'])} targets "
            f"failed at {name}.",
        }
        _end(state, made, "Failed", error)
    else:
        _step(state, made, number + 1)


def _firing(state: State, made: Deployment) -> list[str]:
    alarms = made["_alarms"]
    names = [each["name"] for each in alarms.get("alarms", [])] if alarms.get("enabled") else []
    if not names:
        return []
    found = state.call("cloudwatch", "DescribeAlarms", AlarmNames=names, StateValue="ALARM",
                       AlarmTypes=["MetricAlarm", "CompositeAlarm"])  # fmt: skip
    return [each["AlarmName"] for each in found["MetricAlarms"] + found["CompositeAlarms"]]


def _end(state: State, made: Deployment, status: str, error: dict[str, str] | None = None) -> None:
    made |= {"status": status, "completeTime": state.now}
    if error:
        made["errorInformation"] = error
    for target in made["_targets"]:
        done = all(event["status"] == "Succeeded" for event in target["lifecycleEvents"])
        target["status"] = "Succeeded" if done else "Failed" if status == "Failed" else "Skipped"
        for event in target["lifecycleEvents"]:
            if event["status"] in ("Pending", "InProgress"):
                event["status"] = "Skipped"
    rollback = made["autoRollbackConfiguration"]
    reason = "DEPLOYMENT_FAILURE" if status == "Failed" else "DEPLOYMENT_STOP_ON_ALARM"
    if error and rollback.get("enabled") and reason in rollback.get("events", []):
        _roll_back(state, made)


def _roll_back(state: State, made: Deployment) -> str:
    """Deploy the revision before; what to tell."""
    before = made.get("previousRevision")
    if before is None:
        told = "There is no earlier deployment that succeeded to roll back to."
        made["rollbackInfo"] = {"rollbackMessage": told}
        return told
    group = _group(state, made["applicationName"], made["deploymentGroupName"])
    again = _start(state, group, {"revision": before}, "codeDeployRollback")
    again["rollbackInfo"] = {"rollbackTriggeringDeploymentId": made["deploymentId"]}
    made["rollbackInfo"] = {"rollbackDeploymentId": again["deploymentId"]}
    return f"Rolling back by the deployment {again['deploymentId']}"


@operation("codedeploy", "StopDeployment")
def stop(state: State, call: Call) -> dict[str, Any]:
    made = _deployment(state, call.params["deploymentId"])
    if made["status"] in _OVER:
        raise Fault("DeploymentAlreadyCompletedException", "The deployment is over.", 400)
    state.cancel(made["_timer"])
    _end(state, made, "Stopped")
    made["errorInformation"] = {"code": "MANUAL_STOP", "message": "Stopped by a person."}
    told = "No more operations will be scheduled for this deployment"
    if call.params.get("autoRollbackEnabled"):
        told = _roll_back(state, made)
    return {"status": "Succeeded", "statusMessage": told}


@operation("codedeploy", "ContinueDeployment")
def go_on(state: State, call: Call) -> dict[str, Any]:
    made = _deployment(state, call.params.get("deploymentId", ""))
    if made["status"] in _OVER:
        raise Fault("DeploymentAlreadyCompletedException", "The deployment is over.", 400)
    if made["status"] != "Ready":
        raise Fault("DeploymentIsNotInReadyStateException", "The deployment is not ready.", 400)
    made["status"] = "InProgress"
    _step(state, made, made["_at"])
    return {}


def _deployment(state: State, ident: str) -> Deployment:
    found = table(state).get(ident)
    if found is None:
        raise Fault(
            "DeploymentDoesNotExistException", f"The deployment {ident} could not be found", 400
        )
    return found


def _of(state: State, application: str, group: str) -> list[Deployment]:
    return [
        each
        for each in table(state).values()
        if (each["applicationName"], each["deploymentGroupName"]) == (application, group)
    ]


def _shown(made: Deployment) -> dict[str, Any]:
    counts = dict.fromkeys(("Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Ready"), 0)
    for target in made["_targets"]:
        counts[target["status"]] += 1
    told = {key: value for key, value in made.items() if not key.startswith("_")}
    return told | {"deploymentOverview": counts}


@operation("codedeploy", "GetDeployment")
def get(state: State, call: Call) -> dict[str, Any]:
    return {"deploymentInfo": _shown(_deployment(state, call.params["deploymentId"]))}


@operation("codedeploy", "BatchGetDeployments")
def get_many(state: State, call: Call) -> dict[str, Any]:
    found = [table(state).get(each) for each in call.params["deploymentIds"]]
    return {"deploymentsInfo": [_shown(each) for each in found if each is not None]}


@operation("codedeploy", "ListDeployments")
def listed(state: State, call: Call) -> dict[str, Any]:
    asked = call.params
    application, group = asked.get("applicationName"), asked.get("deploymentGroupName")
    if application and not group:
        raise Fault("DeploymentGroupNameRequiredException", "A deployment group is needed.", 400)
    if group and not application:
        raise Fault("ApplicationNameRequiredException", "An application is needed.", 400)
    if application and group:
        _group(state, application, group)
    span = asked.get("createTimeRange", {})
    start = epoch(span["start"]) if "start" in span else float("-inf")
    end = epoch(span["end"]) if "end" in span else float("inf")
    statuses = asked.get("includeOnlyStatuses")
    found = [
        each["deploymentId"]
        for each in reversed(table(state).values())
        if application in (None, each["applicationName"])
        and group in (None, each["deploymentGroupName"])
        and (not statuses or each["status"] in statuses)
        and start <= each["createTime"] <= end
    ]
    some, token = page(found, asked.get("nextToken"), None)
    return with_token({"deployments": some}, token)


@operation("codedeploy", "ListDeploymentTargets")
def target_ids(state: State, call: Call) -> dict[str, Any]:
    made = _deployment(state, call.params["deploymentId"])
    wanted = call.params.get("targetFilters", {}).get("TargetStatus")
    found = [each["targetId"] for each in made["_targets"] if not wanted
             or each["status"] in wanted]  # fmt: skip
    return {"targetIds": found}


@operation("codedeploy", "BatchGetDeploymentTargets")
def targets(state: State, call: Call) -> dict[str, Any]:
    made = _deployment(state, call.params["deploymentId"])
    known = {each["targetId"]: each for each in made["_targets"]}
    missing = [each for each in call.params["targetIds"] if each not in known]
    if missing:
        raise Fault("DeploymentTargetDoesNotExistException", f"No target {', '.join(missing)}", 400)
    kind = made["computePlatform"]
    return {
        "deploymentTargets": [
            {"deploymentTargetType": _TYPE[kind], _KIND[kind]: known[each]}
            for each in call.params["targetIds"]
        ]
    }


@operation("codedeploy", "GetDeploymentTarget")
def target(state: State, call: Call) -> dict[str, Any]:
    ids = {"deploymentId": call.params["deploymentId"], "targetIds": [call.params["targetId"]]}
    found = state.call("codedeploy", "BatchGetDeploymentTargets", **ids)["deploymentTargets"]
    return {"deploymentTarget": found[0]}
