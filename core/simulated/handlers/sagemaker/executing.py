"""Running a pipeline: steps start when what they depend on has succeeded.

A step's dependencies are those it names and those its arguments ask of. The steps of a
condition's branch run if the condition took it. A step that fails ends its own branch; the rest
goes on, and the execution is Failed in the end.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker import steps
from core.simulated.handlers.sagemaker.common import read_json, tell, touch, write
from core.simulated.handlers.sagemaker.resolving import (
    Unresolvable,
    dig,
    holds,
    parts,
    references,
    resolve,
)
from core.simulated.handlers.sagemaker.training import lower_is_better
from core.simulated.listing import Record
from core.simulated.state import State

STARTING = 3.0
OVER = frozenset({"Succeeded", "Failed", "Stopped"})
_CACHE = "sagemaker.step-cache"
_NOT_ASKED = frozenset({"ProcessingOutputConfig", "OutputDataConfig"})
"""Where outputs go does not count: a step that has them elsewhere hands on the earlier ones.
https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-default-keys.html"""


def every(definition: Mapping[str, Any]) -> Iterator[Record]:
    """All steps of a definition, those within conditions too."""
    pending = list(definition.get("Steps") or [])
    while pending:
        spec = pending.pop(0)
        yield spec
        arguments = spec.get("Arguments") or {}
        if spec.get("Type") == "Condition":
            pending += [*arguments.get("IfSteps", []), *arguments.get("ElseSteps", [])]


class Scope:
    """An execution as expressions see it."""

    def __init__(self, state: State, execution: Record) -> None:
        self._state = state
        self._execution = execution

    def reference(self, root: str, path: list[str | int]) -> Any:
        if root == "Parameters":
            return dig(self._execution["_parameters"], path)
        if root == "Execution":
            return dig(self._about(), path)
        if root == "Steps":
            step = self._execution["_steps"].get(path[0])
            if step is None or step["StepStatus"] != "Succeeded":
                raise Unresolvable(f"step {path[0]} has no result")
            try:
                return dig(step["_outputs"], path[1:])
            except Unresolvable as missing:
                raise Unresolvable(f"step {path[0]}: {missing}") from missing
        raise Unresolvable(f"{root} is neither Parameters, Execution nor Steps")

    def _about(self) -> Record:
        execution = self._execution
        arn = execution["PipelineExecutionArn"]
        at = dt.datetime.fromtimestamp(execution["CreationTime"], dt.UTC)
        now = dt.datetime.fromtimestamp(self._state.now, dt.UTC)
        return {
            "PipelineExecutionId": arn.rsplit("/", 1)[1],
            "PipelineExecutionArn": arn,
            "PipelineName": execution["_pipeline"],
            "PipelineArn": execution["PipelineArn"],
            "StartDateTime": at.isoformat(),
            "CurrentDateTime": now.isoformat(),
        }

    def json_get(self, spec: Mapping[str, Any]) -> Any:
        """A value of a property file; where no job wrote that file, a plausible one."""
        uri = self._file(spec)
        path = parts(str(spec["Path"]))
        found = read_json(self._state, uri)
        if found is None:
            value = 0.1 if lower_is_better(str(spec["Path"])) else 0.9
            found = value
            for part in reversed(path):
                found = {part: found}
            write(self._state, uri, json.dumps(found))
        return dig(found, path)

    def _file(self, spec: Mapping[str, Any]) -> str:
        if "S3Uri" in spec:
            return str(resolve(spec["S3Uri"], self))
        _, name, _, property_file = parts(str(spec["PropertyFile"]["Get"]))
        step = self._execution["_steps"].get(name)
        if step is None or step["StepStatus"] != "Succeeded":
            raise Unresolvable(f"step {name} has no result")
        for each in step["_spec"].get("PropertyFiles") or []:
            if each["PropertyFileName"] == property_file:
                outputs = step["_outputs"]["ProcessingOutputConfig"]["Outputs"]
                root = dig(outputs, [each["OutputName"], "S3Output", "S3Uri"])
                return f"{str(root).rstrip('/')}/{each['FilePath']}"
        raise Unresolvable(f"step {name} has no property file {property_file}")


def open_steps(execution: Record) -> Iterator[Record]:
    """The steps that may run: the top ones and those of branches that were taken."""
    pending = list(execution["_definition"].get("Steps") or [])
    while pending:
        spec = pending.pop(0)
        yield spec
        done = execution["_steps"].get(spec["Name"])
        if spec.get("Type") == "Condition" and done and done["StepStatus"] == "Succeeded":
            taken = "IfSteps" if done["_outputs"]["Outcome"] == "True" else "ElseSteps"
            pending += spec["Arguments"].get(taken, [])


def needs(spec: Record) -> set[str]:
    """The names of the steps that must have succeeded first."""
    arguments = dict(spec.get("Arguments") or {})
    if spec.get("Type") == "Condition":
        arguments = {"Conditions": arguments.get("Conditions", [])}
    return {*(spec.get("DependsOn") or []), *references(arguments)}


def advance(state: State, execution: Record) -> None:
    """Start what can start; end the execution when nothing runs and nothing can."""
    held: dict[str, Record] = execution["_steps"]
    running = [each for each in held.values() if each["StepStatus"] not in OVER]
    status = execution["PipelineExecutionStatus"]
    if status == "Stopping":
        if not running:
            _end(state, execution, "Stopped")
        return
    if status != "Executing":
        return
    most = int(
        (execution.get("ParallelismConfiguration") or {}).get("MaxParallelExecutionSteps", 50)
    )
    for spec in list(open_steps(execution)):
        if spec["Name"] in held or len(running) >= most:
            continue
        if all(held.get(name, {}).get("StepStatus") == "Succeeded" for name in needs(spec)):
            running.append(_begin(state, execution, spec))
    if not running:
        failed = [each for each in held.values() if each["StepStatus"] == "Failed"]
        _end(state, execution, "Failed" if failed else "Succeeded", failed)


def _end(state: State, execution: Record, status: str, failed: Any = ()) -> None:
    touch(state, execution, PipelineExecutionStatus=status)
    if failed:
        names = ", ".join(each["StepName"] for each in failed)
        execution["FailureReason"] = f"Step failure: One or multiple steps failed: {names}"
    detail = {
        "pipelineArn": execution["PipelineArn"],
        "pipelineExecutionArn": execution["PipelineExecutionArn"],
        "currentPipelineExecutionStatus": status,
    }
    kind = "Model Building Pipeline Execution Status Change"
    tell(state, kind, execution["PipelineExecutionArn"], detail)


def _begin(state: State, execution: Record, spec: Record) -> Record:
    step: Record = {
        "StepName": spec["Name"],
        "StepDisplayName": spec.get("DisplayName"),
        "StepDescription": spec.get("Description"),
        "StartTime": state.now,
        "StepStatus": "Starting",
        "AttemptCount": execution["_attempts"].get(spec["Name"], 0) + 1,
        "Metadata": {},
        "_spec": spec,
        "_outputs": {},
        "_execution": execution["PipelineExecutionArn"],
        "_started": None,
    }
    execution["_attempts"][spec["Name"]] = step["AttemptCount"]
    execution["_steps"][spec["Name"]] = step
    touch(state, execution)
    step["_timer"] = state.after(STARTING, _go, state, execution, step)
    return step


def _go(state: State, execution: Record, step: Record) -> None:
    spec, scope = step["_spec"], Scope(state, execution)
    step["StepStatus"] = "Executing"

    def finish(outcome: steps.Outcome) -> None:
        _finish(state, execution, step, outcome)

    try:
        if spec["Type"] == "Condition":
            _decide(step, scope, finish)
            return
        arguments = resolve(spec.get("Arguments") or {}, scope)
        if spec["Type"] == "Fail":
            message = str(arguments.get("ErrorMessage", ""))
            step["Metadata"] = {"Fail": {"ErrorMessage": message}}
            finish(steps.Outcome("Failed", {}, message))
            return
        if _reused(state, execution, step, arguments, finish):
            return
        name = _job_name(state, execution, spec["Name"])
        started = steps.run(state, step, spec["Type"], name, arguments, finish)
    except Unresolvable as missing:
        finish(steps.Outcome("Failed", {}, f"ClientError: {missing}"))
    except Fault as fault:
        finish(steps.Outcome("Failed", {}, steps.refused(fault)))
    else:
        step["_started"] = started
        step["Metadata"] = started.metadata


def _job_name(state: State, execution: Record, step: str) -> str:
    run = execution["PipelineExecutionArn"].rsplit("/", 1)[1]
    clean = re.sub(r"[^a-zA-Z0-9]+", "-", step).strip("-")[:24].rstrip("-")
    return f"pipelines-{run}-{clean}-{state.unique()[:10]}"


def _decide(step: Record, scope: Scope, finish: steps.Finish) -> None:
    """A condition: all of its conditions must hold."""
    conditions = step["_spec"]["Arguments"].get("Conditions", [])
    outcome = "True" if all(holds(each, scope) for each in conditions) else "False"
    step["Metadata"] = {"Condition": {"Outcome": outcome}}
    finish(steps.Outcome("Succeeded", {"Outcome": outcome}))


def _finish(state: State, execution: Record, step: Record, outcome: steps.Outcome) -> None:
    if step["StepStatus"] in OVER:
        return
    if outcome.status == "Failed" and _again(execution, step):
        # `_begin` counts the attempt and starts anew under the same name.
        _begin(state, execution, step["_spec"])
        return
    step.update(StepStatus=outcome.status, EndTime=state.now, _outputs=outcome.outputs)
    if outcome.reason and outcome.status == "Failed":
        step["FailureReason"] = outcome.reason
    touch(state, execution)
    if outcome.status == "Succeeded":
        _remember(state, execution, step)
    advance(state, execution)


def _again(execution: Record, step: Record) -> bool:
    """Whether a retry policy of the step allows one attempt more."""
    if execution["PipelineExecutionStatus"] != "Executing":
        return False
    allowed = [int(each.get("MaxAttempts", 0)) for each in step["_spec"].get("RetryPolicies") or []]
    return int(step["AttemptCount"]) <= max(allowed, default=0)


# -- cached steps


def _key(execution: Record, step: Record, arguments: Record) -> tuple[str, str, str]:
    asked = {name: value for name, value in arguments.items() if name not in _NOT_ASKED}
    text = json.dumps([step["_spec"]["Type"], asked], sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return str(execution["PipelineArn"]), str(step["StepName"]), digest


def _reused(
    state: State, execution: Record, step: Record, arguments: Record, finish: steps.Finish
) -> bool:
    """Take an earlier result of the same arguments, if the step may be cached."""
    config = step["_spec"].get("CacheConfig") or {}
    if not config.get("Enabled"):
        return False
    step["_key"] = _key(execution, step, arguments)
    kept = state.table(_CACHE).get(step["_key"])
    if kept is None or state.now - kept["at"] > _lasts(str(config.get("ExpireAfter", "P365D"))):
        return False
    step["Metadata"] = kept["metadata"]
    step["CacheHitResult"] = {"SourcePipelineExecutionArn": kept["execution"]}
    finish(steps.Outcome("Succeeded", kept["outputs"]))
    return True


def _remember(state: State, execution: Record, step: Record) -> None:
    if "_key" in step and "CacheHitResult" not in step:
        state.table(_CACHE)[step["_key"]] = {
            "at": state.now,
            "execution": execution["PipelineExecutionArn"],
            "metadata": step["Metadata"],
            "outputs": step["_outputs"],
        }


def _lasts(text: str) -> float:
    """Seconds of `30d`, `T12H` or `P30DT2H`."""
    found = re.findall(r"(\d+)([dhmsDHMSwW])", text)
    units = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
    return float(sum(int(number) * units[unit.lower()] for number, unit in found))


# -- stopping and trying again


def stop(state: State, execution: Record) -> None:
    """Stop an execution: its steps' jobs first."""
    touch(state, execution, PipelineExecutionStatus="Stopping")
    for step in list(execution["_steps"].values()):
        if step["StepStatus"] in OVER:
            continue
        if step["_started"] is None:
            state.cancel(step["_timer"])
            step.update(StepStatus="Stopped", EndTime=state.now)
            continue
        step["StepStatus"] = "Stopping"
        step["_started"].stop()
    advance(state, execution)


def retry(state: State, execution: Record) -> None:
    """Go on from the steps that failed or were stopped."""
    held: dict[str, Record] = execution["_steps"]
    for name in [name for name, step in held.items() if step["StepStatus"] != "Succeeded"]:
        del held[name]
    execution.pop("FailureReason", None)
    touch(state, execution, PipelineExecutionStatus="Executing")
    advance(state, execution)
