"""What pipeline steps call: a recipe over several inputs, a split of rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from core.errors import BadInput
from core.recipes.errors import FitRefused, RecipeInvalid, SplitInvalid
from core.recipes.fitted import load_fitted
from core.recipes.steps import run_split, run_transform, surely
from core.session import Session
from core.workspace import open_workspace

RECIPE = """\
target: y
steps:
  - {use: standardize, columns: a}
  - {use: target_encode, columns: c, with: {smoothing: 0}}
"""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    root = tmp_path / "space"
    (root / "recipes").mkdir(parents=True)
    (root / "opsdeck.yaml").write_text("name: space\n")
    (root / "recipes" / "tidy.yaml").write_text(RECIPE)
    session = Session(open_workspace(root), "author", read_only=False)
    yield session
    session.close()


def table(rows: int = 60, seed: int = 1) -> pa.Table:
    draw = np.random.default_rng(seed)
    return pa.table(
        {
            "at": [datetime(2026, 1, 1) + timedelta(hours=each) for each in range(rows)],
            "a": draw.normal(size=rows),
            "c": [f"c{each % 6}" for each in range(rows)],
            "y": draw.normal(size=rows),
        }
    )


def test_the_training_part_is_encoded_out_of_fold_and_the_others_by_what_it_learned(
    session: Session, tmp_path: Path
) -> None:
    train, test = table(60, 1), table(30, 2)
    file = tmp_path / "test.parquet"
    pl.from_arrow(test).write_parquet(file)  # type: ignore[union-attr]
    done = run_transform(session, "tidy", {"train": train, "test": file})
    assert {name: each.num_rows for name, each in done.outputs.items()} == {"train": 60, "test": 30}
    plain = pl.from_arrow(train).group_by("c").agg(pl.col("y").mean())  # type: ignore[union-attr]
    means = dict(plain.iter_rows())
    encoded = done.outputs["test"].column("c").to_pylist()
    assert encoded == pytest.approx([means[each] for each in test.column("c").to_pylist()])
    own = done.outputs["train"].column("c").to_pylist()
    assert own != pytest.approx([means[each] for each in train.column("c").to_pylist()])
    again = load_fitted(done.folder).apply(pl.from_arrow(test))  # type: ignore[arg-type]
    assert again.to_arrow().equals(done.outputs["test"])


def test_the_same_is_the_same_and_rows_of_its_own_may_be_fitted_on(session: Session) -> None:
    train, test = table(60, 1), table(30, 2)
    one = run_transform(session, "tidy", {"train": train, "test": test})
    other = run_transform(
        session, "recipes/tidy.yaml", {"training": train, "test": test}, fit_on=train
    )
    assert one.hash == other.hash
    assert one.outputs["train"].equals(other.outputs["training"])
    assert one.outputs["test"].equals(other.outputs["test"])
    only = run_transform(session, "tidy", {"test": test}, fit_on=train)
    assert only.outputs["test"].equals(one.outputs["test"])


def test_a_recipe_that_learns_wants_to_know_from_what(session: Session) -> None:
    with pytest.raises(FitRefused, match="nothing says from which input"):
        run_transform(session, "tidy", {"a": table(), "b": table(30, 2)})
    with pytest.raises(BadInput, match="no input train"):
        run_transform(session, "tidy", {"a": table()}, fit_on="train")
    (session.workspace.root / "recipes" / "bad.yaml").write_text(
        "steps:\n- {use: drop, columns: a, when: a > 1}\n"
    )
    with pytest.raises(RecipeInvalid, match="cannot heed"):
        run_transform(session, "bad", {"a": table()})


def test_a_split_has_parts_a_report_and_findings() -> None:
    rows = table(100)
    leaking = rows.append_column("twin", rows.column("y"))
    done = run_split(
        leaking, by="time", column="at", parts={"train": 0.8, "test": 0.2}, gap="3h", target="y"
    )
    assert [each.rows for each in done.report.parts] == [77, 20]
    assert done.parts["train"].num_rows == 77
    assert done.parts["train"].schema.names == leaking.schema.names
    assert [each.columns for each in surely(done.leaks)] == [("twin",)]
    again = run_split(
        leaking, by="time", column="at", parts={"train": 0.8, "test": 0.2}, gap="3h", target="y"
    )
    assert again.report == done.report
    moments = run_split(rows, by="time", column="at", parts={"train": "", "test": "2026-01-03"})
    assert moments.parts["train"].num_rows == 48
    assert moments.leaks is None
    as_text = run_split(rows, by="random", parts={"train": "0.8", "test": "0.2"})
    assert [each.rows for each in as_text.report.parts] == [80, 20]
    with pytest.raises(SplitInvalid, match="some are shares"):
        run_split(rows, by="time", column="at", parts={"train": 0.5, "test": "2026-01-03"})
