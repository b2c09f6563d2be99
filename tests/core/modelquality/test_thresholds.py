"""Thresholds from a baseline: rarely passed by chance, passed by what is worse; the files."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from core.modelquality.measuring import Metric, measure
from core.modelquality.pairs import Pairs
from core.modelquality.smfiles import constraints, read_constraints, statistics, violations
from core.modelquality.task import Task
from core.modelquality.thresholds import (
    GREATER,
    LESS,
    METRICS,
    comparison_of,
    from_baseline,
    from_user,
)


def test_what_is_worse() -> None:
    every = {name for task in METRICS.values() for name in task}
    assert {name for name in every if comparison_of(name) == GREATER} == {
        "mae", "mse", "rmse", "false_positive_rate", "false_negative_rate",
    }  # fmt: skip
    assert comparison_of("estimated_auc") == LESS
    assert comparison_of("estimated_rmse") == GREATER


def test_the_margin_holds_where_chance_is_less() -> None:
    found = from_baseline("mae", Metric(10.0, error=0.01), Metric(10.5, error=0.01))
    assert found is not None
    assert found.value == pytest.approx(11.0)
    assert "margin" in found.definition
    assert not found.breached(10.9)
    assert found.breached(11.1)
    assert not found.breached(float("nan"))
    own = from_baseline("auc", Metric(0.9, error=0.001), Metric(0.9, error=0.001), margin=0.1)
    assert own is not None
    assert own.value == pytest.approx(0.8)
    assert own.breached(0.79)


def test_chance_holds_where_rows_are_few() -> None:
    found = from_baseline("accuracy", Metric(0.9, error=0.03), Metric(0.8, error=0.04))
    assert found is not None
    assert found.value == pytest.approx(0.9 - 2.326 * 0.05, abs=1e-3)
    assert "chance" in found.definition
    more = from_baseline(
        "accuracy", Metric(0.9, error=0.03), Metric(0.8, error=0.04), comparisons=20
    )
    assert more is not None
    assert more.value < found.value


def test_no_threshold_of_nothing() -> None:
    assert from_baseline("auc", Metric(math.nan), Metric(0.5, error=0.1)) is None
    assert from_baseline("auc", Metric(0.9), Metric(0.5)) is None


def test_chance_alone_seldom_passes_one() -> None:
    passed = 0
    for seed in range(300):
        generator = np.random.default_rng(seed)
        error = generator.standard_t(5, 1300)
        both = [measure(Pairs(Task.REGRESSION, np.zeros(len(e)), e), spread=False)
                for e in (error[:1000], error[1000:])]  # fmt: skip
        passed += any(
            threshold is not None and threshold.breached(both[1].metrics[name].value)
            for name in ("mae", "rmse")
            for threshold in [
                from_baseline(name, both[0].metrics[name], both[1].metrics[name], comparisons=2)
            ]
        )
    assert passed <= 6  # 1 % of 300 is 3


def test_sagemakers_files() -> None:
    generator = np.random.default_rng(2)
    truth = (generator.random(300) < 0.4).astype(int)
    quality = measure(Pairs(Task.BINARY, truth, 1 - truth, generator.random(300), ("no", "yes")))
    written = json.loads(json.dumps(statistics(quality, 0, 1_600_000_000, 1_600_003_600)))
    assert written["dataset"] == {
        "item_count": 300,
        "end_time": "2020-09-13T12:26:40Z",
        "evaluation_time": "2020-09-13T13:26:40Z",
    }
    metrics = written["binary_classification_metrics"]
    assert metrics["confusion_matrix"]["no"].keys() == {"no", "yes"}
    assert metrics["recall"] == {"value": 0.0, "standard_deviation": 0.0}
    assert metrics["receiver_operating_characteristic_curve"].keys() == {
        "false_positive_rates", "true_positive_rates",
    }  # fmt: skip
    threshold = from_user("recall", 0.5)
    assert constraints(Task.BINARY, [threshold]) == {
        "version": 0.0,
        "binary_classification_constraints": {
            "recall": {"threshold": 0.5, "comparison_operator": "LessThanThreshold"}
        },
    }
    broken = violations([(threshold, quality.metrics["recall"])])["violations"][0]
    assert broken == {
        "constraint_check_type": "LessThanThreshold",
        "description": "Metric recall with 0 +/- 0.0 was LessThanThreshold '0.5'",
        "metric_name": "recall",
    }


def test_what_is_not_defined_is_written_as_nan() -> None:
    quality = measure(Pairs(Task.REGRESSION, np.zeros(1), np.ones(1)))
    written = json.loads(json.dumps(statistics(quality, 0, 0, 0), allow_nan=False))
    assert written["regression_metrics"]["r2"] == {"value": "NaN", "standard_deviation": "NaN"}


def test_constraints_are_read_back() -> None:
    content = {
        "version": 0.0,
        "regression_constraints": {
            "mae": {"threshold": "4.5", "comparison_operator": "GreaterThanThreshold"},
            "r2": {"threshold": "soon"},
            "mse": {},
        },
    }
    assert read_constraints(content) == {"mae": (4.5, "GreaterThanThreshold")}
