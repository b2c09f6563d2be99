"""A pipeline as SageMaker Pipelines takes it: the definition of CreatePipeline, schema 2020-12-01.

What is known only when it runs is said by property references (`{"Get": "Steps.…"}`), so that a
step whose outputs are reused hands on the ones that were made then.
https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-pipeline.html
"""

from __future__ import annotations

import math
from typing import Any

from core.aws.compile import requests
from core.aws.compile.errors import NameNotThere, at
from core.aws.compile.nodes import (
    Code,
    Deployment,
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
from core.aws.compile.requests import Request
from core.aws.compile.target import Target
from core.domain.pipeline import Param as Declared

VERSION = "2020-12-01"
SOURCE = "opsdeck-source"
RUN = "opsdeck-run"
ROWS = "rows-"
"""What the parameters are called by which Opsdeck says where the source and the rows are; a
parameter of a pipeline file has no hyphen."""

EXECUTION = {"Get": "Execution.PipelineExecutionId"}
_TYPES = {"str": "String", "int": "Integer", "float": "Float", "bool": "Boolean"}
_JOB_FAULTS = (
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
)
_STEP_FAULTS = ("Step.SERVICE_FAULT", "Step.THROTTLING")
MOST_ATTEMPTS = 20


def pipeline_definition(lowered: Lowered, target: Target) -> dict[str, Any]:
    """The definition; raises `CannotCompile` where names get into each other's way."""
    say = _Say(lowered, target)
    steps = [step for node in lowered.nodes for step in _steps(say, node)]
    names = [str(step["Name"]) for step in steps]
    for name in names:
        if names.count(name) > 1:
            why = "a deploy step there needs steps of the names NAME-model and NAME-config"
            raise NameNotThere(at(lowered.spec.name, name, why), "give one another name")
    return {
        "Version": VERSION,
        "Metadata": {},
        "Parameters": [
            *(_declared(param) for param in lowered.spec.params),
            {"Name": SOURCE, "Type": "String"},
            {"Name": RUN, "Type": "String", "DefaultValue": "by hand"},
            *({"Name": ROWS + key, "Type": "String"} for key in lowered.datasets),
        ],
        "PipelineExperimentConfig": {
            "ExperimentName": target.name,
            "TrialName": EXECUTION,
        },
        "Steps": steps,
    }


def _declared(param: Declared) -> Request:
    """A parameter; one that may be left out without a default is the empty text."""
    absent = param.default is None and not param.required
    found: Request = {"Name": param.name, "Type": "String" if absent else _TYPES[param.type]}
    if not param.required:
        found["DefaultValue"] = "" if absent else param.default
    if param.choices and param.type == "str" and not absent:
        found["EnumValues"] = list(param.choices)
    return found


class _Say:
    """Values as property references."""

    def __init__(self, lowered: Lowered, target: Target) -> None:
        self._lowered, self._target = lowered, target

    def put(self, request: Request, key: str, value: Value) -> None:
        """Set a member."""
        request[key] = self.said(value)

    def put_list(self, request: Request, key: str, values: list[Value]) -> None:
        """Set a list."""
        request[key] = [self.said(value) for value in values]

    def where(self, job: Job, output: str) -> Value:
        """A folder of this execution's own."""
        parts: list[Value] = [f"{self._target.runs}/", _Execution(), f"/{job.name}"]
        return Joined((*parts, f"/{output}")) if output else Joined(tuple(parts))

    def said(self, value: Value) -> Any:
        """A value in the definition's words."""
        if isinstance(value, _Execution):
            return EXECUTION
        if isinstance(value, str):
            return value
        if isinstance(value, Param):  # whatever its type, it is wanted as text
            return _join([{"Get": f"Parameters.{value.name}"}])
        if isinstance(value, Rows):
            return {"Get": f"Parameters.{ROWS}{value.key}"}
        if isinstance(value, Code):
            return {"Get": f"Parameters.{SOURCE}"}
        if isinstance(value, Joined):
            return _join([_flat(self.said(part)) for part in value.parts])
        return self._made(value)

    def _made(self, value: Made) -> Any:
        job = self._lowered.job(value.step)
        if job.type == "processing":
            of = f"ProcessingOutputConfig.Outputs['{value.output}'].S3Output.S3Uri"
            return {"Get": f"Steps.{job.name}.{of}"}
        if value.output == job.model:
            return {"Get": f"Steps.{job.name}.ModelArtifacts.S3ModelArtifacts"}
        return _join(
            [
                {"Get": f"Steps.{job.name}.OutputDataConfig.S3OutputPath"},
                "/",
                {"Get": f"Steps.{job.name}.TrainingJobName"},
                "/output/output.tar.gz",
            ]
        )


class _Execution(Param):
    """The execution's own id."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("")


def _join(parts: list[Any]) -> Request:
    return {"Std:Join": {"On": "", "Values": parts}}


def _flat(said: Any) -> Any:
    """A join of one value inside a join is that value."""
    if isinstance(said, dict) and len(said.get("Std:Join", {}).get("Values", ())) == 1:
        return said["Std:Join"]["Values"][0]
    return said


def _steps(say: _Say, node: Node) -> list[Request]:
    if isinstance(node, Job):
        return [_job(say, node)]
    if isinstance(node, Registration):
        arguments = requests.model_package(say, node)
        found = _step(node, "RegisterModel", arguments)
        return [found | _retries(node.retries, node.backoff, _STEP_FAULTS)]
    if isinstance(node, Question):
        return [_question(say, node)]
    return _deployment(node)


def _step(node: Node, kind: str, arguments: Request) -> Request:
    found: Request = {"Name": node.name, "Type": kind, "Arguments": arguments}
    if node.needs:
        found["DependsOn"] = list(node.needs)
    return found


def _job(say: _Say, job: Job) -> Request:
    if job.type == "processing":
        arguments = requests.processing(say, job)
        for each in [
            *arguments["ProcessingInputs"],
            *arguments.get("ProcessingOutputConfig", {}).get("Outputs", ()),
        ]:
            each["AppManaged"] = False
        found = _step(job, "Processing", arguments)
    else:
        found = _step(job, "Training", requests.training(say, job))
    machine = job.machine
    if machine.cache is not None:
        days = max(1, math.ceil(machine.cache / 86_400))
        found["CacheConfig"] = {"Enabled": True, "ExpireAfter": f"P{days}D"}
    return found | _retries(machine.retries, machine.backoff, _STEP_FAULTS, _JOB_FAULTS)


def _retries(count: int, backoff: float, *faults: tuple[str, ...]) -> Request:
    if not count:
        return {}
    return {
        "RetryPolicies": [
            {
                "ExceptionType": list(kinds),
                "IntervalSeconds": max(1, math.ceil(backoff)),
                "BackoffRate": 2.0,
                "MaxAttempts": min(MOST_ATTEMPTS, count),
            }
            for kinds in faults
        ]
    }


def _question(say: _Say, node: Question) -> Request:
    """A callback: the queue is told, and the step waits for whoever answers its token."""
    arguments: Request = {
        "environment": node.environment,
        "step": node.name,
        "model_package": {"Get": f"Steps.{node.register}.ModelPackageArn"},
    }
    say.put(arguments, "run", Param(RUN))
    for name, value in node.evidence.items():
        say.put(arguments, f"evidence.{name}", value)
    found = _step(node, "Callback", arguments)
    outputs = [{"OutputName": name, "OutputType": "String"} for name in ("decision", "by")]
    return found | {"SqsQueueUrl": node.queue, "OutputParameters": outputs}


def _deployment(node: Deployment) -> list[Request]:
    """A model, an endpoint configuration, and the endpoint, which is made where there is none."""
    model, config = f"{node.name}-model", f"{node.name}-config"
    made = _step(
        node,
        "Model",
        {
            "ExecutionRoleArn": node.role,
            "Containers": [{"ModelPackageName": {"Get": f"Steps.{node.register}.ModelPackageArn"}}],
        },
    )
    request = requests.endpoint_config(node)
    request["ProductionVariants"][0]["ModelName"] = {"Get": f"Steps.{model}.ModelName"}
    name = _join([f"{node.endpoint[:48].rstrip('-')}-", EXECUTION])
    return [
        made | {"Name": model},
        {
            "Name": config,
            "Type": "EndpointConfig",
            "Arguments": {"EndpointConfigName": name, **request},
        },
        {
            "Name": node.name,
            "Type": "Endpoint",
            "Arguments": {
                "EndpointName": node.endpoint,
                "EndpointConfigName": {"Get": f"Steps.{config}.EndpointConfigName"},
                "DeploymentConfig": dict(node.config),
            },
        },
    ]
