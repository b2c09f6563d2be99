"""`opsdeck recipes`, `data split` and `data leaks`, as people and programs see them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from core.ops import open_ops
from tests.console.conftest import Cli
from tests.console.test_imports import NOT_TO_READ, loaded_by

ROWS = 48


@pytest.fixture
def people(workspace: Path) -> Path:
    """A workspace with a dataset whose `y` is the sum of two columns."""
    table = pa.table(
        {
            "at": [datetime(2026, 1, 1) + timedelta(hours=each) for each in range(ROWS)],
            "a": [each * 7 % 13 for each in range(ROWS)],
            "b": [each * 5 % 11 for each in range(ROWS)],
            "y": [each * 7 % 13 + each * 5 % 11 for each in range(ROWS)],
        }
    )
    with open_ops(workspace, actor="ann") as ops:
        ops.data.lake.create("people", table.schema, owner="ann")
        ops.data.lake.append("people", table, by="ann")
    return workspace


def test_transformations_are_listed_found_and_shown(workspace: Path, cli: Cli) -> None:
    listed = cli("recipes", "list", "--json").json()["transformations"]
    assert len(listed) > 300
    assert all(each["name"] and each["summary"] and each["category"] for each in listed)
    found = cli("recipes", "list", "-c", "series", "-s", "rows before").out
    assert "rolling_rows" in found and "ewm_before" in found and "one_hot" not in found
    assert cli("recipes", "list", "-s", "no such thing at all").out.startswith("no such transf")
    assert "series" in cli("recipes", "list", "--categories").out
    assert "known: " in cli("recipes", "list", "-c", "seriess").err
    shown = cli("recipes", "show", "one_hot").out
    assert "ignore, other, fail" in shown and "  - use: one_hot\n    columns: [city]" in shown
    wrong = cli("recipes", "show", "one_hott")
    assert wrong.status == 3 and "did you mean one_hot?" in wrong.err


def test_listing_loads_nothing_heavy(workspace: Path) -> None:
    for args in (["recipes", "--help"], ["recipes", "list"], ["recipes", "show", "lag"]):
        modules, status = loaded_by(args, workspace)
        assert status == 0
        assert not modules & {*NOT_TO_READ - {"sqlite3"}, "polars", "pyarrow", "duckdb"}


def test_a_recipe_from_its_first_line_to_a_dataset(people: Path, cli: Cli) -> None:
    assert cli("recipes", "files").out.startswith("no recipes yet")
    assert cli("recipes", "new", "tidy", "--target", "y").status == 0
    assert cli("recipes", "validate", "tidy").out == "tidy: no problems\n"
    file = people / "recipes" / "tidy.yaml"
    file.write_text("target: y\nsteps:\n- {use: standardise, columns: a}\n- {use: drop}\n")
    broken = cli("recipes", "validate", "tidy")
    assert broken.status == 1
    assert broken.out.splitlines()[0] == (
        "recipes/tidy.yaml:3 steps[1].use: no transformation 'standardise'"
        " (did you mean standardize?)"
    )
    assert len(cli("recipes", "validate", "tidy", "--json").json()["problems"]) == 2
    refused = cli("recipes", "preview", "tidy", "--dataset", "people")
    assert refused.status == 2 and "E560" in refused.err and "(and 1 more)" in refused.err
    file.write_text(
        "target: y\nsteps:\n- {use: standardize, columns: a}\n"
        "- {use: drop_rows, with: {drop: b = 0}}\n"
        "- {use: lag, columns: b, with: {n: 1, time: at}}\n"
    )
    told = cli("recipes", "preview", "tidy", "--dataset", "people", "-n", "2").out
    assert "48 rows of people: 43 rows after; nothing was written" in told
    assert "48 → 43" in told and "b_lag1" in told
    assert max(len(line) for line in told.splitlines()) <= 100
    document = cli("recipes", "preview", "tidy", "--dataset", "people", "--json").json()
    assert document["rows_after"] == 43
    unsaid = cli("recipes", "run", "tidy", "--dataset", "people", "--to", "ready")
    assert unsaid.status == 2 and "--fit-on" in unsaid.err
    done = cli("recipes", "run", "tidy", "--dataset", "people", "--to", "ready", "--fit-on", "all")
    assert done.status == 0 and "ready #2, 43 rows" in done.out
    assert "tidy" in cli("recipes", "files").out
    file.write_text("steps:\n- {use: str.to_lowercase, columns: a}\n")
    wrong = cli("recipes", "run", "tidy", "--dataset", "people", "--to", "ready")
    assert wrong.status == 1
    assert "recipes/tidy.yaml:2 steps[1] (str.to_lowercase): column a is Int64" in wrong.err


def test_a_split_and_its_leaks(people: Path, cli: Cli) -> None:
    dry = cli("data", "split", "people", "--by", "time", "--column", "at", "--dry-run").out
    assert "nothing was written" in dry and "people_train" not in dry
    done = cli("data", "split", "people", "--by", "hash", "--column", "at", "--shares", "75/25")
    assert done.status == 0 and "people_test #2" in done.out
    found = cli("data", "leaks", "people", "--target", "y")
    assert found.status == 1
    assert "a + b = y in 100.0% of the rows" in found.out
    assert "not looked for: future times (no time column was named (--time))" in found.out
    fine = cli("data", "leaks", "people", "--target", "y", "--ignore", "a", "--ignore", "b")
    assert fine.status == 0 and "nothing found" in fine.out
    for args, words in (
        (["--by", "time", "--column", "att"], "did you mean at?"),
        (["--by", "time", "--column", "at", "--shares", "50/60"], "sum to 110"),
        (["--by", "time", "--column", "at", "--starts", "test"], "PART=TIME"),
        (["--by", "hash"], "needs a column"),
    ):
        wrong = cli("data", "split", "people", *args)
        assert wrong.status == 2 and words in wrong.err, wrong.err
