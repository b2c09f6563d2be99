"""The lineage graph as text: trees, and what a change would break."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from console.session import Session
from console.tables import Column, heading, table
from console.words import Cell, when

if TYPE_CHECKING:
    from core.domain.datalineage import Node
    from core.lineage import Branch, Touched
    from core.services.lineage import Impact

WORDS: Mapping[str, str] = {
    "source": "source", "dataset": "dataset", "feature_view": "features",
    "run": "run", "model": "model", "endpoint": "endpoint", "capture": "captured requests",
}  # fmt: skip


def name_of(node: Node) -> str:
    """A node as people call it: `dataset rentals.count`, `run #12`."""
    name = f"#{node.name}" if node.kind == "run" else node.name
    if node.kind == "model":
        model, _, version = node.name.rpartition("/")
        name = f"{model} v{version}" if model else node.name
    column = f".{node.column}" if node.column else ""
    return f"{WORDS[node.kind]} {name}{column}"


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
    told = [edge.via]
    if edge.detail and edge.detail != edge.via:
        told.append(edge.detail)
    if edge.last_at is not None:
        told.append(when(edge.last_at, terminal=session.terminal))
    line = f"{name_of(branch.node)}  ({', '.join(told)})"
    if not branch.certain:
        line += "  ? columns are not known here"
    if branch.again:
        line += "  … see above"
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
    way = " → ".join(f"{n.name}.{n.column}" if n.column else n.name for n in each.way[:-1])
    return name_of(each.node), ", ".join(each.columns) or "–", sure, way
