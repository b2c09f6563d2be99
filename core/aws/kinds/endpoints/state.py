"""Reading an endpoint, and whether SageMaker takes a change of it now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.aws.kind import Item
from core.errors import WrongState

if TYPE_CHECKING:
    from core.aws.account import Account


def describe(account: Account, name: str) -> Any:
    """DescribeEndpoint."""
    return account.call("sagemaker", "describe_endpoint", EndpointName=name)


def settled(item: Item) -> str | None:
    """Why an endpoint can't be changed now."""
    status = str(item.raw.get("EndpointStatus", ""))
    return None if status in ("", "InService", "Failed") else _why_not(status)


def _why_not(status: str) -> str:
    if status in ("Updating", "SystemUpdating", "RollingBack"):
        return f"it is {status}: SageMaker takes no other change until that has ended"
    if status == "UpdateRollbackFailed":
        return "its rollback has failed: SageMaker only takes its deletion"
    return f"it is {status}"


def check_settled(found: Mapping[str, Any]) -> None:
    """Raises `WrongState` where DescribeEndpoint's answer is of an endpoint that is changing."""
    status = found["EndpointStatus"]
    if status not in ("InService", "Failed"):
        raise WrongState(f"endpoint {found['EndpointName']}: {_why_not(status)}")
