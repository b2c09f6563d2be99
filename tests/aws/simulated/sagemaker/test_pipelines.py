"""Pipelines: their steps really run, by parameters, conditions, caches, callbacks and retries."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.simulated.server import SimulatedAccount

Params = Callable[..., dict[str, Any]]
Client = Callable[[str], Any]
ROLE = "arn:aws:iam::123456789012:role/worker"
TOKEN = "t" * 32
MODEL = {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}


def _definition(params: Params, auc: float = 0.8, **training: Any) -> dict[str, Any]:
    report = {"SIMULATE_FILE": json.dumps({"evaluation/report.json": {"auc": auc}})}
    package = {
        "ModelPackageGroupName": "bikes",
        "InferenceSpecification": {
            "Containers": [{"Image": "simulated/serve", "ModelDataUrl": MODEL}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    }
    refuse = {"Std:Join": {"On": " ", "Values": ["auc is below", {"Get": "Parameters.Least"}]}}
    return {
        "Version": "2020-12-01",
        "Parameters": [
            {"Name": "Eta", "Type": "String", "DefaultValue": "0.1"},
            {"Name": "Least", "Type": "Float", "DefaultValue": 0.5},
            {"Name": "Mode", "Type": "String", "DefaultValue": "a", "EnumValues": ["a", "b"]},
        ],
        "Steps": [
            {
                "Name": "Prepare",
                "Type": "Processing",
                "Arguments": params("processing"),
                "CacheConfig": {"Enabled": True, "ExpireAfter": "P30D"},
            },
            {
                "Name": "Train",
                "Type": "Training",
                "DependsOn": ["Prepare"],
                "Arguments": params(
                    "training",
                    **{"HyperParameters": {"eta": {"Get": "Parameters.Eta"}}, **training},
                ),
            },
            {
                "Name": "Evaluate",
                "Type": "Processing",
                "Arguments": params("processing", Environment={**report, "MODEL": MODEL}),
                "PropertyFiles": [
                    {
                        "PropertyFileName": "Report",
                        "OutputName": "evaluation",
                        "FilePath": "report.json",
                    }
                ],
            },
            {
                "Name": "Good",
                "Type": "Condition",
                "Arguments": {
                    "Conditions": [
                        {
                            "Type": "GreaterThanOrEqualTo",
                            "LeftValue": {
                                "Std:JsonGet": {
                                    "PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Report"},
                                    "Path": "auc",
                                }
                            },
                            "RightValue": {"Get": "Parameters.Least"},
                        }
                    ],
                    "IfSteps": [
                        {"Name": "Register", "Type": "RegisterModel", "Arguments": package}
                    ],
                    "ElseSteps": [
                        {"Name": "Refuse", "Type": "Fail", "Arguments": {"ErrorMessage": refuse}}
                    ],
                },
            },
        ],
    }


def _create(sagemaker: Any, definition: dict[str, Any], name: str = "bikes") -> None:
    sagemaker.create_pipeline(
        PipelineName=name,
        PipelineDefinition=json.dumps(definition),
        RoleArn=ROLE,
        ClientRequestToken=TOKEN,
    )


def _start(sagemaker: Any, name: str = "bikes", **values: str) -> str:
    parameters = [{"Name": key, "Value": value} for key, value in values.items()]
    arn: str = sagemaker.start_pipeline_execution(
        PipelineName=name, PipelineParameters=parameters, ClientRequestToken=TOKEN
    )["PipelineExecutionArn"]
    return arn


def _run(aws: SimulatedAccount, sagemaker: Any, arn: str) -> dict[str, Any]:
    for _ in range(60):
        found: dict[str, Any] = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        if found["PipelineExecutionStatus"] not in ("Executing", "Stopping"):
            return found
        aws.advance(60)
    raise AssertionError("the execution does not end")


def _steps(sagemaker: Any, arn: str) -> dict[str, dict[str, Any]]:
    rows = sagemaker.list_pipeline_execution_steps(
        PipelineExecutionArn=arn, SortOrder="Ascending", MaxResults=100
    )["PipelineExecutionSteps"]
    return {row["StepName"]: row for row in rows}


def test_an_execution_trains_evaluates_and_registers(
    aws: SimulatedAccount, sagemaker: Any, params: Params, bucket: str
) -> None:
    _create(sagemaker, _definition(params))
    arn = _start(sagemaker, Eta="0.3")
    aws.advance(10)
    assert list(_steps(sagemaker, arn)) == ["Prepare"]
    assert _run(aws, sagemaker, arn)["PipelineExecutionStatus"] == "Succeeded"
    steps = _steps(sagemaker, arn)
    assert list(steps) == ["Prepare", "Train", "Evaluate", "Good", "Register"]
    assert {step["StepStatus"] for step in steps.values()} == {"Succeeded"}
    assert steps["Good"]["Metadata"]["Condition"]["Outcome"] == "True"
    job = steps["Train"]["Metadata"]["TrainingJob"]["Arn"].rsplit("/", 1)[1]
    described = sagemaker.describe_training_job(TrainingJobName=job)
    assert described["HyperParameters"] == {"eta": "0.3"}
    package = sagemaker.describe_model_package(
        ModelPackageName=steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    )
    container = package["InferenceSpecification"]["Containers"][0]
    assert container["ModelDataUrl"] == described["ModelArtifacts"]["S3ModelArtifacts"]
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    listed = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
    assert {"Name": "Eta", "Value": "0.3"} in listed["PipelineParameters"]
    definition = sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    assert json.loads(definition["PipelineDefinition"])["Version"] == "2020-12-01"
    for earlier, later in zip(steps.values(), list(steps.values())[1:], strict=False):
        assert later["StartTime"] >= earlier["EndTime"]


def test_a_step_is_taken_from_the_cache(
    aws: SimulatedAccount, sagemaker: Any, params: Params, bucket: str
) -> None:
    _create(sagemaker, _definition(params))
    first = _start(sagemaker)
    _run(aws, sagemaker, first)
    second = _start(sagemaker, Least="0.95")
    found = _run(aws, sagemaker, second)
    steps = _steps(sagemaker, second)
    assert steps["Prepare"]["CacheHitResult"]["SourcePipelineExecutionArn"] == first
    assert "CacheHitResult" not in steps["Train"]
    assert (found["PipelineExecutionStatus"], steps["Refuse"]["FailureReason"]) == (
        "Failed",
        "auc is below 0.95",
    )
    aws.advance(40 * 86400)
    third = _start(sagemaker)
    _run(aws, sagemaker, third)
    assert "CacheHitResult" not in _steps(sagemaker, third)["Prepare"]


def test_a_failed_execution_goes_on_from_where_it_failed(
    aws: SimulatedAccount, sagemaker: Any, params: Params, bucket: str
) -> None:
    broken = {"SIMULATE_OUTCOME": "Failed", "SIMULATE_ATTEMPTS": "1"}
    _create(sagemaker, _definition(params, Environment=broken))
    arn = _start(sagemaker)
    found = _run(aws, sagemaker, arn)
    assert "One or multiple steps failed: Train" in found["FailureReason"]
    assert "AlgorithmError" in _steps(sagemaker, arn)["Train"]["FailureReason"]
    ended = _steps(sagemaker, arn)["Prepare"]["EndTime"]
    sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=TOKEN)
    assert _run(aws, sagemaker, arn)["PipelineExecutionStatus"] == "Succeeded"
    steps = _steps(sagemaker, arn)
    assert (steps["Train"]["AttemptCount"], steps["Prepare"]["EndTime"]) == (2, ended)
    with pytest.raises(ClientError, match="Only failed or stopped"):
        sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=TOKEN)


def test_an_execution_is_stopped_with_its_job(
    aws: SimulatedAccount, sagemaker: Any, params: Params, bucket: str
) -> None:
    _create(sagemaker, _definition(params))
    arn = _start(sagemaker)
    aws.advance(200)
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=TOKEN)
    found = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert found["PipelineExecutionStatus"] == "Stopping"
    assert _run(aws, sagemaker, arn)["PipelineExecutionStatus"] == "Stopped"
    train = _steps(sagemaker, arn)["Train"]
    assert train["StepStatus"] == "Stopped"
    job = train["Metadata"]["TrainingJob"]["Arn"].rsplit("/", 1)[1]
    status = sagemaker.describe_training_job(TrainingJobName=job)["TrainingJobStatus"]
    assert status == "Stopped"
    sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=TOKEN)
    assert _run(aws, sagemaker, arn)["PipelineExecutionStatus"] == "Succeeded"


def test_a_callback_waits_for_an_answer(
    aws: SimulatedAccount, client: Client, sagemaker: Any
) -> None:
    sqs = client("sqs")
    queue = sqs.create_queue(QueueName="gates")["QueueUrl"]
    gate = {
        "Name": "Gate",
        "Type": "Callback",
        "SqsQueueUrl": queue,
        "Arguments": {"model": "bikes"},
        "OutputParameters": [{"OutputName": "by", "OutputType": "String"}],
    }
    fail = {
        "Name": "Told",
        "Type": "Fail",
        "Arguments": {"ErrorMessage": {"Get": "Steps.Gate.OutputParameters['by']"}},
    }
    _create(sagemaker, {"Version": "2020-12-01", "Steps": [gate, fail]})
    arn = _start(sagemaker)
    aws.advance(3600)
    body = json.loads(sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"])
    assert body["arguments"] == {"model": "bikes"}
    assert _steps(sagemaker, arn)["Gate"]["StepStatus"] == "Executing"
    said = {"CallbackToken": body["token"], "ClientRequestToken": TOKEN}
    sagemaker.send_pipeline_execution_step_success(
        **said, OutputParameters=[{"Name": "by", "Value": "a person"}]
    )
    _run(aws, sagemaker, arn)
    assert _steps(sagemaker, arn)["Told"]["FailureReason"] == "a person"
    with pytest.raises(ClientError, match="ResourceNotFound"):
        sagemaker.send_pipeline_execution_step_failure(**said)


def test_what_is_refused(
    aws: SimulatedAccount, sagemaker: Any, params: Params, bucket: str
) -> None:
    definition = _definition(params)
    for wrong, words in (
        ({**definition, "Version": "1"}, "Version must be 2020-12-01"),
        ({**definition, "Steps": [{"Name": "A", "Type": "Magic"}]}, "unknown type"),
        ({**definition, "Steps": definition["Steps"][1:]}, "unknown steps: Prepare"),
    ):
        with pytest.raises(ClientError, match=words):
            _create(sagemaker, wrong)
    _create(sagemaker, definition)
    with pytest.raises(ClientError, match="must be unique"):
        _create(sagemaker, definition)
    with pytest.raises(ClientError, match="Unknown parameter"):
        _start(sagemaker, Colour="red")
    with pytest.raises(ClientError, match="must be one of"):
        _start(sagemaker, Mode="c")
    with pytest.raises(ClientError, match="is no Float"):
        _start(sagemaker, Least="much")
    with pytest.raises(ClientError, match="does not exist"):
        _start(sagemaker, "absent")


def test_a_refused_job_is_the_steps_reason(
    aws: SimulatedAccount, sagemaker: Any, params: Params, bucket: str
) -> None:
    resources = {"InstanceType": {"Get": "Parameters.Eta"}, "InstanceCount": 1}
    _create(sagemaker, _definition(params, ResourceConfig=resources))
    arn = _start(sagemaker, Eta="ml.huge")
    _run(aws, sagemaker, arn)
    reason = _steps(sagemaker, arn)["Train"]["FailureReason"]
    assert "ValidationException" in reason
    assert "resourceConfig.instanceType" in reason


def test_selected_steps_take_the_rest_from_before(
    aws: SimulatedAccount, sagemaker: Any, params: Params, bucket: str
) -> None:
    _create(sagemaker, _definition(params))
    first = _start(sagemaker)
    _run(aws, sagemaker, first)
    arn = sagemaker.start_pipeline_execution(
        PipelineName="bikes",
        ClientRequestToken=TOKEN,
        SelectiveExecutionConfig={
            "SourcePipelineExecutionArn": first,
            "SelectedSteps": [{"StepName": "Evaluate"}],
        },
    )["PipelineExecutionArn"]
    assert _run(aws, sagemaker, arn)["PipelineExecutionStatus"] == "Succeeded"
    steps = _steps(sagemaker, arn)
    assert steps["Train"]["SelectiveExecutionResult"]["SourcePipelineExecutionArn"] == first
    assert "SelectiveExecutionResult" not in steps["Evaluate"]
    rows = sagemaker.list_pipeline_executions(PipelineName="bikes")["PipelineExecutionSummaries"]
    assert [row["PipelineExecutionArn"] for row in rows] == [arn, first]
