"""How far apart two arms' distributions are, with bounds that hold at every moment at once.

Howard and Ramdas, "Sequential estimation of quantiles with applications to A/B testing and
best-arm identification" (Bernoulli 28, 2022; arXiv:1906.09712, corollary 2): from the m-th
observation on, with probability 1 - alpha, an empirical distribution function stays within
0.85 sqrt((ln ln(e t / m) + 0.8 ln(1612 / alpha)) / t) of the true one, everywhere and at all
times t. Two arms' largest distance is then known to the sum of their bounds. It is taken on a
fixed grid, where the bound holds as well; what differs within one bucket is not seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple


class Distance(NamedTuple):
    """The largest distance of two distribution functions, 0-1, and what it surely lies in."""

    value: float
    low: float
    high: float


def band_radius(count: float, minimum: float, alpha: float) -> float:
    """Half the band's width around one arm's distribution function; 1 (nothing is known)
    before `minimum` observations."""
    if count < minimum or count <= 0:
        return 1.0
    spent = math.log(math.log(math.e * count / minimum)) + 0.8 * math.log(1612 / alpha)
    return min(1.0, 0.85 * math.sqrt(spent / count))


def distance(
    candidate: tuple[float, Mapping[int, float]],
    champion: tuple[float, Mapping[int, float]],
    minimum: float,
    alpha: float,
) -> Distance:
    """Of two arms, each the number of observations it is worth and its probabilities by
    bucket. Half of alpha goes to each arm."""
    (many, first), (few, second) = candidate, champion
    above = largest = 0.0
    for bucket in sorted(first.keys() | second.keys()):
        above += first.get(bucket, 0.0) - second.get(bucket, 0.0)
        largest = max(largest, abs(above))
    radius = band_radius(many, minimum, alpha / 2) + band_radius(few, minimum, alpha / 2)
    return Distance(largest, max(0.0, largest - radius), min(1.0, largest + radius))
