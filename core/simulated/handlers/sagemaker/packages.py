"""The model registry: groups, versioned packages, approval, stage of life."""

from __future__ import annotations

from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker import lineage
from core.simulated.handlers.sagemaker.common import drop, find, keep, sagemaker_arn, tell, touch
from core.simulated.listing import Record, described, fit, output_shape, select, summaries
from core.simulated.registry import operation
from core.simulated.state import Call, State

GROUPS, PACKAGES = "sagemaker.model-package-groups", "sagemaker.model-packages"


@operation("sagemaker", "CreateModelPackageGroup")
def create_group(state: State, call: Call) -> dict[str, Any]:
    params = dict(call.params)
    name = str(params["ModelPackageGroupName"])
    if name in state.table(GROUPS):
        arn = sagemaker_arn(state, "model-package-group", name)
        raise Fault("ValidationException", f"Model Package Group already exists: {arn}")
    return {"ModelPackageGroupArn": group(state, name, params)["ModelPackageGroupArn"]}


def group(state: State, name: str, params: Record | None = None) -> Record:
    """The group of this name, made if it is new."""
    found: Record | None = state.table(GROUPS).get(name)
    if found is None:
        arn = sagemaker_arn(state, "model-package-group", name)
        found = {
            "ModelPackageGroupName": name,
            **(params or {}),
            "ModelPackageGroupArn": arn,
            "ModelPackageGroupStatus": "Completed",
        }
        keep(state, GROUPS, name, arn, found)
    return found


def _group(state: State, name: str) -> Record:
    return find(state, GROUPS, name, f"ModelPackageGroup {name} does not exist.")


def _of_group(state: State, name: str) -> list[Record]:
    return [
        each for each in state.table(PACKAGES).values() if each.get("ModelPackageGroupName") == name
    ]


@operation("sagemaker", "DescribeModelPackageGroup")
def describe_group(state: State, call: Call) -> dict[str, Any]:
    return described(call, _group(state, call.params["ModelPackageGroupName"]))


@operation("sagemaker", "DeleteModelPackageGroup")
def delete_group(state: State, call: Call) -> dict[str, Any]:
    record = _group(state, call.params["ModelPackageGroupName"])
    if _of_group(state, record["ModelPackageGroupName"]):
        raise Fault("ConflictException", "The model package group still has model packages.")
    drop(state, GROUPS, record["ModelPackageGroupName"])
    return {}


@operation("sagemaker", "ListModelPackageGroups")
def list_groups(state: State, call: Call) -> dict[str, Any]:
    rows = select(call, state.table(GROUPS).values(), name="ModelPackageGroupName")
    return summaries(call, "ModelPackageGroupSummaryList", rows)


@operation("sagemaker", "CreateModelPackage")
def create_package(state: State, call: Call) -> dict[str, Any]:
    params = dict(call.params)
    name, owner = params.get("ModelPackageName"), params.get("ModelPackageGroupName")
    if (name is None) == (owner is None):
        raise Fault(
            "ValidationException", "Specify either ModelPackageName or ModelPackageGroupName."
        )
    if owner is not None:
        owner = _group(state, owner)["ModelPackageGroupName"]
        version = 1 + max((p["ModelPackageVersion"] for p in _of_group(state, owner)), default=0)
        arn = sagemaker_arn(state, "model-package", f"{owner}/{version}")
        params.update(ModelPackageGroupName=owner, ModelPackageVersion=version)
        params.setdefault("ModelApprovalStatus", "PendingManualApproval")
        name = owner
    else:
        arn = sagemaker_arn(state, "model-package", str(name))
        if arn in state.table(PACKAGES):
            raise Fault("ValidationException", f"Model Package already exists: {arn}")
    record: Record = {
        **params,
        "ModelPackageName": name,
        "ModelPackageArn": arn,
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
    }
    keep(state, PACKAGES, arn, arn, record)
    lineage.registered(state, record)
    _changed(state, record)
    return {"ModelPackageArn": arn}


def _package(state: State, name: str) -> Record:
    arn = name if name.startswith("arn:") else sagemaker_arn(state, "model-package", name)
    return find(state, PACKAGES, arn, f"ModelPackage {arn} does not exist.")


def _changed(state: State, record: Record) -> None:
    """EventBridge hears of every change of a package."""
    members = (
        "ModelPackageGroupName", "ModelPackageVersion", "ModelPackageArn", "ModelPackageStatus",
        "ModelApprovalStatus",
    )  # fmt: skip
    detail = {name: record.get(name) for name in members}
    tell(state, "Model Package State Change", record["ModelPackageArn"], detail)


@operation("sagemaker", "DescribeModelPackage")
def describe_package(state: State, call: Call) -> dict[str, Any]:
    return described(call, _package(state, call.params["ModelPackageName"]))


@operation("sagemaker", "UpdateModelPackage")
def update_package(state: State, call: Call) -> dict[str, Any]:
    record = _package(state, call.params["ModelPackageArn"])
    changes = {k: v for k, v in call.params.items() if k not in ("ModelPackageArn", "ClientToken")}
    metadata = {
        **record.get("CustomerMetadataProperties", {}),
        **changes.pop("CustomerMetadataProperties", {}),
    }
    for gone in changes.pop("CustomerMetadataPropertiesToRemove", []):
        metadata.pop(gone, None)
    added = changes.pop("AdditionalInferenceSpecificationsToAdd", [])
    if added:
        held = record.get("AdditionalInferenceSpecifications", [])
        changes["AdditionalInferenceSpecifications"] = [*held, *added]
    if metadata:
        changes["CustomerMetadataProperties"] = metadata
    touch(state, record, **changes)
    record["LastModifiedBy"] = record["CreatedBy"]
    _changed(state, record)
    return {"ModelPackageArn": record["ModelPackageArn"]}


@operation("sagemaker", "DeleteModelPackage")
def delete_package(state: State, call: Call) -> dict[str, Any]:
    record = _package(state, call.params["ModelPackageName"])
    drop(state, PACKAGES, record["ModelPackageArn"])
    return {}


@operation("sagemaker", "ListModelPackages")
def list_packages(state: State, call: Call) -> dict[str, Any]:
    owner = call.params.get("ModelPackageGroupName")
    wanted = call.params.get("ModelPackageType") or ("Versioned" if owner else "Unversioned")
    found = [
        each
        for each in state.table(PACKAGES).values()
        if wanted == "Both" or ("ModelPackageVersion" in each) == (wanted == "Versioned")
    ]
    if owner:
        name = _group(state, owner)["ModelPackageGroupName"]
        found = [each for each in found if each.get("ModelPackageGroupName") == name]
    rows = select(
        call, found, name="ModelPackageName", equal={"ModelApprovalStatus": "ModelApprovalStatus"}
    )
    return summaries(call, "ModelPackageSummaryList", rows)


@operation("sagemaker", "BatchDescribeModelPackage")
def batch_describe(state: State, call: Call) -> dict[str, Any]:
    shape = output_shape("sagemaker", call.operation).members["ModelPackageSummaries"].value
    found: Record = {}
    errors: Record = {}
    for arn in call.params["ModelPackageArnList"]:
        try:
            found[arn] = fit(_package(state, arn), shape)
        except Fault as fault:
            errors[arn] = {"ErrorCode": fault.code, "ErrorResponse": fault.message}
    return {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": errors}
