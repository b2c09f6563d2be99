"""The bins of a column of numbers, made from the baseline and kept with it.

PSI and Jensen-Shannon depend on them, so they never move: at the baseline's deciles, equal ones
put together; or, for a few different values, one for each and one for values never seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from core.drift.numeric import Knots, NumberCounts
from core.drift.values import Floats

FEW = 20
"""Numbers of at most so many different values get a bin for each."""
BINS = 10
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Bins:
    """`edges`: upper ends, the last bin is open; or, where `each`, the values themselves, and
    one bin more for all others. `rule` says how they were made."""

    edges: Floats
    each: bool
    rule: str

    def shares(self, counts: NumberCounts) -> Floats:
        """The share of the values in each bin. Needs at least one value."""
        at = counts.knots.at
        if self.each:
            found = counts.counts[1::2][at.searchsorted(self.edges)]
            found = np.append(found, max(0.0, counts.present - found.sum()))
            shares: Floats = found / counts.present
            return shares
        reached = np.append(0.0, counts.cumulated()[1])[at.searchsorted(self.edges, "right")]
        return np.diff(np.concatenate([[0.0], reached, [1.0]]))

    def labels(self) -> tuple[str, ...]:
        """What each bin holds, for a person."""
        if self.each:
            return (*(f"{value:g}" for value in self.edges), "other")
        return tuple(edge_labels(self.edges))


def edge_labels(edges: Floats) -> list[str]:
    """What lies below the first edge, between them, and above the last."""
    if not len(edges):
        return ["all"]
    inner = [f"{a:.4g} to {b:.4g}" for a, b in pairwise(edges)]
    return [f"to {edges[0]:.4g}", *inner, f"above {edges[-1]:.4g}"]


def bins_of(counts: NumberCounts) -> Bins:
    """The bins of a baseline."""
    at = counts.knots.at
    if counts.knots.exact and len(at) <= FEW:
        return Bins(at, True, "one bin for each value, one for all others")
    rule = f"{BINS} bins at the baseline's quantiles, equal ones put together"
    reached = counts.cumulated()[1]
    places = np.searchsorted(reached, np.arange(1, BINS) / BINS - 1e-12)
    edges = np.unique(at[np.minimum(places, len(at) - 1)])
    return Bins(edges[edges < at[-1]], False, rule)


def shown_edges(knots: Knots, counts: NumberCounts, bins: int = SHOWN) -> Floats:
    """Edges of a histogram to look at: even steps over the middle 98 % of the baseline."""
    at = knots.at
    if not len(at) or not counts.present:
        return np.empty(0)
    reached = counts.cumulated()[1]
    low = float(at[min(len(at) - 1, int(np.searchsorted(reached, 0.01)))])
    high = float(at[min(len(at) - 1, int(np.searchsorted(reached, 0.99)))])
    if not high > low:
        low, high = float(at[0]), float(at[-1])
    if not high > low:
        return np.array([low])
    with np.errstate(over="ignore", invalid="ignore"):
        edges = np.linspace(low, high, bins - 1)
    return edges if np.isfinite(edges).all() else np.array([low])


def shown_shares(edges: Floats, counts: NumberCounts) -> Floats:
    """Shares below the first edge, between them, and above the last; between knots by straight
    lines."""
    if not counts.present or not len(edges):
        return np.zeros(len(edges) + 1)
    at = counts.knots.at
    reached = np.interp(edges, at, counts.cumulated()[1], left=0.0, right=1.0)
    shares: Floats = np.diff(np.concatenate([[0.0], reached, [1.0]]))
    return np.maximum(shares, 0.0)
