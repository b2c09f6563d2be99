"""Walking the lineage graph: upstream, downstream, by column where columns are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from core.domain.datalineage import Edge, Node

Neighbours = Callable[[Node], Iterable[Edge]]
"""All edges that leave a whole thing in the direction of the walk, column edges among them."""

MAX_BRANCHES = 2_000


@dataclass(frozen=True, slots=True)
class Branch:
    """A node of the walk with what follows from it.

    `edge` is how it was reached (`None` at the root). `certain` is false from where a column's
    fate is not known: it is part of something that is only known as a whole. `again` marks a
    node whose branches stand elsewhere in the tree; `cut` one that the walk did not go beyond.
    """

    node: Node
    edge: Edge | None = None
    branches: tuple[Branch, ...] = ()
    certain: bool = True
    again: bool = False
    cut: bool = False

    def walk(self) -> Iterator[Branch]:
        """This one and all that follow."""
        yield self
        for branch in self.branches:
            yield from branch.walk()


def upstream(node: Node, edges_into: Neighbours, depth: int = 20) -> Branch:
    """What `node` was made from."""
    return _Walk(edges_into, forward=False, depth=depth).from_(node)


def downstream(node: Node, edges_from: Neighbours, depth: int = 20) -> Branch:
    """What was made from `node`."""
    return _Walk(edges_from, forward=True, depth=depth).from_(node)


class _Walk:
    def __init__(self, neighbours: Neighbours, *, forward: bool, depth: int) -> None:
        self._neighbours, self._forward, self._depth = neighbours, forward, depth
        self._seen: set[Node] = set()

    def from_(self, node: Node) -> Branch:
        return self._branch(node, None, True, 0)

    def _branch(self, node: Node, edge: Edge | None, certain: bool, depth: int) -> Branch:
        if node in self._seen:
            return Branch(node, edge, certain=certain, again=True)
        if depth >= self._depth or len(self._seen) >= MAX_BRANCHES:
            return Branch(node, edge, certain=certain, cut=True)
        self._seen.add(node)
        found = tuple(
            self._branch(to, by, certain and sure, depth + 1) for to, by, sure in self._next(node)
        )
        return Branch(node, edge, found, certain)

    def _next(self, node: Node) -> list[tuple[Node, Edge, bool]]:
        """Where to go from here: node, edge, and whether that is certain."""
        groups: dict[tuple[Node, str], list[Edge]] = {}
        for edge in self._neighbours(node.whole()):
            groups.setdefault((self._far(edge).whole(), edge.via), []).append(edge)
        found: list[tuple[Node, Edge, bool]] = []
        for (_far, _via), edges in sorted(groups.items(), key=lambda item: item[0]):
            found += self._of_group(node, edges)
        return found

    def _of_group(self, node: Node, edges: list[Edge]) -> list[tuple[Node, Edge, bool]]:
        whole = [edge for edge in edges if not self._near(edge).column]
        fine = [edge for edge in edges if self._near(edge).column]
        if not node.column:
            first = next((e for e in whole if not self._far(e).column), edges[0])
            return [(self._far(first).whole(), first, True)]
        if not fine:  # known as a whole only
            return [(self._far(edge).whole(), edge, False) for edge in whole[:1]]
        hit = {self._far(edge): edge for edge in fine if self._near(edge).column == node.column}
        # Columns that may hold any column of this.
        vague = {self._far(edge): edge for edge in whole if _vague(edge)}
        hit = {**vague, **hit}
        # What only decides about rows touches the whole of it; its columns are told first.
        found = sorted(hit, key=lambda n: (not n.column, n))
        return [(to, hit[to], not _vague(hit[to])) for to in found]

    def _near(self, edge: Edge) -> Node:
        return edge.source if self._forward else edge.target

    def _far(self, edge: Edge) -> Node:
        return edge.target if self._forward else edge.source


def _vague(edge: Edge) -> bool:
    """Whether a column is made of nobody knows which columns of the other."""
    return bool(edge.target.column) and not edge.source.column


@dataclass(frozen=True, slots=True)
class Touched:
    """One thing that depends on another: its columns (none: the whole of it), whether that is
    certain, and by which way (nodes from the origin to it)."""

    node: Node
    columns: tuple[str, ...]
    certain: bool
    way: tuple[Node, ...]


def touched(root: Branch) -> tuple[Touched, ...]:
    """Everything behind the root once, nearest first."""
    found: dict[Node, tuple[set[str], bool, tuple[Node, ...]]] = {}

    def visit(branch: Branch, way: tuple[Node, ...]) -> None:
        for each in branch.branches:
            there = (*way, each.node)
            columns, certain, first = found.get(each.node.whole(), (set(), False, there))
            if each.node.column:
                columns.add(each.node.column)
            shorter = first if len(first) <= len(there) else there
            found[each.node.whole()] = (columns, certain or each.certain, shorter)
            visit(each, there)

    visit(root, (root.node,))
    made = [Touched(n, tuple(sorted(c)), s, w) for n, (c, s, w) in found.items()]
    return tuple(sorted(made, key=lambda t: (not t.certain, len(t.way), t.node)))
