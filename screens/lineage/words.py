"""How nodes and edges of the lineage graph are told, on screens and on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.domain.datalineage import Node
    from core.lineage import Branch, Touched

WORDS: Mapping[str, str] = {
    "source": "source", "dataset": "dataset", "feature_view": "features",
    "run": "run", "model": "model", "endpoint": "endpoint", "capture": "captured requests",
}  # fmt: skip
"""What people call the kinds of nodes."""

UNCERTAIN = "? columns are not known here"
AGAIN = "… see above"


def plain_name(node: Node) -> str:
    """A node's name without its kind: `rentals.count`, `#12`, `bike-demand v3`."""
    name = f"#{node.name}" if node.kind == "run" else node.name
    if node.kind == "model":
        model, _, version = node.name.rpartition("/")
        name = f"{model} v{version}" if model else node.name
    return f"{name}.{node.column}" if node.column else name


def name_of(node: Node) -> str:
    """A node as people call it: `dataset rentals.count`, `run #12`."""
    return f"{WORDS[node.kind]} {plain_name(node)}"


def by_what(branch: Branch) -> list[str]:
    """What made a node from the one before: the kind of step, and which one."""
    edge = branch.edge
    if edge is None:
        return []
    told = [edge.via]
    if edge.detail and edge.detail not in (edge.via, edge.target.name):
        told.append(edge.detail)
    return told


def way_text(touched: Touched) -> str:
    """The way from the origin to what it touches: `rentals.temp → hourly.temp`."""
    return " → ".join(f"{n.name}.{n.column}" if n.column else n.name for n in touched.way[:-1])
