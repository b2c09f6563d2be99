"""What a model's predictions are made of: SHAP values, in SHAP's and Clarify's terms.

A prediction (in `units`) is the expected value plus one SHAP value for each feature
(Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions", 2017).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Values: TypeAlias = npt.NDArray[np.float64]


class Explainable(Protocol):
    """A loaded model: see `core.monitors.kind.LoadedModel`, which is one."""

    inputs: tuple[str, ...]
    classes: tuple[Any, ...]
    native: Any

    def predict(self, rows: pa.Table) -> npt.NDArray[Any]: ...
    def scores(self, rows: pa.Table) -> npt.NDArray[Any] | None: ...


@dataclass(frozen=True, slots=True)
class Budget:
    """How much an explanation may cost: `rows` explained at most (a seeded sample of more) and
    `background` rows that stand for "not known"; where the model is no tree `slow_rows` at
    most, in `seconds` (what is not done then is left out, and said)."""

    rows: int = 1_000
    background: int = 50
    slow_rows: int = 200
    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Explanation:
    """SHAP values of some rows: `values` is rows × features × labels.

    `labels` are the outputs explained: `label0` of a regression and of a classification into
    two (then of the second class), else one for each class. `base` is the expected value of
    each. `units` say what the values add up to, `outcome` of which class where there are two.
    `picked` are the numbers of the rows explained,
    of `asked`.
    """

    method: str
    units: str
    features: tuple[str, ...]
    labels: tuple[str, ...]
    base: Values
    values: Values
    picked: npt.NDArray[np.int64]
    asked: int
    background: int
    seconds: float
    note: str = ""
    outcome: str = ""

    @property
    def rows(self) -> int:
        """How many rows were explained."""
        return len(self.values)

    @property
    def measure(self) -> str:
        """The units, and of which class."""
        return f"{self.units} of {self.outcome}" if self.outcome else self.units

    def importance(self, label: int = 0) -> Values:
        """The global SHAP value of each feature: the mean of |SHAP|, Clarify's `mean_abs`."""
        return np.asarray(np.abs(self.values[:, :, label]).mean(axis=0))

    def ranked(self, label: int = 0) -> Iterator[tuple[str, float]]:
        """Features and their global SHAP values, the greatest first."""
        importance = self.importance(label)
        for at in np.argsort(-importance, kind="stable"):
            yield self.features[at], float(importance[at])

    def definition(self) -> str:
        """How it was computed, as it stands beside each number."""
        said = f"mean |SHAP| by {self.method}, in units of {self.measure}, {self.rows} rows"
        return f"{said} of {self.asked}" if self.rows < self.asked else said


def sample(rows: int, most: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """The numbers of at most so many rows of all, in order, always the same ones."""
    if rows <= most:
        return np.arange(rows, dtype=np.int64)
    picked = np.random.default_rng(seed).choice(rows, size=most, replace=False)
    return np.sort(picked).astype(np.int64)


def labels_of(classes: Sequence[Any]) -> tuple[str, ...]:
    """The labels that are explained of a model with these classes (none: a regression)."""
    if len(classes) <= 2:
        return ("label0",)
    return tuple(str(name) for name in classes)
