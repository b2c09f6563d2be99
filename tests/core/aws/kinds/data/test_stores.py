"""Firehose, Redshift and FSx on the simulated account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.aws.account import Account
from core.aws.kinds.data.stores import reading
from core.errors import BadInput
from tests.support.awstext import listed, shown, verb

Client = Callable[[str], Any]


def test_a_record_put_into_a_stream_arrives_in_the_bucket(account: Account, client: Client) -> None:
    client("s3").create_bucket(
        Bucket="lake", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    client("firehose").create_delivery_stream(
        DeliveryStreamName="clicks", DeliveryStreamType="DirectPut",
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::123456789012:role/firehose", "BucketARN": "arn:aws:s3:::lake",
        },
    )  # fmt: skip
    (item,) = listed(account, "firehose")
    assert (item.id, item.cells[3]) == ("clicks", "s3://lake")
    assert "into ExtendedS3 arn:aws:s3:::lake" in shown(account, "firehose", "clicks")
    verb("firehose", "put").do(account, "clicks", {"record": "hello"})
    assert listed(account, "objects", "lake")


def test_a_cluster_is_paused_and_resumed(account: Account, client: Client) -> None:
    client("redshift").create_cluster(
        ClusterIdentifier="house", NodeType="ra3.xlplus", MasterUsername="admin",
        MasterUserPassword="Passw0rdPassw0rd", DBName="bikes", ClusterType="single-node",
    )  # fmt: skip
    (item,) = listed(account, "redshift")
    assert item.cells[:2] == ("house", "available")
    told = shown(account, "redshift", "house")
    assert "encrypted no" in told
    pause, resume = verb("redshift", "pause"), verb("redshift", "resume")
    assert pause.blocked(item) is None
    assert resume.blocked(item) == "it is available"
    pause.do(account, "house", {})
    (item,) = listed(account, "redshift")
    assert item.cells[1] == "paused"
    resume.do(account, "house", {})


@pytest.mark.parametrize(
    "sql",
    [
        "delete from t", "select 1; select 2", "drop table t", "with a as (select 1) delete from t",
        "select * into new from t", "", "insert into t select 1", "select (", "call f()",
    ],
)  # fmt: skip
def test_only_one_statement_that_reads_is_sent(sql: str) -> None:
    with pytest.raises(BadInput, match="sql"):
        reading(sql)


def test_what_reads_is_sent_as_it_was_written() -> None:
    assert reading("select a from t limit 5;") == "select a from t limit 5"
    assert reading("with a as (select 1) select * from a") == "with a as (select 1) select * from a"


def test_a_lustre_file_system(account: Account, client: Client) -> None:
    client("fsx").create_file_system(
        FileSystemType="LUSTRE", StorageCapacity=1200, SubnetIds=["subnet-0123456789abcdef0"],
        LustreConfiguration={"DeploymentType": "SCRATCH_2"},
    )  # fmt: skip
    (item,) = listed(account, "fsx")
    assert item.cells[2:4] == ("LUSTRE", "1200 GiB")
    assert "type LUSTRE SCRATCH_2" in shown(account, "fsx", item.id)
