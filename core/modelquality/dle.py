"""DLE: the error of a regression, estimated without labels.

Direct loss estimation (NannyML's documentation; Białek et al., arXiv:2401.08348, for the idea):
a second model learns the loss of each row from the inputs and the prediction on a reference with
labels, and its mean over a window is the estimated mae (of |error|) or mse (of error²). The
second model is scikit-learn's HistGradientBoostingRegressor. It is fitted anew from the stored
reference rows (at most 10,000), with a fixed seed: a fitted model would not outlive a version
of the library, and could not be kept without pickles.

The interval (95 %) is for what labels would give: the spread of losses around their estimates,
over the window's rows and (once more) over the reference's, from a cross-fit in three parts.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from core.modelquality.estimate import WIDTH, Estimated
from core.modelquality.pairs import Floats

MOST_ROWS = 10_000
_FOLDS = 3
_LOSSES = ("mae", "mse")
_FEWEST = 30


@dataclass(frozen=True)
class Dle:
    """The reference: encoded inputs with the prediction as last column, and errors (prediction
    less label). `categorical` flags columns that hold places of categories. `spread` and `skill`
    by loss: the deviation of losses around cross-fitted estimates, and the share of their
    variance that those explain (below 0: none)."""

    rows: Floats
    error: Floats
    categorical: tuple[bool, ...]
    spread: Mapping[str, float]
    skill: Mapping[str, float]

    def arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """What `load` reads, beside `facts`."""
        return {"dle_rows": self.rows, "dle_error": self.error}

    def facts(self) -> dict[str, Any]:
        """What is not arrays."""
        return {
            "categorical": list(self.categorical),
            "spread": dict(self.spread),
            "skill": dict(self.skill),
            "rows": len(self.error),
        }

    @classmethod
    def load(cls, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> Dle:
        """What `arrays` and `facts` were made of."""
        return cls(
            arrays["dle_rows"],
            arrays["dle_error"],
            tuple(facts["categorical"]),
            facts["spread"],
            facts["skill"],
        )


def fit(
    inputs: Floats,
    prediction: Floats,
    label: Floats,
    categorical: Sequence[bool] = (),
    seed: int = 0,
) -> Dle | None:
    """Learn from rows with labels (inputs encoded, NaN where missing); None below 30 rows."""
    rows = np.column_stack([inputs, prediction])
    error = prediction - label
    if len(error) > MOST_ROWS:
        kept = np.sort(np.random.default_rng(seed).permutation(len(error))[:MOST_ROWS])
        rows, error = rows[kept], error[kept]
    if len(error) < _FEWEST:
        return None
    flags = (*(categorical or (False,) * inputs.shape[1]), False)
    spread, skill = {}, {}
    for name in _LOSSES:
        loss = _loss(name, error)
        with _one_thread():
            left = loss - _cross_fit(rows, loss, flags, seed)
        spread[name] = float(np.std(left, ddof=1))
        variance = float(np.var(loss))
        skill[name] = 1 - float(np.mean(left * left)) / variance if variance > 0 else 0.0
    return Dle(rows, error, flags, spread, skill)


def estimate(model: Dle, inputs: Floats, prediction: Floats) -> dict[str, Estimated]:
    """Estimated mae, mse and rmse of rows; those without a finite prediction are left out."""
    kept = np.isfinite(prediction)
    rows = np.column_stack([inputs[kept], prediction[kept]])
    if not len(rows):
        return {}
    found = {}
    for name in _LOSSES:
        with _one_thread():
            value = max(0.0, float(_fitted(_Key(model, name)).predict(rows).mean()))
        half = WIDTH * model.spread[name] * math.sqrt(1 / len(rows) + 1 / len(model.error))
        found[name] = Estimated(value, max(0.0, value - half), value + half)
    mse = found["mse"]
    found["rmse"] = Estimated(math.sqrt(mse.value), math.sqrt(mse.low), math.sqrt(mse.high))
    return found


def _loss(name: str, error: Floats) -> Floats:
    return np.abs(error) if name == "mae" else error * error


def _cross_fit(rows: Floats, loss: Floats, categorical: Sequence[bool], seed: int) -> Floats:
    fold = np.random.default_rng(seed).permutation(len(loss)) % _FOLDS
    estimated = np.empty(len(loss))
    for each in range(_FOLDS):
        inside = fold != each
        model = _regressor(categorical).fit(rows[inside], loss[inside])
        estimated[~inside] = model.predict(rows[~inside])
    return estimated


def _one_thread() -> AbstractContextManager[Any]:
    """Some thousand rows are fitted faster by one thread than by several that wait for each
    other, where other processes want the processors too."""
    import sklearn.ensemble  # noqa: F401 - only what is loaded by now can be limited
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    found: AbstractContextManager[Any] = threadpool_limits(1, "openmp")
    return found


def _regressor(categorical: Sequence[bool]) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        categorical_features=list(categorical) if any(categorical) else None,
        early_stopping=False,
        random_state=0,
    )


class _Key:
    """A reference and a loss, hashable by content: a process fits the same one once."""

    def __init__(self, model: Dle, loss: str) -> None:
        self.model, self.loss = model, loss
        content = model.rows.tobytes() + model.error.tobytes()
        self._digest = hashlib.sha256(content + loss.encode()).digest()

    def __hash__(self) -> int:
        return hash(self._digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other._digest == self._digest


@lru_cache(maxsize=8)
def _fitted(key: _Key) -> Any:
    model = key.model
    return _regressor(model.categorical).fit(model.rows, _loss(key.loss, model.error))
