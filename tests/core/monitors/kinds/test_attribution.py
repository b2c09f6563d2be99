"""The kind `attribution`: SHAP over windows, and whether the model goes by other features."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from core.attribution import CannotExplain
from core.domain.monitor import Findings, State
from core.monitors.kind import KindContext, StoredBaseline
from core.monitors.kinds import kind_of
from tests.support.windows import TableWindow, definition_of, problems_of

KIND = kind_of("attribution")


@dataclass
class Served:
    native: Any
    inputs: tuple[str, ...]
    classes: tuple[Any, ...] = ()

    def predict(self, rows: pa.Table) -> Any:
        return self.native.predict(rows.select(list(self.inputs)).to_pandas())

    def scores(self, rows: pa.Table) -> Any:
        return None


def rows(count: int, seed: int, by_hour: float = 10.0) -> pd.DataFrame:
    """Where `hour` hardly varies any more, the model goes by the rest."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "hour": rng.normal(0, by_hour, count),
            "temp": rng.normal(0, 4, count),
            "wind": rng.normal(0, 1, count),
        }
    )


def window(frame: pd.DataFrame) -> TableWindow:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return TableWindow(table.append_column("__prediction", pa.array(np.zeros(len(frame)))))


@pytest.fixture(scope="module")
def context() -> KindContext:
    frame = rows(2_000, 1)
    model = HistGradientBoostingRegressor(max_iter=40).fit(frame, frame.sum(axis=1))
    inputs = tuple(frame.columns)
    return KindContext(inputs=inputs, load_model=lambda: Served(model, inputs))


@pytest.fixture(scope="module")
def baseline(context: KindContext) -> StoredBaseline:
    made = KIND.baseline(definition_of("attribution", {}), window(rows(2_000, 1)), context)
    return StoredBaseline(json.loads(json.dumps(dict(made.summary), allow_nan=False)), made.arrays)


def evaluate(
    given: TableWindow, baseline: StoredBaseline | None, context: KindContext, **settings: Any
) -> Findings:
    definition = definition_of("attribution", settings)
    return KIND.evaluate(definition, baseline, given, {}, context)


def test_the_same_features_count(context: KindContext, baseline: StoredBaseline) -> None:
    found = evaluate(window(rows(800, 2)), baseline, context)
    assert found.state is State.OK and not found.violations
    assert found.headline.startswith("features count as in training (nDCG 1.000)")
    by_feature = {m.feature: m for m in found.measurements if m.metric == "mean_abs_shap"}
    assert list(by_feature) == ["hour", "temp", "wind"]
    assert by_feature["hour"].value == pytest.approx(8, abs=1)
    assert "TreeExplainer" in by_feature["hour"].definition
    assert "500 rows of 800" in by_feature["hour"].definition
    shap = found.files["analysis.json"]["explanations"]["kernel_shap"]["label0"]
    assert set(shap) == {"global_shap_values", "expected_value"}
    json.dumps(dict(found.files), allow_nan=False)


def test_a_feature_that_no_longer_counts_is_named(
    context: KindContext, baseline: StoredBaseline
) -> None:
    found = evaluate(window(rows(800, 2, by_hour=0.2)), baseline, context)
    assert found.state is State.VIOLATED
    (wrong,) = found.violations
    assert wrong.check == "feature_attribution_drift_check" and wrong.severity == "info"
    assert wrong.value < 0.9 and "hour 1 → 3" in wrong.description
    score = next(m for m in found.measurements if m.metric == "nDCG")
    assert (score.threshold, score.comparison) == (0.9, "LessThanThreshold")
    assert score.low <= score.value <= score.high < 0.9
    (written,) = found.files["constraint_violations.json"]["violations"]
    assert written["metric_name"] == "shap"
    again = evaluate(window(rows(800, 2, by_hour=0.2)), baseline, context,
                     datapoints_to_alarm=2)  # fmt: skip
    assert again.state is State.OK and "for now" in again.headline


def test_each_class_has_its_own_score() -> None:
    frame = rows(900, 1)
    target = pd.qcut(frame.sum(axis=1), 3, labels=["low", "middle", "high"]).astype(str)
    model = HistGradientBoostingClassifier(max_iter=20).fit(frame, target)
    served = Served(model, tuple(frame.columns), tuple(model.classes_))
    context = KindContext(inputs=served.inputs, load_model=lambda: served)
    baseline = KIND.baseline(definition_of("attribution", {}), window(frame), context)
    found = evaluate(window(rows(600, 3)), baseline, context)
    scores = [m for m in found.measurements if m.metric == "nDCG"]
    assert [m.segment for m in scores] == ["label=high", "label=low", "label=middle"]


def test_what_cannot_be_explained_is_insufficient(
    context: KindContext, baseline: StoredBaseline
) -> None:
    for given, words in (
        (window(rows(0, 1)), "no rows"),
        (window(rows(1, 1)), "too few rows: 1, not 500"),
        (window(rows(600, 1)[["temp"]]), "have no column hour"),
        (window(rows(600, 1) * np.nan), "no rows to explain"),
    ):
        found = evaluate(given, baseline, context)
        assert found.state is State.INSUFFICIENT and words in found.headline
    assert evaluate(window(rows(600, 1)), None, context).state is State.INSUFFICIENT
    for broken in (replace(context, inputs=()), KindContext(inputs=context.inputs)):
        assert evaluate(window(rows(600, 1)), baseline, broken).state is State.INSUFFICIENT
        with pytest.raises(CannotExplain):
            KIND.baseline(definition_of("attribution", {}), window(rows(600, 1)), broken)


def test_infinite_values_and_constants_raise_nothing(
    context: KindContext, baseline: StoredBaseline
) -> None:
    frame = rows(600, 1)
    frame.loc[::3, "hour"] = np.inf
    for given in (frame, frame * 0 + 1):
        found = evaluate(window(given.replace(np.nan, 1.0)), baseline, context)
        assert found.state in (State.OK, State.VIOLATED, State.INSUFFICIENT)
        json.dumps([m.value for m in found.measurements], allow_nan=False)


def test_a_baseline_of_another_model_is_said(
    context: KindContext, baseline: StoredBaseline
) -> None:
    other = StoredBaseline({**baseline.summary, "features": ["a"]}, baseline.arrays)
    found = evaluate(window(rows(600, 1)), other, context)
    assert found.state is State.INSUFFICIENT and "other inputs" in found.headline


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"threshold": 2}, "m.threshold"),
        ({"explained_rows": 0}, "m.explained_rows"),
        ({"seconds": "soon"}, "m.seconds"),
        ({"treshold": 0.9}, "did you mean"),
        ({"evaluation_periods": 0}, "m.evaluation_periods"),
    ],
)
def test_what_is_wrong_with_settings_is_said(settings: dict[str, Any], words: str) -> None:
    said = problems_of("attribution", settings)
    assert any(words in each for each in said) or (words == "did you mean" and said)
