"""CloudWatch's alarms: made, described, deleted; tags of alarms."""

from __future__ import annotations

from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers._shared import page, with_token
from core.simulated.handlers.cloudwatch import composite, evaluating
from core.simulated.handlers.cloudwatch.evaluating import Alarms, alarms
from core.simulated.handlers.cloudwatch.series import dimensions_of
from core.simulated.registry import operation
from core.simulated.state import Call, State

_DEFAULTS: dict[str, Any] = {
    "ActionsEnabled": True,
    "OKActions": [],
    "AlarmActions": [],
    "InsufficientDataActions": [],
}


def _kept(state: State, call: Call, required: tuple[str, ...]) -> dict[str, Any]:
    """What is kept of a Put; the state of an alarm of that name stays as it was."""
    name = call.params["AlarmName"]
    for each in required:
        if each not in call.params:
            raise Fault("ValidationError", f"The parameter {each} is required", 400)
    old = alarms(state).get(name)
    first = {
        "AlarmArn": state.arn("cloudwatch", f"alarm:{name}"),
        "StateValue": "INSUFFICIENT_DATA",
        "StateReason": "Unchecked: Initial alarm creation",
        "StateUpdatedTimestamp": state.now,
        "StateTransitionedTimestamp": state.now,
    }
    standing = {key: old[key] for key in first if key in old} if old else first
    given = {key: value for key, value in call.params.items() if key != "Tags"}
    alarm = _DEFAULTS | given | standing
    alarm["AlarmConfigurationUpdatedTimestamp"] = state.now
    alarms(state)[name] = alarm
    if call.params.get("Tags") and old is None:
        _tags(state)[str(alarm["AlarmArn"])] = {
            each["Key"]: each["Value"] for each in call.params["Tags"]
        }
    word = "updated" if old else "created"
    evaluating.remember(state, alarm, "ConfigurationUpdate", f'Alarm "{name}" {word}', {})
    return alarm


@operation("cloudwatch", "PutMetricAlarm")
def put_metric_alarm(state: State, call: Call) -> dict[str, Any]:
    asked = call.params
    if "ThresholdMetricId" not in asked and "Threshold" not in asked:
        raise Fault("ValidationError", "The parameter Threshold is required", 400)
    if int(asked.get("DatapointsToAlarm", 1)) > int(asked.get("EvaluationPeriods", 1)):
        raise Fault("ValidationError", "DatapointsToAlarm must not be above EvaluationPeriods", 400)
    if "Metrics" not in asked:
        required: tuple[str, ...] = ("MetricName", "Namespace", "Period", "EvaluationPeriods")
        if ("Statistic" in asked) == ("ExtendedStatistic" in asked):
            raise Fault(
                "ValidationError", "One of Statistic and ExtendedStatistic must be given", 400
            )
    else:
        required = ("EvaluationPeriods",)
        if not any(each.get("ReturnData", True) for each in asked["Metrics"]):
            raise Fault("ValidationError", "One of Metrics must have ReturnData true", 400)
    alarm = _kept(state, call, required)
    alarm.setdefault("Dimensions", [] if "Metrics" not in asked else None)
    if alarm["Dimensions"] is None:
        del alarm["Dimensions"]
    evaluating.begin(state)
    return {}


@operation("cloudwatch", "PutCompositeAlarm")
def put_composite_alarm(state: State, call: Call) -> dict[str, Any]:
    if "ActionsSuppressor" in call.params:
        raise Fault("NotSimulated", "cloudwatch: ActionsSuppressor is not simulated", 501)
    named = composite.names(call.params["AlarmRule"])
    missing = sorted(each for each in named if _short(each) not in alarms(state))
    if missing:
        raise Fault("ValidationError", f"The alarms {', '.join(missing)} do not exist", 400)
    _kept(state, call, ("AlarmRule",))
    evaluating.begin(state)
    return {}


def _short(name: str) -> str:
    return name.rpartition(":alarm:")[2] if name.startswith("arn:") else name


@operation("cloudwatch", "DescribeAlarms")
def describe(state: State, call: Call) -> dict[str, Any]:
    asked = call.params
    types = asked.get("AlarmTypes") or ["MetricAlarm"]
    found = [each for each in alarms(state).values() if _fits(alarms(state), each, asked)]
    found.sort(key=lambda each: str(each["AlarmName"]))
    found = [each for each in found if _type(each) in types]
    some, token = page(
        found, asked.get("NextToken"), asked.get("MaxRecords"), 50, "InvalidNextToken"
    )
    answer = {
        "CompositeAlarms": [each for each in some if "AlarmRule" in each],
        "MetricAlarms": [each for each in some if "AlarmRule" not in each],
    }
    return with_token(answer, token, "NextToken")


def _type(alarm: dict[str, Any]) -> str:
    return "CompositeAlarm" if "AlarmRule" in alarm else "MetricAlarm"


def _fits(every: Alarms, alarm: dict[str, Any], asked: Any) -> bool:
    name = alarm["AlarmName"]
    if "AlarmNames" in asked and asked["AlarmNames"] and name not in asked["AlarmNames"]:
        return False
    if not name.startswith(asked.get("AlarmNamePrefix", "")):
        return False
    if asked.get("StateValue") not in (None, alarm["StateValue"]):
        return False
    prefix = asked.get("ActionPrefix")
    actions = alarm["AlarmActions"] + alarm["OKActions"] + alarm["InsufficientDataActions"]
    if prefix and not any(each.startswith(prefix) for each in actions):
        return False
    parent = every.get(asked.get("ChildrenOfAlarmName", ""))
    if parent is not None and name not in _children(parent):
        return False
    child = asked.get("ParentsOfAlarmName")
    return child is None or child in _children(alarm)


def _children(alarm: dict[str, Any]) -> set[str]:
    return {_short(each) for each in composite.names(alarm.get("AlarmRule", "FALSE"))}


@operation("cloudwatch", "DescribeAlarmsForMetric")
def of_metric(state: State, call: Call) -> dict[str, Any]:
    asked = call.params
    wanted = dimensions_of(asked.get("Dimensions", []))
    found = [
        each
        for each in alarms(state).values()
        if (each.get("Namespace"), each.get("MetricName"))
        == (asked["Namespace"], asked["MetricName"])
        and dimensions_of(each.get("Dimensions", [])) == wanted
        and asked.get("Period") in (None, each.get("Period"))
        and asked.get("Statistic") in (None, each.get("Statistic"))
    ]
    return {"MetricAlarms": found}


@operation("cloudwatch", "DeleteAlarms")
def delete(state: State, call: Call) -> dict[str, Any]:
    names = call.params["AlarmNames"]
    missing = [name for name in names if name not in alarms(state)]
    if missing:
        raise Fault("ResourceNotFound", f"Alarms {', '.join(missing)} not found", 404)
    for alarm in alarms(state).values():
        used = _children(alarm) & set(names) if alarm["AlarmName"] not in names else set()
        if used:
            raise Fault(
                "ValidationError",
                f"{', '.join(sorted(used))} is used by the composite alarm {alarm['AlarmName']}",
                400,
            )
    for name in names:
        evaluating.remember(
            state, alarms(state)[name], "ConfigurationUpdate", f'Alarm "{name}" deleted', {}
        )
        del alarms(state)[name]
    return {}


@operation("cloudwatch", "EnableAlarmActions", "DisableAlarmActions")
def switch_actions(state: State, call: Call) -> dict[str, Any]:
    for name in call.params["AlarmNames"]:
        if name in alarms(state):
            alarms(state)[name]["ActionsEnabled"] = call.operation == "EnableAlarmActions"
    return {}


@operation("cloudwatch", "SetAlarmState")
def set_state(state: State, call: Call) -> dict[str, Any]:
    alarm = alarms(state).get(call.params["AlarmName"])
    if alarm is None:
        raise Fault("ResourceNotFound", f"Alarm {call.params['AlarmName']} not found", 404)
    data = call.params.get("StateReasonData")
    evaluating.change(state, alarm, call.params["StateValue"], call.params["StateReason"], data)
    evaluating.evaluate_composites(state)
    return {}


@operation("cloudwatch", "DescribeAlarmHistory")
def history(state: State, call: Call) -> dict[str, Any]:
    from core.simulated.handlers.cloudwatch.series import epoch

    asked = call.params
    start = epoch(asked["StartDate"]) if "StartDate" in asked else float("-inf")
    end = epoch(asked["EndDate"]) if "EndDate" in asked else float("inf")
    types = asked.get("AlarmTypes") or ["MetricAlarm", "CompositeAlarm"]
    found = [
        each
        for each in evaluating.histories(state)
        if asked.get("AlarmName") in (None, each["AlarmName"])
        and asked.get("HistoryItemType") in (None, each["HistoryItemType"])
        and each["AlarmType"] in types
        and start <= each["Timestamp"] <= end
    ]
    if asked.get("ScanBy", "TimestampDescending") == "TimestampDescending":
        found.reverse()
    some, token = page(
        found, asked.get("NextToken"), asked.get("MaxRecords"), 100, "InvalidNextToken"
    )
    return with_token({"AlarmHistoryItems": some}, token, "NextToken")


def _tags(state: State) -> dict[str, dict[str, str]]:
    return state.table("cloudwatch.tags")


@operation("cloudwatch", "ListTagsForResource")
def tags(state: State, call: Call) -> dict[str, Any]:
    kept = _tags(state).get(call.params["ResourceARN"], {})
    return {"Tags": [{"Key": key, "Value": value} for key, value in kept.items()]}


@operation("cloudwatch", "TagResource")
def tag(state: State, call: Call) -> dict[str, Any]:
    kept = _tags(state).setdefault(call.params["ResourceARN"], {})
    kept.update({each["Key"]: each["Value"] for each in call.params["Tags"]})
    return {}


@operation("cloudwatch", "UntagResource")
def untag(state: State, call: Call) -> dict[str, Any]:
    for key in call.params["TagKeys"]:
        _tags(state).get(call.params["ResourceARN"], {}).pop(key, None)
    return {}
