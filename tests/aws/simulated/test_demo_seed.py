"""The seed "demo" tells its story, and soon enough."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from core.simulated.seed import demo
from core.simulated.server import SimulatedAccount, seeding

Client = Callable[[str], Any]


@pytest.fixture
def planted(aws: SimulatedAccount) -> SimulatedAccount:
    demo.plant(aws.world)
    return aws


def test_seeding_is_quick(aws: SimulatedAccount) -> None:
    begun = time.process_time()
    demo.plant(aws.world)
    assert time.process_time() - begun < 5
    assert aws.calls == []
    assert seeding("demo") is demo.plant


def test_training_has_a_past(planted: SimulatedAccount, client: Client) -> None:
    sagemaker = client("sagemaker")
    runs = sagemaker.list_pipeline_executions(PipelineName="bike-demand", MaxResults=50)
    told = {
        each["PipelineExecutionDisplayName"]: each["PipelineExecutionStatus"]
        for each in runs["PipelineExecutionSummaries"]
    }
    assert len(told) == 11
    assert told["month-2012-10"] == "Executing"
    assert told["month-2012-09"] == "Succeeded"
    assert told["month-2012-03"] == told["month-2012-05-first"] == "Failed"
    versions = sagemaker.list_model_packages(ModelPackageGroupName="bike-demand")
    statuses = [each["ModelApprovalStatus"] for each in versions["ModelPackageSummaryList"]]
    assert sorted(set(statuses)) == ["Approved", "PendingManualApproval", "Rejected"]
    lines = client("logs").filter_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", filterPattern='"iteration   80"'
    )["events"]
    assert len(lines) == 9
    assert any("train    5.417  valid   14.168" in each["message"] for each in lines)


def test_endpoints_monitors_and_alarms(planted: SimulatedAccount, client: Client) -> None:
    sagemaker = client("sagemaker")
    healthy = sagemaker.describe_endpoint(EndpointName="bike-demand")
    canary = sagemaker.describe_endpoint(EndpointName="bike-demand-app")
    assert (healthy["EndpointStatus"], canary["EndpointStatus"]) == ("InService", "Updating")
    pending = canary["PendingDeploymentSummary"]["ProductionVariants"][0]
    assert pending["VariantStatus"][0]["Status"] == "Baking"
    runs = sagemaker.list_monitoring_executions(MonitoringScheduleName="bike-demand-data-quality")
    statuses = [each["MonitoringExecutionStatus"] for each in runs["MonitoringExecutionSummaries"]]
    assert statuses.count("CompletedWithViolations") == 1
    newest = runs["MonitoringExecutionSummaries"][0]["ScheduledTime"]
    key = (
        "monitoring/reports/bike-demand/bike-demand-data-quality/"
        f"{newest.astimezone(tz=None):%Y/%m/%d}"
    )
    bucket = "bike-demand-artifacts-123456789012"
    found = client("s3").list_objects_v2(Bucket=bucket, Prefix=key)["Contents"]
    report = next(each["Key"] for each in found if each["Key"].endswith("violations.json"))
    violations = json.loads(client("s3").get_object(Bucket=bucket, Key=report)["Body"].read())
    assert {each["feature_name"] for each in violations["violations"]} == {
        "temp", "atemp", "hum", "windspeed",
    }  # fmt: skip
    alarms = client("cloudwatch").describe_alarms()["MetricAlarms"]
    firing = [each["AlarmName"] for each in alarms if each["StateValue"] == "ALARM"]
    assert firing == ["bike-demand-mae"]


def test_somebody_is_waited_for(planted: SimulatedAccount, client: Client) -> None:
    stages = client("codepipeline").get_pipeline_state(name="bike-demand-delivery")["stageStates"]
    approval = next(each for each in stages if each["stageName"] == "Approval")["actionStates"][0]
    assert approval["latestExecution"]["status"] == "InProgress"
    assert approval["latestExecution"]["token"]
    client("codepipeline").put_approval_result(
        pipelineName="bike-demand-delivery",
        stageName="Approval",
        actionName="Release",
        token=approval["latestExecution"]["token"],
        result={"summary": "go", "status": "Approved"},
    )
    planted.advance(300)
    runs = client("codepipeline").list_pipeline_executions(pipelineName="bike-demand-delivery")
    statuses = [each["status"] for each in runs["pipelineExecutionSummaries"]]
    assert statuses == ["Succeeded", "Failed", "Succeeded", "Succeeded", "Failed", "Succeeded"]
    states = client("stepfunctions")
    machine = states.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    execution = states.list_executions(stateMachineArn=machine)["executions"][0]["executionArn"]
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        events = states.get_execution_history(executionArn=execution)["events"]
        if any(each["type"] == "TaskSubmitted" for each in events):
            break
        time.sleep(0.1)
    asked = next(each for each in events if each["type"] == "TaskScheduled")
    token = json.loads(asked["taskScheduledEventDetails"]["parameters"])["MessageBody"]["token"]
    states.send_task_success(taskToken=token, output="{}")
    while time.monotonic() < deadline:
        status = states.describe_execution(executionArn=execution)["status"]
        if status != "RUNNING":
            break
        time.sleep(0.1)
    assert status == "SUCCEEDED"


def test_data_are_there_and_one_bucket_is_not_encrypted(
    planted: SimulatedAccount, client: Client
) -> None:
    from botocore.exceptions import ClientError

    tables = client("glue").get_tables(DatabaseName="bike")["TableList"]
    assert {each["Name"] for each in tables} == {"bike_hourly", "rentals", "weather", "calendar"}
    s3, bare = client("s3"), []
    for each in s3.list_buckets()["Buckets"]:
        try:
            s3.get_bucket_encryption(Bucket=each["Name"])
        except ClientError:
            bare.append(each["Name"])
    assert "bike-demand-inbox-123456789012" in bare
    assert "bike-demand-data-123456789012" not in bare
    findings = client("ecr").describe_image_scan_findings(
        repositoryName="bike-demand", imageId={"imageTag": "1.4.0"}
    )
    assert findings["imageScanFindings"]["findings"]
