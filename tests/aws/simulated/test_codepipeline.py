"""Executions of CodePipeline run by the clock; approvals, stops, retries, transitions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.simulated.server import SimulatedAccount

Client = Callable[[str], Any]
SPEC = "version: 0.2\nphases:\n  build:\n    commands:\n      - echo ran $MODE\n      - {last}\n"


def _action(name: str, category: str, provider: str, **configuration: str) -> dict[str, Any]:
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": kind, "configuration": configuration}


def _project(client: Client, last: str = "true") -> None:
    client("codebuild").create_project(
        name="tests",
        source={"type": "CODEPIPELINE", "buildspec": SPEC.format(last=last)},
        artifacts={"type": "CODEPIPELINE"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": "MODE", "value": "ci"}],
        },
        serviceRole="arn:aws:iam::123456789012:role/build",
    )


def _pipeline(client: Client, last: str = "true", **more: Any) -> Any:
    _project(client, last)
    client("iam").create_role(
        RoleName="pipeline",
        AssumeRolePolicyDocument=json.dumps(
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
        ),
    )
    approval = _action("decide", "Approval", "Manual", **more)
    client("codepipeline").create_pipeline(
        pipeline={
            "name": "deliver",
            "roleArn": "arn:aws:iam::123456789012:role/pipeline",
            "artifactStore": {"type": "S3", "location": "artifacts"},
            "stages": [
                {"name": "Source", "actions": [_action("fetch", "Source", "CodeCommit")]},
                {
                    "name": "Build",
                    "actions": [_action("test", "Build", "CodeBuild", ProjectName="tests")],
                },
                {"name": "Approve", "actions": [approval]},
                {"name": "Deploy", "actions": [_action("ship", "Deploy", "CloudFormation")]},
            ],
        }
    )
    return client("codepipeline")


def _status(pipeline: Any, execution: str) -> str:
    got = pipeline.get_pipeline_execution(pipelineName="deliver", pipelineExecutionId=execution)
    return str(got["pipelineExecution"]["status"])


def _stages(pipeline: Any) -> dict[str, str]:
    return {
        each["stageName"]: each.get("latestExecution", {}).get("status", "-")
        for each in pipeline.get_pipeline_state(name="deliver")["stageStates"]
    }


def _waiting(pipeline: Any) -> dict[str, Any]:
    state = pipeline.get_pipeline_state(name="deliver")["stageStates"][2]
    latest: dict[str, Any] = state["actionStates"][0]["latestExecution"]
    return latest


def _refused(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as raised:
        call()
    return str(raised.value.response["Error"]["Code"])


def _decide(pipeline: Any, token: str, status: str = "Approved") -> Any:
    return pipeline.put_approval_result(
        pipelineName="deliver",
        stageName="Approve",
        actionName="decide",
        token=token,
        result={"summary": "looked at it", "status": status},
    )


def test_an_execution_runs_to_its_approval_and_on(aws: SimulatedAccount, client: Client) -> None:
    sqs, sns = client("sqs"), client("sns")
    queue = sqs.create_queue(QueueName="asked")["QueueUrl"]
    topic = sns.create_topic(Name="approvals")["TopicArn"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    pipeline = _pipeline(client, NotificationArn=topic, CustomData="the new model")
    execution = pipeline.start_pipeline_execution(name="deliver")["pipelineExecutionId"]
    assert _stages(pipeline) == {
        "Source": "InProgress",
        "Build": "-",
        "Approve": "-",
        "Deploy": "-",
    }
    aws.advance(300)
    assert _stages(pipeline)["Approve"] == "InProgress"
    token = _waiting(pipeline)["token"]
    message = sqs.receive_message(QueueUrl=queue)["Messages"][0]
    said = json.loads(json.loads(message["Body"])["Message"])
    assert said["approval"]["token"] == token
    assert said["approval"]["customData"] == "the new model"
    assert (
        _refused(lambda: _decide(pipeline, "5f0cd0b6-0000-4000-8000-4d1c5a8c1f10"))
        == "InvalidApprovalTokenException"
    )
    _decide(pipeline, token)
    assert _refused(lambda: _decide(pipeline, token)) == "ApprovalAlreadyCompletedException"
    aws.advance(300)
    assert _status(pipeline, execution) == "Succeeded"
    actions = pipeline.list_action_executions(
        pipelineName="deliver", filter={"pipelineExecutionId": execution}
    )["actionExecutionDetails"]
    assert [each["actionName"] for each in actions] == ["ship", "decide", "test", "fetch"]
    assert actions[1]["output"]["executionResult"]["externalExecutionSummary"] == "looked at it"
    build = client("codebuild").batch_get_builds(
        ids=[actions[2]["output"]["executionResult"]["externalExecutionId"]]
    )["builds"][0]
    assert build["buildStatus"] == "SUCCEEDED"
    lines = client("logs").filter_log_events(
        logGroupName=build["logs"]["groupName"], logStreamNames=[build["logs"]["streamName"]]
    )["events"]
    assert any(each["message"].endswith("ran ci") for each in lines)


def test_a_rejected_approval_and_one_that_expires_fail(
    aws: SimulatedAccount, client: Client
) -> None:
    pipeline = _pipeline(client)
    first = pipeline.start_pipeline_execution(name="deliver")["pipelineExecutionId"]
    aws.advance(300)
    _decide(pipeline, _waiting(pipeline)["token"], "Rejected")
    assert _status(pipeline, first) == "Failed"
    second = pipeline.start_pipeline_execution(name="deliver")["pipelineExecutionId"]
    aws.advance(7 * 86_400 + 600)
    assert _status(pipeline, second) == "Failed"
    assert "expired" in _waiting(pipeline)["errorDetails"]["message"]


def test_a_failed_build_is_retried(aws: SimulatedAccount, client: Client) -> None:
    pipeline = _pipeline(client, last="exit 3")
    execution = pipeline.start_pipeline_execution(name="deliver")["pipelineExecutionId"]
    aws.advance(300)
    assert _status(pipeline, execution) == "Failed"
    assert _stages(pipeline)["Build"] == "Failed"
    state = pipeline.get_pipeline_state(name="deliver")["stageStates"][1]["actionStates"][0]
    assert "exit status 3" in state["latestExecution"]["errorDetails"]["message"]

    def retry(stage: str) -> Any:
        return pipeline.retry_stage_execution(
            pipelineName="deliver",
            stageName=stage,
            pipelineExecutionId=execution,
            retryMode="FAILED_ACTIONS",
        )

    assert _refused(lambda: retry("Source")) == "StageNotRetryableException"
    assert _refused(lambda: retry("Deploy")) == "NotLatestPipelineExecutionException"
    client("codebuild").update_project(
        name="tests", source={"type": "CODEPIPELINE", "buildspec": SPEC.format(last="true")}
    )
    retry("Build")
    aws.advance(300)
    assert _stages(pipeline) == {
        "Source": "Succeeded",
        "Build": "Succeeded",
        "Approve": "InProgress",
        "Deploy": "-",
    }


def test_stop_waits_for_what_runs_or_abandons_it(aws: SimulatedAccount, client: Client) -> None:
    pipeline = _pipeline(client)
    first = pipeline.start_pipeline_execution(name="deliver")["pipelineExecutionId"]

    def stop(execution: str, **more: Any) -> Any:
        return pipeline.stop_pipeline_execution(
            pipelineName="deliver", pipelineExecutionId=execution, **more
        )

    stop(first, reason="wrong branch")
    assert _status(pipeline, first) == "Stopping"
    assert _refused(lambda: stop(first)) == "DuplicatedStopRequestException"
    aws.advance(60)
    assert _status(pipeline, first) == "Stopped"
    assert _refused(lambda: stop(first)) == "PipelineExecutionNotStoppableException"
    second = pipeline.start_pipeline_execution(name="deliver")["pipelineExecutionId"]
    aws.advance(300)
    stop(second, abandon=True)
    assert _status(pipeline, second) == "Stopped"
    listed = pipeline.list_pipeline_executions(pipelineName="deliver", maxResults=1)
    assert [each["pipelineExecutionId"] for each in listed["pipelineExecutionSummaries"]] == [
        second
    ]
    assert listed["nextToken"]


def test_a_closed_transition_holds_the_newest_execution(
    aws: SimulatedAccount, client: Client
) -> None:
    pipeline = _pipeline(client)
    where = {"pipelineName": "deliver", "stageName": "Build", "transitionType": "Inbound"}
    pipeline.disable_stage_transition(**where, reason="freeze")
    first = pipeline.start_pipeline_execution(name="deliver")["pipelineExecutionId"]
    aws.advance(60)
    second = pipeline.start_pipeline_execution(name="deliver")["pipelineExecutionId"]
    aws.advance(60)
    assert _status(pipeline, first) == "Superseded"
    build = pipeline.get_pipeline_state(name="deliver")["stageStates"][1]
    assert build["inboundTransitionState"]["disabledReason"] == "freeze"
    assert build["inboundExecution"]["pipelineExecutionId"] == second
    pipeline.enable_stage_transition(**where)
    aws.advance(300)
    assert _stages(pipeline)["Approve"] == "InProgress"
    assert (
        _refused(lambda: pipeline.get_pipeline_state(name="elsewhere"))
        == "PipelineNotFoundException"
    )
