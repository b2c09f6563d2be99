"""SHAP values add up to what the model predicts, whatever the model; what cannot be explained
is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from core.attribution import Budget, CannotExplain, Explanation, explain

SMALL = Budget(rows=60, background=20, slow_rows=12, seconds=30)


@dataclass
class Served:
    """A scikit-learn model as a monitor is given it."""

    native: Any
    inputs: tuple[str, ...]
    classes: tuple[Any, ...] = ()

    def predict(self, rows: pa.Table) -> Any:
        return self.native.predict(rows.select(list(self.inputs)).to_pandas())

    def scores(self, rows: pa.Table) -> Any:
        if not hasattr(self.native, "predict_proba"):
            return None
        return self.native.predict_proba(rows.select(list(self.inputs)).to_pandas())


def frame(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "hour": rng.integers(0, 24, rows),
            "temp": rng.normal(15, 8, rows),
            "noise": rng.normal(size=rows),
            "weather": rng.choice(["sun", "rain", "snow"], rows, p=[0.7, 0.28, 0.02]),
        }
    )


NUMBERS = ["hour", "temp", "noise"]


def demand(rows: pd.DataFrame) -> Any:
    return 50 + 4 * rows.hour + rows.temp - 30 * (rows.weather != "sun")


def served(model: Any, columns: list[str], classes: int = 0, text: bool = False) -> Served:
    rows = frame()
    target: Any = demand(rows)
    if classes:
        target = pd.qcut(target, classes, labels=False)
        target = np.where(target == 0, "few", np.where(target == 1, "many", "most"))
    model.fit(rows[columns], target)
    return Served(model, tuple(columns), tuple(model.classes_) if classes else ())


def off(found: Explanation, model: Served, rows: pa.Table) -> float:
    """How far sums are from predictions."""
    sums = found.base + found.values.sum(axis=1)
    picked = rows.take(found.picked)
    if found.units == "the prediction":
        return float(np.abs(sums[:, 0] - model.predict(picked)).max())
    if found.units == "log of the prediction":
        return float(np.abs(np.exp(sums[:, 0]) - model.predict(picked)).max())
    chances = model.scores(picked)
    if found.units == "log-odds":
        return float(np.abs(1 / (1 + np.exp(-sums[:, 0])) - chances[:, 1]).max())
    if found.units == "log-odds (softmax)":
        sums = np.exp(sums) / np.exp(sums).sum(axis=1, keepdims=True)
    return float(np.abs(sums - chances[:, -sums.shape[1] :]).max())


def encoded(model: Any) -> Any:
    columns = [("cat", OneHotEncoder(sparse_output=False), ["weather"])]
    return make_pipeline(ColumnTransformer(columns, remainder=StandardScaler()), model)


TREES = [
    (HistGradientBoostingRegressor(max_iter=20), NUMBERS, 0, "the prediction"),
    (HistGradientBoostingRegressor(loss="poisson", max_iter=20), NUMBERS, 0,
     "log of the prediction"),
    (RandomForestRegressor(10, random_state=0), NUMBERS, 0, "the prediction"),
    (HistGradientBoostingClassifier(max_iter=20), NUMBERS, 2, "log-odds"),
    (HistGradientBoostingClassifier(max_iter=20), NUMBERS, 3, "log-odds (softmax)"),
    (GradientBoostingClassifier(n_estimators=10), NUMBERS, 2, "log-odds"),
    (RandomForestClassifier(10, random_state=0), NUMBERS, 2, "probability"),
    (RandomForestClassifier(10, random_state=0), NUMBERS, 3, "probability"),
    (encoded(HistGradientBoostingRegressor(max_iter=20)), [*NUMBERS, "weather"], 0,
     "the prediction"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("estimator", "columns", "classes", "units"), TREES, ids=lambda v: str(v)[:40]
)
def test_trees_are_exact(estimator: Any, columns: list[str], classes: int, units: str) -> None:
    model = served(estimator, columns, classes)
    rows = pa.Table.from_pandas(frame(200, seed=1))
    found = explain(model, rows, rows, SMALL)
    assert (found.method, found.units, found.rows, found.asked) == (
        "TreeExplainer", units, 60, 200,
    )  # fmt: skip
    assert found.labels == (("label0",) if classes < 3 else ("few", "many", "most"))
    assert off(found, model, rows) < 1e-3
    ranked = [name for name, _ in found.ranked()]
    assert ranked[-1] == "noise" or classes
    assert found.definition().startswith("mean |SHAP| by TreeExplainer, in units of " + units)
    assert found.outcome == ("many" if classes == 2 else "")


def test_columns_made_of_one_input_are_its_own_and_rare_categories_too() -> None:
    """No row explained has snow: its column never moves, and goes by its name."""
    model = served(encoded(HistGradientBoostingRegressor(max_iter=20)), [*NUMBERS, "weather"])
    rows = frame(60, seed=1).query("weather != 'snow'")
    table = pa.Table.from_pandas(rows, preserve_index=False)
    found = explain(model, table, table, SMALL)
    assert found.method == "TreeExplainer" and found.features[3] == "weather"
    rain = (rows.weather == "rain").to_numpy()[found.picked]
    assert found.values[rain, 3, 0].mean() < -10 < 0 < found.values[~rain, 3, 0].mean()


ASKED = [
    (make_pipeline(StandardScaler(), LinearRegression()), NUMBERS, 0, "no TreeExplainer"),
    (make_pipeline(PCA(2), RandomForestRegressor(5)), NUMBERS, 0, "several inputs at once"),
    (TransformedTargetRegressor(RandomForestRegressor(5)), NUMBERS, 0, "no TreeExplainer"),
    (make_pipeline(StandardScaler(), LogisticRegression()), NUMBERS, 2, "no TreeExplainer"),
    (make_pipeline(StandardScaler(), LogisticRegression()), NUMBERS, 3, "no TreeExplainer"),
    (encoded(LinearRegression()), [*NUMBERS, "weather"], 0, "no TreeExplainer"),
    (HistGradientBoostingRegressor(max_iter=9, categorical_features=[0]), NUMBERS, 0,
     "splits by categories"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("estimator", "columns", "classes", "why"), ASKED, ids=lambda v: str(v)[:40]
)
def test_any_other_model_is_asked(
    estimator: Any, columns: list[str], classes: int, why: str
) -> None:
    model = served(estimator, columns, classes)
    rows = pa.Table.from_pandas(frame(50, seed=1))
    found = explain(model, rows, rows, SMALL)
    assert found.method == "PermutationExplainer" and why in found.note
    assert found.rows == 12 and found.background == 20
    assert off(found, model, rows) < 1e-6


def test_a_linear_model_has_the_values_that_one_can_work_out() -> None:
    rows = frame(40, seed=2)[NUMBERS].astype(float)
    model = Served(LinearRegression().fit(rows, 2 * rows.temp - rows.hour), tuple(NUMBERS))
    table = pa.Table.from_pandas(rows)
    found = explain(model, table, table, Budget(background=40))
    expected = (rows - rows.mean()) * [-1, 2, 0]
    np.testing.assert_allclose(found.values[:, :, 0], expected.iloc[found.picked], atol=1e-4)


def test_a_slow_model_is_explained_as_far_as_there_is_time() -> None:
    model = served(make_pipeline(StandardScaler(), LinearRegression()), NUMBERS)
    rows = pa.Table.from_pandas(frame(100))
    found = explain(model, rows, rows, Budget(seconds=0.0))
    assert 0 < found.rows < 100 and list(found.picked) == sorted(found.picked)
    assert f"{found.rows} rows of 100" in found.definition()


def test_one_row_can_be_explained() -> None:
    model = served(encoded(HistGradientBoostingRegressor(max_iter=20)), [*NUMBERS, "weather"])
    rows = pa.Table.from_pandas(frame(60))
    found = explain(model, rows.slice(3, 1), rows)
    assert found.values.shape == (1, 4, 1) and off(found, model, rows.slice(3, 1)) < 1e-3


def test_missing_values_are_explained_where_the_model_takes_them() -> None:
    rows = frame(200)
    rows.loc[::7, "temp"] = np.nan
    trees = HistGradientBoostingRegressor(max_iter=20).fit(rows[NUMBERS], demand(frame(200)))
    model = Served(trees, tuple(NUMBERS))
    table = pa.Table.from_pandas(rows)
    assert off(explain(model, table, table, SMALL), model, table) < 1e-3


def test_text_flags_and_nulls_come_back_as_they_were() -> None:
    """Models that are asked see the types that they were trained on."""
    seen: list[pa.Table] = []

    class Picky(Served):
        def predict(self, rows: pa.Table) -> Any:
            seen.append(rows)
            return np.array([len(v or "") for v in rows["word"].to_pylist()], float)

    rows = pa.table(
        {
            "word": ["a", None, "ccc", "dd"],
            "flag": [True, False, None, True],
            "whole": pa.array([1, 2, None, 4], pa.int32()),
            "real": [0.5, None, 1.5, 2.5],
        }
    )
    found = explain(Picky(None, tuple(rows.column_names)), rows, rows)
    assert all(table.schema.equals(rows.schema) for table in seen)
    assert [name for name, size in found.ranked() if size > 0] == ["word"]


def test_what_cannot_be_explained_is_said() -> None:
    model = served(HistGradientBoostingRegressor(max_iter=5), NUMBERS)
    rows = pa.Table.from_pandas(frame(5))
    for given, words in (
        (rows.slice(0, 0), "no rows"),
        (rows.drop_columns(["temp", "hour"]), "no column hour, temp"),
    ):
        with pytest.raises(CannotExplain, match=words):
            explain(model, given)
    with pytest.raises(CannotExplain, match="no signature"):
        explain(Served(None, ()), rows)

    words = rows.set_column(1, "temp", pa.array(["1.5", "2", None, "x", "3"]))
    with pytest.raises(CannotExplain, match="column temp holds string"):
        explain(model, words, rows)
    assert explain(model, words.slice(0, 3), rows).rows == 3

    class Broken(Served):
        def predict(self, rows: pa.Table) -> Any:
            raise ValueError("cannot be mixed")

    with pytest.raises(CannotExplain, match="cannot be mixed"):
        explain(Broken(None, ("temp",)), rows)

    class Endless(Served):
        def predict(self, rows: pa.Table) -> Any:
            return np.full(rows.num_rows, np.inf)

    with pytest.raises(CannotExplain, match="not finite"):
        explain(Endless(None, ("temp",)), rows)
