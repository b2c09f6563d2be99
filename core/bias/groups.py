"""The groups that are looked at: each value of a facet, a facet above a threshold, and the
intersections of facets. A group is compared with all other rows, as in Clarify."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from core.bias.columns import (
    Column,
    Columns,
    column_of,
    distinct,
    known,
    matching,
)
from core.bias.conditions import Condition
from core.bias.errors import BiasInvalid
from core.bias.tables import Mask

MOST_VALUES = 20
"""Values of a facet that are looked at one by one."""
MOST_GROUPS = 200


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one group. `facet` is the column (several joined by ` & `), `value` is what
    Clarify calls value_or_threshold, `known` are the rows that have a value at all."""

    facet: str
    value: str
    conditions: tuple[Condition, ...]
    members: Mask
    known: Mask

    @property
    def name(self) -> str:
        """As one writes it, and the same whatever the rows: `sex=F & age>40`."""
        return " & ".join(condition.text() for condition in self.conditions)


def groups_of(
    columns: Columns,
    facets: Sequence[Condition],
    intersections: bool = False,
    notes: list[str] | None = None,
) -> list[Group]:
    """Every group of the facets, then of their intersections.

    A group without rows is one too: its metrics say so. Raises `BiasInvalid` for a column that
    is missing, one without values, one with too many, a value that does not occur; with `notes`
    such a facet is left out, and said there.
    """
    if not facets:
        raise BiasInvalid("no facet", "name a column whose groups are to be compared")
    single = []
    for facet in facets:
        try:
            single.append(_of_facet(columns, facet))
        except BiasInvalid as error:
            if notes is None:
                raise
            notes.append(error.message)
    found = [group for groups in single for group in groups]
    if intersections:
        found += _crossed(single)
    if len(found) > MOST_GROUPS:
        raise BiasInvalid(
            f"{len(found)} groups are too many (at most {MOST_GROUPS})",
            "give values or thresholds to the facets",
        )
    return found


def _of_facet(columns: Columns, facet: Condition) -> list[Group]:
    column = column_of(columns, facet.column, "facet")
    there = known(column)
    if not there.any():
        raise BiasInvalid(f"facet {facet.column} has no values", "every row's is missing")
    if facet.fixed:
        members = matching(column, facet)
        _known_values(facet, members, columns)
        return [Group(facet.column, value_text(facet, column), (facet,), members, there)]
    values = distinct(column)
    if len(values) > MOST_VALUES:
        raise BiasInvalid(
            f"facet {facet.column} has {len(values)} values",
            f"write {facet.column}>X or {facet.column}=VALUE",
        )
    if len(values) == 1:
        raise BiasInvalid(
            f"facet {facet.column} is {values[0]} in every row", "there is nobody to compare with"
        )
    each = [Condition(facet.column, (value,)) for value in values]
    return [
        Group(facet.column, value_text(one, column), (one,), matching(column, one), there)
        for one in each
    ]


def _known_values(facet: Condition, members: Mask, columns: Columns) -> None:
    """A value that no row has is more likely a slip than an empty group."""
    if facet.values and not members.any():
        there = distinct(columns[facet.column])
        shown = ", ".join(str(value) for value in there[:6])
        raise BiasInvalid(
            f"facet {facet.text()}: no row has that value",
            f"{facet.column} has {shown}{', …' if len(there) > 6 else ''}",
        )


def value_text(condition: Condition, column: Column | None = None) -> str:
    """Clarify's value_or_threshold: values by comma, or an interval such as `(40, 75]`."""
    if condition.above is None:
        return ",".join(str(value) for value in condition.values)
    most = None
    if column is not None:
        numbers = column[known(column)].astype(np.float64)
        most = numbers.max() if len(numbers) else None
    end = f"{most:g}]" if most is not None and most > condition.above else "inf)"
    return f"({condition.above:g}, {end}"


def _crossed(single: Sequence[Sequence[Group]]) -> list[Group]:
    return [
        _meet(members)
        for size in range(2, len(single) + 1)
        for chosen in combinations(single, size)
        for members in _products(chosen)
    ]


def _products(chosen: Sequence[Sequence[Group]]) -> Iterator[tuple[Group, ...]]:
    for members in product(*chosen):
        if len({group.facet for group in members}) == len(members):
            yield members


def _meet(parts: Sequence[Group]) -> Group:
    return Group(
        " & ".join(part.facet for part in parts),
        " & ".join(part.value for part in parts),
        tuple(condition for part in parts for condition in part.conditions),
        np.logical_and.reduce([part.members for part in parts]),
        np.logical_and.reduce([part.known for part in parts]),
    )
