"""Monitoring schedules and their runs on the simulated account."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.aws.account import Account
from core.aws.kind import Detail
from core.aws.registry import kind
from core.errors import NotFound, ReadOnly
from core.simulated.server import SimulatedAccount

ROLE = "arn:aws:iam::123456789012:role/monitor"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/monitor:1"
BASELINE = {
    "version": 0.0,
    "dataset": {"item_count": 10},
    "features": [
        {
            "name": "temp",
            "inferred_type": "Fractional",
            "numerical_statistics": {
                "common": {"num_present": 10, "num_missing": 0},
                "mean": 0.4, "sum": 4.0, "std_dev": 0.1, "min": 0.0, "max": 1.0,
            },
        }
    ],
}  # fmt: skip


def lines(detail: Detail, title: str) -> list[str]:
    return [
        line if isinstance(line, str) else f"{line[0]}: {line[1]}"
        for section in detail.sections
        if section.title == title
        for line in section.lines
    ]


@pytest.fixture
def schedule(account: Account, aws: SimulatedAccount) -> str:
    """A schedule of an endpoint, every hour, whose runs find that temp has drifted."""
    account.call(
        "s3", "create_bucket", Bucket="watch",
        CreateBucketConfiguration={"LocationConstraint": account.region},
    )  # fmt: skip
    account.call("s3", "put_object", Bucket="watch", Key="base/statistics.json",
                 Body=json.dumps(BASELINE).encode())  # fmt: skip
    account.call(
        "sagemaker", "create_model", ModelName="m", ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": IMAGE, "ModelDataUrl": "s3://watch/model.tar.gz"},
    )  # fmt: skip
    values = {"name": "c", "model": "m", "type": "ml.m5.large", "capture": "s3://watch/capture"}
    make: Any = kind("endpoint-configs").verb("create")
    make.do(account, "", values)
    begin: Any = kind("endpoints").verb("create")
    begin.do(account, "", {"name": "demand", "config": "c"})
    aws.advance(600)
    account.call(
        "sagemaker", "create_monitoring_schedule", MonitoringScheduleName="demand-quality",
        MonitoringScheduleConfig={
            "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
            "MonitoringType": "DataQuality",
            "MonitoringJobDefinition": {
                "BaselineConfig": {
                    "StatisticsResource": {"S3Uri": "s3://watch/base/statistics.json"}
                },
                "MonitoringInputs": [
                    {"EndpointInput": {"EndpointName": "demand", "LocalPath": "/opt/ml/in"}}
                ],
                "MonitoringOutputConfig": {
                    "MonitoringOutputs": [
                        {"S3Output": {"S3Uri": "s3://watch/reports", "LocalPath": "/opt/ml/out"}}
                    ]
                },
                "MonitoringResources": {
                    "ClusterConfig": {
                        "InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 20,
                    }
                },
                "MonitoringAppSpecification": {"ImageUri": IMAGE},
                "RoleArn": ROLE,
            },
        },
        Tags=[{"Key": "simulate-violations", "Value": "temp:baseline_drift_check"}],
    )  # fmt: skip
    aws.advance(60)
    return "demand-quality"


def test_a_schedule_says_what_it_watches_and_when(account: Account, schedule: str) -> None:
    ((item,),) = kind("schedules").list(account, "")
    assert item.cells[:4] == (schedule, "DataQuality", "demand", "Scheduled")
    detail = kind("schedules").show(account, schedule)
    assert "Runs: cron(0 * ? * * *)" in lines(detail, "Schedule")
    assert "Statistics: s3://watch/base/statistics.json" in lines(detail, "Job")
    assert "Instances: 1 × ml.m5.large" in lines(detail, "Job")
    assert lines(detail, "Last run") == ["none yet"]
    assert "2026-07-30" in kind("schedules").notice


def test_a_run_with_violations_tells_them_beside_its_statistics(
    account: Account, aws: SimulatedAccount, schedule: str
) -> None:
    aws.advance(2 * 3600)
    runs = kind("monitor-runs")
    (items,) = runs.list(account, schedule)
    assert items[0].cells[2] == "CompletedWithViolations"
    assert items[0].tone == "bad"
    detail = runs.show(account, items[0].id)
    assert lines(detail, "Violations") == [
        "temp: baseline_drift_check: baseline_drift_check of temp does not hold."
    ]
    assert lines(detail, "Statistics")[1].startswith("temp: Fractional, mean 0.4 ± 0.1")
    assert any(line.startswith("Folder: s3://watch/reports/demand/demand-quality/")
               for line in lines(detail, "Reports"))  # fmt: skip
    assert runs.logs is not None
    assert runs.logs(account, items[0].id).group == "/aws/sagemaker/ProcessingJobs"
    (every,) = runs.list(account, "")
    assert [each.id for each in every] == [each.id for each in items]
    with pytest.raises(NotFound, match="no run of that time"):
        runs.show(account, f"{schedule}/1")
    with pytest.raises(NotFound, match="is not SCHEDULE/TIME"):
        runs.show(account, "x")


def test_reports_that_may_not_be_read_do_not_hide_the_run(
    account: Account, aws: SimulatedAccount, schedule: str
) -> None:
    aws.advance(2 * 3600)
    (items,) = kind("monitor-runs").list(account, schedule)
    aws.fault("s3:ListObjectsV2", "AccessDeniedException", times=3)
    detail = kind("monitor-runs").show(account, items[0].id)
    assert lines(detail, "Run")[0] == "Status: CompletedWithViolations"
    assert "s3:ListBucket" in lines(detail, "Reports")[0] or "denied" in lines(detail, "Reports")[0]


def test_a_schedule_is_stopped_and_started(
    account: Account, aws: SimulatedAccount, schedule: str
) -> None:
    def verb(name: str) -> Any:
        return kind("schedules").verb(name)

    def item() -> Any:
        return next(iter(kind("schedules").list(account, "")))[0]

    assert verb("start").blocked(item()) == "it is Scheduled, not stopped"
    assert "nobody watches" in verb("stop").consequence(account, schedule, {})[0]
    verb("stop").do(account, schedule, {})
    assert item().cells[3] == "Stopped"
    assert verb("stop").blocked(item()) is not None
    verb("start").do(account, schedule, {})
    assert item().cells[3] == "Scheduled"
    reader = Account(account.context, read_only=True, attempts=1)
    with pytest.raises(ReadOnly):
        verb("stop").do(reader, schedule, {})
    verb("delete").do(account, schedule, {})
    assert [list(page) for page in kind("schedules").list(account, "")] == [[]]
