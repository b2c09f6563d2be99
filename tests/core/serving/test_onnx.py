"""ONNX: used where it answers the same, refused where not, and never for what it cannot hold."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.serving import EndpointControl, Flavour, Parity
from core.serving.config import EndpointConfig
from core.serving.model.onnxpath import OnnxPredict, around, compare, faster
from core.serving.model.schema import Column, ModelSchema, Signature

pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")

SIGNATURE = Signature(ModelSchema((Column("a", "long"), Column("b", "double"))))
RNG = np.random.default_rng(1)
X = np.column_stack([RNG.integers(0, 24, 300), RNG.random(300)]).astype(float)


def fitted(kind: str) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    y = X[:, 0] + 10 * X[:, 1]
    names = np.where(y > y.mean(), "many", "few")
    match kind:
        case "boosting":
            return HistGradientBoostingRegressor(max_iter=20).fit(X, y)
        case "forest":
            return RandomForestClassifier(10, random_state=0).fit(X, y > y.mean())
        case "pipeline":
            return make_pipeline(StandardScaler(), LinearRegression()).fit(X, y)
        case "texts":
            return LogisticRegression().fit(X, names)
        case "two":
            return LinearRegression().fit(X, np.column_stack([y, -y]))
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", ["boosting", "forest", "pipeline", "texts", "two"])
def test_it_answers_what_the_library_answers(kind: str) -> None:
    model = fitted(kind)
    engine, why = faster(model, model.predict, SIGNATURE, X[:4])
    assert engine is not None, why
    assert "within 0.0001 of the value" in why
    body = json.dumps({"dataframe_split": {"columns": ["a", "b"], "data": X[:50].tolist()}})
    found = engine.answer([engine.prepare(body.encode(), "application/json")])[0]
    assert compare(found, model.predict(X[:50])) == ""
    assert type(found[0]) is type(model.predict(X[:50]).tolist()[0])
    assert engine.answer([X[:2], X[2:3]]) == [found[:2], found[2:3]]


def test_what_float32_does_not_hold_goes_through_the_library() -> None:
    from core.serving.http.shapes import BadRequest

    model = fitted("pipeline")
    engine, _ = faster(model, model.predict, SIGNATURE, X[:4])
    assert engine is not None
    large = np.array([[1.0, 1e300]])
    assert engine.answer([large])[0] == model.predict(large).tolist()
    with pytest.raises(BadRequest, match="no such values"):
        engine.answer([np.array([[1.0, np.nan]])])
    trees = fitted("boosting")
    engine, _ = faster(trees, trees.predict, SIGNATURE, X[:4])
    assert engine is not None
    null = np.array([[1.0, np.nan]])
    assert engine.answer([null])[0] == trees.predict(null).tolist()


def test_a_model_that_differs_is_refused_with_the_difference() -> None:
    model = fitted("pipeline")
    engine, why = faster(model, lambda rows: model.predict(rows) * 1.01, SIGNATURE, X[:4])
    assert engine is None
    assert "refused" in why and "differ, by up to" in why


def test_what_cannot_be_converted_says_why_in_a_line() -> None:
    class Odd:
        def predict(self, rows: Any) -> Any:
            return rows[:, 0]

    engine, why = faster(Odd(), Odd().predict, SIGNATURE, X[:4])
    assert engine is None
    assert why.startswith("ONNX cannot be used") and "\n" not in why


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.serving.model.onnxpath.importlib.util.find_spec", lambda _: None)
    engine, why = faster(None, None, SIGNATURE, X[:4])
    assert (engine, "extra onnx" in why) == (None, True)


def test_rows_are_drawn_around_the_example() -> None:
    rows = around(np.array([[3.0, 0.5], [5.0, np.nan], [4.0, 0.75]]), SIGNATURE)
    assert (rows[:, 0] == np.rint(rows[:, 0])).all()
    assert np.isfinite(rows).all()
    assert rows[:, 0].min() < 3 and rows[:, 0].max() > 4
    assert rows[:, 1].min() >= 0.2 and rows[:, 1].max() <= 1.0


def test_a_float_output_is_given_as_doubles() -> None:
    class Session:
        def get_inputs(self) -> Any:
            return [type("I", (), {"name": "X"})]

        get_outputs = get_inputs

        def run(self, _: Any, feed: Any) -> Any:
            return [feed["X"][:, :1]]

    found = OnnxPredict(Session(), None, np.dtype(float))(X[:3])
    assert (found.shape, found.dtype) == ((3,), np.float64)


def test_an_endpoint_uses_it_when_asked_to(
    start: Callable[..., EndpointControl], models: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "quick"
    EndpointConfig(onnx=True).write(folder)
    control = start("quick", folder)
    quick = control.load(1, models["one"], "one", 1)
    words = control.load(2, models["words"], "words", 1)
    assert (quick.flavour, quick.parity) == (Flavour.ONNX, Parity.CLOSE), quick.detail
    assert words.flavour is Flavour.NATIVE_FRAME
    assert "ONNX is for models whose columns are all numbers" in words.detail
    control.set_table({1: 100})
    body = {"dataframe_split": {"columns": ["hour", "temp", "hum"], "data": [[8, 0.5, 0.25]]}}
    found = json.loads(control.invoke(json.dumps(body).encode()).body)["predictions"]

    import mlflow.sklearn

    model = mlflow.sklearn.load_model(str(models["one"]))
    assert found == pytest.approx(model.predict(np.array([[8, 0.5, 0.25]])).tolist(), rel=1e-4)
    control.replace_server()
    assert control.status().loaded[0].flavour is Flavour.ONNX, "also after a restart"


def test_nothing_that_forks_has_imported_it() -> None:
    code = "import sys, core.serving.process.warm, core.serving.process.server; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "core.serving.model.servable" in done.stdout
    assert "onnx" not in done.stdout
