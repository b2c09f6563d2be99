"""What starting a job asks for, and the parts of the request that are made of it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.aws.kind import Field
from core.aws.kinds.jobs.images import Wanted, image
from core.aws.kinds.shared import needed, pairs, s3, s3_address, whole, yes
from core.aws.prices import price
from core.aws.words import last_of, money, span
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

Values = Mapping[str, str]
YES_NO = ("no", "yes")
HOUR = 3600
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
_ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/\S+")

NAME = Field("name", "name of the job")
ROLE = Field("role", "role: arn:aws:iam::…:role/…", required=True)
OUTPUT = Field("output", "output: s3://bucket/folder", required=True)
INSTANCE = Field("instance", "instance type", default="ml.m5.large")
COUNT = Field("count", "how many instances", default="1")
KMS = Field("kms_key", "KMS key of outputs and disks")
RUNNING = (
    Field("inputs", "inputs: train=s3://…, validation=s3://…"),
    Field("content_type", "content type of the inputs (text/csv)"),
    OUTPUT,
    ROLE,
    INSTANCE,
    COUNT,
    Field("volume_gb", "disk of each, in GB", default="30"),
    Field("max_hours", "stopped after so many hours", default="24"),
    Field("spot", "spot instances", default="no", choices=YES_NO),
    Field("max_wait_hours", "spot: hours in all, with waiting"),
    Field("checkpoints", "spot: checkpoints, s3://…"),
    KMS,
)
"""What every training asks for, however its image is found."""
HYPERPARAMETERS = Field("hyperparameters", "hyperparameters: a=1, b=two")
METRICS = Field("metrics", "metrics: loss=loss: ([0-9.]+)")


def named(values: Values, prefix: str, most: int = 63) -> str:
    """The job's name, or one that says what and when; raises `BadInput`."""
    name = values.get("name", "").strip()
    if not name:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        plain = re.sub(r"[^a-zA-Z0-9]+", "-", prefix).strip("-") or "job"
        return f"{plain[: most - len(stamp) - 1].rstrip('-')}-{stamp}"
    if len(name) > most or not _NAME.fullmatch(name):
        raise BadInput(f"name={name}: letters, digits and '-', at most {most}")
    return name


def role(values: Values) -> str:
    """The role's ARN; raises `BadInput`."""
    arn = needed(values, "role")
    if not _ROLE.fullmatch(arn):
        raise BadInput(f"role={arn}: is no role's ARN", "arn:aws:iam::123456789012:role/NAME")
    return arn


def built_in(account: Account, values: Values) -> str:
    """The image of the algorithm, its version and region."""
    return image(
        Wanted(
            needed(values, "algorithm"),
            account.region,
            values.get("instance", "").strip() or INSTANCE.default,
            values.get("version", "").strip(),
        )
    )


def of_framework(account: Account, values: Values) -> str:
    """The image that runs a framework's scripts."""
    return image(
        Wanted(
            needed(values, "framework"),
            account.region,
            values.get("instance", "").strip() or INSTANCE.default,
            values.get("version", "").strip(),
            values.get("py_version", "").strip(),
        )
    )


def algorithm(image: str, values: Values) -> dict[str, Any]:
    """AlgorithmSpecification: the image and what is measured in its output."""
    metrics = [{"Name": name, "Regex": regex} for name, regex in pairs(values, "metrics").items()]
    made: dict[str, Any] = {"TrainingImage": image, "TrainingInputMode": "File"}
    return {**made, **({"MetricDefinitions": metrics} if metrics else {})}


def running(values: Values) -> dict[str, Any]:
    """The part of a request that says with what, where and how long; raises `BadInput`."""
    longest = whole(values, "max_hours", 24) * HOUR
    stopping: dict[str, Any] = {"MaxRuntimeInSeconds": longest}
    key = values.get("kms_key", "").strip()
    made: dict[str, Any] = {
        "RoleArn": role(values),
        "OutputDataConfig": {
            "S3OutputPath": s3(values, "output"),
            **({"KmsKeyId": key} if key else {}),
        },
        "ResourceConfig": {
            "InstanceType": values.get("instance", "").strip() or INSTANCE.default,
            "InstanceCount": whole(values, "count", 1),
            "VolumeSizeInGB": whole(values, "volume_gb", 30),
            **({"VolumeKmsKeyId": key} if key else {}),
        },
        "StoppingCondition": stopping,
    }
    inputs = channels(values)
    if inputs:
        made["InputDataConfig"] = inputs
    if yes(values, "spot"):
        made["EnableManagedSpotTraining"] = True
        wait = whole(values, "max_wait_hours", 0, least=0) * HOUR or 2 * longest
        if wait < longest:
            raise BadInput("max_wait_hours: must be at least max_hours")
        stopping["MaxWaitTimeInSeconds"] = wait
        place = values.get("checkpoints", "").strip()
        if place:
            made["CheckpointConfig"] = {"S3Uri": s3_address("checkpoints", place)}
    elif values.get("max_wait_hours", "").strip() or values.get("checkpoints", "").strip():
        raise BadInput("max_wait_hours and checkpoints: are of spot training", "spot=yes")
    return made


def channels(values: Values) -> list[dict[str, Any]]:
    """InputDataConfig: a channel for each name=s3://…."""
    kind = values.get("content_type", "").strip()
    return [
        {
            "ChannelName": name,
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3Uri": s3_address(f"inputs: {name}", place),
                    "S3DataDistributionType": "FullyReplicated",
                }
            },
            **({"ContentType": kind} if kind else {}),
        }
        for name, place in pairs(values, "inputs").items()
    ]


def as_json(values: Mapping[str, str]) -> dict[str, str]:
    """Hyperparameters as the framework images read them: each value is JSON."""
    return {key: _json(value) for key, value in values.items()}


def _json(value: str) -> str:
    try:
        json.loads(value)
    except ValueError:
        return json.dumps(value)
    return value


def warned(account: Account, request: Mapping[str, Any], jobs: int = 1) -> tuple[str, ...]:
    """What a request will take: instances, time, money, role, where its results go."""
    config, stopping = request["ResourceConfig"], request["StoppingCondition"]
    kind, count, longest = (
        config["InstanceType"], config["InstanceCount"], stopping["MaxRuntimeInSeconds"],
    )  # fmt: skip
    spot = ", spot" if request.get("EnableManagedSpotTraining") else ""
    hourly = price(account, kind, use="Training").hourly
    who = last_of(request["RoleArn"])
    lines = [f"takes {count} × {kind}{spot} for at most {span(longest)}, as {who}"]
    if hourly is not None:
        most = money(hourly * count * jobs * longest / HOUR)
        lines.append(f"costs at most {most}: {money(hourly)} an hour on demand")
    lines.append(f"writes to {request['OutputDataConfig']['S3OutputPath']}")
    return tuple(lines)
