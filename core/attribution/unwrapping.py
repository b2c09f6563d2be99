"""What is inside a scikit-learn model: the estimator at its end, and which input each column
that it sees was made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

PROBED = 500
"""Rows at most on which it is tried what a step makes of each column."""


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """The last estimator, the matrix that it sees for the rows, and for each column of it the
    place of the input that it was made of (-1: of none, a constant)."""

    estimator: Any
    matrix: npt.NDArray[np.float64]
    sources: tuple[int, ...]


def unwrap(native: Any, frame: Any, others: Any) -> Unwrapped | str:
    """Take a scikit-learn model apart for these rows (a DataFrame of its inputs), or say why it
    cannot be: no such model, a step that mixes columns, columns that are no numbers. The steps
    are tried on `others` too."""
    import pandas as pd
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline

    native = getattr(native, "best_estimator_", native)  # of a search
    if not isinstance(native, BaseEstimator):
        return f"{type(native).__name__} is no scikit-learn model"
    if not isinstance(native, Pipeline):
        matrix = _matrix(frame)
        if matrix is None:
            return f"{type(native).__name__} reads columns that are no numbers"
        return _checked(Unwrapped(native, matrix, tuple(range(matrix.shape[1]))))
    front, estimator = native[:-1], native[-1]
    try:
        matrix = _matrix(front.transform(frame))
    except Exception as error:  # noqa: BLE001 - the user's own steps may raise anything
        return f"its steps cannot be run alone: {type(error).__name__}"
    if matrix is None:
        return f"{type(estimator).__name__} reads columns that are no numbers"
    sources = _sources(front, pd.concat([others, frame], ignore_index=True))
    if sources is None:
        return "its steps make columns of several inputs at once"
    return _checked(Unwrapped(estimator, matrix, sources))


def _checked(found: Unwrapped) -> Unwrapped | str:
    categories = getattr(found.estimator, "is_categorical_", None)
    if categories is not None and np.any(categories):
        return "it splits by categories, which shap's TreeExplainer does not know"
    return found


def _matrix(columns: Any) -> npt.NDArray[np.float64] | None:
    """As numbers; `None` where something is not."""
    if hasattr(columns, "toarray"):  # sparse
        columns = columns.toarray()
    try:
        return np.asarray(columns, dtype=np.float64)
    except (TypeError, ValueError):
        return None


def _sources(front: Any, frame: Any) -> tuple[int, ...] | None:
    """By trying: each input in turn takes the values of other rows, and the columns that change
    were made of it. `None` where a column changes with more than one input. One that never
    changes (a category that none of these rows has) goes by its name."""
    few = frame.iloc[:PROBED]
    before = _matrix(front.transform(few))
    assert before is not None  # it was, of all rows
    sources = np.full(before.shape[1], -1)
    for place, name in enumerate(few.columns):
        changed = few.copy()
        changed[name] = few[name].to_numpy()[_elsewhere(len(few))]
        after = _matrix(front.transform(changed))
        if after is None:
            return None
        same = (after == before) | (np.isnan(after) & np.isnan(before))
        moved = ~same.all(axis=0)
        if (moved & (sources >= 0)).any():
            return None
        sources[moved] = place
    return _by_name(front, list(few.columns), [int(source) for source in sources])


def _by_name(front: Any, inputs: list[str], sources: list[int]) -> tuple[int, ...]:
    """Fill what is unknown by the names of the columns, as scikit-learn gives them:
    `STEP__INPUT_CATEGORY`."""
    if -1 not in sources or not hasattr(front, "get_feature_names_out"):
        return tuple(sources)
    try:
        names = [str(name).rpartition("__")[2] for name in front.get_feature_names_out()]
    except Exception:  # noqa: BLE001 - a step of the user's may have none
        return tuple(sources)
    for column, name in enumerate(names[: len(sources)]):
        like = [i for i, one in enumerate(inputs) if name == one or name.startswith(f"{one}_")]
        if sources[column] < 0 and like:
            sources[column] = max(like, key=lambda i: len(inputs[i]))
    return tuple(sources)


def _elsewhere(rows: int) -> npt.NDArray[np.int64]:
    """A row for each row, another one: the order turned by a random place."""
    order = np.random.default_rng(0).permutation(rows)
    found = np.empty(rows, np.int64)
    found[order] = np.roll(order, 1)
    return found
