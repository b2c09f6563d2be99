"""CBPE: the quality of a classifier's answers, estimated from its scores without labels.

Confidence-based performance estimation (Białek et al., "Estimating model performance under
covariate shift without labels", arXiv:2401.08348; first described in NannyML's documentation):
scores are calibrated on a reference with labels, one class against the rest; the expected
confusion matrix is the sum of the calibrated probabilities by predicted class; the expected ROC
curve has the sums above each score.

The interval (95 %) is for what labels would give: chance in the labels (Bernoulli, given their
probabilities) and in the reference (20 resampled ones), together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.modelquality.calibration import Calibrator, calibrate
from core.modelquality.confusion import binary_figures, weighted_figures
from core.modelquality.estimate import WIDTH, Estimated
from core.modelquality.pairs import Floats, Ints, Pairs

_DRAWS = 400
_NAMES = ("x", "y", "grid", "others")
BINARY = (
    "recall", "precision", "accuracy", "true_negative_rate", "false_positive_rate", "f1",
)  # fmt: skip
WEIGHTED = ("accuracy", "weighted_recall", "weighted_precision", "weighted_f1")


@dataclass(frozen=True, slots=True)
class Cbpe:
    """A calibrator per class (for two classes one, of the positive) and the reference's rows."""

    calibrators: tuple[Calibrator, ...]
    classes: int
    rows: int

    @property
    def error(self) -> float:
        """The worst calibration error of any class."""
        return max((each.error for each in self.calibrators), default=float("nan"))

    def arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """What `load` reads, beside `facts`."""
        return {
            f"cbpe_{index}_{name}": getattr(each, name)
            for index, each in enumerate(self.calibrators)
            for name in _NAMES
        }

    def facts(self) -> dict[str, Any]:
        """The numbers that are not arrays."""
        errors = [each.error if math.isfinite(each.error) else None for each in self.calibrators]
        return {"classes": self.classes, "rows": self.rows, "errors": errors}

    @classmethod
    def load(cls, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> Cbpe:
        """What `arrays` and `facts` were made of."""
        calibrators = tuple(
            Calibrator(
                **{name: arrays[f"cbpe_{index}_{name}"] for name in _NAMES},
                error=float("nan") if error is None else error,
            )
            for index, error in enumerate(facts["errors"])
        )
        return cls(calibrators, facts["classes"], facts["rows"])


def fit(reference: Pairs, seed: int = 0) -> Cbpe | None:
    """Calibrate on rows with labels and scores; None where there are none, or a class that has
    a score never occurs in a way that could be calibrated (no rows at all)."""
    if reference.score is None:
        return None
    two = reference.score.ndim == 1
    scores = reference.score[:, None] if two else reference.score
    known = np.isfinite(scores).all(axis=1)
    if not known.any():
        return None
    label = reference.label[known]
    codes: Sequence[int] = (1,) if two else range(scores.shape[1])
    calibrators = tuple(
        calibrate(scores[known, column], label == code, seed) for column, code in enumerate(codes)
    )
    return Cbpe(calibrators, len(reference.classes), int(known.sum()))


def estimate(model: Cbpe, score: Floats, prediction: Ints, seed: int = 0) -> dict[str, Estimated]:
    """Metrics of rows by their scores and predicted classes (places); rows without a finite
    score or a class are left out. Empty of no rows."""
    scores = score[:, None] if score.ndim == 1 else score[:, : len(model.calibrators)]
    kept = np.isfinite(scores).all(axis=1) & (prediction >= 0) & (prediction < model.classes)
    scores, predicted = scores[kept], prediction[kept]
    if not len(scores):
        return {}
    generator = np.random.default_rng(seed)
    if len(model.calibrators) > 1:
        return _multiclass(model, scores, predicted, generator)
    return _binary(model, scores[:, 0], predicted, generator)


def _binary(
    model: Cbpe, score: Floats, predicted: Ints, generator: np.random.Generator
) -> dict[str, Estimated]:
    calibrator = model.calibrators[0]
    order = np.argsort(-score, kind="stable")  # once: the areas want the highest first
    score, predicted = score[order], predicted[order]
    probability = calibrator(score)
    maps = [calibrator.resampled(index, score) for index in range(len(calibrator.others))]
    said = predicted == 1
    drawn = _draw_binary(probability, maps, said, generator)
    found = _with_intervals(
        binary_figures(_expected_binary(probability, said)), binary_figures(drawn), BINARY
    )
    area = expected_auc(probability, score)
    if math.isfinite(area):
        spread = [expected_auc(each, score) for each in maps]
        positives = float(probability.sum())
        error = math.hypot(
            _hanley_mcneil(area, positives, len(score) - positives), float(np.std(spread))
        )
        found["auc"] = Estimated(
            area, max(0.0, area - WIDTH * error), min(1.0, area + WIDTH * error)
        )
    return found


def _expected_binary(probability: Floats, said: np.ndarray[Any, Any]) -> Floats:
    tp, fn = probability[said].sum(), probability[~said].sum()
    return np.array([[(~said).sum() - fn, said.sum() - tp], [fn, tp]])


def _draw_binary(
    probability: Floats,
    maps: Sequence[Floats],
    said: np.ndarray[Any, Any],
    generator: np.random.Generator,
) -> Floats:
    """Matrices that labels could give: each by one of the maps, with normal noise of the
    variance that the sum of so many Bernoulli labels has."""
    centres = np.array([[each[said].sum(), each[~said].sum()] for each in maps])
    # The main map is the best guess: the others say only how uncertain it is.
    centres += np.array([probability[said].sum(), probability[~said].sum()]) - centres.mean(axis=0)
    variance = probability * (1 - probability)
    noise = np.sqrt([variance[said].sum(), variance[~said].sum()])
    picked = centres[generator.integers(0, len(maps), _DRAWS)]
    drawn = picked + generator.normal(size=(_DRAWS, 2)) * noise
    there = np.array([said.sum(), (~said).sum()], dtype=np.float64)
    drawn = np.clip(drawn, 0, there)
    tp, fn = drawn[:, 0], drawn[:, 1]
    matrix = np.stack([there[1] - fn, there[0] - tp, fn, tp], axis=-1)
    return matrix.reshape(_DRAWS, 2, 2)


def expected_auc(probability: Floats, score: Floats) -> float:
    """The area under the ROC curve of expected rates, by the trapezoidal rule over distinct
    scores, the highest first; NaN where one class is not expected at all."""
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    hits = np.concatenate([[0.0], np.cumsum(probability)[last]])
    misses = np.concatenate([[0.0], np.cumsum(1 - probability)[last]])
    if hits[-1] <= 0 or misses[-1] <= 0:
        return float("nan")
    return float(np.trapezoid(hits / hits[-1], misses / misses[-1]))


def _hanley_mcneil(area: float, positives: float, negatives: float) -> float:
    """The standard error of an area (Radiology 143, 1982) for these expected counts."""
    if positives < 1 or negatives < 1:
        return float("nan")
    one, two = area / (2 - area), 2 * area * area / (1 + area)
    variance = area * (1 - area)
    variance += (positives - 1) * (one - area * area) + (negatives - 1) * (two - area * area)
    return math.sqrt(max(0.0, variance) / (positives * negatives))


def _multiclass(
    model: Cbpe, scores: Floats, predicted: Ints, generator: np.random.Generator
) -> dict[str, Estimated]:
    def probabilities(index: int | None) -> Floats:
        columns = [
            each(scores[:, place]) if index is None else each.resampled(index, scores[:, place])
            for place, each in enumerate(model.calibrators)
        ]
        raw = np.column_stack(columns)
        total = raw.sum(axis=1, keepdims=True)
        return np.where(total > 0, raw / np.where(total > 0, total, 1), 1 / raw.shape[1])

    main = _expected(probabilities(None), predicted, model.classes)
    maps = [
        _expected(probabilities(index), predicted, model.classes)
        for index in range(len(model.calibrators[0].others))
    ]
    # The main map is the best guess: the others say only how uncertain it is.
    apart = main - np.mean(maps, axis=0)
    likely = [np.maximum(0.0, each + apart) for each in maps]
    drawn = np.stack([_draw(likely[i % len(likely)], generator) for i in range(_DRAWS)])
    return _with_intervals(weighted_figures(main), weighted_figures(drawn), WEIGHTED)


def _expected(probability: Floats, predicted: Ints, classes: int) -> Floats:
    matrix = np.zeros((classes, classes))
    for column in range(probability.shape[1]):
        matrix[column] = np.bincount(predicted, weights=probability[:, column], minlength=classes)
    return matrix


def _draw(expected: Floats, generator: np.random.Generator) -> Floats:
    """One matrix that labels could give: by predicted class a multinomial, which varies
    somewhat more than labels of known probabilities do."""
    drawn = np.zeros_like(expected)
    for column, counts in enumerate(expected.T):
        total = round(float(counts.sum()))
        if total:
            drawn[:, column] = generator.multinomial(total, counts / counts.sum())
    return drawn


def _with_intervals(
    main: Mapping[str, Floats], drawn: Mapping[str, Floats], names: Sequence[str]
) -> dict[str, Estimated]:
    found = {}
    for name in names:
        value = float(main[name])
        if math.isfinite(value):
            known = drawn[name][np.isfinite(drawn[name])]
            low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (float("nan"),) * 2
            found[name] = Estimated(value, min(float(low), value), max(float(high), value))
    return found
