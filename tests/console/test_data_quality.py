"""`opsdeck data profile|diff|sample|card|suggest|validate|quarantine` as people use them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.console.conftest import Cli

HEADER = "ts,code,cnt"


def lines(first: int, count: int, cnt: int = 0) -> str:
    """Hourly rows; two hours are missing in each ten."""
    kept = [h for h in range(first, first + count) if h % 10 not in (3, 4)]
    rows = [
        f"2024-01-{1 + h // 24:02d}T{h % 24:02d}:00:00,{'ab'[h % 2]},{h % 24 + cnt}" for h in kept
    ]
    return "\n".join([HEADER, *rows]) + "\n"


@pytest.fixture
def rides(workspace: Path, cli: Cli) -> Path:
    """The workspace with a dataset of 400 hours."""
    (workspace / "rides.csv").write_text(lines(0, 400))
    assert cli("data", "ingest", "rides", str(workspace / "rides.csv"), "--create").status == 0
    return workspace


def test_a_profile_names_the_missing_hours(rides: Path, cli: Cli) -> None:
    shown = cli("data", "profile", "rides")
    assert shown.status == 0 and "ts: 80 times missing in 40 gaps (one hour apart)" in shown.out
    assert "█" in shown.out and max(len(line) for line in shown.out.splitlines()) <= 100
    column = cli("data", "profile", "rides", "--column", "ts").out
    assert "2024-01-01 03:00 → 2024-01-01 04:00      2 missing" in column
    assert column.count(" 2 missing") == 40
    told = cli("data", "profile", "rides@2", "--json").json()
    assert told["rows"] == 320 and told["columns"][0]["time"]["gap_count"] == 40
    wrong = cli("data", "profile", "rides", "--column", "nix")
    assert wrong.status == 3 and "columns: ts, code, cnt" in wrong.err


def test_from_a_suggested_file_to_a_replayed_batch(rides: Path, cli: Cli) -> None:
    assert cli("data", "suggest", "rides").status == 0
    assert cli("data", "suggest", "rides").status == 2
    assert cli("data", "validate", "rides").status == 0
    assert cli("data", "validate", "rides", "--lint").out.strip() == "rides: nothing wrong"
    assert "cnt: ge 0" in cli("data", "expectations", "rides").out
    bad = lines(400, 10).replace(",17\n", ",-17\n")
    (rides / "more.csv").write_text(bad)
    held = cli("data", "ingest", "rides", str(rides / "more.csv"))
    assert held.status == 1 and "quarantine" in held.err and "Traceback" not in held.err
    (batch,) = cli("data", "quarantine", "list", "--json").json()["quarantine"]
    shown = cli("data", "quarantine", "show", batch["id"][:6])
    assert "cnt: ge 0" in shown.out and "-17" in shown.out
    assert cli("data", "quarantine", "replay", batch["id"]).status == 1
    assert cli("data", "quarantine", "discard", batch["id"]).status == 2  # nobody to ask
    out = rides / "fix.csv"
    assert cli("data", "quarantine", "edit", batch["id"], str(out)).status == 0
    out.write_text(out.read_text().replace(",-17\n", ",17\n"))
    assert "nothing is wrong" in cli("data", "quarantine", "repair", batch["id"], str(out)).out
    assert cli("data", "quarantine", "replay", batch["id"]).status == 0
    assert cli("data", "show", "rides", "--json").json()["dataset"]["rows"] == 328
    assert cli("data", "quarantine", "list").out.strip() == "no batches in quarantine"
    diff = cli("data", "diff", "rides", "--from", "2")
    assert diff.status == 0 and "(+8)" in diff.out


def test_a_snapshot_that_fails_exits_with_1(rides: Path, cli: Cli) -> None:
    (rides / "expectations").mkdir(exist_ok=True)
    (rides / "expectations" / "rides.yaml").write_text("columns:\n  cnt: {lt: 20}\n")
    found = cli("data", "validate", "rides")
    assert found.status == 1 and "cnt: lt 20" in found.out and "such as 20" in found.out
    listed = cli("data", "validations", "rides", "--json").json()["validations"]
    assert listed[0]["passed"] is False
    assert cli("data", "validations", "--id", listed[0]["id"][:10]).status == 0
    (rides / "expectations" / "rides.yaml").write_text("columns:\n  cnt: {lesser: 20}\n")
    wrong = cli("data", "validate", "rides")
    assert wrong.status == 2 and "rides.yaml:2 columns.cnt.lesser" in wrong.err
    assert cli("data", "validate", "rides", "--lint").status == 1


def test_samples_cards_and_constraints(rides: Path, cli: Cli, tmp_path: Path) -> None:
    sample = cli("data", "sample", "rides", "-n", "6", "--stratify", "code", "--json").json()
    assert sorted(row["code"] for row in sample["rows"]) == ["a"] * 3 + ["b"] * 3
    assert cli("data", "sample", "rides", "-n", "3", "--columns", "cnt").out.startswith("CNT")
    assert "cards/rides.md" in cli("data", "card", "rides").out
    assert cli("data", "card", "rides", "-o", "-").out.startswith("# rides\n")
    assert cli("data", "constraints", "rides", str(tmp_path / "mm")).status == 0
    made = json.loads((tmp_path / "mm" / "constraints.json").read_text())
    assert made["features"][2]["num_constraints"] == {"is_non_negative": True}
    schema = cli("data", "expectations", "--schema").json()
    assert schema["title"] == "Opsdeck expectations"


@pytest.mark.parametrize(
    "verb", ["data quarantine list", "data validations", "data quarantine --help"]
)
def test_lists_load_no_data_library(workspace: Path, verb: str) -> None:
    code = (
        "import sys\nfrom console.main import run\n"
        f"status = run({verb.split()!r})\n"
        "heavy = {'polars', 'pyarrow', 'duckdb', 'pyiceberg', 'pandera', 'pandas', 'numpy'}\n"
        "sys.exit(','.join(heavy & set(sys.modules)) or status)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=workspace,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_rows_are_held_and_put_back(rides: Path, cli: Cli) -> None:
    args = ("data", "quarantine", "hold", "rides", "--where", "code = 'a' AND cnt > 20")
    would = cli(*args, "--reason", "a broken counter", "--dry-run")
    assert would.status == 0 and "of 320" in would.out and "nothing on record" in would.out
    asked = cli(*args, "--reason", "a broken counter")
    assert asked.status == 2 and "add --yes" in asked.err and "leave rides" in asked.err
    assert cli("data", "quarantine", "list", "--json").json()["quarantine"] == []
    held = cli(*args, "--reason", "a broken counter", "--yes")
    assert held.status == 0 and "opsdeck data quarantine replay" in held.out
    (batch,) = cli("data", "quarantine", "list", "--json").json()["quarantine"]
    assert batch["message"] == "a broken counter" and 0 < batch["rows"] < 320
    left = cli("data", "show", "rides", "--json").json()["dataset"]["rows"]
    assert left == 320 - batch["rows"]
    assert "cnt > 20" in cli("data", "quarantine", "show", batch["id"]).out
    assert cli("data", "quarantine", "replay", batch["id"]).status == 0
    assert cli("data", "show", "rides", "--json").json()["dataset"]["rows"] == 320
    again = cli("data", "quarantine", "replay", batch["id"])
    assert again.status == 1 and "is replayed" in again.err
    for where, says in (("", "empty condition"), ("1 = 1", "nothing would be left")):
        wrong = cli("data", "quarantine", "hold", "rides", "--where", where, "-m", "x", "--yes")
        assert wrong.status == 2 and says in wrong.err and "Traceback" not in wrong.err
