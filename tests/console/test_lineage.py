"""`opsdeck lineage` and `opsdeck views` on a real lake, as people and programs read them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from console.main import run
from core.lake import open_lake
from core.ops import open_ops
from tests.support.opened import write_workspace

HOURLY = "-- keys: hour\n-- description: doubled\nSELECT hour, n * 2 AS twice FROM rentals"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_workspace(tmp_path / "w")
    (root / "views").mkdir()
    (root / "views" / "hourly.sql").write_text(HOURLY)
    rows = pa.table(
        {"hour": pa.array([datetime(2026, 1, 1)], pa.timestamp("us")), "n": pa.array([3])}
    )
    with open_ops(root, actor="ana") as ops, open_lake(ops.session) as lake:
        lake.ensure("rentals", rows.schema, owner="ana")
        lake.append("rentals", rows, by="ana")
    return root


def said(
    capsys: pytest.CaptureFixture[str], root: Path, *words: str, status: int = 0
) -> tuple[str, str]:
    assert run(["-w", str(root), *words]) == status
    captured = capsys.readouterr()
    return captured.out, captured.err


def document(capsys: pytest.CaptureFixture[str], root: Path, *words: str) -> Any:
    return json.loads(said(capsys, root, *words, "--json")[0])


def test_a_view_from_its_file_to_its_lineage(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    assert "not applied yet: hourly" in said(capsys, root, "views", "list")[0]
    done = said(capsys, root, "views", "refresh", "--all")[0]
    assert "view hourly: all rows made anew (the first time)" in done
    assert "nothing is new (1 rows)" in said(capsys, root, "views", "refresh", "hourly")[0]
    shown = said(capsys, root, "views", "show", "hourly")[0]
    assert "refreshed by hour" in shown and "doubled" in shown
    (listed,) = document(capsys, root, "views", "list")["views"]
    assert (listed["state"], listed["rows"], listed["mode"]) == ("fresh", 1, "incremental")

    tree = said(capsys, root, "lineage", "show", "rentals.n")[0]
    assert "dataset rentals.n" in tree and "└─ dataset hourly.twice" in tree
    both = document(capsys, root, "lineage", "show", "hourly")
    assert both["upstream"]["branches"][0]["node"]["name"] == "rentals"
    impact = document(capsys, root, "lineage", "impact", "rentals.n")
    assert [each["columns"] for each in impact["breaks"]] == [["twice"]]
    assert (
        "nothing is known to be made from it"
        in (said(capsys, root, "lineage", "impact", "hourly")[0])
    )
    events = said(capsys, root, "lineage", "export")[0].splitlines()
    assert [json.loads(line)["job"]["name"] for line in events][-1] == "view.hourly"

    assert "dropped" in said(capsys, root, "views", "drop", "hourly", "--yes")[0]
    assert document(capsys, root, "views", "list")["views"] == []


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("lineage", "show", "nothing"), 3, "nothing of that name"),
        (("lineage", "impact", "rentals.wrong"), 2, "no column wrong"),
        (("lineage", "show", "rentals", "--depth", "0"), 2, "1 to 100"),
        (("lineage", "export", "--since", "soon"), 2, "--since"),
        (("views", "refresh"), 2, "--all"),
        (("views", "show", "nothing"), 3, "no such view"),
        (("views", "refresh", "nothing"), 3, "no file"),
        (("views", "drop", "nothing", "--yes"), 3, "no such view"),
        (("--read-only", "views", "refresh", "hourly"), 1, "read-only"),
    ],
)
def test_what_cannot_be_is_one_line(
    capsys: pytest.CaptureFixture[str], root: Path, words: tuple[str, ...], status: int, told: str
) -> None:
    _, error = said(capsys, root, *words, status=status)
    assert told in error and error.count("\n") == 1
