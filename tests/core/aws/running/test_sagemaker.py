"""Runs in SageMaker Pipelines, in the simulated account."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest

from core.aws.running.errors import NotOurs, NotSettled, NotThere
from core.domain.run import RunStatus
from core.errors import BadInput, ReadOnly, WrongState

from .conftest import BUCKET, DEPLOY, GATE, PIPELINE, ROLE, Site


def states(detail: Any) -> dict[str, str]:
    return {step.step: str(step.status) for step in detail.steps}


def waits(detail: Any) -> bool:
    return bool(detail.run.status is RunStatus.WAITING)


def executions(site: Site) -> list[Any]:
    found = site.client("sagemaker").list_pipeline_executions(PipelineName="demand")
    return list(found["PipelineExecutionSummaries"])


def test_a_run_there_is_a_run_here(site: Site) -> None:
    run = site.start(month="2012-03")
    done = site.ended(run)
    assert done.run.status is RunStatus.SUCCEEDED, done.run.message
    assert set(states(done).values()) == {"succeeded"}
    assert all(step.started_at and step.ended_at for step in done.steps)
    there = done.lineage["aws"]
    assert (there["service"], there["context"]) == ("sagemaker", "sim")
    assert there["jobs"]["load"]["outputs"]["load"].startswith(f"s3://{BUCKET}/opsdeck/runs/")
    assert there["jobs"]["train"]["kind"] == "training"
    (package,) = site.client("sagemaker").list_model_packages(ModelPackageGroupName="demand")[
        "ModelPackageSummaryList"
    ]
    assert package["ModelApprovalStatus"] == "Approved"
    given = site.client("sagemaker").list_pipeline_parameters_for_execution(
        PipelineExecutionArn=there["execution"]
    )["PipelineParameters"]
    assert {"Name": "month", "Value": "2012-03"} in given
    assert {"Name": "opsdeck-run", "Value": "site demand #1"} in given


def test_the_source_is_taken_there_once(site: Site) -> None:
    site.ended(site.start())
    first = site.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="opsdeck/source/")["Contents"]
    site.ended(site.start())
    again = site.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="opsdeck/source/")["Contents"]
    assert [each["Key"] for each in again] == [each["Key"] for each in first]
    assert again[0]["LastModified"] == first[0]["LastModified"]
    archive = next(each["Key"] for each in first if each["Key"].endswith(".tar.gz"))
    body = site.client("s3").get_object(Bucket=BUCKET, Key=archive)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as packed:
        names = set(packed.getnames())
        plans = json.load(packed.extractfile("opsdeck_steps.json") or io.BytesIO())
    assert {"steps.py", "opsdeck_runner.py", "opsdeck_stepchild.py", "requirements.txt"} <= names
    assert "opsdeck.yaml" not in names
    assert plans["train"]["target"] == "steps:train"


def test_equal_steps_are_cached_there_and_shown_so(site: Site) -> None:
    site.ended(site.start())
    again = site.ended(site.start())
    assert states(again)["load"] == "cached"
    assert again.run.status is RunStatus.SUCCEEDED


def test_what_a_job_prints_is_the_steps_log(site: Site) -> None:
    run = site.start()
    site.ended(run)
    page = site.ops.runs.logs(run, "load")
    assert page.lines[0].text.startswith("processing job ")
    assert len(page.lines) > 1
    before = [line.text for line in page.lines]
    assert len(set(before)) == len(before) or before.count(before[-1]) < 3
    assert page.complete


def test_a_failed_job_fails_the_run_and_resuming_tries_again(site: Site) -> None:
    site.pipeline(
        PIPELINE.replace(
            "outputs: [model]", "outputs: [model]\n    env: {SIMULATE_OUTCOME: Failed}"
        )
    )
    run = site.start()
    failed = site.ended(run)
    assert failed.run.status is RunStatus.FAILED
    assert states(failed) == {
        "load": "succeeded", "train": "failed", "judge": "skipped", "register": "skipped",
    }  # fmt: skip
    assert failed.run.message.startswith("train: ")
    site.ops.runs.resume(run)
    again = site.ended(run)
    assert again.run.generation == 2
    assert states(again)["load"] == "succeeded"
    assert len(executions(site)) == 1


def test_cancelling_stops_it_there(site: Site) -> None:
    run = site.start()
    site.until(run, lambda found: states(found)["load"] == "running")
    site.ops.runs.cancel(run, "enough")
    done = site.ended(run)
    assert done.run.status is RunStatus.CANCELLED
    assert executions(site)[0]["PipelineExecutionStatus"] == "Stopped"
    with pytest.raises(WrongState):
        site.ops.runs.cancel(run)


def test_cancelled_before_it_was_started_it_never_is(site: Site) -> None:
    run = site.start()
    site.ops.runs.cancel(run)
    assert site.look(run).run.status is RunStatus.CANCELLED
    assert site.client("sagemaker").list_pipelines()["PipelineSummaries"] == []


def test_a_process_that_dies_at_the_start_starts_it_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service has made the execution, and nobody has written that down."""
    from core.aws.running import sagemaker

    class Killed(BaseException):
        pass

    kept = sagemaker.SageMakerRuns.start

    def dies(self: Any, name: str, start: Any) -> str:
        kept(self, name, start)
        raise Killed

    run = site.start()
    monkeypatch.setattr(sagemaker.SageMakerRuns, "start", dies)
    with pytest.raises(Killed):
        site.look(run)
    monkeypatch.undo()
    monkeypatch.setenv("OPSDECK_CONFIG_DIR", str(site.root.parent / "config"))
    assert site.ended(run).run.status is RunStatus.SUCCEEDED
    assert len(executions(site)) == 1


# --- gates ---------------------------------------------------------------------------------


def test_a_gate_asks_here_and_is_answered_there(site: Site) -> None:
    site.pipeline(PIPELINE + GATE + DEPLOY)
    run = site.start()
    site.until(run, waits)
    (asked,) = site.ops.approvals.list()
    assert (asked.model, asked.version, asked.environment) == ("demand", 1, "production")
    assert "judge.metrics" in asked.evidence["artifacts"]
    site.ops.approvals.approve(asked.id, "good", evidence_hash=asked.evidence_hash)
    done = site.ended(run)
    assert done.run.status is RunStatus.SUCCEEDED, done.run.message
    client = site.client("sagemaker")
    told = client.describe_model_package(
        ModelPackageName=asked.evidence["lineage"]["model_package"]
    )
    assert told["ModelApprovalStatus"] == "Approved"
    assert told["ApprovalDescription"] == "ann: good"
    assert client.describe_endpoint(EndpointName="demand")["EndpointStatus"] == "InService"


def test_a_rejection_there_is_a_rejection_here(site: Site) -> None:
    site.pipeline(PIPELINE + GATE + DEPLOY)
    run = site.start()
    site.until(run, waits)
    (asked,) = site.ops.approvals.list()
    site.ops.approvals.reject(asked.id, "not yet")
    done = site.ended(run)
    assert done.run.status is RunStatus.REJECTED
    assert states(done)["gate"] == "rejected"
    assert states(done)["deploy"] == "skipped"
    with pytest.raises(WrongState):
        site.ops.runs.resume(run)


def test_evidence_is_what_the_jobs_put_out(site: Site) -> None:
    site.pipeline(PIPELINE + GATE)
    run = site.start()
    found = site.until(run, lambda each: states(each)["load"] == "running")
    execution = found.lineage["aws"]["execution"].rpartition("/")[2]
    key = f"opsdeck/runs/demand/{execution}/judge/metrics/metrics.json"
    body = json.dumps({"mae": 3.5, "champion_mae": 4.0, "note": "x"})
    site.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)
    site.until(run, waits)
    (asked,) = site.ops.approvals.list()
    assert asked.evidence["metrics"] == {"mae": 3.5}
    assert asked.evidence["champion"]["metrics"] == {"mae": 4.0}
    assert asked.evidence["documents"]["judge.metrics"]["note"] == "x"


# --- what is refused -----------------------------------------------------------------------


def test_without_a_role_nothing_is_asked_for(site: Site) -> None:
    site.pipeline(PIPELINE.replace("  role: arn:aws:iam::123456789012:role/jobs\n", ""))
    with pytest.raises(NotSettled, match="no role"):
        site.start()
    assert site.ops.runs.list() == ()


def test_without_a_context_nothing_is_asked_for(site: Site) -> None:
    with pytest.raises(BadInput, match="in which account"):
        site.ops.runs.start("demand", {}, on="sagemaker")


def test_a_read_only_context_starts_nothing(site: Site) -> None:
    from dataclasses import replace

    from core.aws.context import add_context, find_context

    add_context(replace(find_context("sim"), name="looking", read_only=True))
    with pytest.raises(ReadOnly, match="looking"):
        site.ops.runs.start("demand", {}, on="sagemaker", context="looking")


def test_a_bucket_that_is_not_there_fails_the_run_with_what_to_do(site: Site) -> None:
    site.pipeline(PIPELINE.replace("bucket: artifacts", "bucket: elsewhere"))
    found = site.look(site.start())
    assert found.run.status is RunStatus.FAILED
    assert "the bucket elsewhere is not there" in found.run.message


def test_somebody_elses_pipeline_is_left_alone(site: Site) -> None:
    spec = {"Version": "2020-12-01", "Parameters": [], "Steps": []}
    site.client("sagemaker").create_pipeline(
        PipelineName="demand", PipelineDefinition=json.dumps(spec), RoleArn=ROLE,
        ClientRequestToken="0" * 32,
    )  # fmt: skip
    found = site.look(site.start())
    assert found.run.message.startswith(NotOurs.code)
    assert executions(site) == []


def test_a_run_there_is_repeated_there_and_only_whole(site: Site) -> None:
    run = site.start()
    site.ended(run)
    with pytest.raises(NotThere, match="from a step on"):
        site.ops.runs.rerun(run, "judge")
    again = site.ops.runs.rerun(run)
    assert site.ended(again.id).run.status is RunStatus.SUCCEEDED
    assert len(executions(site)) == 2


def test_while_aws_throttles_the_run_says_so_and_goes_on(site: Site) -> None:
    run = site.start()
    site.until(run, lambda found: states(found)["load"] == "running")
    site.account.fault("sagemaker:DescribePipelineExecution", "ThrottlingException", times=20)
    found = site.look(run)
    assert found.run.status is RunStatus.RUNNING
    assert found.run.message.startswith("AWS: E704")
    site.account.world.faults.clear()
    assert site.ended(run).run.status is RunStatus.SUCCEEDED


# --- data ----------------------------------------------------------------------------------


def test_the_rows_that_a_step_reads_are_taken_there_as_they_stood(site: Site) -> None:
    import pyarrow.parquet as pq

    from core.reads.datasets import find_dataset

    rows = site.root / "hours.csv"
    rows.write_text("hr,cnt\n1,10\n2,20\n")
    site.ops.ingest.ingest("hours", [str(rows)], create=True)
    site.pipeline(
        PIPELINE.replace(
            'load: {function: "steps:load"}',
            'load: {function: "steps:load", inputs: {month: "dataset:hours"}}',
        )
    )
    done = site.ended(site.start())
    assert done.run.status is RunStatus.SUCCEEDED, done.run.message
    there = done.lineage["aws"]
    snapshot = find_dataset(site.ops.session.reader, "hours").current_snapshot
    assert done.lineage["datasets"] == {"hours": snapshot}
    key = there["datasets"]["hours"].removeprefix(f"s3://{BUCKET}/") + "/rows.parquet"
    body = site.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert pq.read_table(io.BytesIO(body)).to_pylist() == [
        {"hr": 1, "cnt": 10},
        {"hr": 2, "cnt": 20},
    ]
    job = site.client("sagemaker").describe_processing_job(
        ProcessingJobName=there["jobs"]["load"]["name"]
    )
    given = {each["InputName"]: each["S3Input"]["S3Uri"] for each in job["ProcessingInputs"]}
    assert given["month"] == there["datasets"]["hours"]


def test_what_is_written_there_is_encrypted_by_the_key_that_is_named(site: Site) -> None:
    key = site.client("kms").create_key()["KeyMetadata"]["Arn"]
    site.pipeline(PIPELINE.replace("  bucket:", f"  kms_key: {key}\n  bucket:"))
    done = site.ended(site.start())
    assert done.run.status is RunStatus.SUCCEEDED, done.run.message
    listed = site.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="opsdeck/source/")
    for each in listed["Contents"]:
        head = site.client("s3").head_object(Bucket=BUCKET, Key=each["Key"])
        assert head["SSEKMSKeyId"] == key
    job = site.client("sagemaker").describe_processing_job(
        ProcessingJobName=done.lineage["aws"]["jobs"]["load"]["name"]
    )
    assert job["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == key
    assert job["ProcessingOutputConfig"]["KmsKeyId"] == key


def test_without_the_cache_every_step_runs(site: Site) -> None:
    site.ended(site.start())
    run = site.ops.runs.start("demand", {}, on="sagemaker", context="sim", use_cache=False)
    assert states(site.ended(run.id))["load"] == "succeeded"
