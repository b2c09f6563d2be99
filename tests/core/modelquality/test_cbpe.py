"""CBPE follows the truth under covariate shift, equals NannyML, and is blind where it says so.

The expected figures are NannyML 0.13.1's (pandas 3.1.1, CBPE with chunk_size 2000, fitted on the
reference and asked for the shifted rows without labels), given the rows of
`tests.support.qualityrows` drawn as below.
"""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from core.modelquality import cbpe
from core.modelquality.calibration import calibrate, calibration_error, fit_isotonic
from core.modelquality.confusion import weighted_figures
from core.modelquality.measuring import figures
from core.modelquality.pairs import Pairs
from core.modelquality.task import Task
from tests.support.qualityrows import binary_part, multi_part


def test_binary_equals_nannyml() -> None:
    generator = np.random.default_rng(7)
    reference, now = binary_part(generator, 4000, 0.0), binary_part(generator, 2000, 0.6)
    model = cbpe.fit(reference)
    assert model is not None
    assert now.score is not None
    found = {k: v.value for k, v in cbpe.estimate(model, now.score, now.prediction).items()}
    nannyml = {
        "auc": 0.8096987105260235,
        "f1": 0.7385668534102818,
        "precision": 0.8103479048626019,
        "recall": 0.6784678112848638,
        "accuracy": 0.7211898270590169,
    }
    assert {name: found[name] for name in nannyml} == pytest.approx(nannyml, abs=1e-7)


def test_several_classes_equal_nannyml() -> None:
    generator = np.random.default_rng(11)
    reference, now = multi_part(generator, 4000, 0.0), multi_part(generator, 2000, 0.5)
    model = cbpe.fit(reference)
    assert model is not None
    assert now.score is not None
    found = cbpe.estimate(model, now.score, now.prediction)
    assert found["accuracy"].value == pytest.approx(0.5769181787605289, abs=1e-9)
    truth = figures(now)
    for name, each in found.items():
        assert each.low <= truth[name] <= each.high, name


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    held = dict.fromkeys(("accuracy", "f1", "auc"), 0)
    for seed in range(60):
        generator = np.random.default_rng(seed)
        model = cbpe.fit(binary_part(generator, 1500, 0.0))
        now = binary_part(generator, 600, 0.4)
        assert model is not None
        assert now.score is not None
        found, truth = cbpe.estimate(model, now.score, now.prediction), figures(now)
        for name in held:
            held[name] += found[name].low <= truth[name] <= found[name].high
    assert all(54 <= count <= 60 for count in held.values()), held  # 95 % of 60 is 57


def test_it_is_blind_to_a_change_of_what_inputs_mean() -> None:
    generator = np.random.default_rng(1)
    model = cbpe.fit(binary_part(generator, 4000, 0.0))
    now = binary_part(generator, 2000, 0.0)
    turned = Pairs(Task.BINARY, 1 - now.label, now.prediction, now.score, now.classes)
    assert model is not None
    assert now.score is not None
    found = cbpe.estimate(model, now.score, now.prediction)["accuracy"]
    assert figures(turned)["accuracy"] < 0.4 < 0.7 < found.low


def test_isotonic_regression_is_scikit_learns() -> None:
    generator = np.random.default_rng(2)
    scores = np.round(generator.random(500), 2)
    outcomes = (generator.random(500) < scores**2).astype(float)
    x, y = fit_isotonic(scores, outcomes)
    everywhere = np.linspace(-0.5, 1.5, 301)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(scores, outcomes).predict(everywhere)
    assert np.allclose(np.interp(everywhere, x, y), theirs, atol=1e-12)


def test_what_is_stored_gives_the_same_estimate() -> None:
    generator = np.random.default_rng(3)
    model = cbpe.fit(multi_part(generator, 900, 0.0))
    now = multi_part(generator, 300, 0.3)
    assert model is not None
    assert now.score is not None
    again = cbpe.Cbpe.load(json.loads(json.dumps(model.facts())), model.arrays())
    assert cbpe.estimate(again, now.score, now.prediction) == cbpe.estimate(
        model, now.score, now.prediction
    )


def test_without_scores_or_rows_there_is_no_estimate() -> None:
    generator = np.random.default_rng(4)
    part = binary_part(generator, 50, 0.0)
    bare = Pairs(Task.BINARY, part.label, part.prediction, None, part.classes)
    assert cbpe.fit(bare) is None
    model = cbpe.fit(part)
    assert model is not None
    assert cbpe.estimate(model, np.zeros(0), np.zeros(0, dtype=int)) == {}
    assert cbpe.estimate(model, np.full(3, np.nan), np.zeros(3, dtype=int)) == {}


@pytest.mark.parametrize("rows", [1, 5])
def test_a_tiny_reference_or_window_raises_nothing(rows: int) -> None:
    generator = np.random.default_rng(5)
    model = cbpe.fit(binary_part(generator, rows, 0.0))
    assert model is not None
    now = binary_part(generator, rows, 0.0)
    assert now.score is not None
    for each in cbpe.estimate(model, now.score, now.prediction).values():
        assert math.isfinite(each.value)


def test_one_class_only_on_the_reference() -> None:
    part = Pairs(Task.BINARY, np.zeros(80, int), np.zeros(80, int), np.linspace(0, 1, 80), ("0",))
    model = cbpe.fit(part)
    assert model is not None
    found = cbpe.estimate(model, np.array([0.2, 0.9]), np.array([0, 0]))
    assert "auc" not in found


def test_calibration_error_is_small_of_calibrated_scores_only() -> None:
    generator = np.random.default_rng(6)
    score = generator.random(20_000)
    positive = generator.random(20_000) < score**3
    assert calibration_error(score, positive.astype(float)) > 0.2
    assert calibrate(score, positive).error < 0.02


def test_expected_matrices_are_weighted_like_counted_ones() -> None:
    half = weighted_figures(np.array([[1.5, 0.5], [0.5, 1.5]]))
    whole = weighted_figures(np.array([[3, 1], [1, 3]]))
    assert {k: float(v) for k, v in half.items()} == {k: float(v) for k, v in whole.items()}
