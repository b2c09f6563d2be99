"""`opsdeck data`: datasets on the command line, as people and programs see them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from core.ops import open_ops
from tests.console.conftest import Cli

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def sales(workspace: Path, cli: Cli) -> Path:
    """A workspace with a dataset `sales` of three versions."""
    made = cli("data", "create", "sales", "-c", "id:long!", "-c", "price:double")
    assert (made.status, made.out) == (0, "dataset sales: 2 columns, no rows yet\n")
    with open_ops(workspace, actor="ann") as ops:
        for each in (1, 2):
            table = pa.table({"id": [each], "price": [each / 2]})
            ops.data.lake.append("sales", table, by="ann", message=f"day {each}")
    return workspace


def test_datasets_are_listed_and_shown(sales: Path, cli: Cli) -> None:
    listed = cli("data", "list")
    assert listed.status == 0
    assert [line.split()[:4] for line in listed.out.splitlines()] == [
        ["DATASET", "KIND", "VERSION", "ROWS"],
        ["sales", "table", "#3", "2"],
    ]
    shown = cli("data", "show", "sales").out
    assert "id      long    never" in shown and "versions (3 of 3)" in shown and "day 2" in shown
    assert cli("data", "show", "sales", "--json").json()["dataset"]["rows"] == 2
    assert max(len(line) for line in cli("data", "snapshots", "sales").out.splitlines()) < 110
    assert cli("data", "show", "nope").status == 3


def test_versions_are_named_and_gone_back_to(sales: Path, cli: Cli) -> None:
    assert cli("data", "tag", "sales", "gold", "--at", "2").out == "sales #2 is gold\n"
    plan = cli("data", "rollback", "sales", "gold", "--dry-run")
    assert "#3 → #2" in plan.out and "nothing was done" in plan.out
    asked = cli("data", "rollback", "sales", "gold")
    assert asked.status == 2 and "--yes" in asked.err
    assert cli("data", "rollback", "sales", "gold", "-y").out == "sales is at #2 now: 1 rows\n"
    assert cli("data", "list", "--json").json()["datasets"][0]["number"] == 2
    assert cli("data", "tag", "sales", "gold", "--delete").status == 0
    assert cli("data", "rollback", "sales", "gold", "-y").status == 3


def test_branches_begin_and_are_published(sales: Path, cli: Cli) -> None:
    assert cli("data", "branch", "sales", "trial").out == "sales trial begins at #3\n"
    with open_ops(sales, actor="ann") as ops:
        ops.data.lake.append("sales", pa.table({"id": [3]}), by="ann", branch="trial")
    assert cli("data", "branch", "sales", "trial", "--publish").out == (
        "sales is at #4 of trial now\n"
    )
    assert cli("data", "branch", "sales", "trial", "--delete").status == 0
    assert cli("data", "branch", "sales", "x", "--delete", "--publish").status == 2


def test_columns_are_changed_and_compared(sales: Path, cli: Cli) -> None:
    done = cli("data", "alter", "sales", "--add", "note:string", "--rename", "price:amount")
    assert done.out == "dataset sales: id long, amount double, note string\n"
    refused = cli("data", "alter", "sales", "--drop", "note")
    assert refused.status == 2 and "--yes" in refused.err
    assert cli("data", "schema", "sales", "--since", "2").out.splitlines() == [
        "+ amount double",
        "+ note string",
        "- price double",
    ]
    assert cli("data", "alter", "sales", "--widen", "amount:int").status == 2
    assert cli("data", "alter", "sales", "--add", "nonsense").status == 2


def test_upkeep_says_what_it_does(sales: Path, cli: Cli) -> None:
    assert "2 files of" in cli("data", "compact", "sales", "--dry-run").out
    assert "became 1" in cli("data", "compact", "sales").out
    plan = cli("data", "expire", "sales", "--keep", "1", "--dry-run", "--json").json()
    assert (plan["numbers"], plan["dry_run"]) == ([1, 2, 3], True)
    assert cli("data", "expire", "sales", "--keep", "1").status == 2
    done = cli("data", "expire", "sales", "--keep", "1", "--now", "-y").out
    assert "3 versions expired (#1 to #3), 1 can be read" in done and "deleted" in done
    assert cli("data", "expire", "sales", "--files").status == 0
    assert cli("data", "expire", "sales", "--older-than", "soon").status == 2


def test_dropping_asks_for_the_name_and_can_be_undone(sales: Path, cli: Cli) -> None:
    assert cli("data", "drop", "sales").status == 2
    assert cli("data", "drop", "sales", "--confirm", "other").status == 2
    assert "nothing was done" in cli("data", "drop", "sales", "--dry-run").out
    assert "--undo" in cli("data", "drop", "sales", "--confirm", "sales").out
    assert cli("data", "show", "sales").status == 3
    assert cli("data", "list", "--dropped", "--json").json()["datasets"][0]["name"] == "sales"
    assert cli("data", "drop", "sales", "--undo").out == "dataset sales is back: 2 rows\n"


def test_a_key_is_made_once(workspace: Path, cli: Cli) -> None:
    made = cli("data", "key", "lake.key")
    assert "public part age1" in made.out and "SECRET" not in made.out
    assert (workspace / "lake.key").stat().st_mode & 0o777 == 0o600
    assert cli("data", "key", "lake.key").status == 2


def test_listing_loads_no_library_of_the_lake(sales: Path) -> None:
    code = (
        "import sys; from console.main import run; status = run(['data', 'list']);"
        "status += run(['data', 'show', 'sales']);"
        "bad = {'pyiceberg', 'pyarrow', 'sqlalchemy', 'duckdb', 'polars'} & set(sys.modules);"
        "sys.exit(f'{bad}' if bad or status else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=sales,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": "/tmp"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
