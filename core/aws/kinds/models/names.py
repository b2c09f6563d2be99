"""How versions of the registry are named: GROUP/VERSION in this account, else their ARN."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.aws.account import Account

_VERSION = re.compile(r"[^/\s]+/\d+")


def package_id(package: Mapping[str, Any]) -> str:
    """GROUP/VERSION; the name of an unversioned one; the ARN of another account's group."""
    arn, version = str(package["ModelPackageArn"]), package.get("ModelPackageVersion")
    if version is None:
        return str(package.get("ModelPackageName") or arn)
    group = str(package.get("ModelPackageGroupName", ""))
    # A group that is shared by another account is given by its ARN.
    return arn if group.startswith("arn:") else f"{group}/{version}"


def package_arn(account: Account, name: str) -> str:
    """What DescribeModelPackage takes: an ARN for a version, a name for an unversioned one."""
    if not _VERSION.fullmatch(name) or name.startswith("arn:"):
        return name
    partition = account.identity["Arn"].split(":")[1]
    place = f"{account.region}:{account.account_id}"
    return f"arn:{partition}:sagemaker:{place}:model-package/{name}"
