"""The lineage as rows of a tree: what it was made from, the thing itself, what it goes into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from screens.lineage.words import AGAIN, UNCERTAIN, WORDS, by_what, plain_name
from screens.widgets.lines import Line, Piece
from screens.words import age

if TYPE_CHECKING:
    from core.domain.datalineage import Node
    from core.lineage import Branch

GLYPHS = {
    "source": "▤", "dataset": "▦", "feature_view": "◈", "run": "▶", "model": "◆",
    "endpoint": "●", "capture": "◌",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A line of the tree. `key` is the way to it; `kind` says what it is: heading, root, node,
    column (one of a thing's columns, to look from) or nothing (an empty direction)."""

    key: str
    kind: str
    indent: str
    text: str = ""
    node: Node | None = None
    branch: Branch | None = None
    folded: bool = False
    foldable: bool = False
    type: str = ""


def tree_rows(
    root: Node,
    upstream: Branch,
    downstream: Branch,
    *,
    folded: Set[str] = frozenset(),
    columns: Sequence[tuple[str, str]] | None = None,
) -> list[TreeRow]:
    """All rows. `columns` (name, type) are listed beneath the root where they are asked for."""
    rows = [TreeRow("up", "heading", "", f"MADE FROM {_count(upstream)}")]
    rows += _side("up", upstream, folded, "nothing is known that it was made from")
    rows.append(TreeRow("root", "root", "", node=root))
    for number, (name, type_) in enumerate(columns or ()):
        last = number == len(columns or ()) - 1
        node = type(root)(root.kind, root.name, name)
        rows.append(
            TreeRow(f"root/{name}", "column", "  └─ " if last else "  ├─ ", node=node, type=type_)
        )
    rows.append(TreeRow("down", "heading", "", f"GOES INTO {_count(downstream)}"))
    rows += _side("down", downstream, folded, "nothing is known that was made from it")
    return rows


def _count(root: Branch) -> str:
    things = {branch.node.whole() for branch in root.walk()} - {root.node.whole()}
    return str(len(things)) if things else ""


def _side(side: str, root: Branch, folded: Set[str], empty: str) -> list[TreeRow]:
    if not root.branches:
        return [TreeRow(f"{side}/", "nothing", "  ", empty)]
    return list(_branches(side, root, "  ", folded))


def _branches(way: str, root: Branch, indent: str, folded: Set[str]) -> Iterator[TreeRow]:
    for number, branch in enumerate(root.branches):
        last = number == len(root.branches) - 1
        via = branch.edge.via if branch.edge is not None else ""
        key = f"{way}/{branch.node}:{via}"
        shut = key in folded
        yield TreeRow(
            key,
            "node",
            f"{indent}{'└─' if last else '├─'} ",
            node=branch.node,
            branch=branch,
            folded=shut,
            foldable=bool(branch.branches),
        )
        if not shut:
            yield from _branches(key, branch, indent + ("   " if last else "│  "), folded)


def node_pieces(node: Node, style: str = "text") -> list[Piece]:
    """A node with its glyph and kind."""
    return [
        (f"{GLYPHS[node.kind]} ", "accent"),
        (f"{WORDS[node.kind]} ", "dim"),
        (plain_name(node), style),
    ]


def row_line(row: TreeRow, now: float) -> Line:
    """A row of the tree as pieces."""
    if row.kind == "heading":
        return [(row.text, "head")]
    if row.kind == "nothing":
        return [(f"{row.indent}{row.text}", "faint")]
    assert row.node is not None
    if row.kind == "root":
        return node_pieces(row.node, "title")
    if row.kind == "column":
        return [(row.indent, "groove"), (row.node.column, "text"), (f"  {row.type}", "dim")]
    branch = row.branch
    assert branch is not None
    pieces: list[Piece] = [(row.indent, "groove"), *node_pieces(row.node)]
    if row.foldable and row.folded:
        pieces.append((f"  ▸ {sum(1 for _ in branch.walk()) - 1} more", "accent"))
    told = by_what(branch)
    at = branch.edge.last_at if branch.edge is not None else None
    if at is not None:
        told.append(age(now - at))
    pieces.append((f"  {', '.join(told)}", "dim"))
    if not branch.certain:
        pieces.append((f"  {UNCERTAIN}", "warn"))
    if branch.again:
        pieces.append((f"  {AGAIN}", "faint"))
    if branch.cut:
        pieces.append(("  … goes on", "faint"))
    return pieces


def side_lines(rows: Sequence[TreeRow], now: float) -> list[Line]:
    """Rows as lines of a sheet."""
    return [[(" ", "text"), *row_line(row, now)] for row in rows]
