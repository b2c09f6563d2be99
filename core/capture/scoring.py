"""A prediction held against its label: the loss, and what the metrics are made of.

The loss is the absolute error, or for classes 0 where they agree and 1 where they don't. A
request with several rows has one loss, the mean of its rows': they were sent together and are
not independent of each other.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from core.domain.capture import Task

REGRESSION = "r"
CLASSES = "c"


@dataclass(frozen=True, slots=True)
class Score:
    """One request's predictions against its label. `kind` is REGRESSION or CLASSES, or "" with
    `rows` 0 where they cannot be compared. `pairs` are (label, prediction) of classes."""

    kind: str = ""
    rows: int = 0
    loss: float = 0.0
    absolute: float = 0.0  # sum over the rows of |prediction - label|
    squared: float = 0.0
    signed: float = 0.0  # sum of prediction - label
    pairs: tuple[tuple[str, str], ...] = ()


UNSCORED = Score()


def score(outputs: str, status: int, label: str, task: Task) -> Score:
    """Hold the captured outputs (JSON) of a request against its label (JSON)."""
    if status != 200:
        return UNSCORED
    predictions, truths = json.loads(outputs), json.loads(label)
    if not isinstance(predictions, list) or not predictions:
        return UNSCORED
    truths = truths if isinstance(truths, list) else [truths]
    if len(truths) != len(predictions):
        return UNSCORED
    predictions = [_single(item) for item in predictions]
    numbers = [_numbers(p, t, task) for p, t in zip(predictions, truths, strict=True)]
    if task is Task.REGRESSION or (task is Task.AUTO and None not in numbers):
        return _regression([each for each in numbers if each is not None], len(truths))
    if not all(isinstance(item, (str, bool, int, float)) for item in (*predictions, *truths)):
        return UNSCORED
    pairs = tuple((klass(t), klass(p)) for p, t in zip(predictions, truths, strict=True))
    wrong = sum(truth != predicted for truth, predicted in pairs)
    return Score(CLASSES, len(pairs), wrong / len(pairs), pairs=pairs)


def klass(value: Any) -> str:
    """The class that a value names: true is 1, 2.0 is 2."""
    if isinstance(value, str):
        text = value.strip()
        return {"true": "1", "false": "0"}.get(text.lower(), text)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(int(value)) if isinstance(value, bool) else str(value)


def _regression(numbers: list[tuple[float, float]], rows: int) -> Score:
    if len(numbers) < rows:
        return UNSCORED
    errors = [predicted - truth for predicted, truth in numbers]
    try:
        absolute = math.fsum(map(abs, errors))
        squared = math.fsum(error * error for error in errors)
    except OverflowError:
        return UNSCORED
    if not math.isfinite(squared):
        return UNSCORED
    return Score(REGRESSION, rows, absolute / rows, absolute, squared, math.fsum(errors))


def _numbers(predicted: Any, truth: Any, task: Task) -> tuple[float, float] | None:
    """Both as numbers, where they are to be compared as such."""
    kinds = (float, int) if task is Task.REGRESSION else (float,)
    if task is Task.CLASSES or isinstance(predicted, bool) or isinstance(truth, bool):
        return None
    if not isinstance(predicted, kinds) or not isinstance(truth, (int, float)):
        return None
    try:
        return float(predicted), float(truth)
    except OverflowError:
        return None


def _single(item: Any) -> Any:
    """A row's prediction; `[x]`, as models with one output column give, is x."""
    return item[0] if isinstance(item, list) and len(item) == 1 else item
