"""Looking at kinds of AWS resources as a person does, and what runs in the simulated account."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from core.aws.account import Account
from core.aws.kind import Detail, Item
from core.aws.registry import kind

ROLE = "arn:aws:iam::123456789012:role/SageMaker"
BUCKET = "mlops-artifacts"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine:1"


def bucket(account: Account) -> str:
    """A bucket; returns its address."""
    place = {"LocationConstraint": account.region}
    account.call("s3", "create_bucket", Bucket=BUCKET, CreateBucketConfiguration=place)
    return f"s3://{BUCKET}"


def listed(account: Account, name: str, parent: str = "") -> list[Item]:
    """All items of a kind."""
    return [item for page in kind(name).list(account, parent) for item in page]


def words(detail: Detail) -> str:
    """A description as text."""
    told = [detail.title]
    for section in detail.sections:
        told.append(f"[{section.title}]")
        told += [each if isinstance(each, str) else " | ".join(each) for each in section.lines]
    return "\n".join(told)


def value(detail: Detail, section: str, label: str) -> str:
    """The value beside a label."""
    for each in detail.sections:
        if each.title == section:
            for line in each.lines:
                if not isinstance(line, str) and line[0] == label:
                    return line[1]
    raise AssertionError(f"no {label} in {section}:\n{words(detail)}")


def do(account: Account, of: str, verb: str, id: str = "", /, **values: str) -> str:
    """Ask as the console does, then do it: it is first said what will happen."""
    found = kind(of).verb(verb)
    assert found is not None
    assert all(found.consequence(account, id, values))
    return found.do(account, id, values)


def blocked(account: Account, name: str, verb: str, id: str) -> str | None:
    """Why a verb can't be done now."""
    found, item = kind(name).verb(verb), kind(name).show(account, id).item
    assert found is not None and item is not None
    return found.blocked(item)


def training_step(name: str, given: Mapping[str, Any] | None = None, **more: Any) -> Any:
    """A pipeline's training step with these hyperparameters."""
    return {
        "Name": name,
        "Type": "Training",
        "Arguments": {
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 30,
            },
            "RoleArn": ROLE,
            **({"HyperParameters": dict(given)} if given else {}),
        },
        **more,
    }  # fmt: skip


def processing_step(name: str, environment: Mapping[str, Any] | None = None, **more: Any) -> Any:
    """A pipeline's processing step."""
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30,
                }
            },
            "AppSpecification": {"ImageUri": IMAGE},
            "RoleArn": ROLE,
            **({"Environment": dict(environment)} if environment else {}),
        },
        **more,
    }  # fmt: skip


def text_of(parameter: str) -> dict[str, Any]:
    """A parameter's value as text, in a definition."""
    return {"Std:Join": {"On": "", "Values": [{"Get": f"Parameters.{parameter}"}]}}


def make_pipeline(account: Account, name: str, steps: list[Any], parameters: list[Any]) -> None:
    """A pipeline of these steps."""
    definition = {"Version": "2020-12-01", "Parameters": parameters, "Steps": steps}
    account.call(
        "sagemaker",
        "create_pipeline",
        PipelineName=name,
        PipelineDefinition=json.dumps(definition),
        RoleArn=ROLE,
        ClientRequestToken="t" * 32,
    )


def make_machine(account: Account, name: str, definition: Mapping[str, Any], **more: Any) -> str:
    """A state machine; returns its ARN."""
    made = account.call(
        "stepfunctions",
        "create_state_machine",
        name=name,
        definition=json.dumps(definition),
        roleArn="arn:aws:iam::123456789012:role/StepFunctions",
        **more,
    )
    return str(made["stateMachineArn"])


def until(good: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait until something is true; returns what it is."""
    end = time.monotonic() + seconds
    while True:
        found = good()
        if found:
            return found
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.05)
