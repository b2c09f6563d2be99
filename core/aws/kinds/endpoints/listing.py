"""The kind `endpoints`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws import words
from core.aws.kind import Column, Detail, Item, Kind
from core.aws.kinds.endpoints import detail, traffic, verbs
from core.aws.kinds.endpoints.invoke import INVOKE
from core.aws.logs import LogSource

if TYPE_CHECKING:
    from core.aws.account import Account


def item(endpoint: Mapping[str, Any]) -> Item:
    """A row of what ListEndpoints or DescribeEndpoint answers."""
    status = endpoint["EndpointStatus"]
    return Item(
        id=endpoint["EndpointName"],
        cells=(
            endpoint["EndpointName"],
            status,
            words.clock(endpoint["LastModifiedTime"]),
            words.clock(endpoint["CreationTime"]),
        ),
        tone=detail.endpoint_tone(status),
        changed=words.epoch(endpoint["LastModifiedTime"]),
        raw=endpoint,
    )


def _list(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages(
        "sagemaker", "list_endpoints", SortBy="CreationTime", SortOrder="Descending"
    ):
        yield [item(each) for each in page["Endpoints"]]


def _show(account: Account, name: str) -> Detail:
    found = detail.show(account, name)
    return Detail(found.title, found.tone, found.sections, found.charts, item(found.raw), found.raw)


def _logs(_account: Account, name: str) -> LogSource:
    return LogSource(f"/aws/sagemaker/Endpoints/{name}")


KIND = Kind(
    name="endpoints",
    title="Endpoints",
    service="SageMaker",
    about="Served addresses, their variants, traffic and deployments.",
    columns=(
        Column("Endpoint", 28, grow=1),
        Column("Status", 20),
        Column("Changed", 19, drop=1),
        Column("Created", 19, drop=2),
    ),
    list=_list,
    show=_show,
    operations=(
        "sagemaker:ListEndpoints", "sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig",
        "sagemaker:ListEndpointConfigs", "cloudwatch:GetMetricData", "cloudwatch:DescribeAlarms",
        "cloudwatch:DescribeAlarmHistory", "logs:FilterLogEvents",
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:DescribeScalingPolicies", "cloudtrail:LookupEvents",
    ),
    verbs=(
        traffic.WEIGHTS, verbs.UPDATE, verbs.ROLLBACK, traffic.SCALE, INVOKE, verbs.DELETE,
    ),
    create=(verbs.CREATE,),
    logs=_logs,
)  # fmt: skip
