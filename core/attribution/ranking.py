"""Whether a model goes by other features than it did: nDCG of the attributions, and who moved.

As SageMaker Clarify computes it ("Monitor Feature Attribution Drift", Amazon SageMaker AI
developer guide): features in the order of today's attributions, each worth its attribution at
the baseline, discounted by the place: DCG = Σ a(fᵢ) / log₂(i + 1), over the DCG of the
baseline's own order. Below 0.9 it is a violation. Equal attributions today share their places'
mean discount, as in the scikit-learn function that its documentation names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.attribution.explanation import Values

THRESHOLD = 0.9
DRAWS = 500


def ndcg(baseline: Values, current: Values) -> float:
    """1 where today's order is the baseline's; features in the same order in both.

    A baseline in which no feature counts for anything is in any order: 1.
    """
    ideal = _gain(baseline, baseline)
    return float(_gain(baseline, current) / ideal) if ideal > 0 else 1.0


def _gain(worth: Values, order: Values) -> float:
    discounts = 1 / np.log2(np.arange(2, len(worth) + 2))
    _, tied, counts = np.unique(-order, return_inverse=True, return_counts=True)
    means = np.zeros(len(counts))
    np.add.at(means, tied, worth)
    ends = np.cumsum(counts)
    sums = np.concatenate([[0.0], np.cumsum(discounts)])
    return float((means / counts * (sums[ends] - sums[ends - counts])).sum())


def ndcg_interval(
    baseline: Values, values: Values, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Where nDCG lies for other rows of the kind: a bootstrap of the rows explained (`values`
    is rows × features)."""
    sizes = np.abs(values)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=DRAWS)
    means = weights @ sizes / len(sizes)
    drawn = np.sort([ndcg(baseline, mean) for mean in means])
    at = int((1 - confidence) / 2 * DRAWS)
    return float(drawn[at]), float(drawn[DRAWS - 1 - at])


@dataclass(frozen=True, slots=True)
class Move:
    """A feature whose place has changed; places count from 1."""

    feature: str
    then: int
    now: int

    def words(self) -> str:
        """`temp 1 → 3`."""
        return f"{self.feature} {self.then} → {self.now}"


def moves(features: Sequence[str], baseline: Values, current: Values) -> list[Move]:
    """Features whose place has changed, the most important of either first. What counts for
    nothing in both has no place to lose."""
    then, now = _places(baseline), _places(current)
    found = [
        Move(name, int(then[at]), int(now[at]))
        for at, name in enumerate(features)
        if then[at] != now[at] and (baseline[at] > 0 or current[at] > 0)
    ]
    return sorted(found, key=lambda move: (min(move.then, move.now), move.then))


def _places(importance: Values) -> Values:
    places = np.empty(len(importance))
    places[np.argsort(-importance, kind="stable")] = np.arange(1, len(importance) + 1)
    return places
