"""Rules over what a run put out: predictions with labels, models of trees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from core.debugger import trees
from core.debugger.artifacts import evaluate_outputs, read_pairs
from core.domain.debugger import RuleResult, RuleStatus
from core.domain.run import OutputRef, Run, RunDetail, RunStatus, StepRun, StepStatus
from core.errors import ModelUnusable


def run_with(*outputs: OutputRef, spec: dict[str, Any] | None = None) -> RunDetail:
    run = Run("id", 7, "train", RunStatus.SUCCEEDED, {}, 0.0, "eve")
    step = StepRun("id", "fit", 0, "function", (), StepStatus.SUCCEEDED, outputs=outputs)
    return RunDetail(run, (step,), spec or {})


def frame(folder: Path, name: str, **columns: Any) -> OutputRef:
    pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return OutputRef(name, "frame", "d", f"{name}.parquet", 1)


def model(name: str = "model") -> OutputRef:
    return OutputRef(name, "model", "d", name, 1)


def looked(
    detail: RunDetail, folder: Path, native: Any = None
) -> tuple[dict[str, RuleResult], dict[str, str]]:
    found, missing = evaluate_outputs(detail, folder, lambda _path: native)
    return {one.rule: one for one in found}, missing


def test_classes_in_balance_and_told_apart(tmp_path: Path) -> None:
    truth = ["a", "b"] * 300
    found, _ = looked(run_with(frame(tmp_path, "rows", label=truth, prediction=truth)), tmp_path)
    assert found["ClassImbalance"].status is RuleStatus.NO_ISSUES
    assert found["Confusion"].status is RuleStatus.NO_ISSUES
    assert found["Confusion"].subject == "fit.rows"


def test_a_rare_class_that_is_always_missed(tmp_path: Path) -> None:
    truth = ["no"] * 580 + ["yes"] * 20
    rows = frame(tmp_path, "rows", target=truth, predicted=["no"] * 600)
    found, _ = looked(run_with(rows), tmp_path)
    imbalance = found["ClassImbalance"]
    assert imbalance.status is RuleStatus.ISSUES
    assert "29.0 times as many labels no as yes" in imbalance.message
    assert "predicts 100% of class yes wrong" in imbalance.message
    assert imbalance.evidence["fit.rows"]["labels"] == {"no": 580, "yes": 20}
    confusion = found["Confusion"]
    assert "predicts 0% of label yes right" in confusion.message


def test_classes_that_are_mistaken_for_each_other(tmp_path: Path) -> None:
    truth = ["a"] * 100 + ["b"] * 100
    said = ["a"] * 85 + ["b"] * 15 + ["b"] * 100
    found, missing = looked(run_with(frame(tmp_path, "rows", y=truth, y_pred=said)), tmp_path)
    assert "13% of what it calls b is a" in found["Confusion"].message
    assert missing["ClassImbalance"] == "needs 500 rows of predictions with labels"


def test_columns_that_the_register_step_names(tmp_path: Path) -> None:
    rows = frame(tmp_path, "rows", outcome=[0, 1] * 300, guess=[0, 1] * 300)
    spec = {
        "steps": [{"name": "register", "options": {"target": "outcome", "prediction": "guess"}}]
    }
    assert "Confusion" in looked(run_with(rows, spec=spec), tmp_path)[0]
    assert "Confusion" in looked(run_with(rows), tmp_path)[1]


def test_outputs_that_say_nothing(tmp_path: Path) -> None:
    quantities = frame(tmp_path, "rows", label=np.linspace(0, 1, 90), prediction=np.zeros(90))
    _, missing = looked(run_with(quantities), tmp_path)
    assert missing["Confusion"] == "the labels are quantities, not classes"
    assert missing["TreeDepth"] == "no model was put out"
    empty = frame(
        tmp_path, "none", label=pa.array([], pa.string()), prediction=pa.array([], pa.string())
    )
    assert read_pairs(tmp_path / empty.path) is None
    (tmp_path / "bad.parquet").write_bytes(b"no parquet")
    assert read_pairs(tmp_path / "bad.parquet") is None
    assert read_pairs(tmp_path / "gone.parquet") is None


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(400, 5))
    return inputs, inputs[:, 0] * 5 + inputs[:, 1] + generator.normal(size=400)


@pytest.mark.parametrize(
    "estimator",
    [
        DecisionTreeRegressor(max_depth=3),
        GradientBoostingRegressor(max_depth=3, n_estimators=5),
        HistGradientBoostingRegressor(max_depth=3, max_iter=5),
        make_pipeline(StandardScaler(), DecisionTreeRegressor(max_depth=3)),
    ],
)
def test_depths_of_scikit_learns_trees(estimator: Any, rows: tuple[np.ndarray, np.ndarray]) -> None:
    assert set(trees.depths(estimator.fit(*rows))) == {3}


def test_trees_that_are_too_deep_and_lean_on_few_inputs(
    tmp_path: Path, rows: tuple[np.ndarray, np.ndarray]
) -> None:
    inputs, target = rows
    forest = RandomForestClassifier(n_estimators=5, random_state=0).fit(inputs, target > 0)
    found, _ = looked(run_with(model()), tmp_path, forest)
    assert found["TreeDepth"].status is RuleStatus.ISSUES
    assert "5 of 5 trees deeper than 4" in found["TreeDepth"].message
    leaning = DecisionTreeRegressor(max_depth=3).fit(inputs, target)
    found, _ = looked(run_with(model()), tmp_path, leaning)
    assert found["TreeDepth"].status is RuleStatus.NO_ISSUES
    heavy = found["FeatureImportanceOverweight"]
    assert heavy.status is RuleStatus.ISSUES
    assert "input 0" in heavy.message


def test_boosters_of_other_libraries_by_what_they_dump() -> None:
    class LightGbm:
        def num_trees(self) -> int:
            return 1

        def dump_model(self) -> dict[str, Any]:
            leaf = {"leaf_value": 1.0}
            split = {"left_child": leaf, "right_child": {"left_child": leaf, "right_child": leaf}}
            return {"tree_info": [{"tree_structure": split}, {"tree_structure": leaf}]}

        def feature_importance(self, kind: str) -> list[float]:
            return [8.0, 1.0, 1.0, 0.0] if kind == "gain" else []

    class XgBoost:
        def get_dump(self, dump_format: str) -> list[str]:
            return ['{"children": [{"leaf": 1}, {"children": [{"leaf": 1}, {"leaf": 2}]}]}']

    class Face:
        booster_ = LightGbm()

    assert trees.depths(LightGbm()) == [2, 0]
    assert trees.depths(Face()) == [2, 0]
    assert trees.depths(XgBoost()) == [2]
    shares = trees.importances(LightGbm(), ["a", "b", "c", "d"])
    assert shares == {"a": 0.8, "b": 0.1, "c": 0.1, "d": 0.0}
    assert trees.overweight(shares) is not None


def test_a_model_without_trees_or_one_that_cannot_be_loaded(
    tmp_path: Path, rows: tuple[np.ndarray, np.ndarray]
) -> None:
    _, missing = looked(run_with(model()), tmp_path, LinearRegression().fit(*rows))
    assert missing["TreeDepth"] == "no model of this run tells of trees"
    assert "weighs" in missing["FeatureImportanceOverweight"]

    def broken(_path: Path) -> Any:
        raise ModelUnusable("the model could not be loaded (ImportError: no module named shop)")

    found, missing = evaluate_outputs(run_with(model()), tmp_path, broken)
    assert found == []
    assert "shop" in missing["TreeDepth"]
    assert "shop" in missing["FeatureImportanceOverweight"]


def test_equal_weights_are_no_issue() -> None:
    assert trees.overweight({f"x{n}": 0.1 for n in range(10)}) is None
    assert trees.importances(object()) == {}
