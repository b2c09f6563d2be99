"""Columns that are the sum of two others in every row: a condition worth expecting."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl

MOST_COLUMNS = 40
MOST_FOUND = 5
FEWEST_ROWS = 100


def sums(frame: pl.DataFrame) -> tuple[str, ...]:
    """Conditions `a + b = c` that all rows meet, none of the three being constant or one of
    the others."""
    names = [
        name
        for name, dtype in frame.schema.items()
        if dtype.is_integer() and frame[name].n_unique() > 2 and not frame[name].null_count()
    ][:MOST_COLUMNS]
    if len(names) < 3 or frame.height < FEWEST_ROWS:
        return ()
    values = {name: frame[name].cast(pl.Float64).to_numpy() for name in names}
    # A sum is known by its first rows; only what fits there is asked of all.
    first = {name: array[:FEWEST_ROWS] for name, array in values.items()}
    found: list[str] = []
    for one, two in combinations(names, 2):
        head = first[one] + first[two]
        for total in names:
            if (
                total not in (one, two)
                and np.array_equal(head, first[total])
                and np.array_equal(values[one] + values[two], values[total])
            ):
                found.append(f"{_quoted(one)} + {_quoted(two)} = {_quoted(total)}")
    return tuple(found[:MOST_FOUND])


def _quoted(name: str) -> str:
    if name.isidentifier() and name.isascii() and name.islower():
        return name
    return '"' + name.replace('"', '""') + '"'
