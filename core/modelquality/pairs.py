"""Predictions beside their labels, cleaned: what every metric is computed from.

A row counts where both are usable: finite numbers for a regression, names for classes. What is
left out is counted by reason and shown, never silently dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.modelquality.task import Task, as_names, as_numbers, is_given, order_classes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows with prediction and label.

    For a regression `label` and `prediction` are numbers, for classes places in `classes`;
    of two classes the last is the positive one. `score` is the probability of the positive
    class (binary, rows) or of each (multiclass, rows × classes), NaN where unknown, None where
    the model gives none.
    """

    task: Task
    label: NDArray[Any]
    prediction: NDArray[Any]
    score: Floats | None = None
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: NDArray[Any]) -> Pairs:
        """These rows, by place or by flag."""
        score = None if self.score is None else self.score[rows]
        return replace(self, label=self.label[rows], prediction=self.prediction[rows], score=score)


@dataclass(frozen=True, slots=True)
class Answers:
    """Every row's prediction (and score), labelled or not, with what could not be used.

    `usable` flags rows whose prediction is one; `labelled` those of them with a usable label;
    `left_out` counts the others by reason.
    """

    task: Task
    classes: tuple[str, ...]
    prediction: NDArray[Any]
    label: NDArray[Any]
    score: Floats | None
    usable: Flags
    labelled: Flags
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.prediction)

    @property
    def pairs(self) -> Pairs:
        """The labelled rows."""
        return self.of(self.labelled)

    def of(self, rows: NDArray[Any]) -> Pairs:
        """These rows, by flag or by place; they must be labelled ones."""
        score = None if self.score is None else self.score[rows]
        return Pairs(self.task, self.label[rows], self.prediction[rows], score, self.classes)


def read_answers(
    task: Task,
    predictions: Sequence[Any] | NDArray[Any],
    labels: Sequence[Any] | NDArray[Any],
    scores: Floats | None = None,
    *,
    classes: Sequence[str] = (),
    positive: str = "",
    threshold: float = 0.5,
) -> Answers:
    """Clean values for a task.

    `classes` are those of the baseline; new ones are put behind them, for a binary model they
    are left out as unusable. Where a binary model answers with a probability (a number between
    the names of its classes), `threshold` makes the class of it, and it is the score.
    `scores` are rows × classes in the order of `classes`, or rows for the positive one.
    """
    if task is Task.REGRESSION:
        return _read_numbers(predictions, labels)
    said, truth = as_names(predictions), as_names(labels)
    known = tuple(classes)
    if task is Task.BINARY:
        known = known if len(known) == 2 else _two(truth, said, positive)
        share = as_numbers(predictions)
        between = np.isfinite(share) & (share >= 0) & (share <= 1) & ~np.isin(said, known)
        whole = np.isfinite(share) & (share >= 0) & (share <= 1)
        if between.any() and whole[said != ""].all():
            said = np.where(share >= threshold, known[1], known[0]).astype(object)
            said[~whole] = ""
            scores = share if scores is None else scores
    else:
        new = (set(truth) | set(said)) - set(known) - {""}
        known = (*known, *order_classes(new))
    prediction, label = _codes(said, known), _codes(truth, known)
    usable, labelled = prediction >= 0, (label >= 0) & (prediction >= 0)
    left_out = _counted(
        {
            "no prediction": said == "",
            "prediction of a class that the model did not have": (said != "") & ~usable,
            "label of a class that the model did not have": (truth != "") & (label < 0),
        }
    )
    score = _shape_scores(scores, len(said), known, task)
    return Answers(task, known, prediction, label, score, usable, labelled, left_out)


def _read_numbers(
    predictions: Sequence[Any] | NDArray[Any], labels: Sequence[Any] | NDArray[Any]
) -> Answers:
    said, truth = as_numbers(predictions), as_numbers(labels)
    given = is_given(labels)
    usable = np.isfinite(said)
    left_out = _counted(
        {
            "no prediction, or one that is no finite number": ~usable,
            "label that is no finite number": given & ~np.isfinite(truth),
        }
    )
    labelled = usable & np.isfinite(truth)
    return Answers(Task.REGRESSION, (), said, truth, None, usable, labelled, left_out)


def _two(truth: NDArray[Any], said: NDArray[Any], positive: str) -> tuple[str, ...]:
    found = order_classes(set(truth), positive)
    if len(found) < 2:
        found = order_classes(set(truth) | set(said), positive)
    if len(found) >= 2:
        return found[:2]
    return (f"not {found[0]}", found[0]) if found else ("0", "1")


def _codes(names: NDArray[Any], classes: Sequence[str]) -> Ints:
    unique, places = np.unique(names.astype(str), return_inverse=True)
    known = {name: code for code, name in enumerate(classes)}
    codes = np.array([known.get(name, -1) if name else -1 for name in unique], dtype=np.int64)
    return codes[places] if len(codes) else np.zeros(0, dtype=np.int64)


def _counted(reasons: Mapping[str, Flags]) -> dict[str, int]:
    return {why: int(rows.sum()) for why, rows in reasons.items() if rows.any()}


def _shape_scores(
    scores: Floats | None, rows: int, classes: Sequence[str], task: Task
) -> Floats | None:
    """Scores as `Pairs` has them; None where no row has any, or their number does not fit."""
    if scores is None or len(scores) != rows or not np.isfinite(scores).any():
        return None
    clean = np.where(np.isfinite(scores), scores, np.nan)
    if task is Task.BINARY:
        if clean.ndim == 2:
            clean = clean[:, -1] if clean.shape[1] <= 2 else np.full(rows, np.nan)
        return clean if np.isfinite(clean).any() else None
    if clean.ndim != 2 or clean.shape[1] > len(classes):
        return None
    missing = len(classes) - clean.shape[1]  # classes that came new have no probability
    return np.hstack([clean, np.zeros((rows, missing))]) if missing else clean
