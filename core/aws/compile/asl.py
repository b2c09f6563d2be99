"""A pipeline as a Step Functions state machine, in Amazon States Language (JSONPath).

Levels of the graph follow one another; steps of one level run side by side in a Parallel. The
input is `{"params": {…}, "source": S3 folder, "datasets": {key: S3 folder}, "run": text}`.
https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html
"""

from __future__ import annotations

import math
import re
from typing import Any

from core.aws.compile import requests
from core.aws.compile.nodes import (
    Code,
    Job,
    Joined,
    Lowered,
    Made,
    Node,
    Param,
    Question,
    Registration,
    Rows,
    Value,
)
from core.aws.compile.rollout import rollout_states
from core.aws.compile.states import FAILED, ROOT, States, chained, end, failure, joined
from core.aws.compile.target import Target

BEGIN = "opsdeck begin"
SUCCEEDED = "opsdeck succeeded"
"""No step's name has a space, so that a state's first word is its step or this."""

_RETRIED = ("SageMaker.AmazonSageMakerException", "SageMaker.SageMakerException")
_THROTTLED = ("States.Timeout", "States.TaskFailed")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def state_machine(lowered: Lowered, target: Target) -> dict[str, Any]:
    """The definition: `StartAt`, `States`, and a comment that says where it comes from."""
    levels = _levels(lowered)
    say = _Say(lowered, _paths(lowered, levels))
    parts = [_begin(target)]
    for number, level in enumerate(levels, start=1):
        parts.append(_level(say, lowered, number, level))
    states: States = {}
    chained(states, [part for part in parts if part[1]], last={"Next": SUCCEEDED})
    states[SUCCEEDED] = {"Type": "Succeed"}
    states[FAILED] = failure()
    comment = lowered.spec.description or f"The pipeline {lowered.spec.name}."
    return {"Comment": comment, "StartAt": BEGIN, "States": states}


def _begin(target: Target) -> tuple[str, States]:
    """Where outputs go, and room for what steps hand on."""
    return BEGIN, {
        BEGIN: {
            "Type": "Pass",
            "Parameters": {
                "params.$": "$.params",
                "source.$": "$.source",
                "datasets.$": "$.datasets",
                "run.$": "$.run",
                "base": target.runs,
                "steps": {},
            },
        }
    }


# --- the graph by levels -------------------------------------------------------------------


def _levels(lowered: Lowered) -> list[list[Node]]:
    """Steps by how many come before them at the longest."""
    depth: dict[str, int] = {}
    for node in lowered.nodes:  # topological
        depth[node.name] = 1 + max((depth[need] for need in node.needs), default=-1)
    found: list[list[Node]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for node in lowered.nodes:
        found[depth[node.name]].append(node)
    return found


def _paths(lowered: Lowered, levels: list[list[Node]]) -> dict[str, str]:
    """Where in the state each step's result is."""
    found: dict[str, str] = {}
    for number, level in enumerate(levels, start=1):
        for node in level:
            place = "$.steps" if len(level) == 1 else f"$.level{number}"
            found[node.name] = f"{place}.{_key(lowered, node.name)}"
    return found


def _key(lowered: Lowered, name: str) -> str:
    """A step's name as a member in a path; its number goes with one that has hyphens."""
    if _PLAIN.fullmatch(name):
        return name
    number = [node.name for node in lowered.nodes].index(name)
    return f"{re.sub(r'[^A-Za-z0-9_]', '_', name)}_{number}"


def _level(say: _Say, lowered: Lowered, number: int, level: list[Node]) -> tuple[str, States]:
    if len(level) == 1:
        return _states(say, level[0], outside=True)
    name = f"opsdeck level {number}"
    branches = []
    for node in level:
        first, states = _states(say, node, outside=False)
        # The branch hands on this step's result alone: the others' are in theirs.
        end(states, say.paths[node.name], f"{node.name} result")
        branches.append({"StartAt": first, "States": states})
    selected = {f"{_key(lowered, node.name)}.$": f"$[{index}]" for index, node in enumerate(level)}
    return name, {
        name: {
            "Type": "Parallel",
            "Branches": branches,
            "ResultSelector": selected,
            "ResultPath": f"$.level{number}",
            "Catch": _catch(),
        }
    }


# --- states of a step ----------------------------------------------------------------------


def _states(say: _Say, node: Node, *, outside: bool) -> tuple[str, States]:
    """The first state's name, and the states; the last has no transition yet. Inside a branch
    nothing is caught: what fails there fails the level."""
    path = say.paths[node.name]
    if isinstance(node, Job):
        states = _job(say, node, path)
    elif isinstance(node, Registration):
        states = _registration(say, node, path)
    elif isinstance(node, Question):
        states = _question(say, node, path)
    else:
        states = rollout_states(node, f"{say.paths[node.register]}.ModelPackageArn", path)
    if outside:
        for state in states.values():
            if state["Type"] == "Task":
                state["Catch"] = [*state.get("Catch", ()), *_catch()]
    return next(iter(states)), states


def _job(say: _Say, job: Job, path: str) -> States:
    kind = "Processing" if job.type == "processing" else "Training"
    build = requests.processing if job.type == "processing" else requests.training
    request = build(say, job)
    slug = re.sub(r"[^A-Za-z0-9]+", "-", job.name).strip("-")[:20].rstrip("-")
    name = f"States.Format('{{}}-{slug}-{{}}', $$.Execution.Name, $$.State.RetryCount)"
    retry = _retry(job.machine.retries, job.machine.backoff)
    selected = {f"{kind}JobName.$": f"$.{kind}JobName"}
    if job.type == "training":
        selected["S3ModelArtifacts.$"] = "$.ModelArtifacts.S3ModelArtifacts"
    return {
        job.name: {
            "Type": "Task",
            "Resource": f"arn:aws:states:::sagemaker:create{kind}Job.sync",
            "Parameters": {f"{kind}JobName.$": name, **request},
            "ResultSelector": selected,
            "ResultPath": path,
            **retry,
        }
    }


def _registration(say: _Say, node: Registration, path: str) -> States:
    return {
        node.name: {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:sagemaker:createModelPackage",
            "Parameters": requests.model_package(say, node),
            "ResultSelector": {"ModelPackageArn.$": "$.ModelPackageArn"},
            "ResultPath": path,
            **_retry(node.retries, node.backoff),
        }
    }


def _question(say: _Say, node: Question, path: str) -> States:
    """The queue is told with a task token; whoever answers it decides."""
    package = f"{say.paths[node.register]}.ModelPackageArn"
    body: dict[str, Any] = {
        "token.$": "$$.Task.Token",
        "execution.$": "$$.Execution.Id",
        "run.$": "$.run",
        "step": node.name,
        "environment": node.environment,
        "model_package.$": package,
        "evidence": {},
    }
    for name, value in node.evidence.items():
        say.put(body["evidence"], name, value)
    decided, approve, reject = (
        f"{node.name} decided", f"{node.name} approve", f"{node.name} reject",
    )  # fmt: skip
    rejected = f"{node.name} rejected"
    update = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sagemaker:updateModelPackage",
        "ResultPath": None,
    }
    wait: dict[str, Any] = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": node.queue, "MessageBody": body},
        "ResultPath": path,
        "Next": decided,
    }
    if node.expires is not None:
        wait["TimeoutSeconds"] = node.expires
    return {
        node.name: wait,
        decided: {
            "Type": "Choice",
            "Choices": [
                {"Variable": f"{path}.decision", "StringEquals": "Approved", "Next": approve}
            ],
            "Default": reject,
        },
        reject: {
            **update,
            "Parameters": {"ModelPackageArn.$": package, "ModelApprovalStatus": "Rejected"},
            "Next": rejected,
        },
        rejected: {"Type": "Fail", "Error": "Rejected", "Cause": f"gate {node.name}: rejected"},
        approve: {
            **update,
            "Parameters": {"ModelPackageArn.$": package, "ModelApprovalStatus": "Approved"},
        },
    }


def _retry(count: int, backoff: float) -> dict[str, Any]:
    if not count:
        return {}
    interval = max(1, math.ceil(backoff))
    return {
        "Retry": [
            {
                "ErrorEquals": [*_RETRIED, *_THROTTLED],
                "IntervalSeconds": interval,
                "BackoffRate": 2.0,
                "MaxAttempts": count,
            }
        ]
    }


def _catch() -> list[dict[str, Any]]:
    return [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": FAILED}]


# --- values --------------------------------------------------------------------------------


class _Say:
    """Values as paths and intrinsic functions."""

    def __init__(self, lowered: Lowered, paths: dict[str, str]) -> None:
        self._lowered, self.paths = lowered, paths

    def put(self, request: dict[str, Any], key: str, value: Value) -> None:
        """Set a member; one known only then has `.$` behind its name."""
        if isinstance(value, str):
            request[key] = value
        else:
            request[f"{key}.$"] = self._text(value)

    def put_list(self, request: dict[str, Any], key: str, values: list[Value]) -> None:
        """Set a list."""
        if all(isinstance(value, str) for value in values):
            request[key] = list(values)
        else:
            parts = ", ".join(self._text(value) for value in values)
            request[f"{key}.$"] = f"States.Array({parts})"

    def where(self, job: Job, output: str) -> Value:
        """A folder of this execution's own."""
        return Made(job.name, output) if job.type == "processing" else _Folder(job.name, "")

    def _text(self, value: Value) -> str:
        if isinstance(value, Joined):
            return joined([self._atom(part) for part in value.parts])
        kind, text = self._atom(value)
        if isinstance(value, Param | str) or kind == "format":
            return joined([(kind, text)])
        return text

    def _atom(self, value: Value) -> tuple[str, str]:
        """How a value stands in a format: a literal text, a path, or another expression."""
        if isinstance(value, str):
            return "text", value
        if isinstance(value, Param):
            return "path", "$.run" if value.name == "opsdeck-run" else f"$.params.{value.name}"
        if isinstance(value, Rows):
            return "path", f"$.datasets['{value.key}']"
        if isinstance(value, Code):
            return "path", "$.source"
        if isinstance(value, Joined):
            return "path", self._text(value)
        return "path", self._made(value)

    def _made(self, value: Made) -> str:
        job = self._lowered.job(value.step)
        if isinstance(value, _Folder):
            return joined(
                [
                    ("path", ROOT),
                    ("text", "/"),
                    ("path", "$$.Execution.Name"),
                    ("text", f"/{job.name}"),
                ]
            )
        if job.type == "processing":
            return joined(
                [
                    ("path", ROOT),
                    ("text", "/"),
                    ("path", "$$.Execution.Name"),
                    ("text", f"/{job.name}/{value.output}"),
                ]
            )
        path = self.paths[job.name]
        if value.output == job.model:
            return f"{path}.S3ModelArtifacts"
        return joined(
            [
                ("path", ROOT),
                ("text", "/"),
                ("path", "$$.Execution.Name"),
                ("text", f"/{job.name}/"),
                ("path", f"{path}.TrainingJobName"),
                ("text", "/output/output.tar.gz"),
            ]
        )


class _Folder(Made):
    """The folder of a training job, in which the service makes its own."""

    __slots__ = ()
