"""A compiled pipeline as a CloudFormation template: one resource, with role and bucket as
parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from core.aws.compile.asl import state_machine
from core.aws.compile.definition import pipeline_definition
from core.aws.compile.nodes import Lowered
from core.aws.compile.target import PLACEHOLDERS, Target

Service = Literal["sagemaker", "stepfunctions"]
_PATTERNS = {
    "ArtifactBucket": r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
    "ExecutionRoleArn": r"arn:aws[a-z-]*:iam::\d{12}:role/.+",
    "ServiceRoleArn": r"arn:aws[a-z-]*:iam::\d{12}:role/.+",
    "ApprovalQueueUrl": r"https?://.+",
}
_OURS = "|".join(re.escape(each[2:-1]) for each in PLACEHOLDERS)
_NOT_OURS = re.compile(r"\$\{(?!(?:" + _OURS + r")\})")


def template(lowered: Lowered, target: Target, service: Service = "sagemaker") -> dict[str, Any]:
    """The template; what the target leaves open is a parameter of it."""
    if service == "sagemaker":
        definition, name = pipeline_definition(lowered, target), "Pipeline"
        resource = _pipeline(lowered, target, definition)
    else:
        definition, name = state_machine(lowered, target), "StateMachine"
        resource = _machine(target, definition)
    text = json.dumps(definition)
    used = [each for each in PLACEHOLDERS if each in text]
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": (lowered.spec.description or f"The pipeline {lowered.spec.name}")[:1024],
        "Parameters": {
            **{each[2:-1]: _parameter(each[2:-1], PLACEHOLDERS[each]) for each in used},
            "ServiceRoleArn": _parameter(
                "ServiceRoleArn", "ARN of the role that starts the jobs and passes them theirs."
            ),
        },
        "Resources": {name: resource},
        "Outputs": {f"{name}Name": {"Value": {"Ref": name}}},
    }


def _parameter(name: str, about: str) -> dict[str, Any]:
    found = {"Type": "String", "Description": about}
    return found | ({"AllowedPattern": _PATTERNS[name]} if name in _PATTERNS else {})


def _substituted(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition's text with the parameters put in; what else looks like one stays."""
    text = json.dumps(definition, indent=1, ensure_ascii=False)
    return {"Fn::Sub": _NOT_OURS.sub("${!", text)}


def _pipeline(lowered: Lowered, target: Target, definition: Mapping[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "PipelineName": target.name,
        "PipelineDefinition": {"PipelineDefinitionBody": _substituted(definition)},
        "RoleArn": {"Ref": "ServiceRoleArn"},
        "Tags": tags(lowered),
    }
    if lowered.spec.description:
        properties["PipelineDescription"] = lowered.spec.description[:3072]
    return {"Type": "AWS::SageMaker::Pipeline", "Properties": properties}


def _machine(target: Target, definition: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "StateMachineName": target.name,
            "StateMachineType": "STANDARD",
            "DefinitionString": _substituted(definition),
            "RoleArn": {"Ref": "ServiceRoleArn"},
            "TracingConfiguration": {"Enabled": True},
        },
    }


def tags(lowered: Lowered) -> list[dict[str, str]]:
    """By which a pipeline there is known as one of ours."""
    return [{"Key": "opsdeck:pipeline", "Value": lowered.spec.name}]
