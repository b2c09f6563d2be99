"""How queries, what came of them and what is wrong with them are told."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from screens.glyphs import Sign
from screens.widgets.table import Cell, Column
from screens.words import age, duration, one_line, plural

if TYPE_CHECKING:
    from core.domain.query import PastQuery, QueryResult
    from core.errors import OpsdeckError

STATES: Mapping[str, Sign] = {
    "done": Sign("✓", "done", "ok"),
    "failed": Sign("✗", "failed", "bad"),
    "refused": Sign("⊘", "refused", "bad"),
    "cancelled": Sign("⊗", "cancelled", "dim"),
    "limited": Sign("▲", "limited", "warn"),
}

HISTORY = (
    Column("WHEN", 8, align="right"),
    Column("STATE", 11),
    Column("ROWS", 8, align="right", drop=1),
    Column("TOOK", 7, align="right", drop=2),
    Column("QUERY", 30, grow=4),
    Column("READ", 12, grow=1, drop=3),
)


def past_cells(query: PastQuery, now: float) -> Sequence[Cell]:
    """A line of the history."""
    state = STATES.get(query.state, Sign("?", query.state, "dim"))
    took = None if query.milliseconds is None else query.milliseconds / 1000
    return (
        (age(now - query.at), "dim"),
        (state.text, state.style),
        "–" if query.rows is None else f"{query.rows:,}",
        (duration(took), "dim"),
        one_line(" ".join(query.sql.split())),
        (" ".join(query.datasets), "dim"),
    )


def told(result: QueryResult) -> str:
    """What came of a query: rows, time, snapshots."""
    rows = plural(len(result.rows), "row")
    if result.truncated:
        rows = f"the first {rows}, there are more (w writes all)"
    read = ", ".join(
        f"{each.name} #{each.number}" if each.number is not None else each.name
        for each in result.datasets
    )
    return f"{rows} in {duration(result.milliseconds / 1000)}" + (f", of {read}" if read else "")


_SAID = re.compile(r"[Ll]ine:? (\d+),? [Cc]ol(?:umn)?:? (\d+)")
_NEAR = re.compile(r'at or near "([^"]+)"')
_NAMED = re.compile(r'"([^"]+)" not found|name (\w+) does not exist|dataset (\w+):')


def place_of(error: OpsdeckError, sql: str) -> tuple[int, int] | None:
    """Where in a query an error is: row and column from 0; `None` where it does not tell.

    Most tell a word only: it is looked for in the text, for a syntax error the last of its
    kind, since what stands before it was understood.
    """
    said = _SAID.search(error.message)
    if said is not None:
        return int(said[1]) - 1, max(int(said[2]) - 1, 0)
    near, named = _NEAR.search(error.message), _NAMED.search(error.message)
    if near is None and named is None:
        return None
    word = near[1] if near is not None else next(filter(None, named.groups()))  # type: ignore[union-attr]
    found = list(re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", sql, re.IGNORECASE))
    if not found:
        return None
    start = found[-1 if near is not None else 0].start()
    before = sql[:start]
    return before.count("\n"), start - (before.rfind("\n") + 1)
