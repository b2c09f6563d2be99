"""Groups of the Model Registry: one for each model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws import partial, words
from core.aws.kind import Column, Detail, Field, Item, Kind, Section, Verb

if TYPE_CHECKING:
    from core.aws.account import Account


def _item(group: Mapping[str, Any]) -> Item:
    name, status = group["ModelPackageGroupName"], group["ModelPackageGroupStatus"]
    return Item(
        id=name,
        cells=(
            name,
            status,
            words.clock(group["CreationTime"]),
            words.short(group.get("ModelPackageGroupDescription", "")),
        ),
        tone=words.tone(status),
        changed=words.epoch(group["CreationTime"]),
        raw=group,
    )


def _list(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    pages = account.pages(
        "sagemaker", "list_model_package_groups", SortBy="CreationTime", SortOrder="Descending"
    )
    for page in pages:
        yield [_item(each) for each in page["ModelPackageGroupSummaryList"]]


def _show(account: Account, name: str) -> Detail:
    group = account.call("sagemaker", "describe_model_package_group", ModelPackageGroupName=name)
    about = Section(
        "Group",
        words.labelled(
            group, "ModelPackageGroupArn", "ModelPackageGroupStatus",
            "ModelPackageGroupDescription", "CreationTime",
        ),
    )  # fmt: skip
    sections = partial.side_by_side(
        [
            lambda: partial.section("Versions", lambda: _versions(account, name)),
            lambda: partial.section("Tags", lambda: _tags(account, group["ModelPackageGroupArn"])),
        ]
    )
    return Detail(
        name,
        words.tone(group["ModelPackageGroupStatus"]),
        (about, *(each for each in sections if each.lines)),
        item=_item(group),
        raw=group,
    )


def _versions(account: Account, name: str) -> Section:
    page = account.call(
        "sagemaker",
        "list_model_packages",
        ModelPackageGroupName=name,
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=20,
    )
    found = page["ModelPackageSummaryList"]
    lines = [
        (
            f"version {each.get('ModelPackageVersion', '')}",
            f"{each.get('ModelApprovalStatus', '')}, registered {words.clock(each['CreationTime'])}"
            + _stage(each),
            words.tone(each.get("ModelApprovalStatus", "")),
        )
        for each in found
    ]
    return Section("Versions", tuple(lines) or ("none yet",))


def _stage(package: Mapping[str, Any]) -> str:
    stage = package.get("ModelLifeCycle")
    return f", {stage['Stage']} ({stage['StageStatus']})" if stage else ""


def _tags(account: Account, arn: str) -> Section:
    found = [
        (tag["Key"], tag["Value"])
        for page in account.pages("sagemaker", "list_tags", ResourceArn=arn)
        for tag in page["Tags"]
    ]
    return Section("Tags", tuple(found))


def _create(account: Account, _id: str, values: Mapping[str, str]) -> str:
    about = values.get("description", "").strip()
    account.call(
        "sagemaker",
        "create_model_package_group",
        ModelPackageGroupName=values["name"],
        **({"ModelPackageGroupDescription": about} if about else {}),
    )
    return f"model group {values['name']} is there"


def _delete(account: Account, name: str, _values: Mapping[str, str]) -> str:
    account.call("sagemaker", "delete_model_package_group", ModelPackageGroupName=name)
    return f"model group {name} is deleted"


KIND = Kind(
    name="model-groups",
    title="Model groups",
    service="SageMaker",
    about="A model in the registry, with all its versions.",
    columns=(
        Column("Group", 24, grow=2),
        Column("Status", 11),
        Column("Created", 19, drop=1),
        Column("About", 16, grow=3, drop=2),
    ),
    list=_list,
    show=_show,
    operations=(
        "sagemaker:ListModelPackageGroups", "sagemaker:DescribeModelPackageGroup",
        "sagemaker:ListModelPackages", "sagemaker:ListTags",
    ),
    child="packages",
    verbs=(
        Verb(
            "delete", "x", "Delete", "Delete a group without versions.",
            ("sagemaker:DeleteModelPackageGroup",),
            _delete,
            lambda _account, name, _values: (
                f"the model group {name} is deleted; it must have no versions any more",
            ),
            dangerous=True,
            typed=True,
        ),
    ),
    create=(
        Verb(
            "create", "n", "New group", "Make a group for a model.",
            ("sagemaker:CreateModelPackageGroup",),
            _create,
            lambda _account, _id, values: (f"the model group {values.get('name', '')} is made",),
            fields=(
                Field("name", "Name", required=True),
                Field("description", "What it is"),
            ),
        ),
    ),
    every=15.0,
)  # fmt: skip
