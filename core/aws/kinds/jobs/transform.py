"""The kind `transform`: a model's predictions for many rows at once, from S3 to S3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.kind import Column, Detail, Field, Item, Kind, Line, Section, Verb
from core.aws.kinds.jobs import asking
from core.aws.kinds.jobs.asking import Values
from core.aws.kinds.jobs.common import (
    PRICE,
    TRANSFORM,
    cost,
    mapping,
    plain_item,
    resources,
    seconds_between,
    status_lines,
)
from core.aws.kinds.shared import found, needed, one_of, s3, whole, yes
from core.aws.prices import price
from core.aws.words import last_of, money, tone

if TYPE_CHECKING:
    from core.aws.account import Account


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in TRANSFORM.pages(account):
        yield tuple(plain_item(each, "TransformJob", "TransformEndTime") for each in page)


def _shown(account: Account, name: str) -> Detail:
    job = TRANSFORM.describe(account, name)
    return Detail(
        title=name,
        tone=tone(job["TransformJobStatus"]),
        sections=(
            Section("Transform job", _about(account, job)),
            _data(job),
            *mapping("Environment", job.get("Environment") or {}),
        ),
        item=plain_item(job, "TransformJob", "TransformEndTime"),
        raw=job,
    )


def _about(account: Account, job: Mapping[str, Any]) -> tuple[Line, ...]:
    config = job.get("TransformResources") or {}
    ran = seconds_between(job.get("TransformStartTime"), job.get("TransformEndTime"))
    return (
        *status_lines(job, "TransformJob", "TransformStartTime", "TransformEndTime"),
        ("model", job["ModelName"]),
        *found("instances", resources(config)),
        *cost(account, config, ran, "BatchTransform"),
        *found("at once", job.get("MaxConcurrentTransforms")),
        *found("payload", f"{job['MaxPayloadInMB']} MB" if job.get("MaxPayloadInMB") else ""),
        *found("batches", job.get("BatchStrategy")),
        *found("of the Autopilot job", last_of(job.get("AutoMLJobArn") or "")),
    )


def _data(job: Mapping[str, Any]) -> Section:
    source, target = job["TransformInput"], job.get("TransformOutput") or {}
    filters = job.get("DataProcessing") or {}
    return Section(
        "Data",
        (
            ("from", source["DataSource"]["S3DataSource"]["S3Uri"]),
            *found("type", source.get("ContentType")),
            *found("split", source.get("SplitType")),
            *found("compressed", source.get("CompressionType")),
            *found("to", target.get("S3OutputPath")),
            *found("as", target.get("Accept")),
            *found("assembled", target.get("AssembleWith")),
            *found("encrypted by", target.get("KmsKeyId")),
            *found("input filter", filters.get("InputFilter")),
            *found("joined with", filters.get("JoinSource")),
            *found("output filter", filters.get("OutputFilter")),
        ),
    )


def request(values: Values) -> dict[str, Any]:
    """CreateTransformJob's request; raises `BadInput`."""
    model = needed(values, "model")
    split = one_of(values, "split", ("Line", "None", "RecordIO", "TFRecord"), "Line")
    key = values.get("kms_key", "").strip()
    output: dict[str, str] = {"S3OutputPath": s3(values, "output")}
    output |= {"AssembleWith": split} if split in ("Line", "None") else {}
    output |= {"Accept": values["accept"]} if values.get("accept", "").strip() else {}
    kind = values.get("content_type", "").strip() or "text/csv"
    made: dict[str, Any] = {
        "TransformJobName": asking.named(values, model),
        "ModelName": model,
        "TransformInput": {
            "DataSource": {
                "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": s3(values, "input")}
            },
            "ContentType": kind,
            "SplitType": split,
        },
        "TransformOutput": output | ({"KmsKeyId": key} if key else {}),
        "TransformResources": {
            "InstanceType": values.get("instance", "").strip() or asking.INSTANCE.default,
            "InstanceCount": whole(values, "count", 1),
            **({"VolumeKmsKeyId": key} if key else {}),
        },
    }
    if yes(values, "join"):
        made["DataProcessing"] = {"JoinSource": "Input"}
    return made


def _start(account: Account, _id: str, values: Values) -> str:
    asked = request(values)
    account.call("sagemaker", "create_transform_job", **asked)
    return f"{asked['TransformJobName']}: the transform has started"


def _consequence(account: Account, _id: str, values: Values) -> tuple[str, ...]:
    asked = request(values)
    config = asked["TransformResources"]
    hourly = price(account, config["InstanceType"], use="BatchTransform").hourly
    costs = f", {money(hourly * config['InstanceCount'])} an hour" if hourly is not None else ""
    return (
        f"predicts {asked['TransformInput']['DataSource']['S3DataSource']['S3Uri']} "
        f"by {asked['ModelName']}",
        f"takes {config['InstanceCount']} × {config['InstanceType']} until it is done{costs}",
        f"writes to {asked['TransformOutput']['S3OutputPath']}",
    )


CREATE = Verb(
    name="transform",
    key="n",
    label="Transform",
    help="predict many rows by a model",
    operations=("sagemaker:CreateTransformJob",),
    do=_start,
    consequence=_consequence,
    fields=(
        Field("model", "SageMaker model", required=True),
        Field("input", "rows: s3://…", required=True),
        asking.OUTPUT,
        Field("content_type", "content type of the rows", default="text/csv"),
        Field(
            "split", "a row is", default="Line", choices=("Line", "None", "RecordIO", "TFRecord")
        ),
        Field("accept", "content type of the predictions"),
        Field("join", "put the predictions beside the rows", default="no", choices=asking.YES_NO),
        asking.INSTANCE,
        asking.COUNT,
        asking.NAME,
        asking.KMS,
    ),
)
KIND = Kind(
    name="transform",
    title="Transform",
    service="sagemaker",
    about="batch transform jobs",
    columns=(
        Column("JOB", 24, grow=2),
        Column("STATUS", 11),
        Column("TOOK", 9, align="right"),
        Column("WHY", 10, grow=3, drop=1),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "sagemaker:ListTransformJobs",
        "sagemaker:DescribeTransformJob",
        "logs:FilterLogEvents",
        PRICE,
    ),
    verbs=(TRANSFORM.stop("predictions that were written stay; the rest is not made"),),
    create=(CREATE,),
    logs=TRANSFORM.logs,
)
