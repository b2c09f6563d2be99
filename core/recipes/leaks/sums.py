"""Sums and differences of a few columns that are the target: `casual + registered = cnt`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import polars as pl

from core.domain.split import Leak

MOST_COLUMNS = 60
MOST_TERMS = 4
SHARE = 0.995
"""From this share of the rows on the sum is said to be the target."""


def sums(frame: pl.DataFrame, target: str, features: list[str]) -> Iterator[Leak]:
    """Combinations with factors +1 and -1 of two to four numeric columns that give the target.

    Pairs are matched with pairs by a random projection of the rows, so that four of sixty
    columns take a moment; each match is then checked on all rows.
    """
    y = frame[target]
    if not y.dtype.is_numeric():
        return
    names = [n for n in features if frame[n].dtype.is_numeric() and frame[n].n_unique() > 1]
    numbers = frame.select([target, *names]).cast(pl.Float64).fill_nan(None)
    names = _complete(numbers, target, names)[:MOST_COLUMNS]
    known = numbers.select([target, *names]).drop_nulls()
    if known.height < 10 or len(names) < 2 or known[target].n_unique() < 2:
        return
    found: list[frozenset[str]] = []
    for terms in _matches(known, target, names):
        columns = frozenset(name for name, _ in terms)
        if any(smaller <= columns for smaller in found):
            continue
        share = _share(known, target, terms)
        if share >= SHARE:
            found.append(columns)
            yield _leak(terms, target, share)


def _complete(numbers: pl.DataFrame, target: str, names: list[str]) -> list[str]:
    """The columns of which enough rows are complete together, those with fewer gaps first."""
    wanted = min(200, max(10, numbers.height // 2))
    whole, kept = numbers[target].is_not_null(), []
    for name in sorted(names, key=lambda each: numbers[each].null_count()):
        both = whole & numbers[name].is_not_null()
        if both.sum() >= wanted:
            whole = both
            kept.append(name)
    return [name for name in names if name in kept]


def _leak(terms: tuple[tuple[str, int], ...], target: str, share: float) -> Leak:
    ordered = sorted(terms, key=lambda each: -each[1])
    text = " ".join(
        f"{'-' if sign < 0 else '+' if index else ''} {name}".strip()
        for index, (name, sign) in enumerate(ordered)
    )
    return Leak(
        "sum is target",
        "leak",
        tuple(name for name, _ in ordered),
        f"{text} = {target} in {share:.1%} of the rows",
        "leave them out: they are parts of the answer",
        share,
        SHARE,
        {"terms": dict(ordered)},
    )


def _share(known: pl.DataFrame, target: str, terms: tuple[tuple[str, int], ...]) -> float:
    total = pl.sum_horizontal([pl.col(name) * sign for name, sign in terms])
    size = pl.col(target).abs().max().clip(1e-300)
    same = (total - pl.col(target)).abs() <= 1e-9 * size
    return float(known.select(same.mean()).item())


def _matches(
    known: pl.DataFrame, target: str, names: list[str]
) -> Iterator[tuple[tuple[str, int], ...]]:
    """Candidates, those of fewer columns first."""
    import numpy as np

    generator = np.random.default_rng(20_260_301)
    sample = known.sample(min(known.height, 256), seed=1) if known.height > 256 else known
    weights = generator.uniform(0.5, 1.5, sample.height)
    wanted = float(sample[target].to_numpy() @ weights)
    values = {name: float(sample[name].to_numpy() @ weights) for name in names}
    scale = max(abs(wanted), *(abs(v) for v in values.values()), 1e-300)
    close = 1e-9 * scale

    pairs: list[tuple[tuple[str, int], ...]] = [
        ((one, a), (other, b))
        for one, other in combinations(names, 2)
        for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))
    ]
    totals = np.array([sum(sign * values[name] for name, sign in pair) for pair in pairs])
    order = np.argsort(totals)
    ranked = totals[order]

    def near(value: float) -> Iterator[Any]:
        low = int(np.searchsorted(ranked, value - close, "left"))
        high = int(np.searchsorted(ranked, value + close, "right"))
        return (pairs[int(order[i])] for i in range(low, min(high, low + 50)))

    yield from near(wanted)
    for name in names:
        for sign in (1, -1):
            for pair in near(wanted - sign * values[name]):
                if name not in {each for each, _ in pair}:
                    yield ((name, sign), *pair)
    if MOST_TERMS >= 4:
        for index, pair in enumerate(pairs):
            for other in near(wanted - float(totals[index])):
                if not {each for each, _ in pair} & {each for each, _ in other}:
                    yield (*pair, *other)
