"""Whether a classifier can tell the window's rows from the baseline's (Lopez-Paz and Oquab,
"Revisiting Classifier Two-Sample Tests", ICLR 2017), and by which rows and columns.

It sees what no single column shows: columns that no longer go together. Imports scikit-learn
where it is needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.drift.pvalues import normal_tail
from core.drift.values import Floats, Ints

FOLDS = 3
MOST_ROWS = 4_000
LEAST_ROWS = 200
_ROUNDS = 60
_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Told:
    """`auc`: 0.5 where the rows cannot be told apart, 1 where they always can; with its standard
    error and one-sided p-value when there is no difference. `columns` are those that the
    classifier went by, with the loss of AUC when a column is shuffled; `rows` the most atypical
    of the window (place, chance of being of the window), the most atypical first."""

    auc: float
    p_value: float
    error: float
    rows_then: int
    rows_now: int
    columns: tuple[tuple[str, float], ...] = ()
    rows: tuple[tuple[int, float], ...] = field(default=())


def tell_apart(
    then: Mapping[str, Floats],
    now: Mapping[str, Floats],
    categories: Sequence[str] = (),
    *,
    seed: int = 0,
    atypical: int = 20,
) -> Told | None:
    """The classifier two-sample test; None with fewer than 200 rows on either side.

    Gradient-boosted trees are cross-fitted in 3 folds: each row is scored by a model that did
    not see it. AUCs are ranked within folds; their mean is compared with its distribution where
    there is no difference, normal with variance Σ(n+m+1)/(12nm) over folds (Mann and Whitney).
    """
    names = [name for name in then if name in now]
    if not names:
        return None
    one = np.column_stack([then[name] for name in names])
    two = np.column_stack([now[name] for name in names])
    draws = np.random.default_rng(seed)
    one = one[draws.permutation(len(one))[:MOST_ROWS]]
    places = draws.permutation(len(two))[:MOST_ROWS]
    two = two[places]
    if min(len(one), len(two)) < LEAST_ROWS:
        return None
    with np.errstate(over="ignore"):
        rows = np.vstack([one, two])
    rows[~np.isfinite(rows)] = np.nan
    label = np.repeat([0, 1], [len(one), len(two)])
    fold = np.concatenate([draws.permutation(len(each)) % FOLDS for each in (one, two)])
    masks = [name in set(categories) for name in names]
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # Its threads wait for one another by spinning: on a busy machine one is many times faster.
    with threadpool_limits(1):
        return _cross_fitted(rows, label, fold, names, masks, places, draws, atypical)


def _cross_fitted(
    rows: Floats,
    label: Ints,
    fold: Ints,
    names: list[str],
    categories: list[bool],
    places: Ints,
    draws: np.random.Generator,
    atypical: int,
) -> Told:
    from sklearn.ensemble import HistGradientBoostingClassifier

    few = [flag and np.nanmax(rows[:, i], initial=0) < 250 for i, flag in enumerate(categories)]
    scores = np.empty(len(rows))
    lost = np.zeros(len(names))
    aucs, variances = [], []
    for part in range(FOLDS):
        inside = fold == part
        model = HistGradientBoostingClassifier(
            max_iter=_ROUNDS, max_depth=_DEPTH, learning_rate=0.1, early_stopping=False,
            categorical_features=few, random_state=0,
        )  # fmt: skip
        model.fit(rows[~inside], label[~inside])
        held, truth = rows[inside], label[inside]
        scores[inside] = model.predict_proba(held)[:, 1]
        aucs.append(area(scores[inside], truth))
        n, m = int((truth == 0).sum()), int((truth == 1).sum())
        variances.append((n + m + 1) / (12 * n * m))
        for column in range(len(names)):
            shuffled = held.copy()
            shuffled[:, column] = draws.permutation(shuffled[:, column])
            lost[column] += aucs[-1] - area(model.predict_proba(shuffled)[:, 1], truth)
    error = math.sqrt(sum(variances)) / FOLDS
    auc = float(np.mean(aucs))
    of_now = scores[label == 1]
    order = np.argsort(-of_now, kind="stable")[:atypical]
    ranked = sorted(zip(names, lost / FOLDS, strict=True), key=lambda item: -item[1])
    return Told(
        auc=auc,
        p_value=normal_tail((auc - 0.5) / error),
        error=error,
        rows_then=int((label == 0).sum()),
        rows_now=int((label == 1).sum()),
        columns=tuple((name, float(loss)) for name, loss in ranked if loss > 0),
        rows=tuple((int(places[i]), float(of_now[i])) for i in order),
    )


def area(scores: Floats, truth: Ints) -> float:
    """The area under the ROC curve, ties counted half (Mann and Whitney's U)."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    m = int((truth == 1).sum())
    n = len(truth) - m
    return float((rank[truth == 1].sum() - m * (m + 1) / 2) / (n * m))
