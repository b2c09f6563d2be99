"""EventBridge: events reach their targets. Rules, buses, archives and the targets SQS, log group,
archive and bus are moto's.

A disabled rule sends nothing. A target that is not simulated counts as a failed invocation
(metric FailedInvocations of AWS/Events), as one that refuses does.
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from core.simulated.faults import Fault
from core.simulated.handlers._shared import uid
from core.simulated.handlers.cloudwatch.series import epoch, record
from core.simulated.registry import operation
from core.simulated.state import Call, State

_LOG = logging.getLogger(__name__)
_MOTO = ("sqs", "logs", "events")
MOST = 10


@operation("events", "PutEvents")
def put(state: State, call: Call) -> dict[str, Any]:
    given = call.params["Entries"]
    if len(given) > MOST:
        raise Fault(
            "ValidationException",
            f"1 validation error detected: Value at 'entries' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MOST}",
            400,
        )
    told = [_one(state, each) for each in given]
    return {"Entries": told, "FailedEntryCount": sum(1 for each in told if "ErrorCode" in each)}


def _one(state: State, entry: Mapping[str, Any]) -> dict[str, str]:
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            message = f"Parameter {name} is not valid. Reason: {name} is a required argument."
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": message}
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    ident = uid()
    event = {
        "version": "0",
        "id": ident,
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": state.account_id,
        "time": epoch(entry["Time"]) if "Time" in entry else state.now,
        "region": state.region,
        "resources": list(entry.get("Resources", [])),
        "detail": detail,
    }
    bus = str(entry.get("EventBusName") or "default").rpartition("event-bus/")[2]
    for rule in _rules(state, bus):
        _send(state, rule, event)
    return {"EventId": ident}


def _rules(state: State, bus: str) -> list[Any]:
    """moto's rules of a bus that are on, without those of a schedule."""
    from moto.events.models import events_backends

    found = events_backends[state.account_id][state.region].event_buses.get(bus)
    rules = list(found.rules.values()) if found is not None else []
    return [
        rule
        for rule in rules
        if rule.state != "DISABLED"
        and (rule.event_pattern.get_pattern() or not rule.scheduled_expression)
    ]


def _send(state: State, rule: Any, event: dict[str, Any]) -> None:
    if not rule.event_pattern.matches_event(copy.deepcopy(event)):
        return
    deliver_all(state, rule, event)


def deliver_all(state: State, rule: Any, event: dict[str, Any]) -> None:
    """Send an event to all targets of a rule; one that fails does not keep it from the rest."""
    record(state, "AWS/Events", "MatchedEvents", {"RuleName": rule.name}, 1.0, unit="Count")
    for target in rule.targets:
        try:
            _deliver(state, rule, target, event)
        except Fault as fault:
            _LOG.debug("%s to %s: %s", rule.name, target["Arn"], fault)
            name = "FailedInvocations"
        else:
            name = "Invocations"
        record(state, "AWS/Events", name, {"RuleName": rule.name}, 1.0, unit="Count")


class _Any:
    """Stands for a pattern that has been looked at already."""

    def matches_event(self, _event: Any) -> bool:
        return True


def _deliver(state: State, rule: Any, target: dict[str, Any], event: dict[str, Any]) -> None:
    arn = str(target["Arn"])
    service = arn.split(":")[2]
    if service in _MOTO and "api-destination" not in arn:
        only = copy.copy(rule)
        only.targets = [target]
        only.send_to_targets({**copy.deepcopy(event), "ingestion-time": state.now})
        return
    text = _input(target, event)
    name = arn.rpartition(":")[2].rpartition("/")[2]
    if service == "sns":
        state.call("sns", "Publish", TopicArn=arn, Message=text)
    elif service == "states":
        state.call("stepfunctions", "StartExecution", stateMachineArn=arn, input=text)
    elif service == "codepipeline":
        state.call("codepipeline", "StartPipelineExecution", name=name)
    elif service == "codebuild":
        state.call("codebuild", "StartBuild", projectName=name)
    elif service == "sagemaker" and ":pipeline/" in arn:
        given = target.get("SageMakerPipelineParameters", {}).get("PipelineParameterList", [])
        state.call(
            "sagemaker",
            "StartPipelineExecution",
            PipelineName=name,
            PipelineParameters=given,
            ClientRequestToken=uid(),
        )
    else:
        raise Fault("NotSimulated", f"events: the target {arn} is not simulated", 501)


def _input(target: Mapping[str, Any], event: dict[str, Any]) -> str:
    """What a target is sent: the event, a part of it, a text of its own, or one made of it."""
    from moto.events.utils import EventTemplateParser

    stamp = datetime.fromtimestamp(event["time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    shown = event | {"time": stamp}
    if "Input" in target:
        return str(target["Input"])
    if "InputTransformer" in target:
        how = target["InputTransformer"]
        made = EventTemplateParser.parse(
            input_template=how.get("InputTemplate"),
            input_paths_map=how.get("InputPathsMap", {}),
            event=cast("Any", shown),
        )
        return made if isinstance(made, str) else json.dumps(made)
    part: Any = shown
    for name in str(target.get("InputPath", "$")).split(".")[1:]:
        part = part.get(name, {}) if isinstance(part, dict) else {}
    return json.dumps(part)
