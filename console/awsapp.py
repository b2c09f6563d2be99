"""The console's backend on the AWS account of a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.contexts import open_account
from screens.aws.backend import AwsBackend

if TYPE_CHECKING:
    from console.session import Session


def aws_backend(session: Session) -> AwsBackend:
    """The account as the console sees it; nothing is sent yet, and boto3 is not imported."""
    return AwsBackend(open_account(session))
