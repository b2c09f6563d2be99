"""Questions that wait for a person in the simulated account: versions, pipelines, tasks."""

from __future__ import annotations

import json
from typing import Any

from core.aws.account import Account
from core.simulated.server import SimulatedAccount

ROLE = "arn:aws:iam::123456789012:role/made"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/demand:1"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "codepipeline.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def report(account: Account, key: str, value: Any) -> str:
    """A report on S3; returns its address."""
    if "reports" not in {each["Name"] for each in account.call("s3", "list_buckets")["Buckets"]}:
        account.call(
            "s3", "create_bucket", Bucket="reports",
            CreateBucketConfiguration={"LocationConstraint": account.region},
        )  # fmt: skip
    account.call("s3", "put_object", Bucket="reports", Key=key, Body=json.dumps(value).encode())
    return f"s3://reports/{key}"


def register(
    account: Account,
    group: str = "demand",
    mae: float = 40.5,
    status: str = "PendingManualApproval",
) -> str:
    """A version of a model with its metrics; returns GROUP/VERSION."""
    known = account.call("sagemaker", "list_model_package_groups")["ModelPackageGroupSummaryList"]
    if group not in {each["ModelPackageGroupName"] for each in known}:
        account.call("sagemaker", "create_model_package_group", ModelPackageGroupName=group)
    number = len(
        account.call("sagemaker", "list_model_packages", ModelPackageGroupName=group)[
            "ModelPackageSummaryList"
        ]
    )
    uri = report(
        account, f"{group}-{number + 1}.json",
        {"regression_metrics": {"mae": {"value": mae, "standard_deviation": "NaN"}}},
    )  # fmt: skip
    answer = account.call(
        "sagemaker", "create_model_package", ModelPackageGroupName=group,
        ModelPackageDescription="hourly demand", ModelApprovalStatus=status,
        InferenceSpecification={
            "Containers": [
                {"Image": IMAGE, "ModelDataUrl": "s3://models/demand.tar.gz",
                 "Environment": {"API_KEY": "not to be shown"}}
            ],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
        ModelMetrics={
            "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": uri}}
        },
        CustomerMetadataProperties={"season": "spring"},
    )  # fmt: skip
    return "/".join(answer["ModelPackageArn"].split("/")[-2:])


def _action(name: str, category: str, provider: str, **configuration: str) -> dict[str, Any]:
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": kind, "configuration": configuration}


def pipeline(account: Account, aws: SimulatedAccount, name: str = "deliver") -> str:
    """A pipeline that waits at its manual approval; returns its execution."""
    roles = {each["RoleName"] for each in account.call("iam", "list_roles")["Roles"]}
    if "made" not in roles:
        account.call("iam", "create_role", RoleName="made", AssumeRolePolicyDocument=TRUST)
    existing = {
        each["name"] for each in account.call("codepipeline", "list_pipelines")["pipelines"]
    }
    if name not in existing:
        account.call(
            "codepipeline", "create_pipeline",
            pipeline={
                "name": name, "roleArn": ROLE,
                "artifactStore": {"type": "S3", "location": "artifacts"},
                "stages": [
                    {"name": "Source", "actions": [_action("fetch", "Source", "CodeCommit")]},
                    {"name": "Approve", "actions": [
                        _action("decide", "Approval", "Manual", CustomData="the new model"),
                    ]},
                ],
            },
        )  # fmt: skip
    started = account.call("codepipeline", "start_pipeline_execution", name=name)
    aws.advance(300)
    return str(started["pipelineExecutionId"])


def machine(account: Account, name: str = "release", *, judges: bool = False) -> str:
    """A state machine that sends its token to a queue; returns its ARN. `judges`: the state after
    it decides by the answer."""
    url = account.call("sqs", "create_queue", QueueName=f"{name}-asked")["QueueUrl"]
    ask: dict[str, Any] = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {
            "QueueUrl": url,
            "MessageBody": {"token.$": "$$.Task.Token", "model.$": "$.model"},
        },
        "TimeoutSeconds": 86_400,
        "ResultPath": "$.answer",
    }
    states: dict[str, Any] = {"Ask": {**ask, "End": True}}
    if judges:
        states = {
            "Ask": {**ask, "Next": "Decided"},
            "Decided": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.answer.decision", "StringEquals": "Approved", "Next": "Yes"}
                ],
                "Default": "No",
            },
            "Yes": {"Type": "Succeed"},
            "No": {"Type": "Fail", "Error": "Rejected"},
        }
    made = account.call(
        "stepfunctions", "create_state_machine", name=name, roleArn=ROLE,
        definition=json.dumps({"StartAt": "Ask", "States": states}),
    )  # fmt: skip
    return str(made["stateMachineArn"])


def execution(account: Account, arn: str, name: str, model: str = "demand/3") -> str:
    """Start an execution that will wait; returns its ARN."""
    started = account.call(
        "stepfunctions", "start_execution", stateMachineArn=arn, name=name,
        input=json.dumps({"model": model}),
    )  # fmt: skip
    return str(started["executionArn"])
