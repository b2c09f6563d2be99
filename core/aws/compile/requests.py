"""The requests of the jobs, models and packages, as the SageMaker API takes them.

Both services send the same ones; they differ in how a value is said that is known only when
the pipeline runs. `Say` says it: `put(request, key, value)` sets one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from core.aws.compile.nodes import Code, Deployment, Job, Joined, Machine, Registration, Value

CODE_DIR = "/opt/ml/processing/input/code"
INPUT_DIR = "/opt/ml/processing/input"
OUTPUT_DIR = "/opt/ml/processing/output"
PACKAGE = "source.tar.gz"
RUNNER = "opsdeck_runner.py"
CONTENT_TYPES = ("text/csv", "application/json")
HTTP_CONTENT = "application/json"
VARIANT = "AllTraffic"

Request = dict[str, Any]


class Say(Protocol):
    """How a service's language says a value."""

    def put(self, request: Request, key: str, value: Value) -> None:
        """Set a member of a request to a value."""
        ...

    def put_list(self, request: Request, key: str, values: list[Value]) -> None:
        """Set a member to a list of values."""
        ...

    def where(self, job: Job, output: str) -> Value:
        """The S3 folder that a processing job puts an output in, or a training job all."""
        ...


def processing(say: Say, job: Job) -> Request:
    """CreateProcessingJob, without its name."""
    machine = job.machine
    application: Request = {
        "ImageUri": machine.image,
        "ContainerEntrypoint": ["python3", f"{CODE_DIR}/{RUNNER}"],
    }
    arguments: list[Value] = ["--step", job.name]
    for name, value in job.arguments.items():
        arguments += ["--set", Joined((f"{name}=", value))]
    say.put_list(application, "ContainerArguments", arguments)
    inputs = [_input(say, "code", Code(), CODE_DIR)]
    inputs += [
        _input(say, name, value, f"{INPUT_DIR}/{name}") for name, value in job.channels.items()
    ]
    request: Request = {
        "AppSpecification": application,
        "ProcessingResources": {"ClusterConfig": _cluster(machine)},
        "ProcessingInputs": inputs,
        "StoppingCondition": {"MaxRuntimeInSeconds": machine.timeout},
        "RoleArn": machine.role,
    }
    if job.outputs:
        request["ProcessingOutputConfig"] = {
            "Outputs": [_output(say, job, name) for name in job.outputs],
            **({"KmsKeyId": machine.kms_key} if machine.kms_key else {}),
        }
    if job.env:
        request["Environment"] = dict(sorted(job.env.items()))
    if machine.subnets:
        request["NetworkConfig"] = {"VpcConfig": _vpc(machine)}
    return request


def training(say: Say, job: Job) -> Request:
    """CreateTrainingJob in script mode, without its name."""
    machine = job.machine
    hyperparameters: Request = {
        "sagemaker_program": job.program,
        "sagemaker_container_log_level": "20",
    }
    say.put(hyperparameters, "sagemaker_submit_directory", Joined((Code(), f"/{PACKAGE}")))
    if job.program == RUNNER:
        hyperparameters["opsdeck_step"] = job.name
    for name, value in job.arguments.items():
        say.put(hyperparameters, name, value)
    request: Request = {
        "AlgorithmSpecification": {"TrainingImage": machine.image, "TrainingInputMode": "File"},
        "HyperParameters": hyperparameters,
        "OutputDataConfig": _kms(machine, "KmsKeyId"),
        "ResourceConfig": _cluster(machine),
        "StoppingCondition": {"MaxRuntimeInSeconds": machine.timeout},
        "RoleArn": machine.role,
    }
    say.put(request["OutputDataConfig"], "S3OutputPath", say.where(job, ""))
    if job.channels:
        request["InputDataConfig"] = [
            _channel(say, name, value) for name, value in job.channels.items()
        ]
    if machine.spot:
        request["EnableManagedSpotTraining"] = True
        request["StoppingCondition"]["MaxWaitTimeInSeconds"] = machine.max_wait
    if job.env:
        request["Environment"] = dict(sorted(job.env.items()))
    if machine.subnets:
        request["VpcConfig"] = _vpc(machine)
    return request


def model_package(say: Say, node: Registration) -> Request:
    """CreateModelPackage."""
    container: Request = {"Image": node.image}
    say.put(container, "ModelDataUrl", node.model)
    if node.environment:
        container["Environment"] = dict(node.environment)
    request: Request = {
        "ModelPackageGroupName": node.group,
        "ModelApprovalStatus": "PendingManualApproval" if node.pending else "Approved",
        "InferenceSpecification": {
            "Containers": [container],
            "SupportedContentTypes": list(CONTENT_TYPES),
            "SupportedResponseMIMETypes": list(CONTENT_TYPES),
        },
    }
    if node.metrics is not None:
        statistics: Request = {"ContentType": HTTP_CONTENT}
        say.put(statistics, "S3Uri", node.metrics)
        request["ModelMetrics"] = {"ModelQuality": {"Statistics": statistics}}
    if node.metadata:
        request["CustomerMetadataProperties"] = {}
        for name, value in node.metadata.items():
            say.put(request["CustomerMetadataProperties"], name, value)
    if node.description:
        request["ModelPackageDescription"] = node.description
    return request


def endpoint_config(node: Deployment) -> Request:
    """CreateEndpointConfig, without its name and the model's."""
    variant = {
        "VariantName": VARIANT,
        "InstanceType": node.instance_type,
        "InitialInstanceCount": node.instance_count,
        "InitialVariantWeight": 1.0,
    }
    more = {"KmsKeyId": node.kms_key} if node.kms_key else {}
    return {"ProductionVariants": [variant], **more}


def _input(say: Say, name: str, value: Value, folder: str) -> Request:
    source: Request = {
        "LocalPath": folder,
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
        "S3CompressionType": "None",
    }
    say.put(source, "S3Uri", value)
    return {"InputName": name, "S3Input": source}


def _output(say: Say, job: Job, name: str) -> Request:
    into: Request = {"LocalPath": f"{OUTPUT_DIR}/{name}", "S3UploadMode": "EndOfJob"}
    say.put(into, "S3Uri", say.where(job, name))
    return {"OutputName": name, "S3Output": into}


def _channel(say: Say, name: str, value: Value) -> Request:
    source: Request = {"S3DataType": "S3Prefix", "S3DataDistributionType": "FullyReplicated"}
    say.put(source, "S3Uri", value)
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def _cluster(machine: Machine) -> Request:
    return {
        "InstanceType": machine.instance_type,
        "InstanceCount": machine.instance_count,
        "VolumeSizeInGB": machine.volume_gb,
        **_kms(machine, "VolumeKmsKeyId"),
    }


def _kms(machine: Machine, key: str) -> Request:
    return {key: machine.kms_key} if machine.kms_key else {}


def _vpc(machine: Machine) -> Mapping[str, Any]:
    return {"SecurityGroupIds": [*machine.security_groups], "Subnets": [*machine.subnets]}
