"""Whether the labelled rows stand for all rows.

Labels often arrive for some kinds of rows only (a loan that was refused has none), or for the
older ones first. Then every metric is of those rows. Labelled and unlabelled rows are compared,
prediction and each input: Kolmogorov-Smirnov for numbers, chi-square for names, Benjamini and
Hochberg over all of them. A difference counts with an adjusted p <= 0.01 and a distance (D, or
half the L1 distance of the shares) >= 0.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.drift.pvalues import adjusted, chi_square_p_value, ks_p_value
from core.modelquality.pairs import Flags, Floats
from core.modelquality.task import as_names, as_numbers, is_given

Q = 0.01
DISTANCE = 0.1
LOW = 0.5
"""Below this share labels are too few to speak for a window without saying so."""
FEWEST = 30
_CATEGORIES = 50
_SAMPLE = 50_000


@dataclass(frozen=True, slots=True)
class Gap:
    """How far apart labelled and unlabelled rows are in one column."""

    column: str
    distance: float
    p_value: float
    adjusted: float

    @property
    def matters(self) -> bool:
        """Surely there, and large enough."""
        return self.adjusted <= Q and self.distance >= DISTANCE


@dataclass(frozen=True, slots=True)
class Coverage:
    """Labelled rows of those with a usable prediction. `statement` says when not to trust
    figures of the labelled rows; empty where nothing speaks against them."""

    rows: int
    labelled: int
    gaps: tuple[Gap, ...] = ()
    statement: str = ""

    @property
    def share(self) -> float | None:
        """The share of rows with a label; None of no rows."""
        return self.labelled / self.rows if self.rows else None

    @property
    def at_random(self) -> bool:
        """Whether nothing shows that labels are missing for a particular kind of row."""
        return not any(gap.matters for gap in self.gaps)


def compare(
    labelled: Flags, columns: Mapping[str, NDArray[Any]], usable: Flags | None = None
) -> Coverage:
    """How far labels reach, and whom they leave out. `columns` are the prediction and the
    inputs of all rows; `usable` flags those that count."""
    counts = np.ones(len(labelled), dtype=bool) if usable is None else usable
    have, lack = labelled & counts, ~labelled & counts
    rows, known = int(counts.sum()), int(have.sum())
    gaps: list[Gap] = []
    if min(known, rows - known) >= FEWEST:
        found = [
            (name, *_apart(np.asarray(values), have, lack)) for name, values in columns.items()
        ]
        corrected = adjusted([p for _, _, p in found])
        gaps = [
            Gap(name, distance, p, float(q))
            for (name, distance, p), q in zip(found, corrected, strict=True)
        ]
        gaps.sort(key=lambda gap: -gap.distance)
    return Coverage(rows, known, tuple(gaps), _say(rows, known, gaps))


def _apart(values: NDArray[Any], have: Flags, lack: Flags) -> tuple[float, float]:
    """Distance and p-value of a column between two groups of rows."""
    numbers = as_numbers(values)
    if np.isfinite(numbers).sum() >= 0.9 * np.count_nonzero(is_given(values)):
        return _ks(_thin(numbers[have]), _thin(numbers[lack]))
    names = as_names(values).astype(str)
    return _shares(names[have], names[lack])


def _ks(first: Floats, second: Floats) -> tuple[float, float]:
    first, second = first[~np.isnan(first)], second[~np.isnan(second)]
    if not len(first) or not len(second):
        return 0.0, 1.0
    first.sort()
    second.sort()
    everywhere = np.concatenate([first, second])
    above = np.searchsorted(first, everywhere, "right") / len(first)
    below = np.searchsorted(second, everywhere, "right") / len(second)
    distance = float(np.abs(above - below).max())
    return distance, ks_p_value(distance, len(first), len(second))


def _shares(first: NDArray[Any], second: NDArray[Any]) -> tuple[float, float]:
    names, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    counts = np.zeros((2, len(names)))
    counts[0] = np.bincount(places[: len(first)], minlength=len(names))
    counts[1] = np.bincount(places[len(first) :], minlength=len(names))
    if len(names) > _CATEGORIES:  # rare ones together, or chi-square means nothing
        order = np.argsort(-counts.sum(axis=0))
        rare = counts[:, order[_CATEGORIES:]].sum(axis=1, keepdims=True)
        counts = np.hstack([counts[:, order[:_CATEGORIES]], rare])
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    statistic = float(((counts - expected) ** 2 / expected).sum())
    shares = counts / counts.sum(axis=1, keepdims=True)
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    return distance, chi_square_p_value(statistic, counts.shape[1] - 1)


def _thin(values: Floats) -> Floats:
    """At most so many rows, evenly spaced: plenty to see a distance of 0.1."""
    return values[:: -(-len(values) // _SAMPLE)].copy() if len(values) > _SAMPLE else values.copy()


def _say(rows: int, known: int, gaps: Sequence[Gap]) -> str:
    if not rows:
        return ""
    if not known:
        return "no labels yet"
    sure = [gap for gap in gaps if gap.matters]
    share = known / rows
    if sure:
        named = ", ".join(f"{gap.column} ({gap.distance:.2f})" for gap in sure[:3])
        more = f" and {len(sure) - 3} more" if len(sure) > 3 else ""
        return (
            f"labels are missing for a kind of rows, not at random: the {share:.0%} labelled "
            f"differ in {named}{more}; the figures do not speak for the others"
        )
    if share < LOW:
        return f"only {share:.0%} of rows are labelled; the figures may move as labels arrive"
    return ""
