"""Sources that are not files of this host: buckets over HTTP, databases."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.domain.ingest import FileState
from core.errors import BadInput, OpsdeckError
from core.ingest.errors import SourceUnreadable
from core.ops import Ops
from tests.core.ingest.conftest import ROWS, RowsOf


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Any]]:
    """A bucket's name and a client of a simulated S3 that speaks HTTP."""
    from moto.server import ThreadedMotoServer

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        import boto3

        client = boto3.client("s3")
        name = f"data-{uuid.uuid4().hex[:8]}"  # moto's buckets are the process's
        client.create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        yield name, client
        client.close()
    finally:
        server.stop()


def test_objects_come_in_once(ops: Ops, bucket: tuple[str, Any], rows_of: RowsOf) -> None:
    data, client = bucket

    def put(key: str, text: str) -> None:
        client.put_object(Bucket=data, Key=key, Body=text.encode())

    put("bike/year=2011/a.csv", ROWS)
    put("bike/year=2012/b.csv", "ts,temp,cnt\n2012-01-01T00:00:00,1,2\n")
    put("bike/_SUCCESS", "")
    put("other/c.csv", "x\n1\n")
    first = ops.ingest.ingest("bike", [f"s3://{data}/bike/"], create=True)
    assert first.rows == 29 and sorted({row["year"] for row in rows_of("bike")}) == [2011, 2012]
    put("bike/year=2012/d.csv", "ts,temp,cnt\n2012-01-02T00:00:00,1,2\n")
    second = ops.ingest.ingest(
        "bike", [f"s3://{data}/bike/**/*.csv"], hive=False, fill_missing=True
    )
    assert (second.rows, second.read) == (1, 1)
    put("bike/year=2012/d.csv", "ts,temp,cnt\n2012-01-03T00:00:00,1,2\n")
    third = ops.ingest.ingest("bike", [f"s3://{data}/bike/"])
    assert third.read == 0
    assert [one.state for one in third.files].count(FileState.CHANGED) == 1
    found = ops.crawls.crawl(f"s3://{data}/")
    assert {one.dataset: one.state for one in found} == {"bike": "unchanged", "other": "proposed"}


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://DATA/nothing.csv", "no such object"),
        ("s3://DATA/nothing/*.csv", "nothing is like that"),
        ("s3://nobody/x.csv", "no such object|NoSuchBucket|does not exist"),
    ],
)
def test_objects_that_are_not_there(
    ops: Ops, bucket: tuple[str, Any], address: str, said: str
) -> None:
    with pytest.raises(SourceUnreadable, match=said):
        ops.ingest.ingest("bike", [address.replace("DATA", bucket[0])], create=True)


@pytest.fixture
def shop(tmp_path: Path) -> str:
    """A database with 50,001 orders; returns its address."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER, at TEXT, price, note TEXT)")
        rows = [(n, "2011-01-01T00:00:00", n / 4 if n > 30_000 else n, None) for n in range(50_000)]
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", rows)
        connection.execute("INSERT INTO orders VALUES (50000, '2011-01-02T00:00:00', 1, 'last')")
        connection.commit()
    return f"sqlite:///{path}"


def test_a_query_comes_in(ops: Ops, shop: str, rows_of: RowsOf) -> None:
    report = ops.ingest.ingest("orders", [shop], query="SELECT * FROM orders", create=True)
    assert report.rows == 50_001
    assert [(one.name, one.type) for one in report.columns] == [
        ("id", "long"), ("at", "timestamp"), ("price", "double"), ("note", "string"),
    ]  # fmt: skip
    query = "SELECT id, at, price, 'x' AS note FROM orders WHERE id < 10"
    ops.ingest.ingest("orders", [shop], query=query, mode="upsert", keys=["id"])
    assert sum(row["note"] == "x" for row in rows_of("orders")) == 10
    assert ops.data.get("orders").rows == 50_001
    dry = ops.ingest.ingest("orders", [shop], query="SELECT 1 AS id", dry_run=True)
    assert dry.rows == 1 and [one.kind for one in dry.changes] == ["missing"] * 3
    assert not list((ops.workspace.state_dir / "ingest").glob("*"))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT nosuch FROM orders", "no such column"),
        ("DROP TABLE orders", "readonly|read-only|query_only"),
        ("DELETE FROM orders RETURNING id", "readonly|read-only|query_only"),
        ("SELECT id, id FROM orders", "same name"),
    ],
)
def test_queries_that_are_none(ops: Ops, shop: str, query: str, said: str) -> None:
    with pytest.raises(SourceUnreadable, match=said):
        ops.ingest.ingest("orders", [shop], query=query, create=True)
    with closing(sqlite3.connect(shop.removeprefix("sqlite:///"))) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (50_001,)


def test_passwords_stay_in_the_environment(
    ops: Ops, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address = "postgresql://me:hunter2@127.0.0.1:1/x"
    with pytest.raises(BadInput, match="does not belong on the command line") as told:
        ops.ingest.ingest("orders", [address], query="SELECT 1", create=True)
    assert "hunter2" not in told.value.one_line()
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    with pytest.raises(SourceUnreadable) as refused:
        ops.ingest.ingest(
            "orders", ["postgresql://me@127.0.0.1:1/x"], query="SELECT 1", create=True,
            password_env="SHOP_PASSWORD",
        )  # fmt: skip
    assert "hunter2" not in refused.value.one_line()
    with pytest.raises(OpsdeckError, match="not set"):
        ops.ingest.ingest(
            "orders", ["postgresql://me@127.0.0.1:1/x"], query="SELECT 1", create=True,
            password_env="NO_SUCH",
        )  # fmt: skip
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes()
