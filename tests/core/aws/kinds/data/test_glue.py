"""Glue on the simulated account: the catalogue, crawlers, jobs and their runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.aws.account import Account
from core.aws.errors import ResourceNotFound
from core.errors import BadInput
from tests.support.awstext import listed, shown, verb

Client = Callable[[str], Any]


@pytest.fixture
def catalogue(client: Client) -> Client:
    """A database with a table over a CSV file, a crawler and a job."""
    s3, glue = client("s3"), client("glue")
    s3.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="lake", Key="hours/part.csv", Body=b"hr,cnt\n0,16\n")
    glue.create_database(DatabaseInput={"Name": "rentals", "Description": "bikes"})
    glue.create_table(
        DatabaseName="rentals",
        TableInput={
            "Name": "hours",
            "StorageDescriptor": {
                "Columns": [
                    {"Name": "hr", "Type": "int", "Comment": "hour of day"},
                    {"Name": "cnt", "Type": "bigint"},
                ],
                "Location": "s3://lake/hours/",
            },
            "PartitionKeys": [{"Name": "year", "Type": "string"}],
            "Parameters": {"classification": "csv"},
        },
    )
    glue.create_crawler(
        Name="find-hours", Role="arn:aws:iam::123456789012:role/glue", DatabaseName="rentals",
        Targets={"S3Targets": [{"Path": "s3://lake/hours/"}]},
    )  # fmt: skip
    glue.create_job(
        Name="clean", Role="arn:aws:iam::123456789012:role/glue", GlueVersion="5.0",
        Command={"Name": "glueetl", "ScriptLocation": "s3://lake/clean.py"},
        WorkerType="G.1X", NumberOfWorkers=2,
        DefaultArguments={"--since": "2011", "--db_password": "hidden"},
    )  # fmt: skip
    return client


def test_databases_tables_columns_and_first_rows(account: Account, catalogue: Client) -> None:
    assert [item.id for item in listed(account, "glue-databases")] == ["rentals"]
    tables = listed(account, "glue-tables", "rentals")
    assert [(item.id, item.cells[2], item.cells[3]) for item in tables] == [
        ("rentals.hours", "csv", "3")
    ]
    told = shown(account, "glue-tables", "rentals.hours")
    assert "hr int  hour of day" in told
    assert "year string  (partition)" in told
    assert "First rows of part.csv\nhr  cnt\n0   16" in told
    with pytest.raises(BadInput, match=r"hours: is no table"):
        shown(account, "glue-tables", "hours")
    with pytest.raises(ResourceNotFound):
        shown(account, "glue-tables", "rentals.gone")


def test_files_that_may_not_be_read_do_not_hide_the_columns(
    account: Account, catalogue: Client, aws: Any
) -> None:
    aws.fault("s3:ListObjectsV2", code="AccessDenied", times=1)
    told = shown(account, "glue-tables", "rentals.hours")
    assert "cnt bigint" in told
    assert "denied" in told


def test_a_crawler_is_started_once(account: Account, catalogue: Client) -> None:
    (item,) = listed(account, "crawlers")
    assert item.cells[:3] == ("find-hours", "READY", "never ran")
    start = verb("crawlers", "start")
    assert start.blocked(item) is None
    lines = start.consequence(account, "find-hours", {})
    assert lines[0] == "reads s3://lake/hours/ and changes tables of rentals"
    start.do(account, "find-hours", {})
    assert "into rentals" in shown(account, "crawlers", "find-hours")


def test_a_job_runs_with_arguments_and_hides_secrets(account: Account, catalogue: Client) -> None:
    told = shown(account, "glue-jobs", "clean")
    assert "--since 2011" in told
    assert "hidden" not in told
    start = verb("glue-jobs", "start")
    assert start.consequence(account, "clean", {"arguments": "since=2012"}) == (
        "runs s3://lake/clean.py on 2 × G.1X", "with since=2012",
    )  # fmt: skip
    start.do(account, "clean", {"arguments": "since=2012"})
    (run,) = listed(account, "job-runs", "clean")
    assert run.id.startswith("clean/")
    told = shown(account, "job-runs", run.id)
    assert "job clean" in told
    assert "status" in told
    with pytest.raises(BadInput, match="of which job"):
        listed(account, "job-runs")
    with pytest.raises(BadInput, match="must be NAME=VALUE"):
        start.do(account, "clean", {"arguments": "since"})
