"""Scores as probabilities: isotonic regression, its error and how uncertain it is.

Isotonic regression after Barlow et al. (1972) by pooling adjacent violators (SciPy's), with
linear interpolation between the pools' ends as in scikit-learn's `IsotonicRegression`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.modelquality.pairs import Flags, Floats

BOOTSTRAPS = 20
FOLDS = 5
_BINS = 10
_GRID = 200


@dataclass(frozen=True, slots=True)
class Calibrator:
    """A monotone map from scores to probabilities. `others` are the maps of resampled
    references at the scores `grid`: maps × places."""

    x: Floats
    y: Floats
    grid: Floats
    others: Floats
    error: float

    def __call__(self, scores: Floats) -> Floats:
        """The probabilities of these scores."""
        return np.asarray(np.interp(scores, self.x, self.y))

    def resampled(self, index: int, scores: Floats) -> Floats:
        """What they would be by another reference of the same kind."""
        return np.asarray(np.interp(scores, self.grid, self.others[index]))


def fit_isotonic(scores: Floats, outcomes: Floats) -> tuple[Floats, Floats]:
    """The ends of the pools: scores ascending, probabilities."""
    from scipy.optimize import isotonic_regression  # type: ignore[import-untyped]

    unique, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    means = np.bincount(places, weights=outcomes) / counts
    fitted = isotonic_regression(means, weights=counts.astype(np.float64)).x
    change = np.diff(fitted) != 0
    kept = np.concatenate([[True], change]) | np.concatenate([change, [True]])
    return unique[kept], np.clip(fitted[kept], 0.0, 1.0)


def calibrate(scores: Floats, positive: Flags, seed: int = 0) -> Calibrator:
    """A calibrator from a reference, at least one row; `error` is its expected calibration
    error (10 bins of equally many rows) on parts that it was not fitted on."""
    outcomes = positive.astype(np.float64)
    x, y = fit_isotonic(scores, outcomes)
    generator = np.random.default_rng(seed)
    many = len(scores)
    grid = np.unique(np.quantile(scores, np.linspace(0, 1, _GRID)))
    others = np.empty((BOOTSTRAPS, len(grid)))
    for index in range(BOOTSTRAPS):
        rows = generator.integers(0, many, many)
        others[index] = np.interp(grid, *fit_isotonic(scores[rows], outcomes[rows]))
    return Calibrator(x, y, grid, others, _held_out_error(scores, outcomes, generator))


def calibration_error(probability: Floats, outcomes: Floats) -> float:
    """The mean distance of probability and share of positives over bins of equal counts."""
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, min(_BINS, len(order)))
    return float(
        sum(len(part) * abs(probability[part].mean() - outcomes[part].mean()) for part in parts)
        / max(1, len(order))
    )


def _held_out_error(scores: Floats, outcomes: Floats, generator: np.random.Generator) -> float:
    many = len(scores)
    if many < 2 * FOLDS:
        return float("nan")
    fold = generator.permutation(many) % FOLDS
    probability = np.empty(many)
    for each in range(FOLDS):
        inside = fold != each
        x, y = fit_isotonic(scores[inside], outcomes[inside])
        probability[~inside] = np.interp(scores[~inside], x, y)
    return calibration_error(probability, outcomes)
