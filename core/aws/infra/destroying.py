"""Before a stack is deleted: what would be lost with it, and keeping that."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.aws.account import Account
from core.aws.infra.diff import STATEFUL
from core.aws.infra.errors import NotEmpty
from core.aws.infra.template import parse

_KEPT = "Retain"
_WITH = frozenset({"AWS::S3::BucketPolicy"})
"""What a kept bucket would be less safe without."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A resource of a stack that holds something, and how one empties it."""

    name: str
    type: str
    physical_id: str
    what: str
    how: str


def holdings(account: Account, stack: str) -> list[Holding]:
    """The buckets, repositories and registries of a stack that are not empty."""
    found = []
    for page in account.pages("cloudformation", "list_stack_resources", StackName=stack):
        for each in page.get("StackResourceSummaries") or ():
            look = _LOOKS.get(each["ResourceType"])
            physical = each.get("PhysicalResourceId")
            deleted = each.get("ResourceStatus") == "DELETE_COMPLETE"
            told = look(account, physical) if look and physical and not deleted else None
            if told:
                names = (each["LogicalResourceId"], each["ResourceType"], physical)
                found.append(Holding(*names, *told))
    return found


def refuse_full(found: Sequence[Holding]) -> None:
    """Raise `NotEmpty` naming the first of `found`, and how many more there are."""
    if not found:
        return
    first = found[0]
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    raise NotEmpty(
        f"{first.physical_id} holds {first.what}{more}: nothing was deleted",
        f"empty it ({first.how}), or keep it: --retain",
    )


def retaining(body: str | Mapping[str, Any], stamp: str) -> tuple[str, list[str]]:
    """The template with everything that holds something kept on deletion; and those names.

    CloudFormation takes a policy's change only together with another: `stamp` is put beside it.
    """
    content = parse(body) if isinstance(body, str) else dict(body)
    kept = []
    for name, resource in content["Resources"].items():
        if resource.get("Type") in STATEFUL | _WITH and resource.get("DeletionPolicy") != _KEPT:
            resource["DeletionPolicy"] = _KEPT
            resource.setdefault("Metadata", {})["OpsdeckRetained"] = stamp
            kept.append(name)
    return json.dumps(content, default=str), kept


def _bucket(account: Account, name: str) -> tuple[str, str] | None:
    found = account.call("s3", "list_object_versions", Bucket=name, MaxKeys=1)
    if found.get("Versions") or found.get("DeleteMarkers"):
        return "objects or old versions of some", f"aws s3 rm s3://{name} --recursive, and versions"
    return None


def _repository(account: Account, name: str) -> tuple[str, str] | None:
    found = account.call("ecr", "list_images", repositoryName=name, maxResults=1)
    if found.get("imageIds"):
        return "images", f"aws ecr batch-delete-image --repository-name {name}"
    return None


def _group(account: Account, name: str) -> tuple[str, str] | None:
    group = name.rsplit("/", 1)[-1]
    found = account.call(
        "sagemaker", "list_model_packages", ModelPackageGroupName=group, MaxResults=1
    )
    if found.get("ModelPackageSummaryList"):
        return "model packages", "delete its packages one by one"
    return None


_LOOKS: dict[str, Callable[[Account, str], tuple[str, str] | None]] = {
    "AWS::S3::Bucket": _bucket,
    "AWS::ECR::Repository": _repository,
    "AWS::SageMaker::ModelPackageGroup": _group,
}
