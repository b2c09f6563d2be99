"""Monitoring schedules fire by the clock and judge what an endpoint really captured."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker import monitored, schedules
from core.simulated.server import SimulatedAccount

Client = Callable[[str], Any]
ROLE = "arn:aws:iam::123456789012:role/worker"
HOURLY = "cron(0 * ? * * *)"


def _capturing(aws: SimulatedAccount, sagemaker: Any, served: Callable[..., str]) -> None:
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://opsdeck-data/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    served("v1", DataCaptureConfig=capture)
    sagemaker.create_endpoint(EndpointName="live", EndpointConfigName="v1")
    aws.advance(130)


def _definition(sagemaker: Any, baseline: bool) -> None:
    more: dict[str, Any] = {}
    if baseline:
        more["DataQualityBaselineConfig"] = {
            "ConstraintsResource": {"S3Uri": "s3://opsdeck-data/base/constraints.json"},
            "StatisticsResource": {"S3Uri": "s3://opsdeck-data/base/statistics.json"},
        }
    output = {"S3Uri": "s3://opsdeck-data/monitor", "LocalPath": "/opt/ml/processing/output"}
    sagemaker.create_data_quality_job_definition(
        JobDefinitionName="quality",
        DataQualityAppSpecification={"ImageUri": "simulated/monitor"},
        DataQualityJobInput={"EndpointInput": {"EndpointName": "live", "LocalPath": "/opt/ml/in"}},
        DataQualityJobOutputConfig={"MonitoringOutputs": [{"S3Output": output}]},
        JobResources={
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": "ml.m5.large",
                "VolumeSizeInGB": 10,
            }
        },
        RoleArn=ROLE,
        **more,
    )


def _schedule(sagemaker: Any, **more: Any) -> None:
    sagemaker.create_monitoring_schedule(
        MonitoringScheduleName="hourly",
        MonitoringScheduleConfig={
            "ScheduleConfig": {"ScheduleExpression": HOURLY},
            "MonitoringJobDefinitionName": "quality",
            "MonitoringType": "DataQuality",
        },
        **more,
    )


def _to_the_hour(aws: SimulatedAccount) -> None:
    aws.advance(3600 - aws.clock.now() % 3600 + 1)


def _executions(sagemaker: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = sagemaker.list_monitoring_executions(
        MonitoringScheduleName="hourly"
    )["MonitoringExecutionSummaries"]
    return rows


def test_drift_of_what_was_captured_is_found(
    aws: SimulatedAccount,
    client: Client,
    sagemaker: Any,
    served: Callable[..., str],
    bucket: str,
) -> None:
    trained = monitored.statistics([{"_c0": str(n), "_c1": "x"} for n in range(100)])
    s3 = client("s3")
    s3.put_object(Bucket=bucket, Key="base/statistics.json", Body=json.dumps(trained))
    rules = json.dumps(monitored.constraints(trained))
    s3.put_object(Bucket=bucket, Key="base/constraints.json", Body=rules)
    _to_the_hour(aws)
    _capturing(aws, sagemaker, served)
    _definition(sagemaker, baseline=True)
    _schedule(sagemaker)
    runtime = client("sagemaker-runtime")
    for number in range(10):
        body = f"{500 + number},x\n{600 + number},z\n"
        runtime.invoke_endpoint(EndpointName="live", ContentType="text/csv", Body=body)
    described = sagemaker.describe_monitoring_schedule(MonitoringScheduleName="hourly")
    assert described["MonitoringScheduleStatus"] == "Pending"
    _to_the_hour(aws)
    assert [each["MonitoringExecutionStatus"] for each in _executions(sagemaker)] == ["Pending"]
    aws.advance(60)
    assert _executions(sagemaker)[0]["MonitoringExecutionStatus"] == "InProgress"
    aws.advance(240)
    found = _executions(sagemaker)[0]
    assert found["MonitoringExecutionStatus"] == "CompletedWithViolations"
    when = found["ScheduledTime"].astimezone(tz=None)
    assert when.minute == 0
    keys = [e["Key"] for e in s3.list_objects_v2(Bucket=bucket, Prefix="monitor/")["Contents"]]
    assert [key.rsplit("/", 1)[1] for key in keys] == [
        "constraint_violations.json",
        "constraints.json",
        "statistics.json",
    ]
    assert keys[0].startswith("monitor/live/hourly/20")
    report = json.loads(s3.get_object(Bucket=bucket, Key=keys[0])["Body"].read())
    checks = {(v["feature_name"], v["constraint_check_type"]) for v in report["violations"]}
    assert checks == {("_c0", "baseline_drift_check"), ("_c1", "categorical_values_check")}
    alert = sagemaker.list_monitoring_alerts(MonitoringScheduleName="hourly")
    assert alert["MonitoringAlertSummaries"][0]["AlertStatus"] == "InAlert"
    job = found["ProcessingJobArn"].rsplit("/", 1)[1]
    processing = sagemaker.describe_processing_job(ProcessingJobName=job)
    assert processing["MonitoringScheduleArn"] == described["MonitoringScheduleArn"]
    assert processing["ExitMessage"] == "CompletedWithViolations"


def test_an_hour_without_data_fails_and_a_stopped_schedule_does_not_fire(
    aws: SimulatedAccount, sagemaker: Any, served: Callable[..., str], bucket: str
) -> None:
    _capturing(aws, sagemaker, served)
    _definition(sagemaker, baseline=False)
    _schedule(sagemaker)
    aws.advance(30)
    _to_the_hour(aws)
    aws.advance(600)
    assert _executions(sagemaker)[0]["FailureReason"] == "Job inputs had no data"
    sagemaker.stop_monitoring_schedule(MonitoringScheduleName="hourly")
    aws.advance(3 * 3600)
    assert len(_executions(sagemaker)) == 1
    sagemaker.start_monitoring_schedule(MonitoringScheduleName="hourly")
    aws.advance(2 * 3600)
    assert len(_executions(sagemaker)) == 3
    rows = sagemaker.list_monitoring_schedules(EndpointName="live")["MonitoringScheduleSummaries"]
    assert [row["MonitoringScheduleStatus"] for row in rows] == ["Scheduled"]


def test_violations_that_were_asked_for(
    aws: SimulatedAccount, sagemaker: Any, served: Callable[..., str], bucket: str
) -> None:
    _capturing(aws, sagemaker, served)
    _definition(sagemaker, baseline=False)
    tag = {"Key": "simulate-violations", "Value": "age:completeness_check income"}
    _schedule(sagemaker, Tags=[tag])
    aws.advance(30)
    _to_the_hour(aws)
    aws.advance(600)
    assert _executions(sagemaker)[0]["MonitoringExecutionStatus"] == "CompletedWithViolations"


def test_what_is_refused(
    aws: SimulatedAccount, sagemaker: Any, served: Callable[..., str], bucket: str
) -> None:
    with pytest.raises(ClientError, match="does not exist"):
        _schedule(sagemaker)
    _definition(sagemaker, baseline=False)
    with pytest.raises(ClientError, match="Could not find endpoint"):
        _schedule(sagemaker)
    with pytest.raises(Fault, match="Invalid schedule expression"):
        schedules.period("rate(1 hour)")


@given(st.floats(0, 4e9), st.integers(1, 23), st.integers(0, 23))
def test_the_next_firing_is_ahead_and_within_a_period(now: float, every: int, start: int) -> None:
    seconds, offset = schedules.period(f"cron(0 {start}/{every} ? * * *)")
    at = schedules._next(now, seconds, offset)
    assert now < at + 1e-6
    assert at - now <= seconds + 1e-6
