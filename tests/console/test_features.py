"""`opsdeck features` from a definition to an erased entity, as people and programs see it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

YAML = """\
description: Who rides
source: rides
entity: {rider: int}
event_time: ended
features:
  count: {type: int, default: 0}
  name: string
online: true
"""


@pytest.fixture
def rides(workspace: Path, cli: Any) -> Path:
    """A dataset of 30 riders with three rows each, and a view over it."""
    lines = ["rider,ended,count,name"]
    lines += [f"{r},2026-01-0{d}T08:00:00,{r * d},rider-{r}" for r in range(30) for d in (1, 2, 3)]
    (workspace / "rides.csv").write_text("\n".join(lines) + "\n")
    (workspace / "asked.csv").write_text(
        "person,at\n7,2026-01-02T09:00:00\n7,2026-01-01T07:00:00\n99,2026-01-09T00:00:00\n"
    )
    (workspace / "features").mkdir()
    (workspace / "features" / "riders.yaml").write_text(YAML)
    done = cli("data", "ingest", "rides", workspace / "rides.csv", "--create")
    assert done.status == 0, done.err
    return workspace


def test_from_a_file_to_a_training_set_and_an_online_row(rides: Path, cli: Any) -> None:
    listed = cli("features", "list")
    assert "riders" in listed.out and "draft" in listed.out
    done = cli("features", "materialize", "riders", "--json").json()["materialized"][0]
    assert (done["view"], done["mode"], done["online_rows"]) == ("riders@1", "full", 30)
    row = cli("features", "get", "riders", "rider=7", "--json").json()
    assert (row["state"], row["values"]) == ("fresh", {"count": 21, "name": "rider-7"})
    assert cli("features", "get", "riders", "rider=77", "--json").json()["values"]["count"] == 0
    history = cli("features", "history", "riders@1", "rider=7", "-n", "2", "--json").json()["rows"]
    assert [each["values"]["count"] for each in history] == [21, 14]
    out = rides / "train.csv"
    joined = cli(
        "features", "join", rides / "asked.csv", "riders:count", "--time", "at", "--key",
        "rider=person", "-o", out, "--times",
    )  # fmt: skip
    assert joined.status == 0, joined.err
    assert "1 rows found a value (33.3 %)" in joined.out
    assert [line.split(",")[2] for line in out.read_text().splitlines()] == [
        '"count"', "14", "0", "0",
    ]  # fmt: skip
    skew = cli("features", "skew", "riders", "--json").json()["skew"][0]
    assert (skew["entities"], skew["different"], skew["share"]) == (30, 0, 0.0)
    shown = cli("features", "show", "riders")
    assert "Who rides" in shown.out and "30 entities" in shown.out and "0.00 %" in shown.out


def test_an_entity_is_deleted_after_asking(rides: Path, cli: Any) -> None:
    cli("features", "materialize", "--all")
    refused = cli("features", "delete", "riders", "rider=7")
    assert refused.status == 2 and "--yes" in refused.err
    done = cli("features", "delete", "riders", "rider=7", "--yes", "--purge", "--json").json()
    assert (done["online_rows"], done["offline_rows"], done["still_in"]) == (1, 3, [])
    assert cli("features", "get", "riders", "rider=7", "--json").json()["state"] == "missing"
    assert cli("features", "history", "riders", "rider=7").out.strip() == "no rows of that key"
    assert "rider-7" not in cli("audit", "list", "--json").out


def test_versions_are_made_retired_and_told_of(rides: Path, cli: Any) -> None:
    assert "riders@1" in cli("features", "apply", "riders").out
    (rides / "features" / "riders.yaml").write_text(YAML + "ttl: 9d\n")
    assert "its file has changed" in cli("features", "list").out
    assert "riders@2" in cli("features", "apply", "--all").out
    assert cli("features", "retire", "riders@1", "-m", "old").status == 0
    states = {v["version"]: v["state"] for v in cli("features", "list", "--all", "--json").json()[
        "features"]}  # fmt: skip
    assert states == {1: "retired", 2: "active"}


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (("get", "riders", "rider"), 2, "not KEY=VALUE"),
        (("get", "riders@4", "rider=1"), 3, "riders@1 active"),
        (("get", "riders", "rider=x"), 2, "'x' is no int"),
        (("get", "riders", "city=1"), 2, "no rider"),
        (("get", "../riders", "rider=1"), 2, "no feature view"),
        (("materialize",), 2, "--all"),
        (("materialize", "ridrs"), 3, "did you mean riders"),
        (("backfill", "riders", "--from", "2026-02-01", "--to", "2026-01-01"), 2, "empty"),
        (("join", "nowhere.csv", "riders", "--time", "at", "-o", "x.csv"), 2, "cannot be read"),
        (("join", "rides", "riders", "--time", "ended", "-o", "x.exe"), 2, "x.exe"),
        (("join", "rides", "riders", "--time", "ended", "-o", "x.csv"), 2, "would come from"),
        (("join", "rides", "riders:nme", "--time", "ended", "-o", "x.csv"), 2, "no feature nme"),
    ],
)
def test_bad_input_is_answered_in_one_line(
    rides: Path, cli: Any, args: tuple[str, ...], status: int, words: str
) -> None:
    cli("features", "materialize", "riders")
    done = cli("features", *args)
    assert done.status == status
    assert words in done.err and done.err.count("\n") == 1


def test_a_materialisation_that_is_killed_leaves_the_store_as_it_was(rides: Path, cli: Any) -> None:
    """`kill -9` at some moment: the store answers as before or as after, and the next run ends
    as one that nobody killed."""
    cli("features", "materialize", "riders")
    lines = ["rider,ended,count,name"]
    lines += [f"{r},2026-01-04T08:00:00,{r + 1000},rider-{r}" for r in range(30)]
    (rides / "more.csv").write_text("\n".join(lines) + "\n")
    cli("data", "ingest", "rides", rides / "more.csv")
    command = [sys.executable, "-m", "console.main", "-w", str(rides), "features", "materialize"]
    for seconds in (0.8, 1.6, 2.4):
        child = subprocess.Popen([*command, "riders"], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)  # fmt: skip
        time.sleep(seconds)
        os.kill(child.pid, signal.SIGKILL)
        child.wait(10)
        row = cli("features", "get", "riders", "rider=7", "--json").json()
        assert row["values"]["count"] in (21, 1007)
    assert cli("features", "materialize", "riders").status == 0
    assert cli("features", "get", "riders", "rider=7", "--json").json()["values"]["count"] == 1007
    done = cli("features", "materialize", "riders", "--json").json()["materialized"][0]
    assert (done["mode"], done["written"], done["online_rows"]) == ("unchanged", 0, 30)


def test_listing_and_reading_by_key_load_no_data_library(rides: Path, cli: Any) -> None:
    cli("features", "materialize", "riders")
    code = (
        "import sys; from console.main import run;"
        "assert run(sys.argv[1:]) == 0;"
        "print([m for m in ('duckdb', 'pyarrow', 'pyiceberg', 'sqlglot', 'pandas',"
        " 'sqlalchemy') if m in sys.modules])"
    )
    for args in (("list",), ("show", "riders"), ("get", "riders", "rider=7")):
        done = subprocess.run(
            [sys.executable, "-c", code, "-w", str(rides), "features", *args],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr
