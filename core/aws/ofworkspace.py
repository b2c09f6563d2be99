"""The AWS account that belongs to a workspace: `aws: {context: NAME}` of its opsdeck.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.aws.account import Account
from core.aws.context import find_context
from core.errors import BadInput

if TYPE_CHECKING:
    from core.workspace import Workspace


def account_of(workspace: Workspace, *, read_only: bool = False) -> Account:
    """The account, opened; nothing is sent yet. Raises `BadInput` where none is named, or where
    the person has no context of that name."""
    name = workspace.aws.get("context", "")
    if not name:
        raise BadInput(
            f"{workspace.root.name}: opsdeck.yaml names no AWS account",
            "write aws: {context: NAME}; opsdeck contexts list shows them",
        )
    return Account(find_context(name, workspace.aws.get("region", "")), read_only=read_only)
