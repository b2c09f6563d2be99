"""Autopilot, processing and transform jobs: started where that is offered, followed, stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.aws.account import Account
from core.aws.kinds.jobs.autopilot import request
from core.aws.logs import read_logs
from core.aws.registry import kind
from core.errors import BadInput
from core.simulated.server import SimulatedAccount
from tests.support.awsruns import BUCKET, IMAGE, ROLE, blocked, bucket, do, listed, value

AUTOPILOT = {
    "input": f"s3://{BUCKET}/train",
    "output": f"s3://{BUCKET}/out",
    "role": ROLE,
    "target": "cnt",
}


def test_autopilot_from_start_to_end(account: Account, aws: SimulatedAccount) -> None:
    bucket(account)
    do(account, "automl", "autopilot", name="bikes", type="Regression", metric="MSE", **AUTOPILOT)
    [item] = listed(account, "automl")
    assert (item.id, item.cells[1]) == ("bikes", "InProgress")
    aws.advance(7200)
    told = kind("automl").show(account, "bikes")
    assert told.tone == "ok"
    assert value(told, "Problem", "type") == "tabular, Regression"
    assert value(told, "Problem", "target") == "cnt"
    best = value(told, "Best candidate", "name")
    tried = listed(account, "candidates", "bikes")
    measured = [float(each.cells[3]) for each in tried]
    assert measured == sorted(measured), "the lowest error is the best"
    assert tried[0].cells[0] == best
    candidate = kind("candidates").show(account, tried[0].id)
    assert float(value(candidate, "Metrics", "MSE")) == measured[0]


def test_autopilot_is_stopped(account: Account, aws: SimulatedAccount) -> None:
    bucket(account)
    do(account, "automl", "autopilot", name="bikes", **AUTOPILOT)
    aws.advance(60)
    assert blocked(account, "automl", "stop", "bikes") is None
    do(account, "automl", "stop", "bikes")
    aws.advance(300)
    assert listed(account, "automl")[0].cells[1] == "Stopped"


@pytest.mark.parametrize(
    ("values", "config"),
    [
        ({}, "TabularJobConfig"),
        ({"problem": "image", "target": ""}, "ImageClassificationJobConfig"),
        ({"problem": "text", "text": "review"}, "TextClassificationJobConfig"),
        (
            {
                "problem": "time-series", "timestamp": "at", "item": "station",
                "frequency": "1H", "horizon": "24",
            },
            "TimeSeriesForecastingJobConfig",
        ),
    ],
)  # fmt: skip
def test_every_problem_is_taken(
    account: Account, aws: SimulatedAccount, values: dict[str, str], config: str
) -> None:
    bucket(account)
    assert list(request({**AUTOPILOT, **values})["AutoMLProblemTypeConfig"]) == [config]
    do(account, "automl", "autopilot", **{**AUTOPILOT, **values})
    [item] = listed(account, "automl")
    assert kind("automl").show(account, item.id).title == item.id


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"type": "Regression"}, "metric: must be given with a type"),
        ({"target": ""}, "target: must be given"),
        ({"problem": "text"}, "text: must be given"),
        ({"problem": "time-series", "timestamp": "a", "item": "b"}, "horizon: must be given"),
        ({"problem": "audio"}, "problem=audio: must be one of"),
    ],
)
def test_what_autopilot_cannot_do(values: dict[str, str], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        request({**AUTOPILOT, **values})


def processing(account: Account, name: str, **environment: str) -> None:
    account.call(
        "sagemaker",
        "create_processing_job",
        ProcessingJobName=name,
        ProcessingResources={
            "ClusterConfig": {
                "InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 20,
            }
        },
        AppSpecification={"ImageUri": IMAGE, "ContainerEntrypoint": ["python3", "prepare.py"]},
        ProcessingInputs=[
            {
                "InputName": "rentals",
                "S3Input": {
                    "S3Uri": f"s3://{BUCKET}/raw", "LocalPath": "/opt/ml/processing/in",
                    "S3DataType": "S3Prefix", "S3InputMode": "File",
                },
            }
        ],
        RoleArn=ROLE,
        Environment=environment,
    )  # fmt: skip


def test_processing_jobs(account: Account, aws: SimulatedAccount) -> None:
    processing(account, "prepare-1", DAYS="7")
    aws.advance(100)
    assert listed(account, "processing")[0].tone == "run"
    assert blocked(account, "processing", "stop", "prepare-1") is None
    aws.advance(300)
    told = kind("processing").show(account, "prepare-1")
    assert value(told, "Processing job", "status") == "Completed"
    assert value(told, "Runs", "entry point") == "python3 prepare.py"
    assert value(told, "Input", "rentals") == f"s3://{BUCKET}/raw → /opt/ml/processing/in"
    assert value(told, "Environment", "DAYS") == "7"
    logs = kind("processing").logs
    assert logs is not None
    lines = [line.text for line in read_logs(account, logs(account, "prepare-1"))]
    assert lines[0] == "Container started"
    processing(account, "prepare-10")
    aws.advance(300)
    again = [line.text for line in read_logs(account, logs(account, "prepare-1"))]
    assert again == lines, "another job's lines are not its own"


def test_a_processing_job_is_stopped(account: Account, aws: SimulatedAccount) -> None:
    processing(account, "prepare-1")
    do(account, "processing", "stop", "prepare-1")
    aws.advance(60)
    assert listed(account, "processing")[0].cells[1] == "Stopped"


def test_a_transform_from_start_to_end(account: Account, aws: SimulatedAccount) -> None:
    bucket(account)
    account.call(
        "sagemaker",
        "create_model",
        ModelName="bikes",
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": IMAGE},
    )
    do(
        account, "transform", "transform",
        model="bikes", input=f"s3://{BUCKET}/rows", output=f"s3://{BUCKET}/out", join="yes",
    )  # fmt: skip
    [item] = listed(account, "transform")
    assert item.tone == "run"
    aws.advance(600)
    told = kind("transform").show(account, item.id)
    assert told.tone == "ok"
    assert value(told, "Transform job", "model") == "bikes"
    assert value(told, "Data", "joined with") == "Input"
    assert blocked(account, "transform", "stop", item.id) == "it is Completed"


def test_a_transform_without_its_model(account: Account, tmp_path: Path) -> None:
    from core.aws.errors import ResourceNotFound

    verb = kind("transform").verb("transform")
    assert verb is not None
    with pytest.raises(BadInput, match="input: must be given"):
        verb.do(account, "", {"model": "bikes", "output": "s3://b/x"})
    with pytest.raises(ResourceNotFound):
        verb.do(account, "", {"model": "no", "input": "s3://b/x", "output": "s3://b/y"})
