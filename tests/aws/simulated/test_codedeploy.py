"""CodeDeploy's deployments go through their lifecycle events; they fail, stop and roll back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.simulated.server import SimulatedAccount

Client = Callable[[str], Any]
ROLE = "arn:aws:iam::123456789012:role/deploy"


@pytest.fixture
def deploy(client: Client) -> Any:
    codedeploy = client("codedeploy")
    codedeploy.create_application(applicationName="app", computePlatform="Server")
    codedeploy.create_deployment_group(
        applicationName="app",
        deploymentGroupName="fleet",
        serviceRoleArn=ROLE,
        autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]},
    )
    return codedeploy


def _start(deploy: Any, key: str, description: str = "") -> str:
    place = {"bucket": "artifacts", "key": key, "bundleType": "zip"}
    return str(
        deploy.create_deployment(
            applicationName="app",
            deploymentGroupName="fleet",
            revision={"revisionType": "S3", "s3Location": place},
            description=description,
        )["deploymentId"]
    )


def _get(deploy: Any, ident: str) -> Any:
    return deploy.get_deployment(deploymentId=ident)["deploymentInfo"]


def test_events_one_after_another(aws: SimulatedAccount, deploy: Any) -> None:
    ident = _start(deploy, "one.zip")
    assert _get(deploy, ident)["status"] == "Created"
    aws.advance(15)
    assert _get(deploy, ident)["status"] == "InProgress"
    ids = deploy.list_deployment_targets(deploymentId=ident)["targetIds"]
    found = deploy.batch_get_deployment_targets(deploymentId=ident, targetIds=ids)
    events = found["deploymentTargets"][0]["instanceTarget"]["lifecycleEvents"]
    assert [each["status"] for each in events[:3]] == ["Succeeded", "InProgress", "Pending"]
    aws.advance(120)
    told = _get(deploy, ident)
    assert (told["status"], told["deploymentOverview"]["Succeeded"]) == ("Succeeded", 2)
    with pytest.raises(ClientError, match="DeploymentAlreadyCompletedException"):
        deploy.stop_deployment(deploymentId=ident)


def test_a_failure_goes_back_by_itself(aws: SimulatedAccount, deploy: Any) -> None:
    good = _start(deploy, "one.zip")
    aws.advance(120)
    bad = _start(deploy, "two.zip", "simulate-outcome: Failed AfterInstall")
    aws.advance(300)
    told = _get(deploy, bad)
    assert told["status"] == "Failed"
    assert "failed at AfterInstall" in told["errorInformation"]["message"]
    again = _get(deploy, told["rollbackInfo"]["rollbackDeploymentId"])
    assert (again["status"], again["creator"]) == ("Succeeded", "codeDeployRollback")
    assert again["revision"] == _get(deploy, good)["revision"]
    listed = deploy.list_deployments(
        applicationName="app", deploymentGroupName="fleet", includeOnlyStatuses=["Succeeded"]
    )["deployments"]
    assert listed == [again["deploymentId"], good]


def test_a_person_stops_and_rolls_back(aws: SimulatedAccount, deploy: Any) -> None:
    _start(deploy, "one.zip")
    aws.advance(120)
    second = _start(deploy, "two.zip")
    aws.advance(10)
    stopped = deploy.stop_deployment(deploymentId=second, autoRollbackEnabled=True)
    assert "Rolling back" in stopped["statusMessage"]
    assert _get(deploy, second)["status"] == "Stopped"
    aws.advance(120)
    rollback = _get(deploy, second)["rollbackInfo"]["rollbackDeploymentId"]
    assert _get(deploy, rollback)["status"] == "Succeeded"
