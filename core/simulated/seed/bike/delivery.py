"""Delivery: builds, a pipeline that waits for approval, stacks, a state machine that waits."""

from __future__ import annotations

import json
from typing import Any

from core.simulated.seed.bike.story import (
    ACCOUNT,
    ARTIFACTS,
    DAY,
    HOUR,
    REGION,
    TAGS,
    Story,
)

PIPELINE = "bike-demand-delivery"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:bike-demand-approvals"
MACHINE = "bike-demand-release"
FLEET = "bike-demand-app"
_DEPLOYMENTS: tuple[tuple[float, str, str], ...] = (
    (49, "2.0.0", "Forecasts on the map"),
    (20, "2.1.0", "Holidays; simulate-outcome: Failed ValidateService"),
    (19, "2.1.1", "Holidays, with their calendar"),
    (20 / 86_400, "2.2.0", "Tomorrow's forecast"),
)
_LOWER = [{"key": each["Key"], "value": each["Value"]} for each in TAGS]
_FAILS = """      - echo "FAILED tests/test_data.py::test_hours - temp is out of 0..1 in 3 hours"
      - echo "1 failed, 41 passed in 18.42s"
      - exit 1
"""
_PASSES = """      - echo "42 passed in 17.96s"
"""


def plant(story: Story) -> None:
    story.plan(60 * DAY, lambda: _projects(story))
    story.plan(59 * DAY, lambda: _pipeline(story))
    for days in (55, 33, 12):
        story.plan(days * DAY, lambda: _run(story))
        story.plan(days * DAY - 2 * HOUR, lambda: _approve(story, "looked at the change set"))
    story.plan(34 * DAY, lambda: _run(story))
    story.plan(34 * DAY - HOUR, lambda: _approve(story, "not on a Friday", "Rejected"))
    story.plan(13 * DAY, lambda: _commits(story, (("Recent hours weigh more", "bike/model.py"),)))
    story.plan(6 * DAY + HOUR, lambda: _commits(story, (("Weather of October", "data/w.csv"),)))
    story.plan(5 * HOUR, lambda: _commits(story, (("Refuse hours out of range", "bike/data.py"),)))
    story.plan(6 * DAY, lambda: _buildspec(story, _FAILS))
    story.plan(6 * DAY - 60, lambda: _run(story))
    story.plan(6 * DAY - 2 * HOUR, lambda: _buildspec(story, _PASSES))
    story.plan(4 * HOUR, lambda: _run(story))
    story.plan(20.0, lambda: story.call("codebuild", "StartBuild", projectName="bike-demand-image"))
    story.plan(58 * DAY, lambda: _stacks(story))
    story.plan(50 * DAY, lambda: _fleet(story))
    for ago, key, told in _DEPLOYMENTS:
        story.plan(
            ago * DAY,
            lambda key=key, told=told: _deploy(story, key, told),  # type: ignore[misc]
        )
    story.plan(1.0, lambda: _drift(story))
    story.plan(0.0, lambda: _machine(story))


# -- builds


def _spec(end: str) -> str:
    return (
        "version: 0.2\nphases:\n  install:\n    commands:\n"
        "      - pip install -r requirements.txt\n"
        "      - sleep 20\n  build:\n    commands:\n      - python -m pytest -q tests\n"
        f"      - sleep 18\n{end}  post_build:\n    commands:\n      - echo the build is over\n"
    )


def _projects(story: Story) -> None:
    story.call(
        "codecommit",
        "CreateRepository",
        repositoryName="bike-demand",
        repositoryDescription="Hourly demand for rental bikes",
    )
    _commits(story, (("The example as it is", "README.md"),))
    environment = {
        "type": "LINUX_CONTAINER",
        "image": "aws/codebuild/amazonlinux2-x86_64-standard:5.0",
        "computeType": "BUILD_GENERAL1_SMALL",
    }
    for name, told in (
        ("bike-demand-tests", "Tests, and checks of the data and the model"),
        ("bike-demand-image", "The image that trains and serves"),
    ):
        story.call(
            "codebuild",
            "CreateProject",
            name=name,
            description=told,
            source={"type": "CODEPIPELINE", "buildspec": _spec(_PASSES)},
            artifacts={"type": "CODEPIPELINE"},
            environment=environment,
            serviceRole=story.role("bike-demand-build"),
            tags=_LOWER,
        )


def _commits(story: Story, commits: tuple[tuple[str, str], ...]) -> None:
    """Commits of `main`, each with one file."""
    for message, path in commits:
        tip = {}
        if "branch" in story.keys:
            tip = {"parentCommitId": story.keys["branch"]}
        story.keys["branch"] = story.call(
            "codecommit",
            "CreateCommit",
            repositoryName="bike-demand",
            branchName="main",
            commitMessage=message,
            authorName="bike-demand",
            putFiles=[{"filePath": path, "fileContent": f"{message}\n".encode()}],
            **tip,
        )["commitId"]


def _buildspec(story: Story, end: str) -> None:
    story.call(
        "codebuild",
        "UpdateProject",
        name="bike-demand-tests",
        source={"type": "CODEPIPELINE", "buildspec": _spec(end)},
    )


# -- the pipeline


def _action(name: str, category: str, provider: str, **configuration: str) -> dict[str, Any]:
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": kind, "configuration": configuration}


def _pipeline(story: Story) -> None:
    commit = _action(
        "Commit", "Source", "CodeCommit", RepositoryName="bike-demand", BranchName="main"
    )
    stages = {
        "Source": [commit | {"outputArtifacts": [{"name": "source"}]}],
        "Build": [
            _action("Tests", "Build", "CodeBuild", ProjectName="bike-demand-tests")
            | {"inputArtifacts": [{"name": "source"}]},
            _action("Image", "Build", "CodeBuild", ProjectName="bike-demand-image")
            | {"inputArtifacts": [{"name": "source"}], "runOrder": 2},
        ],
        "Staging": [
            _action(
                "Deploy", "Deploy", "CloudFormation", StackName="bike-demand-staging",
                ActionMode="CREATE_UPDATE",
            )
        ],
        "Approval": [
            _action(
                "Release", "Approval", "Manual", NotificationArn=TOPIC,
                CustomData="Version 8 of bike-demand: mae 43.8 in its month",
                ExternalEntityLink="https://example.com/bike-demand/8",
            )
        ],
        "Production": [
            _action(
                "Deploy", "Deploy", "CloudFormation", StackName="bike-demand",
                ActionMode="CREATE_UPDATE",
            )
        ],
    }  # fmt: skip
    story.call(
        "codepipeline",
        "CreatePipeline",
        pipeline={
            "name": PIPELINE,
            "roleArn": story.role("bike-demand-pipeline"),
            "artifactStore": {"type": "S3", "location": ARTIFACTS},
            "stages": [{"name": name, "actions": actions} for name, actions in stages.items()],
        },
        tags=_LOWER,
    )


def _run(story: Story) -> None:
    story.call("codepipeline", "StartPipelineExecution", name=PIPELINE)


def _approve(story: Story, why: str, status: str = "Approved") -> None:
    stages = story.call("codepipeline", "GetPipelineState", name=PIPELINE)["stageStates"]
    latest = next(each for each in stages if each["stageName"] == "Approval")["actionStates"][0]
    story.call(
        "codepipeline",
        "PutApprovalResult",
        pipelineName=PIPELINE,
        stageName="Approval",
        actionName="Release",
        token=latest["latestExecution"]["token"],
        result={"summary": why, "status": status},
    )


# -- the web app that asks the model


def _fleet(story: Story) -> None:
    story.call(
        "codedeploy",
        "CreateApplication",
        applicationName=FLEET,
        computePlatform="Server",
        tags=TAGS,
    )
    story.call(
        "codedeploy",
        "CreateDeploymentGroup",
        applicationName=FLEET,
        deploymentGroupName="production",
        serviceRoleArn=story.role("bike-demand-deploy"),
        autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]},
    )


def _deploy(story: Story, key: str, told: str) -> None:
    place = {"bucket": ARTIFACTS, "key": f"app/{key}.zip", "bundleType": "zip"}
    story.call(
        "codedeploy",
        "CreateDeployment",
        applicationName=FLEET,
        deploymentGroupName="production",
        revision={"revisionType": "S3", "s3Location": place},
        description=told,
    )


# -- stacks


def _stacks(story: Story) -> None:
    for name, told in (
        ("bike-demand-storage", "Reports of the bike-demand example"),
        ("bike-demand-topics", "What tells people"),
    ):
        story.call(
            "cloudformation",
            "CreateStack",
            StackName=name,
            TemplateBody=json.dumps(_template(name, told)),
            Tags=TAGS,
        )


def _template(name: str, told: str) -> dict[str, Any]:
    resources: dict[str, Any] = {
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": f"{name}-changes"}}
    }
    if name.endswith("storage"):
        resources = {
            "Reports": {
                "Type": "AWS::S3::Bucket",
                "Properties": {
                    "BucketName": f"bike-demand-reports-{ACCOUNT}",
                    "VersioningConfiguration": {"Status": "Enabled"},
                    "Tags": TAGS,
                },
            },
            "Dead": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "QueueName": "bike-demand-dead-letters",
                    "MessageRetentionPeriod": 1_209_600,
                },
            },
        }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": told,
        "Resources": resources,
    }


def _drift(story: Story) -> None:
    """Somebody switched the reports' versioning off, past the stack."""
    story.call(
        "s3",
        "PutBucketVersioning",
        Bucket=f"bike-demand-reports-{ACCOUNT}",
        VersioningConfiguration={"Status": "Suspended"},
    )
    for name in ("bike-demand-storage", "bike-demand-topics"):
        story.call("cloudformation", "DetectStackDrift", StackName=name)


# -- a state machine


def _machine(story: Story) -> None:
    queue = story.call("sqs", "CreateQueue", QueueName="bike-demand-releases")["QueueUrl"]
    definition = {
        "Comment": "Release a version once a person agrees",
        "StartAt": "Prepare",
        "States": {
            "Prepare": {
                "Type": "Pass",
                "Result": {"model": "bike-demand", "version": 8, "mae": 43.783},
                "Next": "GoodEnough",
            },
            "GoodEnough": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.mae", "NumericLessThan": 60, "Next": "AskPerson"}],
                "Default": "TooFarOff",
            },
            "AskPerson": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                "Parameters": {
                    "QueueUrl": queue,
                    "MessageBody": {"token.$": "$$.Task.Token", "release.$": "$"},
                },
                "TimeoutSeconds": 604_800,
                "Next": "Released",
            },
            "Released": {"Type": "Succeed"},
            "TooFarOff": {"Type": "Fail", "Error": "TooFarOff", "Cause": "mae is 60 or more"},
        },
    }
    arn = story.call(
        "stepfunctions",
        "CreateStateMachine",
        name=MACHINE,
        definition=json.dumps(definition),
        roleArn=story.role("bike-demand-states"),
        tags=_LOWER,
    )["stateMachineArn"]
    story.call("stepfunctions", "StartExecution", stateMachineArn=arn, name="release-8")
