"""Labels that are missing at random, and labels that are not."""

from __future__ import annotations

import numpy as np

from core.modelquality.coverage import compare


def columns(generator: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    return {
        "prediction": generator.normal(size=rows),
        "age": generator.integers(18, 80, rows),
        "town": generator.choice(["a", "b", "c"], rows).astype(object),
    }


def test_missing_at_random_says_nothing() -> None:
    wrong = 0
    for seed in range(40):
        generator = np.random.default_rng(seed)
        found = compare(generator.random(1000) < 0.7, columns(generator, 1000))
        wrong += not found.at_random
        assert found.share is not None
    assert wrong == 0


def test_missing_by_prediction_or_by_category_is_said_with_the_column() -> None:
    generator = np.random.default_rng(1)
    rows = columns(generator, 2000)
    found = compare(rows["prediction"] + generator.normal(size=2000) > 0.5, rows)
    assert not found.at_random
    assert found.gaps[0].column == "prediction"
    assert "not at random" in found.statement
    assert "prediction" in found.statement
    found = compare((rows["town"] == "a") | (generator.random(2000) < 0.3), rows)
    assert [gap.column for gap in found.gaps if gap.matters] == ["town"]


def test_few_labels_are_said() -> None:
    generator = np.random.default_rng(2)
    found = compare(np.arange(1000) % 5 == 0, columns(generator, 1000))
    assert found.statement.startswith("only 20% of rows are labelled")


def test_edges() -> None:
    none = np.zeros(0, dtype=bool)
    assert compare(none, {}).share is None
    assert compare(np.zeros(9, dtype=bool), {"x": np.arange(9)}).statement == "no labels yet"
    assert compare(np.ones(9, dtype=bool), {"x": np.arange(9)}).statement == ""
    odd = {
        "x": np.array([None, "a", np.nan, 3.0, "b"] * 40, dtype=object),
        "gone": np.full(200, np.nan),
    }
    assert compare(np.arange(200) % 2 == 0, odd).rows == 200


def test_rows_without_a_usable_prediction_do_not_count() -> None:
    usable = np.arange(100) < 80
    found = compare(np.arange(100) < 60, {}, usable)
    assert (found.rows, found.labelled) == (80, 60)
