"""Versions of the Model Registry that wait for approval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from core.aws import words
from core.aws.errors import ResourceNotFound
from core.aws.kinds.approvals.waiting import Source, Waiting, request
from core.aws.kinds.models.names import package_id
from core.aws.kinds.models.packages import PENDING, decide, describe
from core.aws.kinds.models.reports import quality_numbers, report_uris
from core.domain.gate import Approval, ApprovalStatus
from core.errors import NotFound

if TYPE_CHECKING:
    from core.aws.account import Account

NAME = "version"
_STATUS = {
    PENDING: ApprovalStatus.OPEN,
    "Approved": ApprovalStatus.APPROVED,
    "Rejected": ApprovalStatus.REJECTED,
}


def _waiting(package: Mapping[str, Any]) -> Waiting:
    who = package.get("CreatedBy", {})
    by = who.get("UserProfileName") or words.last_of(who.get("IamIdentity", {}).get("Arn", ""))
    return Waiting(
        f"{NAME}:{package_id(package)}",
        "registry",
        package_id(package),
        words.epoch(package["CreationTime"]) or 0.0,
        by=by,
    )


def _list(account: Account) -> Iterator[Waiting]:
    pages = account.pages(
        "sagemaker",
        "list_model_packages",
        ModelApprovalStatus=PENDING,
        ModelPackageType="Both",
        SortBy="CreationTime",
        SortOrder="Descending",
    )
    for page in pages:
        yield from (_waiting(each) for each in page["ModelPackageSummaryList"])


def _find(account: Account, ref: str) -> Approval:
    name = ref.removeprefix(f"{NAME}:")
    try:
        package = describe(account, name)
    except ResourceNotFound as error:
        raise NotFound(f"approval {ref}: the registry has no such version") from error
    group = str(package.get("ModelPackageGroupName", ""))
    return request(
        _waiting(package),
        account,
        # One without a status is asked of nobody.
        _STATUS.get(package.get("ModelApprovalStatus", ""), ApprovalStatus.VOID),
        _evidence(account, package),
        model=words.last_of(group) if group else str(package.get("ModelPackageName", "")),
        version=int(package.get("ModelPackageVersion") or 0),
    )


def _evidence(account: Account, package: Mapping[str, Any]) -> dict[str, Any]:
    """What is measured of it beside the newest approved version, and what it is made of."""
    metrics, trouble = quality_numbers(account, package)
    containers = package.get("InferenceSpecification", {}).get("Containers", ())
    found: dict[str, Any] = {
        "metrics": metrics,
        "champion": _approved(account, package),
        "reports": report_uris(package),
        "properties": dict(package.get("CustomerMetadataProperties", {})),
        "containers": [
            {key: each[key] for key in ("Image", "ImageDigest", "ModelDataUrl") if key in each}
            for each in containers
        ],
        "source": dict(package.get("MetadataProperties", {})),
        "description": package.get("ModelPackageDescription", ""),
    }
    if trouble:
        found["not read"] = trouble
    return {key: value for key, value in found.items() if value}


def _approved(account: Account, package: Mapping[str, Any]) -> dict[str, Any]:
    """The newest other approved version of the group, with its numbers."""
    group = package.get("ModelPackageGroupName")
    if not group:
        return {}
    page = account.call(
        "sagemaker",
        "list_model_packages",
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=2,
    )
    for each in page["ModelPackageSummaryList"]:
        if each["ModelPackageArn"] != package["ModelPackageArn"]:
            found = describe(account, each["ModelPackageArn"])
            metrics, _ = quality_numbers(account, found)
            return {"version": found.get("ModelPackageVersion"), "metrics": metrics}
    return {}


def _answer(account: Account, found: Approval, approved: bool, comment: str, _output: str) -> None:
    name = found.id.removeprefix(f"{NAME}:")
    decide(account, name, "Approved" if approved else "Rejected", comment)


SOURCE = Source(NAME, "Model Registry", _list, _find, _answer)
