"""Versions in the Model Registry: what is known of them, and deciding on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws import partial, words
from core.aws.kind import Column, Detail, Field, Item, Kind, Section, Verb
from core.aws.kinds.models.lineage import lineage_of
from core.aws.kinds.models.names import package_arn, package_id
from core.aws.kinds.models.reports import clarified, metrics_of
from core.errors import BadInput, WrongState

if TYPE_CHECKING:
    from core.aws.account import Account

PENDING = "PendingManualApproval"
STAGES = ("Development", "Staging", "Production", "Archived")
_LISTED = ("SupportedContentTypes", "SupportedResponseMIMETypes",
           "SupportedRealtimeInferenceInstanceTypes")  # fmt: skip


def describe(account: Account, name: str) -> Any:
    """DescribeModelPackage of GROUP/VERSION, an ARN, or the name of an unversioned one."""
    return account.call(
        "sagemaker", "describe_model_package", ModelPackageName=package_arn(account, name)
    )


def _item(package: Mapping[str, Any]) -> Item:
    approval = package.get("ModelApprovalStatus", "")
    status = package["ModelPackageStatus"]
    stage = package.get("ModelLifeCycle", {})
    version = package.get("ModelPackageVersion")
    group = package.get("ModelPackageGroupName", "")
    return Item(
        id=package_id(package),
        cells=(
            group or package.get("ModelPackageName", ""),
            "" if version is None else str(version),
            approval or "-",
            f"{stage['Stage']} {stage['StageStatus']}" if stage else "",
            status,
            words.clock(package["CreationTime"]),
            words.short(package.get("ModelPackageDescription", "")),
        ),
        tone=words.tone(status if status in ("Failed", "InProgress", "Pending") else approval),
        changed=words.epoch(package["CreationTime"]),
        raw=package,
    )


def _list(account: Account, group: str) -> Iterator[Sequence[Item]]:
    of = {"ModelPackageGroupName": group} if group else {"ModelPackageType": "Both"}
    pages = account.pages(
        "sagemaker", "list_model_packages", SortBy="CreationTime", SortOrder="Descending", **of
    )
    for page in pages:
        yield [_item(each) for each in page["ModelPackageSummaryList"]]


def _show(account: Account, name: str) -> Detail:
    package = describe(account, name)
    arn = package["ModelPackageArn"]
    read = partial.side_by_side(
        [
            lambda: partial.section("Metrics", lambda: metrics_of(account, package)),
            lambda: partial.section("Lineage", lambda: lineage_of(account, arn)),
        ]
    )
    properties = package.get("CustomerMetadataProperties", {})
    sections = (
        _about(package),
        read[0],
        *clarified(account, package),
        Section("Properties", tuple(sorted(properties.items()))),
        *_inference(package),
        read[1],
        _made_by(package),
    )
    item = _item(package)
    return Detail(
        f"{item.cells[0]} {item.cells[1]}".strip(),
        item.tone,
        tuple(each for each in sections if each.lines),
        item=item,
        raw=package,
    )


def _about(package: Mapping[str, Any]) -> Section:
    approval = package.get("ModelApprovalStatus", "")
    lines: list[Any] = [("Approval", approval, words.tone(approval))] if approval else []
    lines += words.labelled(package, "ApprovalDescription")
    if stage := package.get("ModelLifeCycle"):
        lines.append(("Stage", f"{stage['Stage']}: {stage['StageStatus']}"))
        lines += words.labelled(stage, "StageDescription")
    status = package["ModelPackageStatus"]
    lines.append(("Status", status, words.tone(status)))
    details = package.get("ModelPackageStatusDetails", {})
    lines += [
        (each["Name"], f"{each['Status']} {each['FailureReason']}", "bad")
        for key in ("ValidationStatuses", "ImageScanStatuses")
        for each in details.get(key, ())
        if each.get("FailureReason")
    ]
    lines += words.labelled(
        package, "ModelPackageArn", "ModelPackageDescription", "CreationTime", "LastModifiedTime",
        "SourceUri", "Domain", "Task",
    )  # fmt: skip
    return Section("Version", tuple(lines))


def _inference(package: Mapping[str, Any]) -> list[Section]:
    spec = package.get("InferenceSpecification", {})
    found = []
    for number, container in enumerate(spec.get("Containers", ()), start=1):
        lines = list(words.labelled(
            container, "ContainerHostname", "Image", "ImageDigest", "ModelDataUrl", "Framework",
            "FrameworkVersion", "NearestModelName",
        ))  # fmt: skip
        source = container.get("ModelDataSource", {}).get("S3DataSource", {})
        lines += words.labelled(source, "S3Uri", "CompressionType")
        # Names only: people put secrets into a container's environment.
        if names := sorted(container.get("Environment", {})):
            lines.append(("Environment", ", ".join(names)))
        found.append(Section(f"Container {number}", tuple(lines)))
    listed = tuple((key, ", ".join(spec[key])) for key in _LISTED if spec.get(key))
    return [*found, Section("Inference", listed)]


def _made_by(package: Mapping[str, Any]) -> Section:
    who = package.get("CreatedBy", {})
    lines = list(words.labelled(who, "UserProfileName", "DomainId"))
    lines += words.labelled(who.get("IamIdentity", {}), "Arn")
    made = package.get("MetadataProperties", {})
    lines += words.labelled(made, "GeneratedBy", "Repository", "CommitId", "ProjectId")
    return Section("Made by", tuple(lines))


# deciding


def decide(account: Account, name: str, verdict: str, comment: str) -> str:
    """Set ModelApprovalStatus with the comment as its description; raises `BadInput` without
    one and `WrongState` where it stands so already."""
    if not comment.strip():
        raise BadInput("comment: say why", "add comment='…'")
    if len(comment) > 1024:
        raise BadInput(f"comment: has {len(comment)} characters, SageMaker keeps 1,024")
    package = describe(account, name)
    if package.get("ModelApprovalStatus") == verdict:
        raise WrongState(f"{package_id(package)} is {verdict} already")
    account.call(
        "sagemaker",
        "update_model_package",
        ModelPackageArn=package["ModelPackageArn"],
        ModelApprovalStatus=verdict,
        ApprovalDescription=comment,
    )
    return f"{package_id(package)} is {verdict}"


def what_deciding_does(account: Account, name: str, verdict: str) -> tuple[str, ...]:
    """The lines of a confirmation."""
    package = describe(account, name)
    was = package.get("ModelApprovalStatus") or "without a status"
    lines = [f"{package_id(package)}: {was} → {verdict}"]
    if verdict == "Approved":
        lines.append("whatever listens for an approved version (EventBridge, CodePipeline) starts")
    else:
        lines.append("endpoints that serve it already go on serving it")
    return tuple(lines)


def _approve(account: Account, name: str, values: Mapping[str, str]) -> str:
    return decide(account, name, "Approved", values.get("comment", ""))


def _reject(account: Account, name: str, values: Mapping[str, str]) -> str:
    return decide(account, name, "Rejected", values.get("comment", ""))


def _stage(account: Account, name: str, values: Mapping[str, str]) -> str:
    stage, status = values["stage"].strip(), values.get("status", "").strip() or PENDING
    about = values.get("description", "").strip()
    package = describe(account, name)
    account.call(
        "sagemaker",
        "update_model_package",
        ModelPackageArn=package["ModelPackageArn"],
        ModelLifeCycle={
            "Stage": stage,
            "StageStatus": status,
            **({"StageDescription": about} if about else {}),
        },
    )
    return f"{package_id(package)} is in {stage} ({status})"


def _stage_does(account: Account, name: str, values: Mapping[str, str]) -> tuple[str, ...]:
    package = describe(account, name)
    before = package.get("ModelLifeCycle")
    was = f"{before['Stage']} ({before['StageStatus']})" if before else "no stage"
    to = f"{values.get('stage', '')} ({values.get('status') or PENDING})"
    return (f"{package_id(package)}: {was} → {to}",)


def _delete(account: Account, name: str, _values: Mapping[str, str]) -> str:
    account.call("sagemaker", "delete_model_package", ModelPackageName=package_arn(account, name))
    return f"{name} is deleted"


def _decided(verdict: str) -> Any:
    def blocked(item: Item) -> str | None:
        now = item.raw.get("ModelApprovalStatus")
        return f"it is {verdict} already" if now == verdict else None

    return blocked


_COMMENT = Field("comment", "Why", required=True)

KIND = Kind(
    name="packages",
    title="Model versions",
    service="SageMaker",
    about="A version in the registry: its approval, stage, metrics and lineage.",
    columns=(
        Column("Group", 18, grow=2),
        Column("Version", 7, align="right"),
        Column("Approval", 21),
        Column("Stage", 16, grow=1, drop=2),
        Column("Status", 10, drop=3),
        Column("Registered", 19, drop=1),
        Column("About", 12, grow=2, drop=4),
    ),
    list=_list,
    show=_show,
    operations=(
        "sagemaker:ListModelPackages", "sagemaker:DescribeModelPackage", "sagemaker:ListArtifacts",
        "sagemaker:QueryLineage", "sagemaker:DescribeArtifact", "sagemaker:DescribeContext",
        "sagemaker:ListContexts", "s3:GetObject",
    ),
    parent="model-groups",
    verbs=(
        Verb(
            "approve", "a", "Approve", "Approve the version, with a comment.",
            ("sagemaker:UpdateModelPackage",),
            _approve,
            lambda account, name, _values: what_deciding_does(account, name, "Approved"),
            fields=(_COMMENT,),
            dangerous=True,
            blocked=_decided("Approved"),
        ),
        Verb(
            "reject", "X", "Reject", "Reject the version, with a comment.",
            ("sagemaker:UpdateModelPackage",),
            _reject,
            lambda account, name, _values: what_deciding_does(account, name, "Rejected"),
            fields=(_COMMENT,),
            blocked=_decided("Rejected"),
        ),
        Verb(
            "stage", "", "Set stage", "Set the stage of its life, such as Staging.",
            ("sagemaker:UpdateModelPackage",),
            _stage,
            _stage_does,
            fields=(
                Field("stage", "Stage", required=True, choices=STAGES),
                Field("status", "Status of the stage", PENDING,
                      choices=(PENDING, "Approved", "Rejected")),
                Field("description", "About it"),
            ),
        ),
        Verb(
            "delete", "x", "Delete", "Delete the version.",
            ("sagemaker:DeleteModelPackage",),
            _delete,
            lambda _account, name, _values: (
                f"the version {name} is deleted from the registry; its files on S3 stay",
            ),
            dangerous=True,
            typed=True,
        ),
    ),
    every=10.0,
)  # fmt: skip
