"""Every metric equals the library behind SageMaker Clarify, and the published figures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from smclarify.bias import metrics as clarify
from smclarify.bias.report import FacetColumn, LabelColumn, StageType, bias_report

from core.bias.analysis import analysis
from core.bias.conditions import Condition
from core.bias.formulas import kullback_leibler, lp_norm
from core.bias.metrics import METRICS, Stage
from core.bias.report import Question, report

GERMAN = Path(__file__).parents[2] / "assets" / "german_credit.csv.gz"
CLARIFYS = {"DCAcc": "DCA"}
"""Its library calls one metric otherwise than its documentation."""


@pytest.fixture(scope="module")
def german() -> pd.DataFrame:
    frame = pd.read_csv(GERMAN)
    numbers = np.random.default_rng(7)
    wrong = numbers.random(len(frame)) < 0.25  # a model that errs, and not on everybody alike
    wrong |= (frame.age <= 30) & (numbers.random(len(frame)) < 0.2)
    frame["predicted"] = np.where(wrong, 3 - frame.credit_risk, frame.credit_risk)
    return frame


def columns(frame: pd.DataFrame) -> dict[str, Any]:
    return {name: frame[name].to_numpy(object if frame[name].dtype == "str" else None)
            for name in frame}  # fmt: skip


@pytest.mark.parametrize(
    ("facet", "figures"),
    [
        (
            Condition("foreign_worker", ("A201",)),
            {"CI": -0.926, "DPL": 0.1992647, "KL": 0.1125522, "JS": 0.0311855,
             "LP": 0.2818028, "TVD": 0.1992647, "KS": 0.1992647},
        ),
        (
            Condition("age", above=40),
            {"CI": 0.452, "DPL": -0.0512759, "KL": 0.0065319, "JS": 0.0016030,
             "LP": 0.0725150, "TVD": 0.0512759, "KS": 0.0512759},
        ),
    ],
)  # fmt: skip
def test_the_published_figures(
    german: pd.DataFrame, facet: Condition, figures: dict[str, float]
) -> None:
    question = Question(Condition("credit_risk", (1,)), (facet,))
    (found,) = report(columns(german), question, german.credit_risk.to_numpy()).groups
    values = {r.metric.name: r.value for r in found.results}
    assert {name: round(values[name], 7) for name in figures} == figures


FACETS = (
    Condition("foreign_worker", ("A201",)),
    Condition("age", above=40),
    Condition("age", above=60),
    Condition("personal_status_sex", ("A92",)),
    Condition("personal_status_sex", ("A91", "A94")),
    Condition("job", ("A171",)),
)


@pytest.mark.parametrize("facet", FACETS, ids=lambda facet: facet.text())
@pytest.mark.parametrize("stage", Stage)
def test_equal_to_the_oracle(german: pd.DataFrame, facet: Condition, stage: Stage) -> None:
    features = tuple(german.select_dtypes("number").columns.drop(["credit_risk", "predicted"]))
    question = Question(Condition("credit_risk", (1,)), (facet,), "housing", features)
    ours = report(columns(german), question, german.credit_risk.to_numpy(),
                  german.predicted.to_numpy())  # fmt: skip
    section = analysis(ours)[f"{stage}_bias_metrics"]
    (mine,) = section["facets"][facet.column]
    theirs = oracle(german, facet, stage, features)
    assert mine["value_or_threshold"] == theirs["value_or_threshold"]
    expected = {row["name"]: row["value"] for row in theirs["metrics"]}
    assert len(mine["metrics"]) == len(expected)
    for row in mine["metrics"]:
        value = expected[CLARIFYS.get(row["name"], row["name"])]
        assert row["value"] == pytest.approx(value, abs=1e-12), row


def oracle(
    german: pd.DataFrame, facet: Condition, stage: Stage, features: tuple[str, ...]
) -> dict[str, Any]:
    frame = german[list(dict.fromkeys([*features, facet.column]))].copy()
    if frame[facet.column].dtype == "str":
        frame[facet.column] = frame[facet.column].astype("category")
    values = [facet.above] if facet.above is not None else list(facet.values)
    (found,) = bias_report(
        frame,
        FacetColumn(facet.column, values),
        LabelColumn("credit_risk", german.credit_risk, [1]),
        StageType(str(stage)),
        LabelColumn("predicted", german.predicted, [1]) if stage is Stage.POST_TRAINING else None,
        group_variable=german.housing,
    )
    return found


@pytest.mark.parametrize("seed", range(40))
def test_random_rows_and_every_corner_of_division(seed: int) -> None:
    """Small groups reach each 0/0 and x/0; where the oracle refuses, so do we."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 40))
    facet, label, predicted = (rng.random(n) < rng.uniform(0.05, 0.95) for _ in range(3))
    by, features = rng.integers(0, 3, n), rng.normal(size=(n, 2))
    if facet.all() or not facet.any():
        return
    rows = {"f": facet, "by": by, "x": features[:, 0], "y": features[:, 1]}
    question = Question(Condition("label", (True,)), (Condition("f", (True,)),), "by", ("x", "y"),
                        lenient=True)  # fmt: skip
    (mine,) = report(rows, question, label, predicted).groups
    series = {
        "feature": pd.Series(facet), "sensitive_facet_index": pd.Series(facet),
        "label": pd.Series(label), "positive_label_index": pd.Series(label),
        "positive_predicted_label_index": pd.Series(predicted), "group_variable": pd.Series(by),
        "df": pd.DataFrame(features),
    }  # fmt: skip
    for name in METRICS:
        result = mine.result(name)
        assert result is not None
        try:
            value = clarify.call_metric(getattr(clarify, CLARIFYS.get(name, name)), **series)
        except ValueError:
            assert result.error, name
        else:
            assert result.value == pytest.approx(value, abs=1e-12), name
            assert result.low <= result.value <= result.high, name


@pytest.mark.parametrize("seed", range(10))
def test_divergences_of_several_classes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    facet, label = rng.random(60) < 0.3, rng.integers(0, 5, 60)
    counts = np.array([np.bincount(label[facet == side], minlength=5) for side in (0, 1)], float)
    for name, formula in (("KL", kullback_leibler), ("LP", lp_norm)):
        value = getattr(clarify, name)(pd.Series(label), pd.Series(facet))
        assert float(formula(counts)) == pytest.approx(value, abs=1e-12)
    assert math.isfinite(float(formula(counts)))
