"""The kind `endpoint-configs`: which models on which instances an endpoint may be made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws import words
from core.aws.kind import Column, Detail, Field, Item, Kind, Section, Values, Verb
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account


def _item(config: Mapping[str, Any]) -> Item:
    return Item(
        id=config["EndpointConfigName"],
        cells=(config["EndpointConfigName"], words.clock(config["CreationTime"])),
        changed=words.epoch(config["CreationTime"]),
        raw=config,
    )


def _list(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages(
        "sagemaker", "list_endpoint_configs", SortBy="CreationTime", SortOrder="Descending"
    ):
        yield [_item(each) for each in page["EndpointConfigs"]]


def _show(account: Account, name: str) -> Detail:
    config = account.call("sagemaker", "describe_endpoint_config", EndpointConfigName=name)
    sections = [
        Section("Endpoint config", words.labelled(
            config, "EndpointConfigArn", "CreationTime", "KmsKeyId", "ExecutionRoleArn",
            "EnableNetworkIsolation",
        )),
        *(_variant("Variant", each) for each in config["ProductionVariants"]),
        *(_variant("Shadow variant", each) for each in config.get("ShadowProductionVariants", ())),
    ]  # fmt: skip
    if capture := config.get("DataCaptureConfig"):
        modes = ", ".join(each["CaptureMode"] for each in capture.get("CaptureOptions", ()))
        sections.append(
            Section(
                "Data capture",
                (
                    ("Enabled", "yes" if capture.get("EnableCapture") else "no"),
                    ("Sampled", f"{capture['InitialSamplingPercentage']} %"),
                    ("What", modes),
                    *words.labelled(capture, "DestinationS3Uri", "KmsKeyId"),
                ),
            )
        )
    return Detail(name, "", tuple(sections), item=_item(config), raw=config)


def _variant(title: str, variant: Mapping[str, Any]) -> Section:
    lines = words.labelled(
        variant, "ModelName", "InstanceType", "InitialInstanceCount", "InitialVariantWeight",
        "VolumeSizeInGB", "ModelDataDownloadTimeoutInSeconds",
        "ContainerStartupHealthCheckTimeoutInSeconds", "InferenceAmiVersion",
    )  # fmt: skip
    serverless = words.labelled(
        variant.get("ServerlessConfig", {}),
        "MemorySizeInMB",
        "MaxConcurrency",
        "ProvisionedConcurrency",
    )
    return Section(f"{title} {variant['VariantName']}", (*lines, *serverless))


def _create(account: Account, _id: str, values: Values) -> str:
    count = values.get("instances", "").strip() or "1"
    if not count.isdigit() or int(count) < 1:
        raise BadInput(f"instances: {count}: a whole number, 1 or more")
    variant = {
        "VariantName": values.get("variant", "").strip() or "AllTraffic",
        "ModelName": values["model"].strip(),
        "InstanceType": values["type"].strip(),
        "InitialInstanceCount": int(count),
        "InitialVariantWeight": 1.0,
    }
    name = values["name"].strip()
    account.call(
        "sagemaker",
        "create_endpoint_config",
        EndpointConfigName=name,
        ProductionVariants=[variant],
        **_capturing(values),
    )
    return f"endpoint config {name} is there"


def _capturing(values: Values) -> dict[str, Any]:
    place = values.get("capture", "").strip()
    if not place:
        return {}
    percent = values.get("percent", "").strip().rstrip("%") or "100"
    if not percent.isdigit() or int(percent) > 100:
        raise BadInput(f"percent: {percent}: a whole number from 0 to 100")
    return {
        "DataCaptureConfig": {
            "EnableCapture": True,
            "InitialSamplingPercentage": int(percent),
            "DestinationS3Uri": place,
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        }
    }


def _delete(account: Account, name: str, _values: Values) -> str:
    account.call("sagemaker", "delete_endpoint_config", EndpointConfigName=name)
    return f"endpoint config {name} is deleted"


KIND = Kind(
    name="endpoint-configs",
    title="Endpoint configs",
    service="SageMaker",
    about="Which models on which instances an endpoint is made of.",
    columns=(Column("Endpoint config", 30, grow=1), Column("Created", 19, drop=1)),
    list=_list,
    show=_show,
    operations=("sagemaker:ListEndpointConfigs", "sagemaker:DescribeEndpointConfig"),
    verbs=(
        Verb(
            "delete", "x", "Delete", "Delete the endpoint config.",
            ("sagemaker:DeleteEndpointConfig",),
            _delete,
            lambda _account, name, _values: (
                f"{name} is deleted: an endpoint that serves by it goes on, and nobody can go"
                " back to it",
            ),
            dangerous=True,
            typed=True,
        ),
    ),
    create=(
        Verb(
            "create", "n", "New endpoint config", "A model on instances, to update an endpoint to.",
            ("sagemaker:CreateEndpointConfig",),
            _create,
            lambda _account, _id, values: (
                f"{values.get('name', '')} is made; it costs nothing until an endpoint uses it",
            ),
            fields=(
                Field("name", "Name", required=True),
                Field("model", "Deployable model", required=True),
                Field("type", "Instance type", "ml.m5.large", required=True),
                Field("instances", "Instances", "1"),
                Field("variant", "Variant", "AllTraffic"),
                Field("capture", "Capture to (s3://…)"),
                Field("percent", "Captured (%)", "100"),
            ),
        ),
    ),
    every=15.0,
)  # fmt: skip
