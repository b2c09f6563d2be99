"""What drives a drift: the segments that it comes from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.drift.baseline import Baseline
from core.drift.values import Floats
from core.drift.window import WindowCounts


@dataclass(frozen=True, slots=True)
class Contribution:
    """A segment's part of a column's drift, signed: those of all segments of a column together
    are the difference itself (±D, or the greatest difference of a category).

    `mix` is what comes from the segment's share of the rows (`share_then` → `share_now`),
    `within` from its values having changed. `at` is where the difference is greatest.
    """

    segment: str
    value: float
    mix: float
    within: float
    share_then: float
    share_now: float
    at: str


def contributions(baseline: Baseline, window: WindowCounts, name: str) -> list[Contribution]:
    """How much each segment adds to the drift of a column, the most first.

    With F = Σ wᵢFᵢ over segments on either side, F' - F at the point where it is greatest is
    Σ (w'ᵢF'ᵢ - wᵢFᵢ); each term is (w'ᵢ-wᵢ)·(Fᵢ+F'ᵢ)/2 (mix) and (F'ᵢ-Fᵢ)·(wᵢ+w'ᵢ)/2 (within).
    """
    column = baseline.column(name)
    result: list[Contribution] = []
    for place, grouping in enumerate(baseline.groupings):
        if grouping.season is not None or column is None or name == grouping.column:
            continue
        if name not in baseline.by_group[place] or name not in window.by_group[place]:
            continue
        then = baseline.by_group[place][name].astype(np.float64)
        now = window.by_group[place][name].astype(np.float64)
        if column.categories is not None:
            then, now = then[:, 1:], now[:, 1:]  # without what is missing
        n, m = then.sum(), now.sum()
        if not n or not m:
            continue
        reached, label = _at_greatest(then / n, now / m, column.categories is not None)
        at = _point(label, name, baseline)
        w, v = then.sum(axis=1) / n, now.sum(axis=1) / m
        one, two = reached
        inner_one = np.divide(one, w, out=np.zeros_like(one), where=w > 0)
        inner_two = np.divide(two, v, out=np.zeros_like(two), where=v > 0)
        # A segment that one side has not changes by its share alone.
        inner_one, inner_two = (
            np.where(w > 0, inner_one, inner_two),
            np.where(v > 0, inner_two, inner_one),
        )
        mix = (v - w) * (inner_one + inner_two) / 2
        within = (inner_two - inner_one) * (v + w) / 2
        result += [
            Contribution(
                grouping.label(code), float(two[code] - one[code]), float(mix[code]),
                float(within[code]), float(w[code]), float(v[code]), at,
            )
            for code in range(grouping.size)
            if w[code] or v[code]
        ]  # fmt: skip
    return sorted(result, key=lambda each: -abs(each.value))


def _at_greatest(then: Floats, now: Floats, codes: bool) -> tuple[tuple[Floats, Floats], int]:
    """Each segment's share at the cell where the whole differs most: of the category, or
    (numbers) of all up to there."""
    if not codes:
        then, now = np.cumsum(then, axis=1), np.cumsum(now, axis=1)
    place = int(np.abs(now.sum(axis=0) - then.sum(axis=0)).argmax())
    return (then[:, place], now[:, place]), place


def _point(place: int, name: str, baseline: Baseline) -> str:
    column = baseline.column(name)
    if column is None:
        return ""
    if column.categories is not None:
        return "other" if place == 0 else column.categories.values[place - 1]
    if column.coarse is None or not len(column.coarse.at):
        return ""
    at = column.coarse.at
    return f"{at[min(place // 2, len(at) - 1)]:.6g}"
