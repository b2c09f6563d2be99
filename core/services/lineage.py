"""Lineage: where data come from, where they go, and what a change would break."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.domain.datalineage import Edge, Node, NodeKind
from core.errors import BadInput
from core.lineage import Branch, Touched, downstream, touched, upstream
from core.reads import lineage as _lineage
from core.services import lineageevents as _events
from core.session import Session


@dataclass(frozen=True, slots=True)
class Impact:
    """What depends on a node, nearest first."""

    node: Node
    touched: tuple[Touched, ...]

    @property
    def breaks(self) -> tuple[Touched, ...]:
        """What is made from it for certain."""
        return tuple(each for each in self.touched if each.certain)

    @property
    def may_break(self) -> tuple[Touched, ...]:
        """What is made from something that it is a part of, as far as is known."""
        return tuple(each for each in self.touched if not each.certain)


class LineageService:
    """The graph of the workspace. Reads rows only: any front end may ask at any time."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, ref: str) -> Node:
        """The node meant by `[KIND/]NAME[.COLUMN]`; raises `NotFound`, `BadInput`."""
        return _lineage.find_node(self._session.reader, ref)

    def upstream(self, ref: str | Node, depth: int = 20) -> Branch:
        """What it was made from, as a tree; raises `NotFound`, `BadInput`."""
        return upstream(self._node(ref), self._into, _checked(depth))

    def downstream(self, ref: str | Node, depth: int = 20) -> Branch:
        """What was made from it, as a tree; raises `NotFound`, `BadInput`."""
        return downstream(self._node(ref), self._from, _checked(depth))

    def impact(self, ref: str | Node) -> Impact:
        """What breaks, or may break, where this changes or goes away."""
        node = self._node(ref)
        return Impact(node, touched(downstream(node, self._from)))

    def events(self, since: float = 0.0) -> Iterator[dict[str, Any]]:
        """OpenLineage events of what happened after `since` (epoch seconds), oldest first."""
        return _events.events(self._session, since, _events.newest(self._session))

    def send(self, target: str, since: float = 0.0) -> int:
        """Send these events to a backend's address or append them to a file; returns how many.
        Raises `BackendUnavailable`."""
        return _events.send(self.events(since), target, Path.cwd())

    def follow(self) -> int:
        """Send what is new to where `lake.openlineage` says; returns how many."""
        self._session.refuse_when_read_only("lineage follow")
        return _events.follow(self._session)

    def _node(self, ref: str | Node) -> Node:
        return ref if isinstance(ref, Node) else self.find(ref)

    def _into(self, node: Node) -> Iterable[Edge]:
        if node.kind is NodeKind.CAPTURE and self._captures(node.name):
            return (_captured(node.name), *_lineage.edges_into(self._session.reader, node))
        return _lineage.edges_into(self._session.reader, node)

    def _from(self, node: Node) -> Iterable[Edge]:
        found = _lineage.edges_from(self._session.reader, node)
        if node.kind is NodeKind.ENDPOINT and self._captures(node.name):
            return (*found, _captured(node.name))
        return found

    def _captures(self, endpoint: str) -> bool:
        return (self._session.workspace.endpoints_dir / endpoint / "capture").is_dir()


def _captured(endpoint: str) -> Edge:
    return replace(
        Edge(Node(NodeKind.ENDPOINT, endpoint), Node(NodeKind.CAPTURE, endpoint), "capture")
    )


def _checked(depth: int) -> int:
    if not 1 <= depth <= 100:
        raise BadInput(f"--depth: must be 1 to 100, not {depth}")
    return depth
