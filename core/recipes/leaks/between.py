"""What leaks from one part of a split into another: rows, keys, groups, times."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import polars as pl

from core.domain.split import Leak

PART = "\0part"


def between_parts(
    parts: dict[str, pl.DataFrame],
    features: list[str],
    target: str,
    *,
    key: tuple[str, ...] = (),
    group: tuple[str, ...] = (),
    time: str = "",
) -> Iterator[Leak]:
    """Findings between every two parts."""
    for one, other in combinations(parts, 2):
        yield from _rows(parts, one, other, [*features, target], "rows", "the same row")
        without = [each for each in features if each != time]
        if without and without != features:
            what = "the same values apart from the time"
            yield from _rows(parts, one, other, [*without, target], "rows", what)
        for columns, kind in ((key, "keys"), (group, "groups")):
            if columns:
                yield from _shared(parts, one, other, list(columns), kind)
    if time:
        yield from _order(parts, time)


def _rows(
    parts: dict[str, pl.DataFrame], one: str, other: str, columns: list[str], kind: str, what: str
) -> Iterator[Leak]:
    first, second = parts[one].select(columns), parts[other].select(columns)
    both = second.join(first.unique(), on=columns, how="semi", nulls_equal=True)
    if not both.height:
        return
    share = both.height / max(1, second.height)
    yield Leak(
        f"duplicate {kind}",
        "leak" if what == "the same row" or share > 0.01 else "suspect",
        (),
        f"{both.height:,} rows of {other} ({share:.1%}) have {what} in {one}",
        "put a step dedupe before the split, or split by hash of the columns",
        share,
        0.0,
        {"parts": [one, other], "rows": both.height},
    )


def _shared(
    parts: dict[str, pl.DataFrame], one: str, other: str, columns: list[str], kind: str
) -> Iterator[Leak]:
    first = parts[one].select(columns).unique()
    second = parts[other].select(columns).unique()
    both = second.join(first, on=columns, how="inner", nulls_equal=True)
    if not both.height:
        return
    share = both.height / second.height
    some = ", ".join(str(value) for value in both.sort(columns)[columns[0]].head(3).to_list())
    yield Leak(
        f"shared {kind}",
        "leak",
        tuple(columns),
        f"{both.height:,} {kind} of {other} ({share:.1%}) are in {one} too: {some}"
        + (" …" if both.height > 3 else ""),
        f"split by {'group' if kind == 'groups' else 'hash'} of {', '.join(columns)}",
        share,
        0.0,
        {"parts": [one, other], "count": both.height},
    )


def _order(parts: dict[str, pl.DataFrame], time: str) -> Iterator[Leak]:
    """Rows of an earlier part that are later than the first row of a later one."""
    names = list(parts)
    for one, other in combinations(names, 2):
        start = parts[other][time].min()
        if start is None:
            continue
        later = parts[one].filter(pl.col(time) >= start).height
        if later:
            share = later / max(1, parts[one].height)
            yield Leak(
                "trained on later rows",
                "leak",
                (time,),
                f"{later:,} rows of {one} ({share:.1%}) are not earlier than the first of {other}",
                f"split by time: --by time --column {time}",
                share,
                0.0,
                {"parts": [one, other], "rows": later},
            )
