"""Glue's job runs and crawls take their time, and searching finds tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.simulated.server import SimulatedAccount

Client = Callable[[str], Any]
ROLE = "arn:aws:iam::123456789012:role/glue"


def test_a_run_runs_fails_or_is_stopped(aws: SimulatedAccount, client: Client) -> None:
    glue = client("glue")
    command = {"Name": "glueetl", "ScriptLocation": "s3://opsdeck-data/clean.py"}
    glue.create_job(Name="clean", Role=ROLE, Command=command)
    run = glue.start_job_run(JobName="clean")["JobRunId"]
    with pytest.raises(ClientError, match="ConcurrentRunsExceeded"):
        glue.start_job_run(JobName="clean")

    def state(ident: str) -> dict[str, Any]:
        found: dict[str, Any] = glue.get_job_run(JobName="clean", RunId=ident)["JobRun"]
        return found

    assert state(run)["JobRunState"] == "STARTING"
    aws.advance(30)
    assert state(run)["JobRunState"] == "RUNNING"
    aws.advance(200)
    assert state(run)["JobRunState"] == "SUCCEEDED"
    assert state(run)["ExecutionTime"] > 100
    failing = {"--simulate-outcome": "FAILED", "--simulate-reason": "no such column"}
    second = glue.start_job_run(JobName="clean", Arguments=failing)["JobRunId"]
    aws.advance(200)
    assert state(second)["ErrorMessage"] == "no such column"
    third = glue.start_job_run(JobName="clean")["JobRunId"]
    answer = glue.batch_stop_job_run(JobName="clean", JobRunIds=[third, run, "jr_none"])
    assert [each["JobRunId"] for each in answer["SuccessfulSubmissions"]] == [third]
    assert len(answer["Errors"]) == 2
    aws.advance(20)
    rows = glue.get_job_runs(JobName="clean")["JobRuns"]
    assert [row["JobRunState"] for row in rows] == ["STOPPED", "FAILED", "SUCCEEDED"]


def test_a_crawler_makes_tables_that_are_found(
    aws: SimulatedAccount, client: Client, bucket: str
) -> None:
    glue = client("glue")
    client("s3").put_object(Bucket=bucket, Key="raw/rides/a.csv", Body=b"Hour,Riders\n1,2\n")
    glue.create_database(DatabaseInput={"Name": "raw"})
    targets = {"S3Targets": [{"Path": f"s3://{bucket}/raw/"}]}
    glue.create_crawler(Name="rides", Role=ROLE, DatabaseName="raw", Targets=targets)
    glue.start_crawler(Name="rides")
    assert glue.get_crawler(Name="rides")["Crawler"]["State"] == "RUNNING"
    assert glue.get_crawler_metrics()["CrawlerMetricsList"][0]["TimeLeftSeconds"] > 0
    aws.advance(70)
    assert glue.get_crawler(Name="rides")["Crawler"]["State"] == "READY"
    metrics = glue.get_crawler_metrics(CrawlerNameList=["rides"])["CrawlerMetricsList"][0]
    assert (metrics["TablesCreated"], round(metrics["LastRuntimeSeconds"])) == (1, 60)
    for text, names in (("riders", ["rides"]), ("nothing", [])):
        found = glue.search_tables(SearchText=text)["TableList"]
        assert [table["Name"] for table in found] == names
