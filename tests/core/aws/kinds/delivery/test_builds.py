"""CodeBuild, CodeDeploy and CodeCommit on the simulated account."""

from __future__ import annotations

from typing import Any

import pytest

from core.aws.account import Account
from core.aws.errors import ResourceNotFound
from core.aws.logs import read_logs
from core.aws.registry import kind
from tests.support.awsdelivery import ROLE, Client, item_of, listed, project, role, text, verb


def test_a_build_goes_through_its_phases(aws: Any, account: Account, client: Client) -> None:
    project(client)
    start = verb("codebuild", "start")
    assert start.consequence(account, "tests", {})[0] == (
        "builds the default branch, by the role delivery"
    )
    start.do(account, "tests", {"version": "v2", "env": "MODE=night"})
    (item,) = listed(account, "builds", "tests")
    assert item.cells[:4] == ("#1", "IN_PROGRESS", "tests", "v2")
    aws.advance(300)
    assert listed(account, "builds")[0].cells[1] == "SUCCEEDED"
    assert listed(account, "codebuild")[0].cells[:2] == ("tests", "SUCCEEDED")
    shown = text(kind("builds").show(account, item.id))
    assert "build SUCCEEDED" in shown
    assert "ran night" in shown
    logs = kind("builds").logs
    assert logs is not None
    assert any("ran night" in line.text for line in read_logs(account, logs(account, item.id)))


def test_a_failed_build_says_where_and_is_retried(
    aws: Any, account: Account, client: Client
) -> None:
    project(client, last="exit 1")
    verb("codebuild", "start").do(account, "tests", {})
    aws.advance(300)
    (item,) = listed(account, "builds")
    assert item.tone == "bad"
    assert "exit status 1" in text(kind("builds").show(account, item.id))
    assert verb("builds", "stop").blocked(item) == "it is FAILED"
    verb("builds", "retry").do(account, item.id, {})
    again, _first = listed(account, "builds")
    assert verb("builds", "retry").blocked(again) == "it is IN_PROGRESS"
    assert verb("builds", "stop").do(account, again.id, {}).endswith("STOPPED")
    assert "FAILED" in text(kind("codebuild").show(account, "tests"))
    with pytest.raises(ResourceNotFound, match="no build x"):
        kind("builds").show(account, "x")


@pytest.fixture
def deployed(client: Client, aws: Any) -> dict[str, Any]:
    role(client)
    codedeploy = client("codedeploy")
    codedeploy.create_application(applicationName="bike", computePlatform="Server")
    codedeploy.create_deployment_group(
        applicationName="bike", deploymentGroupName="prod", serviceRoleArn=ROLE
    )
    asked: dict[str, Any] = {"applicationName": "bike", "deploymentGroupName": "prod"}
    location = {"bucket": "b", "key": "bike-1.zip", "bundleType": "zip"}
    asked["revision"] = {"revisionType": "S3", "s3Location": location}
    return asked


def _deploy(client: Client, asked: dict[str, Any], key: str, **more: str) -> str:
    revision = asked["revision"]
    revision = {**revision, "s3Location": {**revision["s3Location"], "key": key}}
    made = client("codedeploy").create_deployment(**{**asked, "revision": revision, **more})
    return str(made["deploymentId"])


def test_a_deployment_is_told_by_its_targets(
    aws: Any, account: Account, client: Client, deployed: dict[str, Any]
) -> None:
    first = _deploy(client, deployed, "bike-1.zip")
    aws.advance(3600)
    item = item_of(account, "codedeploy", first)
    assert item.cells[1:4] == ("Succeeded", "bike/prod", "bike-1.zip")
    shown = text(kind("codedeploy").show(account, first))
    assert "ApplicationStart Succeeded" in shown
    stop = verb("codedeploy", "stop")
    assert stop.blocked(item) == "it is Succeeded"
    second = _deploy(client, deployed, "bike-2.zip")
    aws.advance(5)
    assert {each.id for each in listed(account, "codedeploy")} == {first, second}
    asked = stop.consequence(account, second, {"rollback": "yes"})
    assert asked[1] == "then deploys s3://b/bike-1.zip again"
    stop.do(account, second, {"rollback": "yes"})
    aws.advance(3600)
    assert item_of(account, "codedeploy", second).cells[1] == "Stopped"
    assert "rolled back by" in text(kind("codedeploy").show(account, second))


def test_a_failed_deployment_says_why_and_what_was_good_is_deployed_again(
    aws: Any, account: Account, client: Client, deployed: dict[str, Any]
) -> None:
    first = _deploy(client, deployed, "bike-1.zip")
    aws.advance(3600)
    bad = _deploy(client, deployed, "bike-2.zip",
                  description="simulate-outcome: Failed ApplicationStart")  # fmt: skip
    aws.advance(3600)
    assert item_of(account, "codedeploy", bad).tone == "bad"
    assert "ApplicationStart Failed" in text(kind("codedeploy").show(account, bad))
    again = verb("codedeploy", "redeploy")
    assert again.consequence(account, first, {}) == (
        "deploys s3://b/bike-1.zip again to the same group",
    )
    told = again.do(account, first, {})
    assert item_of(account, "codedeploy", told.split()[-1]).cells[3] == "bike-1.zip"


def test_a_repository_shows_branches_and_requests(
    aws: Any, account: Account, client: Client
) -> None:
    codecommit = client("codecommit")
    codecommit.create_repository(repositoryName="bike", repositoryDescription="hourly demand")
    assert listed(account, "repositories")[0].cells == ("bike", "empty", "hourly demand")
    first = codecommit.create_commit(
        repositoryName="bike", branchName="main", authorName="Ann", commitMessage="the example",
        putFiles=[{"filePath": "opsdeck.yaml", "fileContent": b"name: bike\n"}],
    )["commitId"]  # fmt: skip
    codecommit.create_branch(repositoryName="bike", branchName="spring", commitId=first)
    second = codecommit.create_commit(
        repositoryName="bike", branchName="spring", parentCommitId=first, commitMessage="warmer",
        putFiles=[{"filePath": "opsdeck.yaml", "fileContent": b"name: bikes\n"}],
    )["commitId"]  # fmt: skip
    codecommit.create_pull_request(
        title="Weather of spring", targets=[{"repositoryName": "bike", "sourceReference": "spring"}]
    )
    shown = text(kind("repositories").show(account, "bike"))
    assert f"main {first[:8]}  the example  Ann" in shown
    assert f"spring {second[:8]}  warmer" in shown
    assert "#1 Weather of spring  spring → main" in shown
    codecommit.update_pull_request_status(pullRequestId="1", pullRequestStatus="CLOSED")
    aws.fault("codecommit:ListBranches", code="AccessDenied", times=1)
    shown = text(kind("repositories").show(account, "bike"))
    assert "denied" in shown
    assert "Open pull requests\nnone" in shown
