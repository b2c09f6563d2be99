"""Builds of CodeBuild go through their phases by the clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.simulated.server import SimulatedAccount

Client = Callable[[str], Any]
SPEC = """version: 0.2
phases:
  install:
    commands:
      - pip install -r requirements.txt
  build:
    commands:
      - echo "testing $WHAT"
      - sleep 30
      - exit $CODE
  post_build:
    commands:
      - echo over
"""


@pytest.fixture
def builds(client: Client) -> Any:
    codebuild = client("codebuild")
    codebuild.create_project(
        name="tests",
        source={"type": "NO_SOURCE", "buildspec": SPEC},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [
                {"name": "WHAT", "value": "data"},
                {"name": "CODE", "value": "0"},
            ],
        },
        serviceRole="arn:aws:iam::123456789012:role/build",
    )
    return codebuild


def _get(builds: Any, ident: str) -> Any:
    return builds.batch_get_builds(ids=[ident])["builds"][0]


def test_a_build_takes_its_time_and_succeeds(
    aws: SimulatedAccount, builds: Any, client: Client
) -> None:
    build = builds.start_build(projectName="tests")["build"]
    assert (build["buildStatus"], build["currentPhase"]) == ("IN_PROGRESS", "QUEUED")
    aws.advance(25)
    assert _get(builds, build["id"])["currentPhase"] == "BUILD"
    aws.advance(60)
    done = _get(builds, build["id"])
    assert (done["buildStatus"], done["buildComplete"]) == ("SUCCEEDED", True)
    took = {each["phaseType"]: each.get("durationInSeconds") for each in done["phases"]}
    assert took["BUILD"] == 32  # one for the phase, one for the command, thirty asleep
    assert list(took)[-1] == "COMPLETED"
    said = client("logs").get_log_events(
        logGroupName=done["logs"]["groupName"], logStreamName=done["logs"]["streamName"]
    )["events"]
    assert any(each["message"].endswith("testing data") for each in said)


def test_a_command_fails_its_phase(aws: SimulatedAccount, builds: Any) -> None:
    asked = [{"name": "CODE", "value": "2"}]
    build = builds.start_build(projectName="tests", environmentVariablesOverride=asked)["build"]
    aws.advance(120)
    done = _get(builds, build["id"])
    assert done["buildStatus"] == "FAILED"
    states = {each["phaseType"]: each.get("phaseStatus") for each in done["phases"]}
    assert (states["BUILD"], states["POST_BUILD"]) == ("FAILED", "SUCCEEDED")
    context = next(each for each in done["phases"] if each["phaseType"] == "BUILD")["contexts"][0]
    assert "exit status 2" in context["message"]
    again = builds.retry_build(id=build["id"])["build"]
    assert again["buildNumber"] == 2
    aws.advance(120)
    assert _get(builds, again["id"])["buildStatus"] == "FAILED"


def test_a_build_is_stopped(aws: SimulatedAccount, builds: Any) -> None:
    build = builds.start_build(projectName="tests")["build"]
    aws.advance(25)
    assert builds.stop_build(id=build["id"])["build"]["buildStatus"] == "STOPPED"
    aws.advance(120)
    assert _get(builds, build["id"])["buildStatus"] == "STOPPED"
    assert builds.list_builds_for_project(projectName="tests")["ids"] == [build["id"]]
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        builds.start_build(projectName="elsewhere")
