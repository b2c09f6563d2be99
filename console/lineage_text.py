"""The lineage graph as text: trees, and what a change would break."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from console.session import Session
from console.tables import Column, heading, table
from console.words import Cell, when
from screens.lineage.words import AGAIN, UNCERTAIN, by_what, name_of, way_text

if TYPE_CHECKING:
    from core.lineage import Branch, Touched
    from core.services.lineage import Impact


def tree(session: Session, root: Branch, empty: str) -> str:
    """A tree of what follows from the root, one node a line."""
    if not root.branches:
        return f"  {empty}"
    return "\n".join(_lines(session, root, "  "))


def _lines(session: Session, branch: Branch, indent: str) -> Iterator[str]:
    for index, each in enumerate(branch.branches):
        last = index == len(branch.branches) - 1
        yield f"{indent}{'└─' if last else '├─'} {_line(session, each)}"
        yield from _lines(session, each, indent + ("   " if last else "│  "))


def _line(session: Session, branch: Branch) -> str:
    edge = branch.edge
    assert edge is not None
    told = by_what(branch)
    if edge.last_at is not None:
        told.append(when(edge.last_at, terminal=session.terminal))
    line = f"{name_of(branch.node)}  ({', '.join(told)})"
    if not branch.certain:
        line += f"  {UNCERTAIN}"
    if branch.again:
        line += f"  {AGAIN}"
    if branch.cut:
        line += "  … goes on: show it by itself, or raise --depth"
    return line


def impact_text(session: Session, impact: Impact) -> str:
    """What breaks and what may, nearest first."""
    if not impact.touched:
        return f"{name_of(impact.node)}: nothing is known to be made from it"
    breaks, may = len(impact.breaks), len(impact.may_break)
    head = f"{name_of(impact.node)}: {breaks} made from it for certain"
    if may:
        head += f", {may} perhaps"
    columns = [
        Column("what"),
        Column("columns", flexible=True),
        Column("breaks"),
        Column("by way of", flexible=True),
    ]
    rows = [_row(each) for each in impact.touched]
    return f"{heading(session, head)}\n{table(session, columns, rows)}"


def _row(each: Touched) -> tuple[Cell | str, ...]:
    sure = Cell("yes", "red") if each.certain else Cell("perhaps", "yellow")
    return name_of(each.node), ", ".join(each.columns) or "–", sure, way_text(each)
