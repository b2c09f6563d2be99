"""`opsdeck monitors` as people and programs read it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from console.main import run
from core.lake import open_lake
from tests.support.opened import open_as, ops, woken
from tests.support.watched import NOON, Watched, counting, watched

__all__ = ["counting", "open_as", "ops", "watched", "woken"]


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One database is enough for this."""
    return f"sqlite:///{tmp_path / 'state.db'}"


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], watched: Watched) -> Any:
    """Runs `monitors …` in the workspace: what it printed."""

    def call(*words: str, status: int = 0) -> str:
        capsys.readouterr()
        assert run(["-w", str(watched.root), "--as", "ana", "monitors", *words]) == status
        out, err = capsys.readouterr()
        return out if status == 0 else err

    return call


def test_what_there_is_and_what_was_found(watched: Watched, said: Any) -> None:
    assert "opsdeck monitors suggest" in said("list")
    watched.define(above=12)
    watched.ask(30)
    assert "watch: mean 14.5 (violated, run" in said("run", "watch")
    told = said("list")
    assert "violated" in told
    assert "·xx" in told
    shown = said("show", "watch")
    for words in ("endpoint/demand", "x has mean 24.5", "baseline_drift_check", "·xx", "demand v1"):
        assert words in shown, words
    document = json.loads(said("show", "watch", "--json"))
    assert document["newest"]["measurements"][0]["value"] == 24.5
    assert [cell["state"] for cell in document["features"]["cells"] if cell["feature"] == "x"]
    runs = json.loads(said("runs", "watch", "--json"))["runs"]
    assert [each["state"] for each in runs] == ["violated", "violated", "ok"]
    assert said("show", runs[2]["id"][:12]).startswith("window")
    window = runs[2]["window"]
    assert "mean 4.5" in said("show", f"watch@{window}")
    assert "100.0%" in said("distribution", "watch", "x")


def test_one_that_waits_for_somebody_who_may_read_says_what_to_type(
    watched: Watched, said: Any
) -> None:
    lake = open_lake(watched.ops.session)
    rows = pa.table({"x": [1.0, 3.0]})
    lake.create("rides", rows.schema, owner="author")
    lake.append("rides", rows, by="author")
    watched.ops.governance.grant("rides", "ana")
    watched.define(watch="dataset/rides", baseline="dataset:rides", window={"snapshot": "whole"})
    for words in (("list",), ("show", "watch")):
        assert "opsdeck monitors run watch" in said(*words)
    assert json.loads(said("list", "--json"))["monitors"][0]["needs"]
    said("run", "watch")
    assert "opsdeck monitors run" not in said("list")


def test_every_table_fits_its_line(watched: Watched, said: Any) -> None:
    watched.define(description="what comes in " * 20, above=12)
    watched.ask(20)
    said("run", "watch")
    for words in (("list",), ("runs",), ("baseline", "watch")):
        assert all(len(line) <= 220 for line in said(*words).splitlines())


def test_nothing_to_run_is_said_and_a_failed_run_has_a_status(watched: Watched, said: Any) -> None:
    watched.define(fail="boom")
    watched.ask(5)
    assert "nothing to run: no window is full: 5 of 10 rows" in said("run", "watch")
    watched.ask(5, first=5, at=NOON + 10)
    said("run", "watch", status=1)
    assert "ZeroDivisionError: boom" in said("show", "watch")


def test_monitors_are_made_paused_and_deleted(watched: Watched, said: Any) -> None:
    told = said(
        "create", "mine", "--kind", "counting", "--watch", "endpoint/demand", "--window", "10",
        "--set", "above=12", "--set", "window={rows: 10, minimum_rows: 1}",
    )  # fmt: skip
    assert told.startswith("monitors/mine.yaml: monitor mine")
    assert "unknown" in said(
        "create", "other", "--kind", "countin", "--watch", "endpoint/demand", status=2
    )
    assert "a-z" in said("create", "No", "--kind", "counting", "--watch", "x", status=2)
    said("pause", "mine", "--reason", "holidays")
    assert "ana: holidays" in said("show", "mine")
    said("resume", "mine")
    said("resume", "mine", status=1)
    assert "needs a confirmation" in said("delete", "mine", status=2)
    said("delete", "mine", "--yes")
    assert "no such monitor" in said("show", "mine", status=3)


def test_a_time_can_be_run_again(watched: Watched, said: Any) -> None:
    watched.define()
    watched.ask(30)
    said("run", "watch")
    watched.define(above=20)
    told = said("run", "watch", "--from", "2025-10-09", "--to", "2025-10-10")
    assert told.count("ok") == 2
    assert told.count("violated") == 1
    assert "--to without --from" in said("run", "watch", "--to", "2025-10-10", status=2)


def test_baselines_are_listed_made_compared_and_promoted(watched: Watched, said: Any) -> None:
    watched.define()
    watched.ask(20)
    assert "no baselines yet" in said("baseline", "watch")
    assert "origin.output    train_rows" in said("baseline", "watch", "--make")
    said("baseline", "watch", "--from", "captured:2025-10-09..2025-10-10")
    listed = json.loads(said("baseline", "watch", "--json"))["baselines"]
    assert [each["active"] for each in listed] == [True, False]
    one, other = (each["id"] for each in listed)
    assert "mean" in said("baseline", "watch", "--compare", one[:10], other[:10])
    assert "training" in said("baseline", "watch", "--promote", other[:10])
    assert "what its definition says" in said("baseline", "watch", "--reset")
    assert "run #9: no such run" in said("baseline", "watch", "--from", "run/9:a.b", status=1)


def test_files_and_measurements_are_exported(watched: Watched, said: Any, tmp_path: Path) -> None:
    watched.define()
    watched.ask(20)
    said("run", "watch")
    said("export", "watch", str(tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "statistics.json").read_text())["rows"] == 10
    assert (tmp_path / "out" / "constraint_violations.json").exists()
    assert "6 measurements" in said("export", "watch", str(tmp_path / "m.csv"))
    with (tmp_path / "m.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["value"] for row in rows if row["metric"] == "mean"] == ["4.5", "14.5"]
    said("export", "watch", str(tmp_path / "m.parquet"))
    assert pq.read_table(tmp_path / "m.parquet").num_rows == 6


def test_a_proposal_is_printed_or_written(watched: Watched, said: Any) -> None:
    assert "kind: drift" in said("suggest", "demand")
    assert not (watched.root / "monitors").exists()
    assert "monitors/demand.yaml is written" in said("suggest", "demand", "--write")
    assert "exists" in said("suggest", "demand", "--write", status=1)
    assert "demand-drift" in said("list")
    assert "serves nothing" in said("suggest", "other", status=3)
