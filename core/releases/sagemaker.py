"""A release plan in SageMaker's words: the `DeploymentConfig` of `UpdateEndpoint`.

Rules and bounds: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_BlueGreenUpdatePolicy.html,
API_TrafficRoutingConfig.html and API_AutoRollbackConfig.html beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.domain.analysis import OnBreach
from core.domain.release import ReleasePlan, StrategyStep
from core.errors import BadInput

MOST_WAIT = 3600.0
MOST_CANARY = 50.0
LEAST_LINEAR, MOST_LINEAR = 10.0, 50.0
LEAST_EXECUTION, MOST_EXECUTION = 600.0, 28_800.0
MOST_ALARMS = 10
PROVISIONING = 600.0
"""Seconds left for starting the new fleet, which the execution's time limit includes."""

_WHY = {
    "shadow": "a shadow is a test of its own there (CreateInferenceExperiment)",
    "analyse": "it knows alarms, and no comparison of the arms",
    "ask": "nobody is asked in the middle of an update",
    "window": "an update does not wait for a time of the day",
}


def deployment_config(plan: ReleasePlan) -> dict[str, Any]:
    """The plan as a DeploymentConfig.

    Raises `BadInput` that names the step or key which SageMaker has no word for, or whose
    number is out of its bounds.
    """
    policy = blue_green_policy(plan)
    alarms = [alarm.name for alarm in plan.alarms if not alarm.dry_run]
    alarms += [name for name in plan.rollback_alarms if name not in alarms]
    if not 1 <= len(alarms) <= MOST_ALARMS:
        raise BadInput(f"alarms: SageMaker takes 1 to {MOST_ALARMS} that count, not {len(alarms)}")
    return {
        "BlueGreenUpdatePolicy": policy,
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in alarms]},
    }


def blue_green_policy(plan: ReleasePlan) -> dict[str, Any]:
    """How the plan shifts the traffic, as a BlueGreenUpdatePolicy; raises `BadInput`."""
    if plan.on_breach is OnBreach.FREEZE:
        raise BadInput("on_breach freeze: SageMaker only rolls back")
    weights, waits = _rungs(plan.steps)
    routing = _routing(weights, waits)
    termination = _termination(plan, weights, waits)
    total = sum(waits) + termination + PROVISIONING
    if total > MOST_EXECUTION:
        raise BadInput(
            f"the steps take {total:g} s with the start of a fleet: SageMaker allows"
            f" {MOST_EXECUTION:g} s"
        )
    return {
        "TrafficRoutingConfiguration": routing,
        "TerminationWaitInSeconds": round(termination),
        "MaximumExecutionTimeoutInSeconds": round(max(LEAST_EXECUTION, total)),
    }


def left_out(plan: ReleasePlan, scaled: bool = False) -> tuple[str, ...]:
    """What of a plan that SageMaker takes is not in its DeploymentConfig, in words;
    `scaled`: the requests for auto scaling are beside it."""
    remarks = ["the alarms are named: they have to exist in CloudWatch under these names"]
    if plan.analysis.metrics:
        remarks.append("the comparison of the arms is left out: SageMaker heeds alarms only")
    if quiet := [alarm.name for alarm in plan.alarms if alarm.dry_run]:
        remarks.append(f"alarms in dry run are left out: {', '.join(quiet)}")
    if scaled:
        remarks.append("a worker is an instance there: a thread cannot be had by itself")
    return tuple(remarks)


def _rungs(steps: Sequence[StrategyStep]) -> tuple[list[float], list[float]]:
    """The weights, and how long each is held."""
    weights: list[float] = []
    waits: list[float] = []
    for number, step in enumerate(steps, start=1):
        place = f"strategy step {number}: {step.words()}"
        if step.kind == "set_weight" and step.weight is not None:
            if step.weight > 0:
                weights.append(step.weight)
                waits.append(0.0)
            continue
        if step.kind not in ("bake", "pause"):
            raise BadInput(f"{place}: SageMaker cannot do this: {_WHY[step.kind]}")
        if step.seconds is None:
            raise BadInput(f"{place}: SageMaker cannot do this: no update waits for a person")
        if not weights:
            raise BadInput(f"{place}: SageMaker cannot do this: nothing waits before the first")
        waits[-1] += step.seconds
        if waits[-1] > MOST_WAIT:
            raise BadInput(f"{place}: SageMaker waits at most {MOST_WAIT:g} s at a weight")
    return weights, waits


def _routing(weights: list[float], waits: list[float]) -> dict[str, Any]:
    found = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": round(waits[0])}
    if weights == [100.0]:
        return found
    found["WaitIntervalInSeconds"] = round(waits[0])
    if len(weights) == 2 and weights[0] <= MOST_CANARY:
        return {**found, "Type": "CANARY", "CanarySize": _size(weights[0])}
    if len(weights) == 2:
        raise BadInput(
            f"strategy: a canary of {weights[0]:g} %, SageMaker takes at most {MOST_CANARY:g} %"
        )
    step = weights[0]
    for place, weight in enumerate(weights):
        if weight != min(100.0, step * (place + 1)):
            raise BadInput(
                f"strategy: set weight {weight:g} % is no equal step of {step:g} %: SageMaker has"
                " one canary or equal steps"
            )
    if not LEAST_LINEAR <= step <= MOST_LINEAR:
        raise BadInput(
            f"strategy: steps of {step:g} %, SageMaker takes {LEAST_LINEAR:g} to {MOST_LINEAR:g} %"
        )
    if len(set(waits[:-1])) > 1:
        raise BadInput("strategy: SageMaker waits equally long after each step")
    return {**found, "Type": "LINEAR", "LinearStepSize": _size(step)}


def _size(percent: float) -> dict[str, Any]:
    if percent != round(percent):
        raise BadInput(f"strategy: set weight {percent:g} %: SageMaker takes whole percentages")
    return {"Type": "CAPACITY_PERCENT", "Value": round(percent)}


def _termination(plan: ReleasePlan, weights: list[float], waits: list[float]) -> float:
    """How long the old fleet stays: `keep`, and what is waited after the last weight."""
    last = waits[-1] if len(weights) > 1 else 0.0
    total = plan.keep_seconds + last
    if total > MOST_WAIT:
        words = f"keep {plan.keep_seconds:g} s" + (f" and {last:g} s after it" if last else "")
        raise BadInput(f"{words}: SageMaker keeps the old fleet for at most {MOST_WAIT:g} s")
    return total
