"""Some rows of many: uniformly, or so that every stratum has its share."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from core.errors import BadInput
from core.explore._sample import RowSample

MOST_STRATA = 1000
_ORDER = "\0row"


def sample_rows(
    parts: Iterator[pl.DataFrame],
    count: int,
    *,
    seed: int = 0,
    stratify: str | None = None,
    columns: tuple[str, ...] = (),
) -> tuple[pl.DataFrame, int]:
    """`count` rows in the order in which they come, and how many there were.

    The same rows for the same seed and data. With `stratify` each value of that column gets
    rows in proportion to its own, and at least one while there is room.
    """
    if stratify is None:
        sample = RowSample(count, seed)
        for part in parts:
            sample.add(part)
        return _picked(sample.frame(), columns), sample.seen
    strata: dict[object, RowSample] = {}
    seen = 0
    for part in parts:
        if stratify not in part.columns:
            raise BadInput(f"no column {stratify}", "columns: " + ", ".join(part.columns))
        numbered = part.with_columns(pl.int_range(seen, seen + part.height).alias(_ORDER))
        seen += part.height
        for (value,), rows in numbered.group_by(stratify, maintain_order=True):
            if value not in strata and len(strata) == MOST_STRATA:
                raise BadInput(
                    f"--stratify {stratify}: more than {MOST_STRATA:,} different values",
                    "name a column of categories",
                )
            strata.setdefault(value, RowSample(count, seed + len(strata))).add(rows)
    shares = allotted([sample.seen for sample in strata.values()], count)
    kept = [
        sample.fewest(share) for sample, share in zip(strata.values(), shares, strict=True) if share
    ]
    if not kept:
        return pl.DataFrame(), seen
    return _picked(pl.concat(kept).sort(_ORDER).drop(_ORDER), columns), seen


def allotted(sizes: list[int], count: int) -> list[int]:
    """How many of `count` each stratum gets: one each while there is room (the largest first),
    the rest in proportion by the largest remainders, none more than it has."""
    count = min(count, sum(sizes))
    given = [0] * len(sizes)
    largest = sorted(range(len(sizes)), key=lambda i: -sizes[i])
    for i in largest[:count]:
        given[i] = 1
    while (left := count - sum(given)) > 0:
        room = [size - got for size, got in zip(sizes, given, strict=True)]
        total = sum(size for size, free in zip(sizes, room, strict=True) if free)
        wanted = [
            left * size / total if free else 0.0 for size, free in zip(sizes, room, strict=True)
        ]
        more = [min(int(want), free) for want, free in zip(wanted, room, strict=True)]
        if not any(more):
            order = sorted(range(len(sizes)), key=lambda i: -(wanted[i] if room[i] else -1.0))
            for i in order[:left]:
                more[i] = 1 if room[i] else 0
        given = [got + extra for got, extra in zip(given, more, strict=True)]
    return given


def _picked(frame: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    return frame.select(columns) if columns and frame.width else frame
