"""How an endpoint is updated: a green fleet is made, takes traffic step by step, and bakes.

`steps` says which share of the traffic green has after each shift and how long it bakes then.
While it bakes, the alarms of the auto-rollback are looked at; one that is in ALARM sends the
traffic back, and the endpoint ends InService on what it had before.
"""

from __future__ import annotations

import math
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker import fleets
from core.simulated.handlers.sagemaker.common import tell, touch
from core.simulated.listing import Record
from core.simulated.state import State

CREATING, SHIFTING, DELETING, RETURNING, WATCH = 90.0, 15.0, 30.0, 45.0, 15.0


def steps(deployment: Record | None, whole: int) -> list[tuple[float, float]]:
    """(green's share, seconds of baking after it), last of them at share 1."""
    blue_green = (deployment or {}).get("BlueGreenUpdatePolicy")
    rolling = (deployment or {}).get("RollingUpdatePolicy")
    if rolling:
        part = fleets.amount(rolling["MaximumBatchSize"], whole)
        return _even(part, float(rolling["WaitIntervalInSeconds"]))
    if not blue_green:
        return [(1.0, 0.0)]
    routing = blue_green["TrafficRoutingConfiguration"]
    wait = float(routing.get("WaitIntervalInSeconds", 0))
    if routing["Type"] == "CANARY":
        return [(fleets.amount(routing["CanarySize"], whole), wait), (1.0, wait)]
    if routing["Type"] == "LINEAR":
        return _even(fleets.amount(routing["LinearStepSize"], whole), wait)
    return [(1.0, wait)]


def _even(part: float, wait: float) -> list[tuple[float, float]]:
    count = max(1, math.ceil(1 / part - 1e-6))
    return [(min(1.0, round(part * number, 6)), wait) for number in range(1, count)] + [(1.0, wait)]


def check(deployment: Record | None, whole: int) -> None:
    """What SageMaker refuses of a deployment's configuration beyond its shape."""
    if not deployment:
        return
    if "BlueGreenUpdatePolicy" in deployment and "RollingUpdatePolicy" in deployment:
        raise Fault(
            "ValidationException", "Specify either BlueGreenUpdatePolicy or RollingUpdatePolicy."
        )
    rolling = deployment.get("RollingUpdatePolicy")
    if rolling:
        part = fleets.amount(rolling["MaximumBatchSize"], whole)
        if not 0.05 <= part <= 0.5 and whole > 1:
            raise Fault(
                "ValidationException",
                "MaximumBatchSize must be between 5% and 50% of the variant's total capacity.",
            )
    routing = deployment.get("BlueGreenUpdatePolicy", {}).get("TrafficRoutingConfiguration")
    if not routing:
        return
    for kind, member, most in (("CANARY", "CanarySize", 0.5), ("LINEAR", "LinearStepSize", 0.5)):
        if (routing["Type"] == kind) != (member in routing):
            raise Fault("ValidationException", f"{member} goes with traffic routing type {kind}.")
        if routing["Type"] == kind and whole > 1:
            part = fleets.amount(routing[member], whole)
            if part > most or (kind == "LINEAR" and part < 0.1):
                raise Fault(
                    "ValidationException",
                    f"{member} must be at most {most:.0%} of the variant's instances"
                    + (" and at least 10%." if kind == "LINEAR" else "."),
                )


def begin(state: State, endpoint: Record, green: Record, deployment: Record | None) -> None:
    """Start an update of an endpoint that is in service to the fleet `green`."""
    blue = endpoint["_blue"]
    green["share"] = 0.0
    endpoint["_green"] = green
    endpoint["_deployment"] = deployment
    endpoint["_steps"] = steps(deployment, fleets.instances(green))
    endpoint["_since"] = state.now
    endpoint.pop("FailureReason", None)
    touch(state, endpoint, EndpointStatus="Updating")
    fleets.mark(state, green, "Creating")
    fleets.mark(state, blue, "Updating")
    _later(state, endpoint, CREATING, _made)
    limit = _limit(deployment)
    endpoint["_limit"] = None if limit is None else state.after(limit, _too_long, state, endpoint)


def _limit(deployment: Record | None) -> float | None:
    """How long the whole update may take."""
    for name in ("BlueGreenUpdatePolicy", "RollingUpdatePolicy"):
        asked = (deployment or {}).get(name, {}).get("MaximumExecutionTimeoutInSeconds")
        if asked is not None:
            return float(asked)
    return None


def _too_long(state: State, endpoint: Record) -> None:
    state.cancel(endpoint["_timer"])
    roll_back(state, endpoint, "The deployment took longer than MaximumExecutionTimeoutInSeconds.")


def _over(state: State, endpoint: Record) -> None:
    """An update is over, well or not: nothing of it is waited for, and EventBridge hears of it."""
    if endpoint.get("_limit") is not None:
        state.cancel(endpoint["_limit"])
    endpoint["_timer"] = endpoint["_limit"] = None
    changed(state, endpoint)


def changed(state: State, endpoint: Record) -> None:
    """Tell EventBridge of an endpoint's new status."""
    names = ("EndpointName", "EndpointArn", "EndpointConfigName", "EndpointStatus")
    detail = {name: endpoint.get(name) for name in (*names, "FailureReason")}
    tell(state, "Endpoint State Change", endpoint["EndpointArn"], detail)


def _later(state: State, endpoint: Record, seconds: float, do: Any, *args: Any) -> None:
    endpoint["_timer"] = state.after(seconds, do, state, endpoint, *args)


def _made(state: State, endpoint: Record) -> None:
    """Green's instances are there, or did not become healthy."""
    reason = endpoint["_green"].get("fails")
    if reason:
        roll_back(state, endpoint, reason)
    else:
        _activate(state, endpoint, 0)


def _activate(state: State, endpoint: Record, number: int) -> None:
    message = f"Shifting traffic, step {number + 1} of {len(endpoint['_steps'])}"
    fleets.mark(state, endpoint["_green"], "ActivatingTraffic", message)
    fleets.mark(state, endpoint["_blue"], "ActivatingTraffic", message)
    touch(state, endpoint)
    _later(state, endpoint, SHIFTING, _shifted, number)


def _shifted(state: State, endpoint: Record, number: int) -> None:
    share, wait = endpoint["_steps"][number]
    endpoint["_green"]["share"] = share
    endpoint["_blue"]["share"] = 1.0 - share
    message = f"{share:.0%} of the traffic on the new fleet"
    fleets.mark(state, endpoint["_green"], "Baking", message)
    fleets.mark(state, endpoint["_blue"], "Baking", message)
    touch(state, endpoint)
    _bake(state, endpoint, number, wait)


def _bake(state: State, endpoint: Record, number: int, left: float) -> None:
    fired = alarms(state, endpoint["_deployment"])
    if fired:
        names = ", ".join(fired)
        roll_back(
            state,
            endpoint,
            "The deployment was rolled back because one or more of the following CloudWatch alarms "
            f"are in ALARM state: [{names}]",
        )
    elif left > 0:
        rest = min(WATCH, left)
        _later(state, endpoint, rest, _bake, number, left - rest)
    elif number + 1 < len(endpoint["_steps"]):
        _activate(state, endpoint, number + 1)
    else:
        policy = (endpoint["_deployment"] or {}).get("BlueGreenUpdatePolicy", {})
        fleets.mark(state, endpoint["_blue"], "Deleting")
        fleets.mark(state, endpoint["_green"], "Updating", "Waiting to delete the old fleet")
        touch(state, endpoint)
        wait = float(policy.get("TerminationWaitInSeconds", 0))
        _later(state, endpoint, DELETING + wait, _settled)


def alarms(state: State, deployment: Record | None) -> list[str]:
    """The names of the auto-rollback's alarms that are in ALARM."""
    asked = (deployment or {}).get("AutoRollbackConfiguration", {}).get("Alarms", [])
    names = [each["AlarmName"] for each in asked]
    if not names:
        return []
    found = state.call("cloudwatch", "DescribeAlarms", AlarmNames=names)
    every = [*found.get("MetricAlarms", []), *found.get("CompositeAlarms", [])]
    return [each["AlarmName"] for each in every if each["StateValue"] == "ALARM"]


def _settled(state: State, endpoint: Record) -> None:
    green = endpoint["_green"]
    green["share"] = 1.0
    endpoint["_before"] = endpoint["_blue"]["config"]
    endpoint["_blue"], endpoint["_green"] = green, None
    fleets.mark(state, green, "")
    config = green["config"]
    touch(state, endpoint, EndpointStatus="InService", EndpointConfigName=config)
    _over(state, endpoint)


def roll_back(state: State, endpoint: Record, reason: str) -> None:
    """Send the traffic back to blue; in the end the endpoint is InService on it."""
    touch(state, endpoint, EndpointStatus="RollingBack", FailureReason=reason)
    if endpoint.get("_limit") is not None:
        state.cancel(endpoint["_limit"])
        endpoint["_limit"] = None
    endpoint["_green"]["share"] = 0.0
    endpoint["_blue"]["share"] = 1.0
    fleets.mark(state, endpoint["_green"], "Deleting", "Rolling back")
    fleets.mark(state, endpoint["_blue"], "Updating", "Rolling back")
    _later(state, endpoint, RETURNING, _back)


def _back(state: State, endpoint: Record) -> None:
    endpoint["_green"] = None
    fleets.mark(state, endpoint["_blue"], "")
    touch(state, endpoint, EndpointStatus="InService")
    _over(state, endpoint)
