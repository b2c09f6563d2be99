"""`opsdeck data ingest`, `ingests`, `intake`, `intakes` and `crawl` as people type them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.console.conftest import Cli

ROWS = "ts,temp,cnt\n" + "".join(f"2011-01-{d:02d}T00:00:00,{d / 10},{d}\n" for d in range(1, 29))
HEAVY = {"pyarrow", "pyiceberg", "duckdb", "polars", "pandas", "numpy", "sqlalchemy", "s3fs"}


@pytest.fixture
def land(workspace: Path) -> Path:
    folder = workspace / "land"
    folder.mkdir()
    (folder / "bike-2011.csv").write_text(ROWS)
    return folder


def test_an_ingest_from_beginning_to_end(cli: Cli, land: Path) -> None:
    dry = cli("data", "ingest", "bike", "land/*.csv", "--create", "--dry-run")
    assert dry.status == 0, dry.err
    assert "dataset bike would be created with 28 rows: 1 file: 1 new" in dry.out
    assert "ts      timestamp" in dry.out and "2011-01-01T00:00:00" in dry.out
    assert max(map(len, dry.out.splitlines())) <= 160
    done = cli("data", "ingest", "bike", "land/*.csv", "--create")
    assert done.status == 0 and "dataset bike: created, 28 rows" in done.out
    again = cli("data", "ingest", "bike", "land", "--json")
    assert again.json()["read"] == 0 and again.json()["files"][0]["state"] == "known"
    listed = cli("data", "ingests", "--json").json()["ingests"]
    assert [(one["dataset"], one["rows"], one["state"]) for one in listed] == [("bike", 28, "done")]
    shown = cli("data", "ingests", listed[0]["id"][:12])
    assert shown.status == 0 and "bike-2011.csv" in shown.out
    assert cli("data", "ingests").out.count("\n") == 2
    lineage = cli("lineage", "show", "dataset/bike")
    assert "land/*.csv" in lineage.out


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (["bike", "land"], 3, "no such dataset (add --create"),
        (["../x", "land", "--create"], 2, "not allowed"),
        (["bike", "nosuch.csv", "--create"], 2, "E540"),
        (["bike", "land", "--create", "--types", "temp=float7"], 2, "no such type"),
        (["bike", "land", "--create", "--types", "tmp=string"], 2, "did you mean temp?"),
        (["bike", "land", "--create", "--timestamp", "ts=now"], 2, "not a format"),
        (["bike", "land", "--create", "--mode", "upsert"], 2, "go together"),
        (["bike", "land", "--create", "--encoding", "klingon"], 2, "no such encoding"),
        (["bike", "land", "--create", "--delimiter", "ab"], 2, "one character"),
        (["bike", "land", "--create", "--watch", "0"], 2, "not between"),
        (["bike", "land", "--create", "--query", "SELECT 1"], 2, "no database's address"),
        (["bike"], 2, "missing argument"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(
    cli: Cli, land: Path, args: list[str], status: int, said: str
) -> None:
    result = cli("data", "ingest", *args)
    assert result.status == status and said in result.err, result.err
    assert result.err.count("\n") == 1 and not result.out


def test_a_bad_file_in_json(cli: Cli, land: Path) -> None:
    (land / "bad.csv").write_text(ROWS + "1,2\n")
    result = cli("data", "ingest", "bike", "land", "--create", "--json")
    assert result.status == 2
    error = result.json()["error"]
    assert error["code"] == "E541" and "bad.csv:30: 2 fields" in error["message"]


def test_rows_left_out_are_told(cli: Cli, land: Path) -> None:
    (land / "bad.csv").write_text(ROWS + "1,2\n")
    result = cli("data", "ingest", "bike", "land/bad.csv", "--create", "--on-error", "quarantine")
    assert result.status == 0 and "28 rows" in result.out
    assert "1 row left out: .opsdeck/quarantine/bike/" in result.out
    assert "bad.csv:30" in result.out


def test_a_batch_that_is_not_as_expected(cli: Cli, workspace: Path, land: Path) -> None:
    assert cli("data", "ingest", "bike", "land", "--create").status == 0
    folder = workspace / "expectations"
    folder.mkdir(exist_ok=True)
    (folder / "bike.yaml").write_text("dataset: bike\ncolumns:\n  cnt:\n    ge: 0\n")
    (land / "next.csv").write_text("ts,temp,cnt\n2012-01-01T00:00:00,1,-5\n")
    result = cli("data", "ingest", "bike", "land")
    assert result.status == 1 and "E544" in result.err, result.err
    assert "opsdeck data quarantine show" in result.err
    states = [one["state"] for one in cli("data", "ingests", "--json").json()["ingests"]]
    assert states == ["quarantined", "done"]
    assert cli("data", "show", "bike", "--json").json()["dataset"]["rows"] == 28


def test_records_from_standard_input(cli: Cli, land: Path) -> None:
    cli("data", "ingest", "bike", "land", "--create")
    row = b'{"ts": "2012-01-01T00:00:00", "cnt": 5}\n'
    result = cli("data", "intake", "door", "--dataset", "bike", "--stdin", stdin=row * 3)
    assert result.status == 0 and "intake door: 3 records" in result.out
    bad = cli("data", "intake", "door", "--stdin", stdin=row + b'{"cnt": "x"}\n')
    assert bad.status == 2 and "standard input:2: cnt: 'x' is no long" in bad.err
    assert "door    bike     stopped" in cli("data", "intakes").out
    assert cli("data", "show", "bike", "--json").json()["dataset"]["rows"] == 28 + 4
    assert cli("data", "intake", "door", "--remove").status == 0


def test_a_crawl_is_decided_upon(cli: Cli, land: Path) -> None:
    found = cli("data", "crawl", "land", "--json").json()["crawls"]
    assert [(one["dataset"], one["state"]) for one in found] == [("bike", "proposed")]
    assert "a new dataset of 3 columns" in cli("data", "crawl", "--pending").out
    done = cli("data", "crawl", "land", "--apply", "--ingest")
    assert done.status == 0 and "dataset bike: 28 rows" in done.out
    (land / "bike-2011.csv").write_text(ROWS.replace("temp", "temprature"))
    asked = cli("data", "crawl", "land", "--apply")
    assert asked.status == 0 and "(breaking)" in asked.out and "1 to decide" in asked.err
    identity = cli("data", "crawl", "--pending", "--json").json()["crawls"][0]["id"]
    refused = cli("data", "crawl", "accept", identity)
    assert refused.status == 1 and "E545" in refused.err
    assert cli("data", "crawl", "reject", identity).status == 0
    assert "nothing waits" in cli("data", "crawl", "--pending").out


@pytest.mark.parametrize(
    "args", [["data", "ingests"], ["data", "intakes"], ["data", "crawl", "--pending"]], ids=" ".join
)
def test_lists_need_no_data_library(seeded: Path, args: list[str]) -> None:
    script = (
        f"import sys\nfrom console.main import run\nstatus = run({args!r})\n"
        "import json\nprint(json.dumps([sorted(sys.modules), status]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=seeded, capture_output=True, text=True, timeout=60
    )
    modules, status = json.loads(done.stdout.splitlines()[-1])
    assert status == 0
    assert not {name.split(".")[0] for name in modules} & HEAVY
