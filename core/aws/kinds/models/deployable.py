"""SageMaker's deployable models: containers with their data, which an endpoint config names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws import words
from core.aws.kind import Column, Detail, Item, Kind, Section, Verb

if TYPE_CHECKING:
    from core.aws.account import Account


def _item(model: Mapping[str, Any]) -> Item:
    return Item(
        id=model["ModelName"],
        cells=(model["ModelName"], words.clock(model["CreationTime"])),
        changed=words.epoch(model["CreationTime"]),
        raw=model,
    )


def _list(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages(
        "sagemaker", "list_models", SortBy="CreationTime", SortOrder="Descending"
    ):
        yield [_item(each) for each in page["Models"]]


def _show(account: Account, name: str) -> Detail:
    model = account.call("sagemaker", "describe_model", ModelName=name)
    containers = model.get("Containers") or [model.get("PrimaryContainer", {})]
    network = model.get("VpcConfig", {})
    about = Section(
        "Model",
        (
            *words.labelled(
                model, "ModelArn", "ExecutionRoleArn", "CreationTime", "EnableNetworkIsolation"
            ),
            *((key, ", ".join(network[key])) for key in ("Subnets", "SecurityGroupIds")
              if network.get(key)),
        ),
    )  # fmt: skip
    sections = [_container(number, each) for number, each in enumerate(containers, start=1)]
    return Detail(name, "", (about, *sections), item=_item(model), raw=model)


def _container(number: int, container: Mapping[str, Any]) -> Section:
    lines = list(words.labelled(
        container, "ContainerHostname", "Image", "Mode", "ModelDataUrl", "ModelPackageName",
    ))  # fmt: skip
    lines += words.labelled(
        container.get("ModelDataSource", {}).get("S3DataSource", {}), "S3Uri", "CompressionType"
    )
    if names := sorted(container.get("Environment", {})):
        lines.append(("Environment", ", ".join(names)))
    return Section(f"Container {number}", tuple(lines))


def _delete(account: Account, name: str, _values: Mapping[str, str]) -> str:
    account.call("sagemaker", "delete_model", ModelName=name)
    return f"model {name} is deleted"


KIND = Kind(
    name="sm-models",
    title="Deployable models",
    service="SageMaker",
    about="Containers with their data, as endpoint configs name them.",
    columns=(Column("Model", 30, grow=1), Column("Created", 19, drop=1)),
    list=_list,
    show=_show,
    operations=("sagemaker:ListModels", "sagemaker:DescribeModel"),
    verbs=(
        Verb(
            "delete", "x", "Delete", "Delete the model; endpoints that serve it go on.",
            ("sagemaker:DeleteModel",),
            _delete,
            lambda _account, name, _values: (
                f"the model {name} is deleted; endpoints that serve it go on, but can neither be"
                " updated to it again nor start instances of it",
            ),
            dangerous=True,
            typed=True,
        ),
    ),
    every=15.0,
)  # fmt: skip
