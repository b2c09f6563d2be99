"""The kind `ecr`: repositories of container images; a packaged model's image is pushed there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.errors import AwsError, ResourceNotFound
from core.aws.kind import Column, Detail, Field, Item, Kind, Section, Verb
from core.aws.kinds.delivery import packing
from core.aws.kinds.shared import found, needed, s3
from core.aws.partial import section
from core.aws.words import clock, epoch, pretty

if TYPE_CHECKING:
    from core.aws.account import Account


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages("ecr", "describe_repositories"):
        yield tuple(_item(each) for each in page.get("repositories", ()))


def _item(told: Mapping[str, Any]) -> Item:
    encryption = (told.get("encryptionConfiguration") or {}).get("encryptionType", "AES256")
    scans = (told.get("imageScanningConfiguration") or {}).get("scanOnPush")
    return Item(
        id=told["repositoryName"],
        cells=(
            told["repositoryName"],
            "on push" if scans else "by hand",
            "fixed" if str(told.get("imageTagMutability", "")).startswith("IMMUTABLE")
            else "can move",
            encryption,
            told.get("repositoryUri", ""),
        ),
        changed=epoch(told.get("createdAt")),
        raw=told,
    )  # fmt: skip


def one(account: Account, name: str) -> Mapping[str, Any]:
    """A repository in AWS's words; raises `ResourceNotFound`."""
    told = account.call("ecr", "describe_repositories", repositoryNames=[name])
    for each in told.get("repositories", ()):
        return dict(each)
    raise ResourceNotFound(f"there is no repository {name}")


def _shown(account: Account, name: str) -> Detail:
    told = one(account, name)
    encryption = told.get("encryptionConfiguration") or {}
    item = _item(told)
    about = Section(
        "Repository",
        (
            ("address", told.get("repositoryUri", "")),
            ("scanned", item.cells[1]),
            ("tags", item.cells[2]),
            ("encryption", encryption.get("encryptionType", "")),
            *found("key", encryption.get("kmsKey")),
            ("made", clock(told.get("createdAt"))),
        ),
    )
    sections = (
        about,
        section("Lifecycle", lambda: _lifecycle(account, name)),
        section("Policy", lambda: _policy(account, name)),
    )
    return Detail(name, sections=sections, item=item, raw=told)


def _lifecycle(account: Account, name: str) -> Section:
    try:
        told = account.call("ecr", "get_lifecycle_policy", repositoryName=name)
    except AwsError as error:
        if error.aws_code == "LifecyclePolicyNotFoundException":
            return Section("Lifecycle", ("none: every image is kept",))
        raise
    rules = json.loads(told["lifecyclePolicyText"]).get("rules", ())
    lines = tuple(
        (
            str(each.get("rulePriority", "")),
            each.get("description") or json.dumps(each["selection"]),
        )
        for each in rules
    )
    return Section("Lifecycle", lines or ("none: every image is kept",))


def _policy(account: Account, name: str) -> Section:
    try:
        told = account.call("ecr", "get_repository_policy", repositoryName=name)
    except AwsError as error:
        if error.aws_code == "RepositoryPolicyNotFoundException":
            return Section("Policy", ("none: only this account",))
        raise
    return Section("Policy", pretty(json.loads(told["policyText"])))


def _push(account: Account, name: str, values: Mapping[str, str]) -> str:
    uri = one(account, name)["repositoryUri"]
    context = packing.packed(needed(values, "folder"))
    tag = values.get("tag") or context.digest[:12]
    address = f"{s3(values, 'to').rstrip('/')}/{name}-{context.digest[:12]}.zip"
    packing.upload(account, address, context.body)
    built = values.get("project", "")
    if built:
        build = packing.build(account, built, address, f"{uri}:{tag}")
        return f"{address}: {context.files} files; {uri}:{tag} is built by {build}"
    steps = packing.commands(address, f"{uri}:{tag}", account.region)
    return "\n".join((f"{address}: {context.files} files. Where there is a container engine:",
                      *steps))  # fmt: skip


def _push_consequence(account: Account, name: str, values: Mapping[str, str]) -> tuple[str, ...]:
    context = packing.packed(needed(values, "folder"))
    tag = values.get("tag") or context.digest[:12]
    target = f"{one(account, name)['repositoryUri']}:{tag}"
    project = values.get("project")
    return (
        f"puts {context.files} files ({context.size}) under {s3(values, 'to')}",
        f"then {project} builds {target} and pushes it" if project
        else f"then says the commands that build {target} and push it",
    )  # fmt: skip


PUSH = Verb(
    name="push",
    key="s",
    label="Push an image",
    help="put a packaged model's context into S3, and build its image",
    operations=("s3:PutObject", "codebuild:StartBuild"),
    do=_push,
    consequence=_push_consequence,
    fields=(
        Field("folder", "folder with the Dockerfile", required=True),
        Field("to", "folder in S3", required=True),
        Field("tag", "tag (empty: by its content)"),
        Field("project", "CodeBuild project (empty: says the commands)"),
    ),
)
KIND = Kind(
    name="ecr",
    title="ECR",
    service="ecr",
    about="repositories of container images",
    columns=(
        Column("REPOSITORY", 20, grow=2),
        Column("SCANNED", 8),
        Column("TAGS", 8, drop=2),
        Column("ENCRYPTED", 9, drop=3),
        Column("ADDRESS", 20, grow=3, drop=1),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "ecr:DescribeRepositories",
        "ecr:GetLifecyclePolicy",
        "ecr:GetRepositoryPolicy",
    ),
    child="images",
    verbs=(PUSH,),
    every=30.0,
)
