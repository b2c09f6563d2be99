"""The tracker's operations on a real embedded store, read back by our reader."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import BadInput, NotFound, TrackingUnavailable, WrongState
from core.tracking import TrackingReader, open_reader
from core.tracking.tracker_client import Tracker

pytestmark = pytest.mark.xdist_group("tracking")


@pytest.fixture(scope="module")
def reader(embedded: Tracker, store_folder: Path) -> TrackingReader:
    return open_reader(f"sqlite:///{store_folder / 'mlflow.db'}")


@pytest.fixture(scope="module")
def run(embedded: Tracker) -> str:
    return str(embedded.call("create_run", experiment="shared"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "MLmodel").write_text("flavors: {}\n")
    return tmp_path


def test_the_store_is_in_wal_mode_and_whole(embedded: Tracker, store_folder: Path) -> None:
    with sqlite3.connect(store_folder / "mlflow.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        (location,) = connection.execute(
            "SELECT artifact_location FROM experiments WHERE experiment_id = 0"
        ).fetchone()
    assert location.startswith((store_folder / "artifacts").as_uri())
    assert not list(store_folder.glob("*.new-*"))


def test_a_run_from_start_to_end(embedded: Tracker, reader: TrackingReader) -> None:
    tags = {"opsdeck.run": "a1"}
    run = embedded.call("create_run", experiment="rides", name="first", tags=tags)
    many = {f"p{i}": i for i in range(150)}
    assert embedded.call("log_params", run_id=run, params=many) is None
    assert embedded.call("log_params", run_id=run, params={"depth": 3, "p0": 0}) is None
    embedded.call("end_run", run_id=run, status="FAILED")
    (found,) = reader.runs("rides")
    assert (found.run_id, found.name, found.status) == (run, "first", "FAILED")
    assert found.end_time is not None
    assert found.params == {"depth": "3"} | {key: str(value) for key, value in many.items()}
    assert found.tags["opsdeck.run"] == "a1"
    embedded.call("reopen_run", run_id=run)
    assert reader.runs("rides")[0].status == "RUNNING"


def test_a_repeated_call_changes_nothing(embedded: Tracker, reader: TrackingReader) -> None:
    args = {"experiment": "again", "tags": {"opsdeck.run": "b 2"}, "unique_tag": "opsdeck.run"}
    first = embedded.call("create_run", **args)
    assert embedded.call("create_run", **args) == first
    for _ in range(2):
        embedded.call("log_params", run_id=first, params={"a": 1})
        embedded.call("end_run", run_id=first)
    assert [run.run_id for run in reader.runs("again")] == [first]


def test_a_version_is_registered_once_for_a_step(
    embedded: Tracker, reader: TrackingReader, run: str, model: Path
) -> None:
    def register(execution: str) -> int:
        return int(
            embedded.call(
                "register_version", name="bikes", source=str(model), run_id=run,
                tags={"opsdeck.step_execution": execution, "git": "abc"}, description="d",
            )
        )  # fmt: skip

    assert [register(step) for step in ("s1", "s1", "s2", "s1", "s2")] == [1, 1, 2, 1, 2]
    second, first = reader.model_versions("bikes")
    assert (first.version, second.version) == (1, 2)
    assert (first.run_id, first.source, first.description) == (run, str(model.resolve()), "d")
    assert first.tags == {"opsdeck.step_execution": "s1", "git": "abc"}
    embedded.call("set_alias", name="bikes", alias="champion", version=1)
    embedded.call("set_alias", name="bikes", alias="champion", version=2)
    embedded.call("set_alias", name="bikes", alias="previous", version=1)
    embedded.call("set_version_tags", name="bikes", version=1, tags={"gate": "passed"})
    assert reader.aliases("bikes") == {"champion": 2, "previous": 1}
    assert reader.model_versions("bikes")[1].tags["gate"] == "passed"
    for _ in range(2):
        embedded.call("delete_alias", name="bikes", alias="previous")
    assert reader.aliases("bikes") == {"champion": 2}


@pytest.mark.parametrize(
    ("op", "args", "kind"),
    [
        ("end_run", {"run_id": "nope"}, NotFound),
        ("end_run", {"run_id": "nope", "status": "GREAT"}, BadInput),
        ("log_params", {"run_id": "nope", "params": {"a": 1}}, NotFound),
        ("set_alias", {"name": "no such model", "alias": "a", "version": 1}, NotFound),
        ("set_alias", {"name": "no such model"}, BadInput),
        ("create_run", {"experiment": "e", "unique_tag": "not given"}, BadInput),
        ("register_version", {"name": "m", "source": "/no/such/folder"}, BadInput),
        ("no_such_op", {}, BadInput),
    ],
)
def test_refusals(
    embedded: Tracker, op: str, args: dict[str, object], kind: type[Exception]
) -> None:
    with pytest.raises(kind, match=op):
        embedded.call(op, **args)


def test_a_parameter_cannot_change(embedded: Tracker, run: str) -> None:
    embedded.call("log_params", run_id=run, params={"fixed": 1})
    with pytest.raises(BadInput, match="fixed"):
        embedded.call("log_params", run_id=run, params={"fixed": 2})


def test_a_deleted_experiment_comes_back(embedded: Tracker, store_folder: Path) -> None:
    embedded.call("create_run", experiment="lazarus")
    with sqlite3.connect(store_folder / "mlflow.db", timeout=20) as connection:
        connection.execute("UPDATE experiments SET lifecycle_stage='deleted' WHERE name='lazarus'")
    embedded.init(f"sqlite:///{store_folder / 'mlflow.db'}", str(store_folder / "artifacts"))
    run = embedded.call("create_run", experiment="lazarus")
    assert run in {
        r.run_id for r in open_reader(f"sqlite:///{store_folder}/mlflow.db").runs("lazarus")
    }


def test_opening_a_store_that_has_runs_gives_the_planner_statistics(
    embedded: Tracker, store_folder: Path
) -> None:
    for _ in range(50):
        embedded.call("create_run", experiment="many")
    embedded.init(f"sqlite:///{store_folder / 'mlflow.db'}", str(store_folder / "artifacts"))
    with sqlite3.connect(store_folder / "mlflow.db") as connection:
        tables = {row[0] for row in connection.execute("SELECT tbl FROM sqlite_stat1")}
    assert {"runs", "tags"} <= tables


def test_killed_while_creating_it_leaves_nothing_half_made(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    uri = f"sqlite:///{path}"
    with Tracker.start(sys.executable, stderr=subprocess.DEVNULL) as tracker:
        with pytest.raises(WrongState, match="init"):
            tracker.call("create_run", experiment="e")
        with ThreadPoolExecutor(1) as pool:
            creating = pool.submit(tracker.init, uri)
            deadline = time.monotonic() + 60
            while not any(f.stat().st_size > 0 for f in tmp_path.glob("mlflow.db.new-*[0-9]")):
                assert time.monotonic() < deadline
                time.sleep(0.005)
            assert tracker.pid is not None
            os.kill(tracker.pid, signal.SIGKILL)
            assert not path.exists()
            assert open_reader(uri).runs() == []
            creating.result(60)  # the client repeats it on a new process
        run = tracker.call("create_run", experiment="e")
        assert [r.run_id for r in open_reader(uri).runs()] == [run]
        assert not list(tmp_path.glob("*.new-*"))
        # A store that is broken says so soon, and in one line.
        (tmp_path / "broken.db").write_bytes(b"x" * 5000)
        with pytest.raises(TrackingUnavailable, match=r"broken\.db.*not a database") as caught:
            tracker.init(f"sqlite:///{tmp_path / 'broken.db'}")
        assert "\n" not in caught.value.one_line()
