"""Lakes for tests: on SQLite, on PostgreSQL, and on Glue and S3 as moto's server plays them."""

from __future__ import annotations

import json
import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core.lake import open_lake
from core.lake.lake import Lake
from core.ops import Ops, open_ops

ROWS = pa.table({"id": [1, 2, 3], "x": [0.1, 0.2, 0.3], "s": ["a", "b", "c"]})


def rows(*ids: int) -> pa.Table:
    """Rows with these ids."""
    return pa.table(
        {"id": list(ids), "x": [each / 10 for each in ids], "s": [f"r{each}" for each in ids]},
        schema=pa.schema([("id", pa.int64()), ("x", pa.float64()), ("s", pa.string())]),
    )


def ids(lake: Lake, name: str, **how: Any) -> list[int]:
    """The ids that are read, sorted."""
    return sorted(lake.read(name, columns=["id"], **how).read_all().column("id").to_pylist())


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """The address of moto's server on a free loopback port."""
    from moto.server import ThreadedMotoServer

    heed_versions()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def heed_versions() -> None:
    """Have moto refuse an update of a table that is not of the version it was told, as Glue
    does: it overlooks `VersionId`, by which one writer learns of another."""
    from moto.glue.exceptions import GlueClientError
    from moto.glue.responses import GlueResponse

    class ConcurrentModificationException(GlueClientError):
        def __init__(self) -> None:
            super().__init__("ConcurrentModificationException", "Update table failed")

    lock = threading.Lock()
    update = GlueResponse.update_table
    if getattr(update, "heeds", False):
        return

    def heeding(self: Any) -> Any:
        wanted = self.parameters.get("VersionId")
        with lock:
            table = self.glue_backend.get_table(
                self.parameters["DatabaseName"], self.parameters["TableInput"]["Name"]
            )
            if wanted is not None and str(wanted) != str(table.as_dict()["VersionId"]):
                raise ConcurrentModificationException
            return update(self)

    heeding.heeds = True  # type: ignore[attr-defined]
    GlueResponse.update_table = heeding


def glue_section(url: str) -> dict[str, Any]:
    """The section `lake:` for a bucket and a database of their own."""
    import boto3

    name = f"lake-{uuid.uuid4().hex[:12]}"
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)
    client.create_bucket(Bucket=name)
    return {
        "catalog": "glue",
        "warehouse": f"s3://{name}/lake",
        "namespace": name.replace("-", "_"),
        "properties": {
            "glue.endpoint": url,
            "glue.region": "us-east-1",
            "glue.access-key-id": "testing",
            "glue.secret-access-key": "testing",
            "s3.endpoint": url,
            "s3.region": "us-east-1",
            "s3.access-key-id": "testing",
            "s3.secret-access-key": "testing",
        },
    }


OpenSpace = Callable[..., Ops]


@pytest.fixture
def open_space(tmp_path: Path) -> Iterator[OpenSpace]:
    """Open (and, the first time, make) a workspace with a section `lake:`."""
    opened: list[Ops] = []

    def open_(
        lake: dict[str, Any] | None = None,
        *,
        database: str | None = None,
        actor: str = "author",
        read_only: bool = False,
    ) -> Ops:
        root = tmp_path / "space"
        root.mkdir(exist_ok=True)
        config: dict[str, Any] = {"name": "space", "lake": lake or {}}
        if database:
            config["database"] = database
        (root / "opsdeck.yaml").write_text(json.dumps(config))
        opened.append(open_ops(root, actor=actor, read_only=read_only))
        return opened[-1]

    yield open_
    for ops in opened:
        ops.close()


@pytest.fixture
def ops(open_space: OpenSpace) -> Ops:
    """A workspace with the lake as it is by default."""
    return open_space()


@pytest.fixture
def lake(ops: Ops) -> Lake:
    """Its lake."""
    return ops.data.lake


@pytest.fixture(params=["sqlite", "postgresql", "glue"])
def any_lake(request: pytest.FixtureRequest, open_space: OpenSpace) -> Lake:
    """The same lake on each catalogue in turn."""
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgres_url"))
        return open_lake(open_space(database=url).session)
    if request.param == "glue":
        os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
        url = str(request.getfixturevalue("moto_server"))
        return open_lake(open_space(glue_section(url)).session)
    return open_lake(open_space().session)
