"""Serving: models, two endpoints (one of them in a canary), their traffic, capture, scaling."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, datetime
from typing import Any

from core.simulated.handlers.cloudwatch.series import Sample, Series, kept, key_of
from core.simulated.seed.bike.story import DATA, DAY, GROUP, HOUR, TAGS, Story

HEALTHY, CANARY = "bike-demand", "bike-demand-app"
VARIANT = "AllTraffic"
_CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": f"s3://{DATA}/capture",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
}


def plant(story: Story) -> None:
    for at, version in ((85 * DAY, 3), (29 * DAY, 5), (14 * DAY, 6), (13 * DAY, 7)):
        story.plan(at, lambda version=version: _model(story, version))  # type: ignore[misc]
    story.plan(84 * DAY, lambda: _create(story, HEALTHY, 3))
    story.plan(28 * DAY, lambda: _update(story, HEALTHY, 5, 300))
    story.plan(27 * DAY, lambda: _create(story, CANARY, 5))
    story.plan(12 * DAY, lambda: _update(story, HEALTHY, 7, 600))
    story.plan(6 * 60.0, lambda: _update(story, CANARY, 7, 3600))
    story.plan(11 * DAY, lambda: _scale(story))
    story.plan(26.5 * DAY, lambda: _traffic(story))
    story.plan(3 * DAY, lambda: _capture(story))


def _model(story: Story, version: int) -> None:
    arn = f"{story.state.arn('sagemaker', f'model-package/{GROUP}/{version}')}"
    story.call(
        "sagemaker",
        "CreateModel",
        ModelName=f"bike-demand-v{version}",
        PrimaryContainer={"ModelPackageName": arn},
        ExecutionRoleArn=story.role("bike-demand-sagemaker"),
        Tags=TAGS,
    )


def _config(story: Story, endpoint: str, version: int) -> str:
    name = f"{endpoint}-v{version}"
    story.call(
        "sagemaker",
        "CreateEndpointConfig",
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": VARIANT,
                "ModelName": f"bike-demand-v{version}",
                "InstanceType": "ml.c5.large",
                "InitialInstanceCount": 4 if endpoint == CANARY else 2,
                "InitialVariantWeight": 1.0,
            }
        ],
        DataCaptureConfig=_CAPTURE,
        Tags=TAGS,
    )
    return name


def _create(story: Story, endpoint: str, version: int) -> None:
    story.call(
        "sagemaker",
        "CreateEndpoint",
        EndpointName=endpoint,
        EndpointConfigName=_config(story, endpoint, version),
        Tags=TAGS,
    )


def _update(story: Story, endpoint: str, version: int, wait: int) -> None:
    size = {"Type": "INSTANCE_COUNT", "Value": 1}
    story.call(
        "sagemaker",
        "UpdateEndpoint",
        EndpointName=endpoint,
        EndpointConfigName=_config(story, endpoint, version),
        DeploymentConfig={
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": {
                    "Type": "CANARY",
                    "CanarySize": size,
                    "WaitIntervalInSeconds": wait,
                },
                "TerminationWaitInSeconds": 120,
            },
            "AutoRollbackConfiguration": {
                "Alarms": [{"AlarmName": f"{endpoint}-5xx"}, {"AlarmName": f"{endpoint}-latency"}]
            },
        },
    )


def _scale(story: Story) -> None:
    resource = f"endpoint/{HEALTHY}/variant/{VARIANT}"
    common = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": resource,
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    story.call(
        "application-autoscaling",
        "RegisterScalableTarget",
        MinCapacity=2,
        MaxCapacity=6,
        **common,
    )
    story.call(
        "application-autoscaling",
        "PutScalingPolicy",
        PolicyName="invocations",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 800.0,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
            },
            "ScaleInCooldown": 300,
            "ScaleOutCooldown": 60,
        },
        **common,
    )


# -- traffic


def _traffic(story: Story) -> None:
    """What the endpoints were asked: by the hour for four weeks, by the minute for three hours.

    As many requests as bikes were rented in the hours of April that were captured.
    """
    counts = [each["count"] for each in story.measured["captured"]]
    for endpoint, share in ((HEALTHY, 6.0), (CANARY, 2.0)):
        where = {"EndpointName": endpoint, "VariantName": VARIANT}
        hour = story.start // HOUR * HOUR
        for back in range(24 * 26, 3, -1):
            asked = counts[back % len(counts)] * share + 20
            _asked(story, where, hour - back * HOUR, asked, 0.0)
        minute = story.start // 60 * 60
        for back in range(200, 0, -1):
            at = minute - back * 60
            asked = counts[int(back // 60) % len(counts)] * share / 60 + 3
            wrong = 0.035 if endpoint == CANARY and back <= 5 else 0.0
            _asked(story, where, at, asked, wrong)
            _usage(story, where, at, asked)


def _asked(story: Story, where: dict[str, str], at: float, asked: float, wrong: float) -> None:
    count = max(1.0, round(asked))
    wave = 1 + 0.15 * math.sin(at / 5_400)
    _add(story, "Invocations", where, at, [(1.0, count)], "None")
    latency = [(9_000 * wave, count * 0.6), (13_000 * wave, count * 0.3),
               (31_000 * wave, count * 0.09), (74_000 * wave, count * 0.01)]  # fmt: skip
    _add(story, "ModelLatency", where, at, latency, "Microseconds")
    _add(story, "OverheadLatency", where, at, [(1_700 * wave, count)], "Microseconds")
    _add(story, "Invocation4XXErrors", where, at, [(0.0, count)], "None")
    failed = round(count * wrong)
    _add(story, "Invocation5XXErrors", where, at, [(1.0, failed), (0.0, count - failed)], "None")


def _usage(story: Story, where: dict[str, str], at: float, asked: float) -> None:
    space = "/aws/sagemaker/Endpoints"
    level = min(95.0, 8 + asked * 0.5 + 3 * math.sin(at / 1_300))
    _add(story, "CPUUtilization", where, at, [(level, 1.0)], "Percent", space)
    _add(story, "MemoryUtilization", where, at, [(31 + level / 20, 1.0)], "Percent", space)


def _add(
    story: Story,
    name: str,
    where: dict[str, str],
    at: float,
    values: list[tuple[float, float]],
    unit: str,
    namespace: str = "AWS/SageMaker",
) -> None:
    series = kept(story.state).setdefault(key_of(namespace, name, where), Series(unit))
    for value, count in values:
        if count:
            series.add(at, Sample(value * count, value, value, count))


# -- capture


def _capture(story: Story) -> None:
    """Requests of the last three days as data capture writes them: one file an hour."""
    hour = story.start // HOUR * HOUR
    rows = story.measured["captured"]
    for back in range(72, 0, -1):
        at = hour - back * HOUR
        folder = datetime.fromtimestamp(at, UTC).strftime("%Y/%m/%d/%H")
        line = _line(at + 1_200, rows[(72 - back) % len(rows)])
        story.put(DATA, f"capture/{HEALTHY}/{VARIANT}/{folder}/20-00-000-{int(at):x}.jsonl", line)


def _line(at: float, row: dict[str, Any]) -> str:
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ident = base64.b16encode(f"{at:.0f}".encode()).decode().lower()
    asked, answer = json.dumps({"instances": [row["asked"]]}), {"predictions": [row["answer"]]}
    kind = "application/json"
    return (
        json.dumps(
            {
                "captureData": {
                    "endpointInput": {
                        "observedContentType": kind,
                        "mode": "INPUT",
                        "data": asked,
                        "encoding": "JSON",
                    },
                    "endpointOutput": {
                        "observedContentType": kind,
                        "mode": "OUTPUT",
                        "data": json.dumps(answer),
                        "encoding": "JSON",
                    },
                },
                "eventMetadata": {"eventId": ident, "inferenceTime": stamp},
                "eventVersion": "0",
            }
        )
        + "\n"
    )
