"""nDCG as SageMaker computes it, who moved, and the files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from core.attribution import Explanation, analysis, moves, ndcg, ndcg_interval, violations

THEN = np.array([0.70, 0.50, 0.05])
NOW = np.array([0.10, 0.20, 0.70])
"""The documentation's example: attributions that have turned round."""


def test_the_documented_example() -> None:
    ideal = 0.70 / np.log2(2) + 0.50 / np.log2(3) + 0.05 / np.log2(4)
    assert ndcg(THEN, NOW) == pytest.approx(
        (0.05 / np.log2(2) + 0.50 / np.log2(3) + 0.70 / np.log2(4)) / ideal
    )
    assert ndcg(THEN, NOW) < 0.9


FEATURES = st.integers(2, 12)


@given(st.data(), FEATURES)
def test_equal_to_scikit_learns(data: st.DataObject, count: int) -> None:
    numbers = st.lists(st.floats(0, 10).map(lambda x: round(x, 1)), min_size=count, max_size=count)
    then, now = np.array(data.draw(numbers)), np.array(data.draw(numbers))
    if then.any():
        assert ndcg(then, now) == pytest.approx(ndcg_score([then], [now]))


def test_the_same_order_is_1_whatever_the_sizes_and_nothing_is_in_any_order() -> None:
    assert ndcg(THEN, THEN * 0.1) == 1.0
    assert ndcg(np.zeros(3), NOW) == 1.0


def test_who_moved_is_named_by_place() -> None:
    found = moves(("SAT", "GPA", "rank"), THEN, NOW)
    assert [move.words() for move in found] == ["SAT 1 → 3", "rank 3 → 1"]
    assert moves(("a", "b", "c"), np.array([1.0, 0, 0]), np.array([2.0, 0, 0])) == []


def test_an_interval_holds_the_score_and_narrows_with_rows() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2_000, 4)) * [4, 3, 2.8, 1]
    then = np.array([3.0, 4.0, 2.0, 1.0])
    wide, narrow = ndcg_interval(then, values[:20]), ndcg_interval(then, values)
    assert wide[1] - wide[0] > narrow[1] - narrow[0]
    assert narrow[0] <= ndcg(then, np.abs(values).mean(0)) <= narrow[1]


def test_the_files() -> None:
    explanation = Explanation(
        "TreeExplainer", "the prediction", ("a", "b"), ("label0",), np.array([2.0]),
        np.array([[[1.0], [-2.0]], [[-3.0], [0.0]]]), np.arange(2), 2, 0, 0.1,
    )  # fmt: skip
    assert json.loads(json.dumps(analysis(explanation))) == {
        "version": "1.0",
        "explanations": {
            "kernel_shap": {
                "label0": {"global_shap_values": {"a": 2.0, "b": 1.0}, "expected_value": 2.0}
            }
        },
    }
    found = violations([("label0", 0.7639), ("label1", 0.95)])
    assert found == {
        "version": "1.0",
        "violations": [
            {
                "label": "label0",
                "metric_name": "shap",
                "constraint_check_type": "feature_attribution_drift_check",
                "description": "Feature attribution drift 0.7639 exceeds threshold 0.9",
            }
        ],
    }
