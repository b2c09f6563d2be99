"""What kind of answer a model gives, and how values name classes.

The words are SageMaker's `ProblemType`. A value names a class as the capture's scoring has it:
true is 1, 2.0 is 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_CLASSES = 50
"""Whole numbers with more values than this are quantities, not classes."""
_ZERO_ONE = {"0", "1"}


class Task(StrEnum):
    """SageMaker's problem types."""

    REGRESSION = "Regression"
    BINARY = "BinaryClassification"
    MULTICLASS = "MulticlassClassification"


def class_name(value: Any) -> str:
    """The class that a value names; empty for no value."""
    if value is None:
        return ""
    if isinstance(value, str):
        text = value.strip()
        return {"true": "1", "false": "0"}.get(text.lower(), text)
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    number = float(value) if isinstance(value, (int, float, np.number)) else None
    if number is None:
        return str(value)
    if not np.isfinite(number):
        return ""
    return str(int(number)) if number.is_integer() else str(value)


def as_numbers(values: Sequence[Any] | NDArray[Any]) -> NDArray[np.float64]:
    """Values as numbers: what is none, text that is no number, or a list becomes NaN."""
    array = np.asarray(values) if isinstance(values, np.ndarray) else _object_array(values)
    if array.dtype.kind in "fiub":
        return array.astype(np.float64)
    unique, places = _unique(array)
    read = np.array([_number(value) for value in unique], dtype=np.float64)
    return read[places] if len(read) else np.zeros(0)


def is_given(values: Sequence[Any] | NDArray[Any]) -> NDArray[np.bool_]:
    """Which values are any value at all: not none, not NaN, not empty text."""
    array = np.asarray(values) if isinstance(values, np.ndarray) else _object_array(values)
    if array.dtype.kind in "iub":
        return np.ones(len(array), dtype=bool)
    if array.dtype.kind == "f":
        return np.asarray(~np.isnan(array))
    return np.asarray(as_names(array) != "") | np.isinf(as_numbers(array))


def as_names(values: Sequence[Any] | NDArray[Any]) -> NDArray[np.object_]:
    """Values as the names of classes; no value (and NaN) is the empty name."""
    array = np.asarray(values) if isinstance(values, np.ndarray) else _object_array(values)
    if array.dtype.kind in "fiub":
        unique, places = np.unique(array, return_inverse=True)
        read = np.array([class_name(value.item()) for value in unique], dtype=object)
    else:
        listed, places = _unique(array)
        read = np.array([class_name(value) for value in listed], dtype=object)
    return read[places] if len(read) else np.zeros(0, dtype=object)


def detect(labels: Sequence[Any], predictions: Sequence[Any]) -> Task:
    """What the values look like: text, flags and few whole numbers are classes; two of them,
    or labels 0 and 1 with predictions between, are binary; the rest are quantities."""
    known = as_names(labels)
    names = set(known[known != ""])
    numbers = as_numbers(labels)
    guessed = as_numbers(predictions)
    of_text = np.isnan(numbers) & (known != "")
    if not of_text.any():
        within = guessed[np.isfinite(guessed)]
        broken = bool((within != np.floor(within)).any())
        if names and names <= _ZERO_ONE and ((within >= 0) & (within <= 1)).all():
            return Task.BINARY
        real = numbers[np.isfinite(numbers)]
        if broken or bool((real != np.floor(real)).any()) or len(names) > MOST_CLASSES:
            return Task.REGRESSION
    said = as_names(predictions)
    both = names | set(said[said != ""])
    return Task.BINARY if len(both) <= 2 else Task.MULTICLASS


def order_classes(names: Iterable[str], positive: str = "") -> tuple[str, ...]:
    """Classes in order: numbers by size, then text; of two the positive one last. Where only
    one was ever seen, 0 and 1 stand for each other's absence."""
    found = sorted(set(names) - {""}, key=_order)
    if len(found) == 1 and found[0] in _ZERO_ONE:
        found = ["0", "1"]
    if positive and len(found) <= 2:
        rest = [name for name in found if name != positive]
        found = [*(rest or [f"not {positive}"]), positive]
    return tuple(found)


def _order(name: str) -> tuple[int, float, str]:
    number = _number(name)
    return (1, 0.0, name) if np.isnan(number) else (0, number, name)


def _number(value: Any) -> float:
    if value is None or isinstance(value, (list, dict, tuple)):
        return float("nan")
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return float(value.strip().lower() == "true")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _object_array(values: Sequence[Any]) -> NDArray[Any]:
    """An array that never makes rows of lists."""
    array = np.empty(len(values), dtype=object)
    array[:] = list(values)
    return array


def _unique(array: NDArray[Any]) -> tuple[list[Any], NDArray[np.int64]]:
    """Distinct values of any types, and where each stands."""
    plain = array.tolist()
    if set(map(type, plain)) <= {str, type(None)}:
        first = {value: at for at, value in enumerate(dict.fromkeys(plain))}
        found = np.fromiter(map(first.__getitem__, plain), np.int64, len(plain))
        return list(first), found
    seen: dict[Any, int] = {}
    listed: list[Any] = []
    places = np.empty(len(array), dtype=np.int64)
    for index, value in enumerate(plain):
        key = (type(value), str(value) if isinstance(value, (list, dict)) else value)
        at = seen.get(key)
        if at is None:
            at = seen[key] = len(listed)
            listed.append(value)
        places[index] = at
    return listed, places
