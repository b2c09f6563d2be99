"""How well scores rank: areas under the curves, their standard errors, and the curves.

`auc` and `au_prc` equal scikit-learn's `roc_auc_score` (for several classes: one against the
rest, weighted) and `average_precision_score`. The variance of auc is DeLong's (Biometrics 44,
1988) in the form of Sun and Xu (IEEE Signal Processing Letters 21, 2014); au_prc's is binomial
in the number of positives (Boyd, Eng and Page, ECML 2013).
"""

from __future__ import annotations

import math

import numpy as np

from core.modelquality.pairs import Flags, Floats

NAN = float("nan")
POINTS = 101
"""Most points of a curve that are kept."""


def mid_ranks(values: Floats) -> Floats:
    """Ranks from 1, those of equal values being their mean."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Floats = (ends - (counts - 1) / 2)[places]
    return ranks


def auc(positive: Flags, score: Floats) -> tuple[float, float]:
    """The area under the ROC curve, and its standard error; NaN with one class only."""
    known = np.isfinite(score)
    positive, score = positive[known], score[known]
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        return NAN, NAN
    ranks = mid_ranks(score)
    of_positive, of_negative = ranks[positive], ranks[~positive]
    area = (of_positive.sum() - m * (m + 1) / 2) / (m * n)
    if m < 2 or n < 2:
        return float(area), NAN
    above = (of_positive - mid_ranks(score[positive])) / n
    below = 1 - (of_negative - mid_ranks(score[~positive])) / m
    return float(area), math.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n)


def average_precision(positive: Flags, score: Floats) -> tuple[float, float]:
    """The area under the precision-recall curve as the mean precision at each recall, and its
    standard error; NaN without positives."""
    known = np.isfinite(score)
    positive, score = positive[known], score[known]
    m = int(positive.sum())
    if not m:
        return NAN, NAN
    hits, misses, _ = _steps(positive, score)
    precision = hits / (hits + misses)
    gained = np.diff(hits, prepend=0) / m
    area = min(1.0, float((precision * gained).sum()))
    return area, math.sqrt(area * (1 - area) / m)


def auc_of_classes(label: np.ndarray, scores: Floats) -> tuple[float, float]:
    """The mean of each class's auc against the rest, weighted by how often it is the label, and
    its standard error: at most the weighted mean of theirs, since they are of the same rows."""
    total = error = weight = 0.0
    for code in range(scores.shape[1]):
        of_class = label == code
        area, deviation = auc(of_class, scores[:, code])
        if not math.isnan(area):
            many = float(of_class.sum())
            total += area * many
            error += deviation * many
            weight += many
    return (total / weight, error / weight) if weight else (NAN, NAN)


def roc_curve(positive: Flags, score: Floats) -> dict[str, list[float]]:
    """Rates at falling thresholds, from (0, 0) to (1, 1); at most `POINTS`, evenly chosen."""
    known = np.isfinite(score)
    positive, score = positive[known], score[known]
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        return {"false_positive_rates": [], "true_positive_rates": []}
    hits, misses, _ = _steps(positive, score)
    kept = _evenly(len(hits))
    return {
        "false_positive_rates": [0.0, *(misses[kept] / n).tolist()],
        "true_positive_rates": [0.0, *(hits[kept] / m).tolist()],
    }


def precision_recall_curve(positive: Flags, score: Floats) -> dict[str, list[float]]:
    """Precision at rising recall, from (1, 0) on; at most `POINTS`, evenly chosen."""
    known = np.isfinite(score)
    positive, score = positive[known], score[known]
    m = int(positive.sum())
    if not m:
        return {"precisions": [], "recalls": []}
    hits, misses, _ = _steps(positive, score)
    kept = _evenly(len(hits))
    return {
        "precisions": [1.0, *(hits[kept] / (hits[kept] + misses[kept])).tolist()],
        "recalls": [0.0, *(hits[kept] / m).tolist()],
    }


def _steps(positive: Flags, score: Floats) -> tuple[Floats, Floats, Floats]:
    """True and false positives when everything down to each distinct score counts."""
    order = np.argsort(-score, kind="stable")
    ranked, marks = score[order], positive[order].astype(np.float64)
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    hits = np.cumsum(marks)[last]
    return hits, last + 1.0 - hits, ranked[last]


def _evenly(many: int) -> np.ndarray:
    if many <= POINTS:
        return np.arange(many)
    return np.unique(np.linspace(0, many - 1, POINTS).round().astype(np.int64))
