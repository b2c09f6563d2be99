"""How much a label of each row would tell: uncertainty, disagreement, and being unlike.

All scores are from 0 to 1, larger for rows that should rather be asked about; NaN where nothing
can be said. Plain numpy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_MOST_CATEGORIES = 50


def entropy(shares: Sequence[float]) -> float:
    """Shannon's entropy of class probabilities, as a share of the most that is possible."""
    total = math.fsum(shares)
    if len(shares) < 2 or total <= 0 or any(share < 0 for share in shares):
        return math.nan
    parts = [share / total for share in shares if share > 0]
    return -math.fsum(part * math.log(part) for part in parts) / math.log(len(shares))


def unsure(outputs: Sequence[Any], *, probabilities: bool) -> Floats:
    """Of class probabilities: lists by their entropy, single numbers (`probabilities`) by how
    near they are to one half. NaN for all other answers."""
    found = np.full(len(outputs), np.nan)
    for place, output in enumerate(outputs):
        if isinstance(output, list) and len(output) > 1 and _numbers(output):
            found[place] = entropy(output)
        elif isinstance(output, dict):
            found[place] = _interval(output)
        elif probabilities and isinstance(output, float) and 0 <= output <= 1:
            found[place] = entropy([output, 1 - output])
    wide = np.array([isinstance(output, dict) for output in outputs], dtype=bool)
    if wide.any():  # widths have no natural end: by rank among them
        found[wide] = ranks(found[wide])
    return found


def are_probabilities(outputs: Sequence[Any]) -> bool:
    """Whether single numbers look like probabilities of one class: all fractions within 0 and 1,
    some of them far from both ends of what they span."""
    numbers = [each for each in outputs if isinstance(each, float)]
    return len(numbers) == len(outputs) > 0 and all(0 <= each <= 1 for each in numbers)


def _interval(output: dict[str, Any]) -> float:
    """The width of an interval that a model gives, under usual names of its ends."""
    for low, high in (("low", "high"), ("lower", "upper"), ("q05", "q95")):
        ends = (output.get(low), output.get(high))
        if _numbers(ends):
            return abs(float(ends[1]) - float(ends[0]))  # type: ignore[arg-type]
    return math.nan


def _numbers(values: Sequence[Any]) -> bool:
    return all(
        isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each)
        for each in values
    )


def differing(mine: Sequence[Any], theirs: Sequence[Any]) -> Floats:
    """How far two models' answers differ: of numbers the gap over their spread, by rank where
    not zero; of anything else 1 or 0. NaN where one of them has not answered."""
    found = np.full(len(mine), np.nan)
    numeric = np.zeros(len(mine), dtype=bool)
    for place, (one, other) in enumerate(zip(mine, theirs, strict=True)):
        if other is None or one is None:
            continue
        if isinstance(one, float) and isinstance(other, float):
            found[place], numeric[place] = abs(one - other), True
        elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            found[place] = float(_argmax(one) != _argmax(other))
        else:
            found[place] = float(one != other)
    if numeric.any():
        gaps = found[numeric]
        found[numeric] = np.where(gaps > 1e-12, ranks(gaps), 0.0)
    return found


def _argmax(values: list[Any]) -> int:
    return values.index(max(values)) if _numbers(values) and values else -1


def ranks(values: Floats) -> Floats:
    """Each value's rank among those that are numbers, from above 0 to 1; equal ones share."""
    found = np.full(len(values), np.nan)
    known = np.isfinite(values)
    if known.any():
        order = np.sort(values[known])
        found[known] = np.searchsorted(order, values[known], side="right") / known.sum()
    return found


def encoded(rows: Sequence[dict[str, Any]]) -> Floats:
    """Rows as numbers on one scale: numbers by median and interquartile range, clipped; texts as
    one column for each of their commonest values; what is missing in the middle."""
    names = sorted({name for row in rows for name in row})
    columns: list[Floats] = []
    for name in names:
        values = [row.get(name) for row in rows]
        numbers = [float(v) if v is not None and _numbers([v]) else math.nan for v in values]
        if any(isinstance(value, str | bool) for value in values):
            columns += _categories(values)
        else:
            columns.append(_scaled(np.array(numbers)))
    return np.column_stack(columns) if columns else np.zeros((len(rows), 0))


def _scaled(values: Floats) -> Floats:
    known = values[np.isfinite(values)]
    if not len(known):
        return np.zeros(len(values))
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
    spread = high - low or float(np.std(known)) or 1.0
    scaled: Floats = np.clip((values - middle) / spread, -10, 10)
    scaled[~np.isfinite(scaled)] = 0.0
    return scaled


def _categories(values: Sequence[Any]) -> list[Floats]:
    texts = ["" if value is None else str(value) for value in values]
    unique, counts = np.unique(texts, return_counts=True)
    common = unique[np.argsort(-counts, kind="stable")][:_MOST_CATEGORIES]
    given = np.array(texts)
    return [(given == each).astype(float) for each in common if len(unique) > 1]


def unlike(rows: Floats, reference: Floats) -> Floats:
    """How unlike what is usual each row is: its largest distance from the reference's middle in
    any column, over that column's spread there; by rank. NaN without a reference."""
    if not len(reference) or not rows.shape[1]:
        return np.full(len(rows), np.nan)
    middle = np.median(reference, axis=0)
    spread = np.quantile(np.abs(reference - middle), 0.9, axis=0)
    spread[spread <= 0] = 1.0
    return ranks((np.abs(rows - middle) / spread).max(axis=1))


def expected_error(
    rows: Floats, labelled: Floats, errors: Floats, *, nearest: int = 20, chunk: int = 2_000
) -> Floats:
    """The absolute error to expect of each row: the mean of those of the labelled rows nearest
    to it (by squared distance). NaN with fewer labelled rows than that."""
    found = np.full(len(rows), np.nan)
    if len(labelled) < nearest or not rows.shape[1]:
        return found
    squares = (labelled * labelled).sum(axis=1)
    for begin in range(0, len(rows), chunk):
        part = rows[begin : begin + chunk]
        far = squares - 2 * part @ labelled.T  # without the row's own square: the same order
        near = np.argpartition(far, nearest - 1, axis=1)[:, :nearest]
        found[begin : begin + chunk] = errors[near].mean(axis=1)
    return found


def diverse(rows: Floats, order: Sequence[int], count: int, taken: Sequence[int] = ()) -> list[int]:
    """`count` of the places in `order` (best first) that are far from each other and from those
    `taken`: greedily the one farthest from all before it (Gonzalez 1985), among the three times
    as many that are best. Copies of a row come last."""
    known = {rows[place].tobytes() for place in taken}
    single: list[int] = []
    copies: list[int] = []
    for place in order:
        key = rows[place].tobytes()
        (copies if key in known else single).append(place)
        known.add(key)
        if len(single) >= 3 * count:
            break
    if len(single) <= count:
        return [*single, *copies][:count]
    points = rows[single]
    nearest = np.full(len(single), np.inf)
    for place in taken:
        nearest = np.minimum(nearest, _far(points, rows[place]))
    chosen: list[int] = []
    while len(chosen) < count:
        at = int(np.argmax(nearest)) if chosen or len(taken) else 0
        chosen.append(single[at])
        nearest = np.minimum(nearest, _far(points, points[at]))
        nearest[at] = -1.0
    return chosen


def _far(points: Floats, one: Floats) -> Floats:
    found: Floats = np.sqrt(((points - one) ** 2).sum(axis=1))
    return found
