"""Metrics of predicted numbers: mae, mse, rmse, r2; their standard errors.

Equal to scikit-learn's `mean_absolute_error`, `mean_squared_error`, `root_mean_squared_error`
and `r2_score(force_finite=False)`; r2 of labels that are all the same is not defined (NaN).
Standard errors are those of means of independent rows, by the delta method for rmse and r2.
"""

from __future__ import annotations

import numpy as np

from core.modelquality.pairs import Floats, Pairs

NAN = float("nan")


def regression_figures(pairs: Pairs) -> dict[str, float]:
    """The metrics of these rows, NaN where there are too few."""
    if not len(pairs):
        return dict.fromkeys(("mae", "mse", "rmse", "r2"), NAN)
    with np.errstate(over="ignore", invalid="ignore"):
        error = pairs.prediction - pairs.label
        mse = float(np.mean(error * error))
        spread = float(np.mean((pairs.label - pairs.label.mean()) ** 2))
    return {
        "mae": float(np.mean(np.abs(error))),
        "mse": mse,
        "rmse": float(np.sqrt(mse)),
        "r2": 1 - mse / spread if spread > 0 and np.isfinite(mse) else NAN,
    }


def regression_errors(pairs: Pairs) -> dict[str, float]:
    """The standard error of each metric; NaN below two rows."""
    figures = regression_figures(pairs)
    if len(pairs) < 2 or not np.isfinite(figures["mse"]):
        return dict.fromkeys(figures, NAN)
    error = pairs.prediction - pairs.label
    squared = error * error
    around = (pairs.label - pairs.label.mean()) ** 2
    mse, rmse, spread = figures["mse"], figures["rmse"], float(np.mean(around))
    of_mse = _standard_error(squared)
    found = {
        "mae": _standard_error(np.abs(error)),
        "mse": of_mse,
        "rmse": of_mse / (2 * rmse) if rmse > 0 else 0.0,
        "r2": NAN,
    }
    if spread > 0:
        found["r2"] = _standard_error(squared / spread - mse / spread**2 * around)
    return found


def _standard_error(values: Floats) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.std(values, ddof=1) / np.sqrt(len(values)))
