"""Lineage over the state's rows: what is recorded, and what runs and deployments imply."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from core.domain.datalineage import NodeKind, edges_between
from core.engine.duties import due_lineage
from core.errors import BadInput, ConfigInvalid, NotFound
from core.ops import Ops, open_ops
from core.services.lineageevents import BackendUnavailable
from core.state import lake_tables as lake
from core.state import schema
from core.state.edges import record_edges
from tests.support.opened import write_workspace

D = NodeKind.DATASET


@pytest.fixture
def ops(tmp_path: Path) -> Iterator[Ops]:
    """source → rentals → hourly → run 1 → bike v1 and v2 → endpoint bike."""
    with open_ops(write_workspace(tmp_path / "w"), actor="ana") as opened:
        with opened.session.change("fill") as tx:
            for name in ("rentals", "hourly"):
                columns = [{"name": n, "type": "long"} for n in ("hour", "total", "note")]
                tx.execute(
                    lake.datasets.insert().values(
                        name=name, owner="ana", created_at=1.0, created_by="ana",
                        schema=json.dumps(columns),
                    )
                )  # fmt: skip
            tx.execute(
                lake.dataset_snapshots.insert().values(
                    dataset="hourly", snapshot_id="77", number=1, at=50.0, operation="append",
                    rows=9, added_rows=9, run_id="r1",
                )
            )  # fmt: skip
            tx.execute(
                schema.runs.insert().values(
                    id="r1", number=1, pipeline="bike", status="failed", params="{}", spec="{}",
                    created_at=40.0, started_at=41.0, ended_at=60.0, requested_by="ana",
                    message="boom",
                )
            )  # fmt: skip
            for version in (1, 2):
                tx.execute(
                    schema.model_versions.insert().values(
                        name="bike", version=version, run_id="r1", step="register", path="p",
                        digest="d", created_at=55.0,
                    )
                )  # fmt: skip
            tx.execute(
                schema.endpoints.insert().values(
                    name="bike", environment="production", status="in_service", host="",
                    created_at=1.0, updated_at=1.0,
                )
            )  # fmt: skip
            tx.execute(
                schema.revisions.insert().values(
                    endpoint="bike", revision=1, model="bike", version=2, state="stable",
                    deployment_id="d", created_at=70.0,
                )
            )  # fmt: skip
            record_edges(
                tx,
                [
                    *edges_between((NodeKind.SOURCE, "s3://b/r.csv"), (D, "rentals"), "ingest"),
                    *edges_between(
                        (D, "rentals"), (D, "hourly"), "view", columns={"total": ("total",)}
                    ),
                    *edges_between((D, "hourly"), (NodeKind.RUN, "1"), "read"),
                ],
            )
        yield opened


def shown(root: Any) -> list[str]:
    return [str(branch.node) for branch in root.walk()]


def test_from_the_source_to_the_endpoint_and_back(ops: Ops) -> None:
    down = shown(ops.lineage.downstream("source/s3://b/r.csv"))
    assert down == [
        "source/s3://b/r.csv", "dataset/rentals", "dataset/hourly", "run/1",
        "model/bike/1", "model/bike/2", "endpoint/bike",
    ]  # fmt: skip
    up = shown(ops.lineage.upstream("endpoint/bike"))
    assert up == [
        "endpoint/bike", "model/bike/2", "run/1", "dataset/hourly", "dataset/rentals",
        "source/s3://b/r.csv",
    ]  # fmt: skip
    folder = ops.workspace.endpoints_dir / "bike" / "capture"
    folder.mkdir(parents=True)
    assert shown(ops.lineage.downstream("model/bike"))[-1] == "capture/bike"
    assert "model/bike/2" in shown(ops.lineage.upstream("capture/bike"))


def test_a_run_that_repeats_another_from_a_step_on_leads_to_its_data(ops: Ops) -> None:
    with ops.session.change("rerun") as tx:
        for number, step in ((2, "train"), (3, None)):  # 3 kept nothing of 1
            tx.execute(
                schema.runs.insert().values(
                    id=f"r{number}", number=number, pipeline="bike", status="succeeded",
                    params="{}", spec="{}", created_at=80.0, requested_by="ana",
                    parent_run_id="r1", from_step=step,
                )
            )  # fmt: skip
        tx.execute(
            schema.model_versions.insert().values(
                name="bike", version=3, run_id="r2", step="register", path="p", digest="d",
                created_at=85.0,
            )
        )  # fmt: skip
    assert shown(ops.lineage.upstream("model/bike/3"))[:4] == [
        "model/bike/3", "run/2", "run/1", "dataset/hourly",
    ]  # fmt: skip
    assert "model/bike/3" in shown(ops.lineage.downstream("dataset/rentals"))
    assert "run/3" not in shown(ops.lineage.downstream("dataset/rentals"))


def test_what_a_column_breaks(ops: Ops) -> None:
    impact = ops.lineage.impact("rentals.total")
    assert [str(t.node) for t in impact.breaks] == ["dataset/hourly"]
    assert str(impact.may_break[0].node) == "run/1"
    assert ops.lineage.impact("rentals.note").touched == ()


@pytest.mark.parametrize(
    ("ref", "error"),
    [("nothing", NotFound), ("run/99", NotFound), ("model/bike/9", NotFound),
     ("rentals.wrong", BadInput), ("", NotFound)],
)  # fmt: skip
def test_what_does_not_exist(ops: Ops, ref: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        ops.lineage.find(ref)


def test_names_are_guessed(ops: Ops) -> None:
    assert str(ops.lineage.find("hourly")) == "dataset/hourly"
    assert str(ops.lineage.find("hourly.total")) == "dataset/hourly.total"
    assert str(ops.lineage.find("model/bike")) == "model/bike/2"
    assert str(ops.lineage.find("bike/1")) == "model/bike/1"
    assert str(ops.lineage.find("run/#1")) == "run/1"


def test_the_same_edge_twice_is_one(ops: Ops) -> None:
    edge = edges_between((D, "rentals"), (D, "hourly"), "view", snapshot_id="78")
    with ops.session.change("again") as tx:
        record_edges(tx, edge)
    rows = ops.session.reader.rows(
        "SELECT snapshot_id FROM lineage_edges WHERE source = 'rentals' AND source_column = ''"
    )
    assert rows == [{"snapshot_id": "78"}]


def test_events_are_told_in_order_and_name_what_they_belong_to(ops: Ops) -> None:
    start, snapshot, end = list(ops.lineage.events())
    assert [start["eventType"], snapshot["eventType"], end["eventType"]] == [
        "START", "COMPLETE", "FAIL",
    ]  # fmt: skip
    assert snapshot["run"]["facets"]["parent"]["run"]["runId"] == start["run"]["runId"]
    assert start["run"]["runId"] == end["run"]["runId"]
    assert end["run"]["facets"]["errorMessage"]["message"] == "boom"
    output = snapshot["outputs"][0]
    assert (output["name"], snapshot["inputs"][0]["name"]) == ("hourly", "rentals")
    fields = output["facets"]["columnLineage"]["fields"]
    assert fields["total"]["inputFields"][0]["field"] == "total"
    assert list(ops.lineage.events(since=60.0)) == []
    assert [event["inputs"][0]["name"] for event in ops.lineage.events(since=55.0)] == ["hourly"]


class Backend(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.server.got.append(  # type: ignore[attr-defined]
            (self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        )
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def backend() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Backend)
    server.got, server.status = [], 201  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_backend_gets_each_event_once(ops: Ops, backend: HTTPServer) -> None:
    url = f"http://127.0.0.1:{backend.server_port}"
    ops.workspace.lake["openlineage"] = url  # type: ignore[index]
    got: list[Any] = backend.got  # type: ignore[attr-defined]
    backend.status = 503  # type: ignore[attr-defined]
    assert [str(task) for task in due_lineage(ops.session, 0.0)] == ["lineage follow"]
    with pytest.raises(BackendUnavailable, match=r"127\.0\.0\.1: .*503"):
        ops.lineage.follow()
    backend.status = 201  # type: ignore[attr-defined]
    got.clear()
    assert ops.lineage.follow() == 3
    assert {path for path, _ in got} == {"/api/v1/lineage"}
    assert ops.lineage.follow() == 0 and len(got) == 3
    assert list(due_lineage(ops.session, 0.0)) == []


def test_a_file_gets_lines(ops: Ops, tmp_path: Path) -> None:
    target = tmp_path / "new" / "events.jsonl"
    assert ops.lineage.send(str(target)) == 3
    assert len([json.loads(line) for line in target.read_text().splitlines()]) == 3
    with pytest.raises(BackendUnavailable):
        ops.lineage.send(str(tmp_path))


def test_a_setting_that_is_no_place_is_told(ops: Ops) -> None:
    ops.workspace.lake["openlineage"] = 5  # type: ignore[index]
    with pytest.raises(ConfigInvalid, match=r"lake\.openlineage"):
        ops.lineage.follow()
