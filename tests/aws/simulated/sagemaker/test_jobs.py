"""Jobs take their time: they go through their states, are stopped, fail, and leave something."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.simulated.server import SimulatedAccount

Params = Callable[..., dict[str, Any]]
Client = Callable[[str], Any]
ORDER = ["Starting", "Downloading", "Training", "Uploading", "Completed"]


def _train(sagemaker: Any, params: Params, name: str = "train-1", **more: Any) -> dict[str, Any]:
    sagemaker.create_training_job(TrainingJobName=name, **params("training", **more))
    return _described(sagemaker, name)


def _described(sagemaker: Any, name: str = "train-1") -> dict[str, Any]:
    found: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=name)
    return found


def test_a_training_job_trains_and_leaves_model_metrics_and_log(
    aws: SimulatedAccount, client: Client, sagemaker: Any, params: Params, bucket: str
) -> None:
    first = _train(sagemaker, params, HyperParameters={"simulate-metric-validation:rmse": "0.21"})
    assert (first["TrainingJobStatus"], first["SecondaryStatus"]) == ("InProgress", "Starting")
    aws.advance(100)
    assert _described(sagemaker)["SecondaryStatus"] == "Training"
    aws.advance(400)
    done = _described(sagemaker)
    assert (done["TrainingJobStatus"], done["SecondaryStatus"]) == ("Completed", "Completed")
    assert [each["Status"] for each in done["SecondaryStatusTransitions"]] == ORDER
    assert done["FinalMetricDataList"][0]["Value"] == pytest.approx(0.21)
    assert done["TrainingEndTime"] > done["TrainingStartTime"] > done["CreationTime"]
    assert done["BillableTimeInSeconds"] == done["TrainingTimeInSeconds"] > 200
    key = done["ModelArtifacts"]["S3ModelArtifacts"].removeprefix(f"s3://{bucket}/")
    assert client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"] > 0
    stream = f"train-1/algo-1-{int(done['CreationTime'].timestamp())}"
    events = client("logs").get_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=stream
    )["events"]
    assert "validation:rmse=0.21" in events[-3]["message"]
    names = {
        each["MetricName"]
        for each in client("cloudwatch").list_metrics(Namespace="/aws/sagemaker/TrainingJobs")[
            "Metrics"
        ]
    }
    assert {"validation:rmse", "CPUUtilization"} <= names


def test_it_fails_as_asked_and_without_a_bucket(
    aws: SimulatedAccount, sagemaker: Any, params: Params
) -> None:
    tags = [
        {"Key": "simulate-outcome", "Value": "Failed"},
        {"Key": "simulate-reason", "Value": "AlgorithmError: no rows"},
    ]
    _train(sagemaker, params, Tags=tags)
    _train(sagemaker, params, "train-2")
    aws.advance(600)
    assert _described(sagemaker)["FailureReason"] == "AlgorithmError: no rows"
    second = _described(sagemaker, "train-2")
    assert second["TrainingJobStatus"] == "Failed"
    assert "NoSuchBucket" in second["FailureReason"]
    listed = sagemaker.list_tags(ResourceArn=second["TrainingJobArn"])
    assert listed["Tags"] == []
    assert sagemaker.list_training_jobs(StatusEquals="Completed")["TrainingJobSummaries"] == []


def test_it_is_stopped_and_stops_at_its_limit(
    aws: SimulatedAccount, sagemaker: Any, params: Params, bucket: str
) -> None:
    _train(sagemaker, params)
    _train(sagemaker, params, "short", StoppingCondition={"MaxRuntimeInSeconds": 60})
    aws.advance(90)
    sagemaker.stop_training_job(TrainingJobName="train-1")
    assert _described(sagemaker)["TrainingJobStatus"] == "Stopping"
    with pytest.raises(ClientError, match="ValidationException"):
        sagemaker.stop_training_job(TrainingJobName="train-1")
    aws.advance(100)
    assert _described(sagemaker)["SecondaryStatus"] == "Stopped"
    assert _described(sagemaker, "short")["SecondaryStatus"] == "MaxRuntimeExceeded"


def test_a_name_is_used_once(sagemaker: Any, params: Params) -> None:
    _train(sagemaker, params)
    with pytest.raises(ClientError, match="ResourceInUse"):
        _train(sagemaker, params)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(st.floats(0, 200), max_size=8), stop=st.integers(0, 8))
def test_statuses_only_move_forward(aws: SimulatedAccount, steps: list[float], stop: int) -> None:
    aws.reset()
    state = aws.world.state("123456789012", "eu-west-1")
    place = {"LocationConstraint": "eu-west-1"}
    state.call("s3", "CreateBucket", Bucket="opsdeck-data", CreateBucketConfiguration=place)
    from core.simulated.handlers.sagemaker import training

    ranks = {"Starting": 0, "Downloading": 1, "Training": 2, "Uploading": 3, "Stopping": 4}
    record = training.start(
        state,
        {
            "TrainingJobName": "job",
            "AlgorithmSpecification": {},
            "OutputDataConfig": {"S3OutputPath": "s3://opsdeck-data"},
        },
    )
    seen = [0]
    for number, step in enumerate(steps):
        if number == stop:
            training.stop(state, record)
        aws.advance(step)
        seen.append(ranks.get(record["SecondaryStatus"], 5))
    assert seen == sorted(seen)
    times = [each["StartTime"] for each in record["SecondaryStatusTransitions"]]
    assert times == sorted(times)


def test_processing_writes_what_it_was_asked_to(
    aws: SimulatedAccount, client: Client, sagemaker: Any, params: Params, bucket: str
) -> None:
    environment = {"SIMULATE_FILE": json.dumps({"evaluation/report.json": {"auc": 0.8}})}
    sagemaker.create_processing_job(
        ProcessingJobName="evaluate", **params("processing", Environment=environment)
    )
    aws.advance(50)
    found = sagemaker.describe_processing_job(ProcessingJobName="evaluate")
    assert found["ProcessingJobStatus"] == "InProgress"
    aws.advance(200)
    rows = sagemaker.list_processing_jobs(StatusEquals="Completed")["ProcessingJobSummaries"]
    assert [row["ProcessingJobName"] for row in rows] == ["evaluate"]
    body = client("s3").get_object(Bucket=bucket, Key="evaluation/report.json")["Body"].read()
    assert json.loads(body) == {"auc": 0.8}


def test_a_transform_needs_its_model(sagemaker: Any, aws: SimulatedAccount, bucket: str) -> None:
    asked = {
        "TransformJobName": "score",
        "ModelName": "absent",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/in"}}
        },
        "TransformOutput": {"S3OutputPath": f"s3://{bucket}/out"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    with pytest.raises(ClientError, match="Could not find model"):
        sagemaker.create_transform_job(**asked)
    sagemaker.create_model(
        ModelName="present",
        PrimaryContainer={"Image": "x"},
        ExecutionRoleArn="arn:aws:iam::123456789012:role/worker",
    )
    sagemaker.create_transform_job(**{**asked, "ModelName": "present"})
    aws.advance(300)
    found = sagemaker.describe_transform_job(TransformJobName="score")
    assert found["TransformJobStatus"] == "Completed"


def _tune(sagemaker: Any, params: Params, most: int, parallel: int) -> None:
    training = params("training")
    config = {
        "Strategy": "Bayesian",
        "HyperParameterTuningJobObjective": {
            "Type": "Minimize",
            "MetricName": "validation:rmse",
        },
        "ResourceLimits": {"MaxNumberOfTrainingJobs": most, "MaxParallelTrainingJobs": parallel},
        "ParameterRanges": {
            "ContinuousParameterRanges": [
                {
                    "Name": "eta",
                    "MinValue": "0.001",
                    "MaxValue": "1",
                    "ScalingType": "Logarithmic",
                }
            ],
            "IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "2", "MaxValue": "10"}],
        },
    }
    sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="tune",
        HyperParameterTuningJobConfig=config,
        TrainingJobDefinition=training,
    )


def test_tuning_runs_its_jobs_and_keeps_the_best(
    aws: SimulatedAccount, sagemaker: Any, params: Params, bucket: str
) -> None:
    _tune(sagemaker, params, most=5, parallel=2)
    for _ in range(30):
        found = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune")
        counts = found["TrainingJobStatusCounters"]
        assert counts["InProgress"] <= 2
        if found["HyperParameterTuningJobStatus"] != "InProgress":
            break
        aws.advance(100)
    assert (found["HyperParameterTuningJobStatus"], counts["Completed"]) == ("Completed", 5)
    rows = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="tune", SortBy="FinalObjectiveMetricValue"
    )["TrainingJobSummaries"]
    values = [row["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for row in rows]
    assert values == sorted(values)
    assert found["BestTrainingJob"]["TrainingJobName"] == rows[0]["TrainingJobName"]
    assert {"eta", "max_depth"} == set(rows[0]["TunedHyperParameters"])
    job = _described(sagemaker, rows[0]["TrainingJobName"])
    assert job["TuningJobArn"] == found["HyperParameterTuningJobArn"]


def test_tuning_is_stopped_with_its_jobs(
    aws: SimulatedAccount, sagemaker: Any, params: Params, bucket: str
) -> None:
    _tune(sagemaker, params, most=9, parallel=3)
    aws.advance(100)
    sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune")
    aws.advance(60)
    found = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune")
    assert found["HyperParameterTuningJobStatus"] == "Stopped"
    assert found["TrainingJobStatusCounters"]["Stopped"] == 3


def test_autopilot_tries_candidates(aws: SimulatedAccount, sagemaker: Any, bucket: str) -> None:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/data"}}
    sagemaker.create_auto_ml_job_v2(
        AutoMLJobName="auto",
        AutoMLJobInputDataConfig=[{"ChannelType": "training", "DataSource": source}],
        OutputDataConfig={"S3OutputPath": f"s3://{bucket}/auto"},
        AutoMLProblemTypeConfig={"TabularJobConfig": {"TargetAttributeName": "y"}},
        RoleArn="arn:aws:iam::123456789012:role/worker",
    )
    aws.advance(300)
    found = sagemaker.describe_auto_ml_job_v2(AutoMLJobName="auto")
    assert found["AutoMLJobSecondaryStatus"] == "ModelTuning"
    aws.advance(2000)
    found = sagemaker.describe_auto_ml_job_v2(AutoMLJobName="auto")
    assert found["AutoMLJobStatus"] == "Completed"
    candidates = sagemaker.list_candidates_for_auto_ml_job(AutoMLJobName="auto")["Candidates"]
    best = max(each["FinalAutoMLJobObjectiveMetric"]["Value"] for each in candidates)
    assert found["BestCandidate"]["FinalAutoMLJobObjectiveMetric"]["Value"] == best


def test_lists_are_paged_and_filtered(
    aws: SimulatedAccount, sagemaker: Any, params: Params
) -> None:
    for number in range(23):
        sagemaker.create_training_job(TrainingJobName=f"job-{number:02d}", **params("training"))
        aws.advance(1)
    first = sagemaker.list_training_jobs()
    assert len(first["TrainingJobSummaries"]) == 10
    assert first["TrainingJobSummaries"][0]["TrainingJobName"] == "job-22"
    pages = sagemaker.get_paginator("list_training_jobs").paginate(SortBy="Name")
    names = [row["TrainingJobName"] for page in pages for row in page["TrainingJobSummaries"]]
    assert names == [f"job-{number:02d}" for number in reversed(range(23))]
    found = sagemaker.list_training_jobs(NameContains="JOB-1", SortOrder="Ascending")
    assert found["TrainingJobSummaries"][0]["TrainingJobName"] == "job-10"
    with pytest.raises(ClientError, match="token is not valid"):
        sagemaker.list_training_jobs(NextToken="nonsense")
