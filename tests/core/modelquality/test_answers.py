"""Values of any kind become rows that count, or are counted as left out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.modelquality.measuring import figures, measure
from core.modelquality.pairs import read_answers
from core.modelquality.task import Task, as_names, as_numbers, class_name, detect, order_classes

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
)


@given(st.lists(st.tuples(ANYTHING, ANYTHING), max_size=30), st.sampled_from(list(Task)))
def test_nothing_raises(rows: list[tuple[object, object]], task: Task) -> None:
    said, truth = [row[0] for row in rows], [row[1] for row in rows]
    detect(truth, said)
    answers = read_answers(task, said, truth)
    found = measure(answers.pairs)
    assert found.rows == int(answers.labelled.sum()) <= len(rows)
    counted = sum(answers.left_out.values())
    assert counted >= len(rows) - int(answers.usable.sum())


def test_values_name_classes_as_the_capture_has_it() -> None:
    assert [class_name(v) for v in (True, 2.0, 2, " yes ", "TRUE", None, float("nan"), 2.5)] == [
        "1", "2", "2", "yes", "1", "", "", "2.5",
    ]  # fmt: skip


def test_numbers_and_names_of_numpy_columns() -> None:
    assert as_numbers(np.array([1, 2])).tolist() == [1.0, 2.0]
    assert as_names(np.array([1.0, 0.0, np.nan])).tolist() == ["1", "0", ""]
    assert np.isnan(as_numbers(["x", None, [1], "1e3"])).tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    ("labels", "predictions", "task"),
    [
        ([10, 12, 9], [10.4, 11.2, 9.9], Task.REGRESSION),
        ([1.5, 2.5], [1, 2], Task.REGRESSION),
        (list(range(200)), list(range(200)), Task.REGRESSION),
        ([0, 1, 1], [0, 1, 0], Task.BINARY),
        ([0, 1, 1], [0.2, 0.8, 0.4], Task.BINARY),
        ([True, False], [True, True], Task.BINARY),
        (["yes", "no"], ["no", "no"], Task.BINARY),
        (["a", "b", "c"], ["a", "a", "a"], Task.MULTICLASS),
        ([1, 2, 3, 1], [1, 1, 1, 2], Task.MULTICLASS),
    ],
)
def test_the_task_is_what_the_values_look_like(
    labels: list[object], predictions: list[object], task: Task
) -> None:
    assert detect(labels, predictions) is task


def test_probabilities_as_predictions_are_scores_and_classes_at_the_threshold() -> None:
    answers = read_answers(Task.BINARY, [0.2, 0.7, 0.4, None], [0, 1, 1, 1], threshold=0.3)
    assert answers.classes == ("0", "1")
    assert answers.prediction.tolist() == [0, 1, 1, -1]
    assert answers.pairs.score is not None
    assert figures(answers.pairs)["auc"] == 1.0
    assert answers.left_out == {"no prediction": 1}


def test_the_positive_class_can_be_named() -> None:
    answers = read_answers(Task.BINARY, ["bad", "good"], ["bad", "good"], positive="bad")
    assert answers.classes == ("good", "bad")
    assert read_answers(Task.BINARY, ["yes"], ["yes"]).classes == ("not yes", "yes")
    assert read_answers(Task.BINARY, [1, 1], [1, 1]).classes == ("0", "1")
    assert order_classes(["10", "9", "b", "a", ""]) == ("9", "10", "a", "b")


def test_unusable_values_of_a_regression_are_counted() -> None:
    said = [1.0, float("inf"), float("nan"), None, "x", 2.0, 3.0]
    truth = [1.5, 1.0, 1.0, 1.0, 1.0, "yes", float("inf")]
    answers = read_answers(Task.REGRESSION, said, truth)
    assert int(answers.labelled.sum()) == 1
    assert figures(answers.pairs)["mae"] == 0.5
    assert answers.left_out == {
        "no prediction, or one that is no finite number": 4,
        "label that is no finite number": 2,
    }


def test_labels_of_other_classes_than_a_binary_models_are_left_out() -> None:
    answers = read_answers(Task.BINARY, [0, 1, 7], [0, 5, 1], classes=("0", "1"))
    assert int(answers.labelled.sum()) == 1
    assert answers.left_out == {
        "prediction of a class that the model did not have": 1,
        "label of a class that the model did not have": 1,
    }


def test_new_classes_join_those_of_several() -> None:
    score = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
    answers = read_answers(
        Task.MULTICLASS, ["a", "b", "c"], ["a", "b", "c"], score, classes=("a", "b")
    )
    assert answers.classes == ("a", "b", "c")
    assert answers.score is not None
    assert answers.score[:, 2].tolist() == [0, 0, 0]
    assert figures(answers.pairs)["accuracy"] == 1


def test_scores_that_do_not_fit_are_none() -> None:
    assert read_answers(Task.BINARY, [0, 1], [0, 1], np.array([0.5])).score is None
    assert read_answers(Task.BINARY, [0, 1], [0, 1], np.full(2, np.nan)).score is None
    two = read_answers(Task.BINARY, [0, 1], [0, 1], np.array([[0.8, 0.2], [0.4, 0.6]]))
    assert two.score is not None
    assert two.score.tolist() == [0.2, 0.6]


def test_an_unlabelled_row_is_usable_not_labelled() -> None:
    answers = read_answers(Task.REGRESSION, [1.0, 2.0], [None, 1.0])
    assert answers.usable.tolist() == [True, True]
    assert answers.labelled.tolist() == [False, True]
    assert answers.left_out == {}
    assert math.isclose(figures(answers.pairs)["mae"], 1.0)
