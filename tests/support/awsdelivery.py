"""What a delivery is made of on the simulated account, and how kinds are asked in tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from core.aws.account import Account
from core.aws.kind import Detail, Item, Verb
from core.aws.registry import kind

Client = Callable[[str], Any]
ROLE = "arn:aws:iam::123456789012:role/delivery"
SPEC = "version: 0.2\nphases:\n  build:\n    commands:\n      - echo ran $MODE\n      - {last}\n"


def verb(of: str, name: str) -> Verb:
    """A verb of a kind."""
    found = kind(of).verb(name)
    assert found is not None
    return found


def listed(account: Account, of: str, parent: str = "") -> list[Item]:
    """Every item of a kind."""
    return [item for page in kind(of).list(account, parent) for item in page]


def item_of(account: Account, of: str, id: str) -> Item:
    """The item of a shown resource."""
    found = kind(of).show(account, id).item
    assert found is not None
    return found


def text(detail: Detail) -> str:
    """A detail as lines: titles, and labels with their values."""
    return "\n".join(
        f"{section.title}\n" + "\n".join(
            line if isinstance(line, str) else " ".join(line[:2]) for line in section.lines
        )
        for section in detail.sections
    )  # fmt: skip


def role(client: Client) -> str:
    """A role that CodePipeline may take."""
    client("iam").create_role(
        RoleName="delivery",
        AssumeRolePolicyDocument=json.dumps({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                           "Principal": {"Service": "codepipeline.amazonaws.com"}}],
        }),
    )  # fmt: skip
    return ROLE


def project(client: Client, name: str = "tests", last: str = "true") -> None:
    """A CodeBuild project whose build ends with the command `last`."""
    client("codebuild").create_project(
        name=name,
        source={"type": "NO_SOURCE", "buildspec": SPEC.format(last=last)},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": "MODE", "value": "ci"}],
        },
        serviceRole=ROLE,
    )  # fmt: skip


def _action(name: str, category: str, provider: str, **configuration: str) -> dict[str, Any]:
    kind_ = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": kind_, "configuration": configuration}


def pipeline(client: Client, last: str = "true") -> str:
    """The CodePipeline `deliver`: Source, Build, Deploy, with a variable."""
    role(client)
    project(client, last=last)
    client("codepipeline").create_pipeline(
        pipeline={
            "name": "deliver", "roleArn": ROLE, "pipelineType": "V2",
            "artifactStore": {"type": "S3", "location": "artifacts"},
            "variables": [{"name": "MONTH", "defaultValue": "2012-01"}],
            "stages": [
                {"name": "Source", "actions": [_action("fetch", "Source", "CodeCommit")]},
                {"name": "Build",
                 "actions": [_action("test", "Build", "CodeBuild", ProjectName="tests")]},
                {"name": "Deploy", "actions": [_action("ship", "Deploy", "CloudFormation")]},
            ],
        }
    )  # fmt: skip
    return "deliver"
