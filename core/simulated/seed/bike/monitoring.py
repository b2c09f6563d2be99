"""Monitors and features: a drift schedule whose reports our own monitor made, a feature group."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from core.simulated.seed.bike.serving import HEALTHY
from core.simulated.seed.bike.story import ARTIFACTS, DAY, HOUR, IMAGE, TAGS, Story

SCHEDULE = "bike-demand-data-quality"
FEATURES = "usual-demand"


def plant(story: Story) -> None:
    story.plan(2 * DAY + 2 * HOUR, lambda: _schedule(story))
    story.plan(0.0, lambda: _reports(story))
    story.plan(60 * DAY, lambda: _features(story))
    story.plan(2 * HOUR, lambda: _records(story))


def _folder(name: str) -> str:
    return f"s3://{ARTIFACTS}/monitoring/{name}"


def _schedule(story: Story) -> None:
    files = story.measured["monitor"][0]["files"]
    for name in ("statistics.json", "constraints.json"):
        story.put(ARTIFACTS, f"monitoring/baseline/{name}", json.dumps(files[name], indent=1))
    story.call(
        "sagemaker",
        "CreateDataQualityJobDefinition",
        JobDefinitionName=SCHEDULE,
        DataQualityBaselineConfig={
            "StatisticsResource": {"S3Uri": f"{_folder('baseline')}/statistics.json"},
            "ConstraintsResource": {"S3Uri": f"{_folder('baseline')}/constraints.json"},
        },
        DataQualityAppSpecification={"ImageUri": IMAGE},
        DataQualityJobInput={
            "EndpointInput": {"EndpointName": HEALTHY, "LocalPath": "/opt/ml/processing/input"}
        },
        DataQualityJobOutputConfig={
            "MonitoringOutputs": [
                {
                    "S3Output": {
                        "S3Uri": _folder("reports"),
                        "LocalPath": "/opt/ml/processing/output",
                        "S3UploadMode": "EndOfJob",
                    }
                }
            ]
        },
        JobResources={
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": "ml.m5.large",
                "VolumeSizeInGB": 20,
            }
        },
        RoleArn=story.role("bike-demand-sagemaker"),
        Tags=TAGS,
    )
    moment = datetime.fromtimestamp(story.start - 30 * 60, UTC)
    story.call(
        "sagemaker",
        "CreateMonitoringSchedule",
        MonitoringScheduleName=SCHEDULE,
        MonitoringScheduleConfig={
            "ScheduleConfig": {"ScheduleExpression": f"cron(0 {moment.hour} ? * * *)"},
            "MonitoringJobDefinitionName": SCHEDULE,
            "MonitoringType": "DataQuality",
        },
        Tags=TAGS,
    )


def _reports(story: Story) -> None:
    """What our drift monitor found, in the place of each execution's reports."""
    table = story.state.table("sagemaker.monitoring-executions")
    runs = [each for each in table.values() if each["MonitoringScheduleName"] == SCHEDULE]
    windows = [story.measured["monitor"][0], story.measured["monitor"][-1]]
    earlier = [windows[0]] * max(0, len(runs) - 1)
    for run, window in zip(runs, [*earlier, windows[-1]], strict=False):
        _report(story, run, window)


def _report(story: Story, run: dict[str, Any], window: dict[str, Any]) -> None:
    at = datetime.fromtimestamp(run["ScheduledTime"], UTC)
    folder = f"monitoring/reports/{HEALTHY}/{SCHEDULE}/{at:%Y/%m/%d/%H}"
    for name, report in window["files"].items():
        story.put(ARTIFACTS, f"{folder}/{name}", json.dumps(report, indent=1))
    found = window["files"]["constraint_violations.json"]["violations"]
    if run["MonitoringExecutionStatus"] in ("Completed", "CompletedWithViolations", "Failed"):
        run.pop("FailureReason", None)
        run["MonitoringExecutionStatus"] = "CompletedWithViolations" if found else "Completed"


def _features(story: Story) -> None:
    story.call(
        "sagemaker",
        "CreateFeatureGroup",
        FeatureGroupName=FEATURES,
        Description="What is usual at an hour of a day of the week",
        RecordIdentifierFeatureName="hour_of_week",
        EventTimeFeatureName="event_time",
        FeatureDefinitions=[
            {"FeatureName": "hour_of_week", "FeatureType": "String"},
            {"FeatureName": "event_time", "FeatureType": "String"},
            {"FeatureName": "usual_demand", "FeatureType": "Fractional"},
            {"FeatureName": "hours", "FeatureType": "Integral"},
        ],
        OnlineStoreConfig={"EnableOnlineStore": True},
        OfflineStoreConfig={"S3StorageConfig": {"S3Uri": f"s3://{ARTIFACTS}/features"}},
        RoleArn=story.role("bike-demand-sagemaker"),
        Tags=TAGS,
    )


def _records(story: Story) -> None:
    stamp = datetime.fromtimestamp(story.start - 2 * HOUR, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    counts: dict[str, list[int]] = {}
    for row in story.measured["captured"]:
        key = f"{int(row['asked']['weekday'])}-{int(row['asked']['hr']):02d}"
        counts.setdefault(key, []).append(row["count"])
    for key, values in list(counts.items())[:48]:
        told = {
            "hour_of_week": key,
            "event_time": stamp,
            "usual_demand": f"{sum(values) / len(values):.1f}",
            "hours": str(len(values)),
        }
        story.call(
            "sagemaker-featurestore-runtime",
            "PutRecord",
            FeatureGroupName=FEATURES,
            Record=[{"FeatureName": k, "ValueAsString": v} for k, v in told.items()],
        )
