"""Metrics that come from a confusion matrix, for one matrix or for many at once.

Equal to scikit-learn's with `zero_division=nan` for two classes (recall and F without any
positive are not defined, so they are NaN, never 0, which would look like a failure) and
`zero_division=0` for the weighted means over classes (a class that is never predicted has a
precision of 0).

`*_best_constant_classifier`: the best that any model comes to that gives everybody the same
answer, metric by metric. (The figures that SageMaker's documentation shows under these names
are those of one constant answer, which is not the best for accuracy.)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.modelquality.pairs import Floats, Ints, Pairs

NAN = float("nan")
BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
_CONSTANT = "_best_constant_classifier"


def confusion(pairs: Pairs) -> Ints:
    """Rows by label (rows of the matrix) and prediction (columns)."""
    many = max(1, len(pairs.classes))
    flat = pairs.label * many + pairs.prediction
    return np.bincount(flat, minlength=many * many).reshape(many, many)


def binary_figures(matrix: Floats | Ints) -> dict[str, Floats]:
    """Metrics of the positive (second) class from ... × 2 × 2 counts, which need not be whole."""
    counts = np.asarray(matrix, dtype=np.float64)
    tn, fp, fn, tp = counts[..., 0, 0], counts[..., 0, 1], counts[..., 1, 0], counts[..., 1, 1]
    positives, negatives = tp + fn, tn + fp
    total = positives + negatives
    recall = _divide(tp, positives)
    found = {
        "recall": recall,
        "precision": _divide(tp, tp + fp),
        "accuracy": _divide(tp + tn, total),
        "true_positive_rate": recall,
        "true_negative_rate": _divide(tn, negatives),
        "false_positive_rate": _divide(fp, negatives),
        "false_negative_rate": _divide(fn, positives),
    }
    there = positives > 0
    for name, beta in BETAS.items():
        found[name] = np.where(there, _f_beta(beta, tp, fp, fn), NAN)
    share = _divide(positives, total)
    found[f"recall{_CONSTANT}"] = np.where(positives > 0, 1.0, NAN)
    found[f"precision{_CONSTANT}"] = share
    found[f"accuracy{_CONSTANT}"] = np.maximum(share, 1 - share)
    none = np.zeros_like(fn)
    for name, beta in BETAS.items():
        constant = _f_beta(beta, positives, negatives, none)
        found[f"{name}{_CONSTANT}"] = np.where(there, constant, NAN)
    return found


def weighted_figures(matrix: Floats | Ints) -> dict[str, Floats]:
    """Accuracy and means over the classes, weighted by how often each is the label, from
    ... × k × k counts."""
    counts = np.asarray(matrix, dtype=np.float64)
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    there, said = counts.sum(axis=-1), counts.sum(axis=-2)
    total = there.sum(axis=-1)
    found = {"accuracy": _divide(right.sum(axis=-1), total)} | _weighted("", there, said, right)
    # The constant that is right most often: everybody gets the most frequent class.
    most = np.argmax(there, axis=-1)[..., None]
    answer = np.zeros_like(there)
    np.put_along_axis(answer, most, total[..., None], axis=-1)
    hits = np.where(answer > 0, there, 0.0)
    found[f"accuracy{_CONSTANT}"] = _divide(hits.sum(axis=-1), total)
    return found | _weighted(_CONSTANT, there, answer, hits)


def _weighted(suffix: str, there: Floats, said: Floats, right: Floats) -> dict[str, Floats]:
    total = there.sum(axis=-1)
    each: dict[str, Floats] = {
        "recall": _divide(right, there, 0.0),
        "precision": _divide(right, said, 0.0),
    }
    for name, beta in BETAS.items():
        each[name] = _f_beta(beta, right, said - right, there - right, 0.0)
    return {
        f"weighted_{name}{suffix}": _divide((values * there).sum(axis=-1), total)
        for name, values in each.items()
    }


def table(pairs: Pairs) -> dict[str, dict[str, int]]:
    """The matrix as SageMaker writes it: label → prediction → rows."""
    counts = confusion(pairs)
    return {
        truth: {said: int(counts[i, j]) for j, said in enumerate(pairs.classes)}
        for i, truth in enumerate(pairs.classes)
    }


def draw_matrices(matrix: Ints, draws: int, seed: int = 0) -> Ints:
    """Matrices that other rows of the same kind could have given (a multinomial bootstrap)."""
    total = int(matrix.sum())
    if not total:
        return np.repeat(matrix[None], draws, axis=0)
    generator = np.random.default_rng(seed)
    flat = generator.multinomial(total, matrix.ravel() / total, size=draws)
    return flat.reshape(draws, *matrix.shape)


def single(found: Mapping[str, Floats]) -> dict[str, float]:
    """The metrics of one matrix as plain numbers."""
    return {name: float(value) for name, value in found.items()}


def _f_beta(beta: float, tp: Floats, fp: Floats, fn: Floats, none: float = NAN) -> Floats:
    square = beta * beta
    return _divide((1 + square) * tp, (1 + square) * tp + square * fn + fp, none)


def _divide(part: Floats, whole: Floats, none: float = NAN) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), none)
