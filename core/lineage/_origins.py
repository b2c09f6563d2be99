"""Where each column of rows in flight is from: what the steps of a pipeline hand on.

Rows that are in no dataset yet carry it with them, composed from step to step, so that the
dataset that they end in knows what its columns are made of, and which labels they bear.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace

Columns = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """A column of a dataset that a value is made from; "" is any of its columns.

    `copied`: it is that column as it is. `view` and `feature` name the feature (`NAME@VERSION`)
    by way of which it came, if any.
    """

    dataset: str
    column: str
    copied: bool = True
    view: str = ""
    feature: str = ""


@dataclass(frozen=True, slots=True)
class Origins:
    """Of each column its origins, or None where they are not known: then any column of any
    dataset may be in it. `rows` are the origins of what decides which rows there are."""

    columns: Mapping[str, tuple[Origin, ...] | None]
    rows: tuple[Origin, ...] = ()

    def of(self, column: str) -> tuple[Origin, ...] | None:
        """The origins of one column; None where they are not known."""
        return self.columns.get(column)

    def deciding(self, columns: Iterable[str]) -> Origins:
        """The same, of rows that these columns have chosen."""
        found = (each for name in columns for each in self.of(name) or ())
        return replace(self, rows=tuple(sorted({*self.rows, *found})))

    def to_json(self) -> str:
        """As text: the same for the same origins in the same order."""
        columns = {
            name: None if found is None else [astuple(each) for each in found]
            for name, found in self.columns.items()
        }
        told = {"columns": columns, "rows": [astuple(each) for each in self.rows]}
        return json.dumps(told, separators=(",", ":"))


def origins_from_json(text: str | bytes) -> Origins:
    """What `Origins.to_json` wrote; raises `ValueError` where it did not."""
    try:
        told = json.loads(text)
        columns = {
            str(name): None if found is None else tuple(Origin(*each) for each in found)
            for name, found in told["columns"].items()
        }
        return Origins(columns, tuple(Origin(*each) for each in told["rows"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no origins of columns: {error}") from None


def origins_in(dataset: str, columns: Iterable[str]) -> Origins:
    """The columns of a dataset's own rows."""
    return Origins({name: (Origin(dataset, name),) for name in columns})


def unknown_origins(columns: Iterable[str]) -> Origins:
    """Columns of which nothing is known."""
    return Origins(dict.fromkeys(columns))


def derived(
    made: Mapping[str, Iterable[tuple[Origins, str]]],
    *,
    copied: frozenset[str] = frozenset(),
    rows: Iterable[Origin] = (),
) -> Origins:
    """Columns made of columns: of each the pairs of whose and which; `copied` are those that
    are one of them as it is. One of unknown origin makes what it is in unknown."""
    found: dict[str, tuple[Origin, ...] | None] = {}
    for name, pairs in made.items():
        parts = [whose.of(which) for whose, which in pairs]
        if any(part is None for part in parts):
            found[name] = None
            continue
        together = {each for part in parts for each in part or ()}
        if name not in copied:
            together = {replace(each, copied=False) for each in together}
        found[name] = tuple(sorted(together))
    return Origins(found, tuple(sorted(set(rows))))
