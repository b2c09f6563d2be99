"""S3 on the simulated account: folders, heads of files, down and up."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.aws.account import Account
from core.errors import BadInput
from tests.support.awstext import listed, shown, verb


@pytest.fixture
def lake(client: Callable[[str], Any]) -> Any:
    """A bucket with folders and files of several kinds."""
    s3 = client("s3")
    s3.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="lake", Key="raw/2011/hours.csv", Body=b"hr,cnt\n0,16\n1,40\n")
    s3.put_object(Bucket="lake", Key="raw/notes.txt.gz", Body=gzip.compress(b"first\nsecond\n"))
    s3.put_object(Bucket="lake", Key="model.bin", Body=bytes(range(64)))
    file = io.BytesIO()
    pq.write_table(pa.table({"hr": [0, 1, None], "season": ["w", "s", "s"]}), file)
    s3.put_object(Bucket="lake", Key="hours.parquet", Body=file.getvalue())
    return s3


def test_a_bucket_is_browsed_as_folders(account: Account, lake: Any) -> None:
    assert [item.id for item in listed(account, "buckets")] == ["lake"]
    top = listed(account, "objects", "lake")
    assert [(item.cells[0], item.leaf) for item in top] == [
        ("raw/", False), ("hours.parquet", True), ("model.bin", True),
    ]  # fmt: skip
    below = listed(account, "objects", top[0].id)
    assert [item.cells[0] for item in below] == ["2011/", "notes.txt.gz"]
    with pytest.raises(BadInput, match="of which bucket"):
        listed(account, "objects")


def test_the_beginning_of_a_file_is_shown_by_its_kind(account: Account, lake: Any) -> None:
    assert "hr  cnt\n0   16\n1   40" in shown(account, "objects", "s3://lake/raw/2011/hours.csv")
    assert "first\nsecond" in shown(account, "objects", "s3://lake/raw/notes.txt.gz")
    assert "binary: 00 01 02" in shown(account, "objects", "s3://lake/model.bin")
    assert "hr  season\n0   w\n1   s\n    s" in shown(account, "objects", "s3://lake/hours.parquet")
    assert "files below 2" in shown(account, "objects", "s3://lake/raw/")


def test_a_broken_file_is_named_and_the_rest_is_there(account: Account, lake: Any) -> None:
    lake.put_object(Bucket="lake", Key="bad.parquet", Body=b"PAR1 no")
    told = shown(account, "objects", "s3://lake/bad.parquet")
    assert "size 7 B" in told
    assert "is no Parquet" in told


def test_a_bucket_says_what_protects_it_and_one_denied_setting_does_not_hide_the_others(
    account: Account, lake: Any, aws: Any
) -> None:
    lake.put_bucket_versioning(Bucket="lake", VersioningConfiguration={"Status": "Enabled"})
    aws.fault("s3:GetBucketPolicy", code="AccessDenied", times=1)
    told = shown(account, "buckets", "lake")
    assert "versioning Enabled" in told
    assert "public access not blocked" in told
    assert "policy (denied: arn:" in told
    assert "may not s3:GetBucketPolicy" in told


def test_down_and_up_and_what_is_in_the_way(account: Account, lake: Any, tmp_path: Path) -> None:
    down = verb("objects", "download")
    uri = "s3://lake/raw/2011/hours.csv"
    assert down.consequence(account, uri, {"to": "x"}) == ("writes 17 B to x on this machine",)
    down.do(account, uri, {"to": str(tmp_path)})
    there = tmp_path / "hours.csv"
    assert there.read_text().startswith("hr,cnt")
    with pytest.raises(BadInput, match="is there already"):
        down.do(account, uri, {"to": str(tmp_path)})
    assert sorted(tmp_path.iterdir()) == [there]
    up = verb("buckets", "upload")
    values = {"from": str(there), "key": "copy.csv"}
    assert up.consequence(account, "lake", values)[1] == "nothing is there now"
    up.do(account, "lake", values)
    assert "takes the place of 17 B" in up.consequence(account, "lake", values)[1]
    with pytest.raises(BadInput, match="is no file"):
        up.do(account, "lake", {"from": str(tmp_path / "no"), "key": "x"})


def test_deleting_says_whether_it_comes_back(account: Account, lake: Any) -> None:
    delete = verb("objects", "delete")
    assert delete.typed
    assert "cannot be brought back" in delete.consequence(account, "s3://lake/model.bin", {})[1]
    delete.do(account, "s3://lake/model.bin", {})
    assert "model.bin" not in [item.cells[0] for item in listed(account, "objects", "lake")]


def test_many_keys_come_a_page_at_a_time(account: Account, lake: Any, aws: Any) -> None:
    from core.aws.registry import kind

    for number in range(1_100):
        lake.put_object(Bucket="lake", Key=f"many/{number:05}", Body=b"x")
    asked = len([each for each in aws.calls if each.operation == "ListObjectsV2"])
    pages = iter(kind("objects").list(account, "s3://lake/many/"))
    assert len(next(pages)) == 1_000
    assert len([each for each in aws.calls if each.operation == "ListObjectsV2"]) == asked + 1
    assert len(next(pages)) == 100
