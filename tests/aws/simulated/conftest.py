"""What the tests of SageMaker's handlers start from: a bucket, and parameters AWS accepts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

ROLE = "arn:aws:iam::123456789012:role/worker"
_CLUSTER = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10}
_PARAMS: dict[str, dict[str, Any]] = {
    "training": {
        "AlgorithmSpecification": {
            "TrainingImage": "simulated/xgboost",
            "TrainingInputMode": "File",
        },
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://opsdeck-data/models"},
        "ResourceConfig": _CLUSTER,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    },
    "processing": {
        "ProcessingResources": {"ClusterConfig": _CLUSTER},
        "AppSpecification": {"ImageUri": "simulated/sklearn"},
        "RoleArn": ROLE,
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "evaluation",
                    "S3Output": {
                        "S3Uri": "s3://opsdeck-data/evaluation",
                        "LocalPath": "/opt/ml/processing/evaluation",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
    },
}


@pytest.fixture
def bucket(client: Callable[[str], Any]) -> str:
    name = "opsdeck-data"
    client("s3").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    return name


@pytest.fixture
def params() -> Callable[..., dict[str, Any]]:
    """Parameters of a kind of job, with more of them."""

    def of(kind: str, **more: Any) -> dict[str, Any]:
        return {**copy.deepcopy(_PARAMS[kind]), **more}

    return of


@pytest.fixture
def sagemaker(client: Callable[[str], Any]) -> Any:
    return client("sagemaker")


@pytest.fixture
def served(sagemaker: Any) -> Callable[..., str]:
    """Makes a model and an endpoint configuration of that name; returns the name."""

    def make(name: str, instances: int = 4, **more: Any) -> str:
        container = {"Image": "simulated/serve"}
        sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": name,
            "InitialInstanceCount": instances,
            "InstanceType": "ml.m5.large",
            "InitialVariantWeight": 1.0,
        }
        sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[variant], **more
        )
        return name

    return make
