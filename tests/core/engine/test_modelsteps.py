"""The steps `bias` and `explain`, executed by a real worker: what a gate's reviewer sees."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.engine import Site, make_site

__all__ = ["make_site"]

WORK = """\
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier


def load():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"income": rng.normal(50, 10, 600), "age": rng.integers(20, 70, 600)})
    rows["sex"] = rng.choice(["F", "M"], 600)
    rows["paid"] = np.where(rows.income + 15 * (rows.sex == "M") > 55, "yes", "no")
    rows["woman"] = (rows.sex == "F").astype(int)
    return rows


def train(rows):
    inputs = rows[["income", "age", "woman"]]
    model = HistGradientBoostingClassifier(max_iter=20).fit(inputs, rows.paid)
    return model, inputs.head(3)


def score(model):
    return {"auc": 0.9}
"""
STEPS = """\
load: {function: "work:load", outputs: [rows]}
train: {function: "work:train", outputs: [model, input_example]}
fair:
  bias:
    model: train.model
    rows: load.rows
    label: paid
    positive: "yes"
    facets: [sex=F, age>45]
    intersections: true
reasons:
  explain: {model: train.model, rows: load.rows, count: 200}
score: {function: "work:score", outputs: [metrics]}
register:
  register: {model: train.model, name: credit, metrics: score.metrics}
gate:
  gate: {environment: production, evidence: [fair.fair, reasons.reasons]}
"""
WRONG = """\
load: {function: "work:load", outputs: [rows]}
wrong:
  bias: {model: load.rows, rows: load.rows, positive: "yes", facets: [sex]}
"""


@pytest.mark.slow
def test_a_gate_shows_who_is_treated_otherwise_and_why(make_site: Callable[..., Site]) -> None:
    site = make_site()
    site.write("work.py", WORK)
    site.pipeline("credit", STEPS)
    site.pipeline("wrong", WRONG)
    site.start_worker()
    detail = site.run("credit", seconds=150)
    assert detail.run.status == "waiting", site.told(detail)
    (asked,) = site.ops.approvals.list()
    documents = site.ops.approvals.get(asked.id).evidence["documents"]
    fair, reasons = documents["fair.fair"], documents["reasons.reasons"]
    said = {(row["group"], row["metric"]): row["what it says"] for row in fair}
    assert said["sex=F", "DPPL"] == "predicted positive less often"
    assert said["age>45", "DPPL"].startswith("may be chance")
    assert {row["metric"] for row in fair} >= {"DPPL", "DI", "RD", "AD"}
    assert {row["group"] for row in fair} == {"sex=F", "age>45", "sex=F & age>45"}
    assert [row["feature"] for row in reasons] == ["income", "woman", "age"]
    assert reasons[0]["share"] == "█" * 20
    whole = site.value(detail, "fair", "analysis")
    assert whole["post_training_bias_metrics"]["label_value_or_threshold"] == "yes"
    shap = site.value(detail, "reasons", "analysis")["explanations"]["kernel_shap"]["label0"]
    assert list(shap["global_shap_values"]) == ["age", "income", "woman"]

    refused = site.run("wrong")
    assert "bias.model: must be a fitted model, not frame" in refused.steps[-1].message
