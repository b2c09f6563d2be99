"""Metrics equal scikit-learn's; what is not defined is NaN; SageMaker's example comes out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from core.modelquality.confusion import binary_figures
from core.modelquality.measuring import figures, measure
from core.modelquality.pairs import Pairs, read_answers
from core.modelquality.ranking import auc, average_precision, roc_curve
from core.modelquality.task import Task


def classes(task: Task, truth: list[object], said: list[object], score: object = None) -> Pairs:
    scores = None if score is None else np.asarray(score, dtype=np.float64)
    return read_answers(task, said, truth, scores).pairs


def close(found: float, expected: float) -> bool:
    return math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-12)


@pytest.mark.parametrize("rows", [2, 7, 500])
def test_regression_equals_scikit_learn(rows: int) -> None:
    generator = np.random.default_rng(rows)
    truth = generator.normal(100, 30, rows)
    said = truth + generator.normal(3, 10, rows)
    found = figures(Pairs(Task.REGRESSION, truth, said))
    assert close(found["mae"], sk.mean_absolute_error(truth, said))
    assert close(found["mse"], sk.mean_squared_error(truth, said))
    assert close(found["rmse"], sk.root_mean_squared_error(truth, said))
    assert close(found["r2"], sk.r2_score(truth, said))


@pytest.mark.parametrize("seed", range(6))
def test_binary_equals_scikit_learn(seed: int) -> None:
    generator = np.random.default_rng(seed)
    rows = 40 * (seed + 1)
    truth = (generator.random(rows) < 0.3).astype(int)
    score = np.round(np.clip(truth * 0.3 + generator.random(rows) * 0.7, 0, 1), 2)  # with ties
    said = (score >= 0.5).astype(int)
    found = figures(Pairs(Task.BINARY, truth, said, score, ("0", "1")))
    nan = {"zero_division": np.nan}
    expected = {
        "accuracy": sk.accuracy_score(truth, said),
        "precision": sk.precision_score(truth, said, **nan),
        "recall": sk.recall_score(truth, said, **nan),
        "true_positive_rate": sk.recall_score(truth, said, **nan),
        "true_negative_rate": sk.recall_score(truth, said, pos_label=0, **nan),
        "false_positive_rate": 1 - sk.recall_score(truth, said, pos_label=0, **nan),
        "false_negative_rate": 1 - sk.recall_score(truth, said, **nan),
        "f0_5": sk.fbeta_score(truth, said, beta=0.5, **nan),
        "f1": sk.f1_score(truth, said, **nan),
        "f2": sk.fbeta_score(truth, said, beta=2, **nan),
        "auc": sk.roc_auc_score(truth, score),
        "au_prc": sk.average_precision_score(truth, score),
    }
    assert {name for name in expected if not close(found[name], expected[name])} == set()


def test_the_roc_curve_is_scikit_learns() -> None:
    generator = np.random.default_rng(3)
    truth = generator.random(90) < 0.4
    score = np.round(generator.random(90), 2)
    found = roc_curve(truth, score)
    rates, hits, _ = sk.roc_curve(truth, score, drop_intermediate=False)
    assert np.allclose(found["false_positive_rates"], rates)
    assert np.allclose(found["true_positive_rates"], hits)


def test_curves_of_many_rows_stay_small() -> None:
    generator = np.random.default_rng(4)
    found = measure(
        Pairs(
            Task.BINARY,
            (generator.random(5000) < 0.5).astype(int),
            np.ones(5000, dtype=int),
            generator.random(5000),
            ("0", "1"),
        )
    )
    for curve in found.curves.values():
        for values in curve.values():
            assert len(values) <= 102
            assert values[-1] == pytest.approx(1.0) or "precision" in str(curve.keys())


@pytest.mark.parametrize("seed", range(4))
def test_multiclass_equals_scikit_learn(seed: int) -> None:
    generator = np.random.default_rng(seed)
    truth = generator.choice(["ash", "elm", "oak"], 120, p=[0.6, 0.3, 0.1])
    said = np.where(
        generator.random(120) < 0.6, truth, generator.choice(["ash", "elm", "oak"], 120)
    )
    raw = generator.random((120, 3))
    score = raw / raw.sum(1, keepdims=True)
    found = figures(classes(Task.MULTICLASS, truth.tolist(), said.tolist(), score))
    weighted = {"average": "weighted", "zero_division": 0}
    assert close(found["accuracy"], sk.accuracy_score(truth, said))
    assert close(found["weighted_recall"], sk.recall_score(truth, said, **weighted))
    assert close(found["weighted_precision"], sk.precision_score(truth, said, **weighted))
    for name, beta in (("f0_5", 0.5), ("f1", 1), ("f2", 2)):
        assert close(found[f"weighted_{name}"], sk.fbeta_score(truth, said, beta=beta, **weighted))
    assert close(
        found["weighted_auc"],
        sk.roc_auc_score(truth, score, multi_class="ovr", average="weighted"),
    )


def test_the_example_of_sagemakers_documentation() -> None:
    # https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html
    found = {k: float(v) for k, v in binary_figures(np.array([[1, 2], [0, 1]])).items()}
    expected = {
        "recall": 1.0,
        "precision": 0.3333333333333333,
        "accuracy": 0.5,
        "recall_best_constant_classifier": 1.0,
        "precision_best_constant_classifier": 0.25,
        "true_positive_rate": 1.0,
        "true_negative_rate": 0.3333333333333333,
        "false_positive_rate": 0.6666666666666666,
        "false_negative_rate": 0.0,
        "f0_5": 0.3846153846153846,
        "f1": 0.5,
        "f2": 0.7142857142857143,
        "f0_5_best_constant_classifier": 0.29411764705882354,
        "f1_best_constant_classifier": 0.4,
        "f2_best_constant_classifier": 0.625,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    # The constant that is right most often here says 0: right for three of four.
    assert found["accuracy_best_constant_classifier"] == 0.75


def test_the_multiclass_example_of_sagemakers_documentation() -> None:
    truth = ["0"] * 1690 + ["1"] * 406
    said = ["0"] * 1180 + ["1"] * 510 + ["0"] * 268 + ["1"] * 138
    pairs = classes(Task.MULTICLASS, truth, said)
    found = measure(pairs)
    assert found.confusion == {"0": {"0": 1180, "1": 510}, "1": {"0": 268, "1": 138}}
    expected = {
        "accuracy": 0.6288167938931297,
        "weighted_recall": 0.6288167938931297,
        "weighted_precision": 0.6983172269629505,
        "weighted_f0_5": 0.6803947317178771,
        "weighted_f1": 0.6571162346664904,
        "weighted_f2": 0.6384024354394601,
    }
    assert {name: found.value(name) for name in expected} == pytest.approx(expected, rel=1e-9)
    assert found.value("accuracy_best_constant_classifier") == pytest.approx(1690 / 2096)


def test_the_best_constant_is_never_better_than_perfect_nor_worse_than_any_constant() -> None:
    generator = np.random.default_rng(5)
    truth = generator.choice(["a", "b", "c"], 300, p=[0.2, 0.5, 0.3]).tolist()
    found = figures(classes(Task.MULTICLASS, truth, truth))
    for constant in "abc":
        other = figures(classes(Task.MULTICLASS, truth, [constant] * 300))
        best = found["weighted_f1_best_constant_classifier"]
        assert other["weighted_f1"] <= best + 1e-12 < 1


def test_one_class_only_has_no_auc_and_no_recall() -> None:
    found = figures(Pairs(Task.BINARY, np.zeros(9, int), np.zeros(9, int), np.zeros(9), ("0", "1")))
    assert found["accuracy"] == 1
    assert found["true_negative_rate"] == 1
    for name in ("auc", "au_prc", "recall", "precision", "f1", "false_negative_rate"):
        assert math.isnan(found[name]), name


def test_a_constant_prediction_ranks_like_chance() -> None:
    assert auc(np.array([True, False, True, False]), np.full(4, 0.3))[0] == 0.5
    assert average_precision(np.array([True, False, True, False]), np.full(4, 0.3))[0] == 0.5


@pytest.mark.parametrize("task", list(Task))
def test_no_rows_and_one_row(task: Task) -> None:
    for rows in (0, 1):
        answers = read_answers(task, ["1"] * rows, ["1"] * rows)
        found = measure(answers.pairs)
        assert found.rows == rows
        assert all(math.isnan(metric.standard_deviation) for metric in found.metrics.values())
        if not rows:
            assert all(math.isnan(metric.value) for metric in found.metrics.values())


def test_labels_that_are_all_the_same_have_no_r2() -> None:
    found = figures(Pairs(Task.REGRESSION, np.full(5, 3.0), np.arange(5.0)))
    assert math.isnan(found["r2"])
    assert found["mae"] == 1.4


def test_enormous_numbers_overflow_to_infinity_not_to_an_error() -> None:
    found = measure(Pairs(Task.REGRESSION, np.zeros(300), np.full(300, 1e200)))
    assert found.value("mae") == pytest.approx(1e200)
    assert math.isinf(found.value("mse"))


def test_the_deviation_is_of_five_samples_and_only_from_200_rows_on() -> None:
    generator = np.random.default_rng(6)
    truth = generator.normal(0, 1, 200)
    pairs = Pairs(Task.REGRESSION, truth, truth + generator.normal(0, 1, 200))
    few = measure(pairs.take(np.arange(199)))
    assert math.isnan(few.metrics["mae"].standard_deviation)
    enough = measure(pairs).metrics["mae"]
    assert 0 < enough.standard_deviation < enough.error  # samples share most of their rows
    assert measure(pairs) == measure(pairs)  # and it is the same each time


def test_standard_errors_are_what_repeated_samples_show() -> None:
    generator = np.random.default_rng(8)
    seen: dict[str, list[float]] = {}
    stated: dict[str, list[float]] = {}
    for _ in range(200):
        truth = (generator.random(300) < 0.4).astype(int)
        score = np.clip(0.3 * truth + generator.random(300) * 0.7, 0, 1)
        found = measure(
            Pairs(Task.BINARY, truth, (score > 0.5).astype(int), score, ("0", "1")), spread=False
        )
        for name in ("accuracy", "f1", "auc", "recall", "precision", "au_prc"):
            seen.setdefault(name, []).append(found.metrics[name].value)
            stated.setdefault(name, []).append(found.metrics[name].error)
    for name, values in seen.items():
        assert np.mean(stated[name]) == pytest.approx(np.std(values), rel=0.35), name


def test_standard_errors_of_a_regression() -> None:
    generator = np.random.default_rng(9)
    seen: dict[str, list[float]] = {}
    stated: dict[str, list[float]] = {}
    for _ in range(300):
        truth = generator.normal(0, 2, 400)
        said = truth + generator.standard_t(6, 400)
        for name, metric in measure(
            Pairs(Task.REGRESSION, truth, said), spread=False
        ).metrics.items():
            seen.setdefault(name, []).append(metric.value)
            stated.setdefault(name, []).append(metric.error)
    for name, values in seen.items():
        assert np.mean(stated[name]) == pytest.approx(np.std(values), rel=0.2), name
