"""A DAG as rails beside a list: one row a step, lanes that fork and join.

✓     acquire
✓─╮   validate
│ ✓   profile
✓─╯   split
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

NODE = "\0"
"""Stands where the step's own glyph is to be drawn."""


def reduced(needs: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The same DAG without edges that a longer way implies (steps in topological order)."""
    above: dict[str, set[str]] = {}
    kept: dict[str, list[str]] = {}
    for step, parents in needs.items():
        known = [parent for parent in parents if parent in above]
        kept[step] = [
            parent
            for parent in known
            if not any(parent in above[other] for other in known if other != parent)
        ]
        above[step] = set(known).union(*(above[parent] for parent in known))
    return kept


def rails(needs: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The rail of each step: text of one width, with `NODE` at the step's place.

    `needs` maps steps, in topological order, to the steps that they need.
    """
    parents = reduced(needs)
    children: dict[str, list[str]] = {step: [] for step in parents}
    for step, above in parents.items():
        for parent in above:
            children[parent].append(step)
    lanes: list[str | None] = []  # which step each lane leads to
    rows: dict[str, list[str]] = {}
    for step in parents:
        coming = [i for i, target in enumerate(lanes) if target == step]
        own = coming[0] if coming else _free(lanes)
        lanes[own] = None
        for i in coming:
            lanes[i] = None
        going: list[int] = []
        for number, child in enumerate(children[step]):
            lane = own if number == 0 else _free(lanes, taken=own)
            lanes[lane] = child
            if number:
                going.append(lane)
        rows[step] = _row(lanes, own, set(coming[1:]), set(going))
    width = max((len(row) for row in rows.values()), default=0)
    return {step: "".join(row).ljust(width) for step, row in rows.items()}


def _free(lanes: list[str | None], taken: int = -1) -> int:
    for i, target in enumerate(lanes):
        if target is None and i != taken:
            return i
    lanes.append(None)
    return len(lanes) - 1


def _row(lanes: Sequence[str | None], own: int, joins: set[int], forks: set[int]) -> list[str]:
    ends = joins | forks
    low, high = min({own, *ends}), max({own, *ends})
    row: list[str] = []
    for i, target in enumerate(lanes):
        across = low < i < high
        if i == own:
            char = NODE
        elif i in joins and i in forks:
            char = "┤" if i == high else "┼"
        elif i in joins:
            char = "╯" if i == high else "╰" if i == low else "┴"
        elif i in forks:
            char = "╮" if i == high else "╭" if i == low else "┬"
        else:
            char = "┼" if target and across else "│" if target else "─" if across else " "
        row.append(char)
        row.append("─" if low <= i < high else " ")
    while row and row[-1] == " ":
        row.pop()
    return row
