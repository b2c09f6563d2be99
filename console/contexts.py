"""Which AWS account a command line is about, and opening it."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING

from core.aws.context import AwsContext, contexts, find_context
from core.aws.errors import NoAwsExtra
from core.errors import BadInput

if TYPE_CHECKING:
    from console.session import Session
    from core.aws.account import Account

VARIABLE = "OPSDECK_CONTEXT"
_KEYS_IN_ENVIRONMENT = (
    "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)  # fmt: skip
OF_ENVIRONMENT = "environment"
"""What the context of credentials in the environment is called."""


def named_context(session: Session) -> str | None:
    """The context that is asked for in so many words: `--context`, or `OPSDECK_CONTEXT`."""
    return session.context or os.environ.get(VARIABLE) or None


def context_of(session: Session) -> AwsContext:
    """The context of a command: `--context`, `OPSDECK_CONTEXT`, `AWS_PROFILE`, credentials in the
    environment, the profile `default`, the only one that is written down; in this order.

    Raises `BadInput` where none of them names one.
    """
    region = session.region or ""
    name = named_context(session)
    if name:
        return find_context(name, region)
    profile = os.environ.get("AWS_PROFILE")
    if profile:
        return find_context(f"aws:{profile}", region)
    if any(os.environ.get(variable) for variable in _KEYS_IN_ENVIRONMENT):
        return AwsContext(OF_ENVIRONMENT, region=region)
    known = [context.name for context in contexts()]
    if "aws:default" in known:
        return find_context("aws:default", region)
    if len(known) == 1:
        return find_context(known[0], region)
    raise BadInput(
        "which AWS account? no context is named",
        "--context NAME; opsdeck contexts list shows those there are, contexts add makes one",
    )


def open_account(session: Session) -> Account:
    """The account, nothing sent yet; raises `BadInput`, and `NoAwsExtra` without boto3."""
    context = context_of(session)
    need_boto3()
    return account_on(context, read_only=session.read_only)


def account_on(context: AwsContext, *, read_only: bool) -> Account:
    """The account of a context."""
    from core.aws.account import Account

    return Account(context, read_only=read_only)


def need_boto3() -> None:
    """Raise `NoAwsExtra` where boto3 is not installed; it is looked for, not imported."""
    if importlib.util.find_spec("boto3") is None:
        raise NoAwsExtra(
            "AWS contexts need boto3, which is not installed",
            'install it: pip install "opsdeck[aws]"',
        )
