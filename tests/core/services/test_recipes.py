"""Recipes and splits over datasets: what may be read, what is written, what is on record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from core.errors import BadInput, NotFound, ReadOnly, WrongState
from core.governance.errors import Refused
from core.ops import Ops, open_ops
from core.recipes.errors import FitRefused, RecipeInvalid, SplitInvalid

ROWS = 40
EARLY = "\"at\" < TIMESTAMP '2026-01-02'"
RECIPE = """\
target: y
steps:
  - {use: lag, columns: y, with: {n: 1, time: at}}
  - {use: standardize, columns: a}
  - {use: drop, columns: mail}
"""


def rows() -> pa.Table:
    return pa.table(
        {
            "at": [datetime(2026, 1, 1) + timedelta(hours=each) for each in range(ROWS)],
            "a": [float(each * 7 % 13) for each in range(ROWS)],
            "b": [each * 5 % 11 for each in range(ROWS)],
            "mail": [f"p{each}@example.org" for each in range(ROWS)],
            "y": [float(each * 3 % 7) for each in range(ROWS)],
        }
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace with a recipe."""
    (tmp_path / "opsdeck.yaml").write_text(json.dumps({"name": "s", "lake": {"admins": ["root"]}}))
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "tidy.yaml").write_text(RECIPE)
    return tmp_path


@pytest.fixture
def ops(root: Path) -> Iterator[Ops]:
    """It, opened by ann, with her dataset `people`."""
    with open_ops(root, actor="ann") as opened:
        lake = opened.data.lake
        lake.create("people", rows().schema, owner="ann")
        lake.append("people", rows(), by="ann")
        yield opened


def test_a_recipe_makes_a_dataset_with_its_lineage_and_labels(ops: Ops) -> None:
    ops.governance.label("people", "a", ["pii"])
    done = ops.recipes.run("tidy", "people", "ready", fit_on=EARLY)
    assert (done.rows_before, done.rows_after, done.target_snapshot) == (ROWS, ROWS, "2")
    assert done.fitted_on == f"24 rows of people #2 where {EARLY}"
    assert Path(done.folder, "fitted.json").is_file()
    made = ops.data.get("ready")
    assert [each.name for each in made.columns] == ["at", "a", "b", "y", "y_lag1"]
    assert {(each.column, each.tag, each.origin) for each in ops.governance.labels("ready")} == {
        ("a", "pii", "people.a")
    }
    edges = ops.session.reader.rows(
        "SELECT source_column, target_column FROM lineage_edges WHERE via = 'recipe'"
    )
    pairs = {(each["source_column"], each["target_column"]) for each in edges}
    assert {("y", "y_lag1"), ("at", "y_lag1"), ("a", "a"), ("", "")} <= pairs
    assert "mail" not in {source for source, _ in pairs}
    entry = ops.session.reader.rows("SELECT detail FROM journal WHERE action = 'recipe.run'")
    assert json.loads(entry[0]["detail"])["fitted"] == done.fitted
    again = ops.recipes.run("tidy", "people", "ready", fit_on=EARLY)
    assert again.fitted == done.fitted
    assert again.target_snapshot == "3"
    assert ops.recipes.run("tidy", "people", "ready", fit_at="2").fitted != done.fitted


def test_what_cannot_be_run_is_refused(ops: Ops, root: Path) -> None:
    with pytest.raises(FitRefused, match="nothing says from which part"):
        ops.recipes.run("tidy", "people", "ready")
    with pytest.raises(FitRefused, match="no row of people meets"):
        ops.recipes.run("tidy", "people", "ready", fit_on="b > 99")
    with pytest.raises(BadInput, match="the dataset itself"):
        ops.recipes.run("tidy", "people", "people", fit_on="all")
    with pytest.raises(NotFound):
        ops.recipes.run("tidy", "nobody", "ready", fit_on="all")
    with pytest.raises(NotFound, match="recipe tydi"):
        ops.recipes.preview("tydi", "people")
    (root / "recipes" / "bad.yaml").write_text("steps: [{use: nope}]")
    with pytest.raises(RecipeInvalid, match=r"recipes/bad.yaml:1 steps\[1\]"):
        ops.recipes.run("bad", "people", "ready")
    assert [each.name for each in ops.recipes.files()] == ["bad", "tidy"]
    with open_ops(root, actor="ann", read_only=True) as reader:
        for act in (
            lambda: reader.recipes.run("tidy", "people", "ready", fit_on="all"),
            lambda: reader.recipes.new("other"),
            lambda: reader.splits.split("people", by="random"),
        ):
            with pytest.raises(ReadOnly):
                act()
        assert reader.recipes.preview("tidy", "people").rows_after == ROWS
        assert reader.splits.split("people", by="random", dry=True).rows == ROWS


def test_somebody_sees_in_a_preview_what_they_may_see(ops: Ops, root: Path) -> None:
    ops.governance.grant("people", "bob", columns=["at", "a", "mail", "y"], where="a < 6",
                         masks={"mail": "redact"})  # fmt: skip
    (root / "recipes" / "look.yaml").write_text("steps: [{use: copy, columns: mail}]")
    with open_ops(root, actor="bob") as bob:
        told = bob.recipes.preview("look", "people", rows=ROWS)
        assert told.rows_before < ROWS
        assert told.sampled is None
        assert {each.name for each in told.columns} == {"at", "a", "mail", "y", "mail_copy"}
        assert not any("p1@" in str(each["mail_copy"]) for each in told.after)
    with open_ops(root, actor="eve") as eve:
        for act in (
            lambda: eve.recipes.preview("look", "people"),
            lambda: eve.recipes.run("look", "people", "mine"),
            lambda: eve.splits.split("people", by="random"),
            lambda: eve.splits.leaks("people", target="y"),
        ):
            with pytest.raises(Refused):
                act()
    with open_ops(root, actor="bob") as bob:
        bob.recipes.run("look", "people", "copied")
    with open_ops(root, actor="eve") as eve, pytest.raises(Refused):
        eve.recipes.preview("look", "copied")


def test_a_new_recipe_is_valid_and_never_overwrites(ops: Ops, root: Path) -> None:
    path = ops.recipes.new("fresh", target="y")
    assert path == root / "recipes" / "fresh.yaml"
    assert ops.recipes.validate("fresh") == ()
    assert ops.recipes.preview("fresh", "people").rows_after == ROWS
    with pytest.raises(WrongState):
        ops.recipes.new("fresh")
    with pytest.raises(BadInput):
        ops.recipes.new("../fresh")


def test_parts_become_datasets_and_are_checked_against_each_other(ops: Ops) -> None:
    told = ops.splits.split(
        "people", by="time", columns=["at"], parts={"train": 0.5, "test": 0.5}, gap="2h"
    )
    assert [(each.dataset, each.rows) for each in told.parts] == [
        ("people_train", 18), ("people_test", 20),
    ]  # fmt: skip
    assert told.left_out == 2
    assert ops.data.get("people_test").rows == 20
    clean = ops.splits.leaks("people_train", target="y", time="at", others={"test": "people_test"})
    assert not [each for each in clean.leaks if each.kind == "trained on later rows"]
    turned = ops.splits.leaks("people_test", target="y", time="at", others={"test": "people_train"})
    assert "trained on later rows" in {each.kind for each in turned.leaks}
    again = ops.splits.leaks("people", target="y", key=["mail"], others={"test": "people_test"})
    assert {"duplicate rows", "shared keys"} <= {each.kind for each in again.leaks}
    with pytest.raises(SplitInvalid, match="there is no column day"):
        ops.splits.split("people", by="time", columns=["day"])
    with pytest.raises(BadInput, match="no such column"):
        ops.splits.split("people", by="random", target="nope")
