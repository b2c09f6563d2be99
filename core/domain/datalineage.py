"""Where data come from and where they go: nodes and edges of the lineage graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class NodeKind(StrEnum):
    """What a node of the graph is."""

    SOURCE = "source"  # a file, a glob, a bucket, a query of another database, an intake
    DATASET = "dataset"  # a materialised view, too: its rows are in a dataset
    FEATURE_VIEW = "feature_view"
    RUN = "run"
    MODEL = "model"  # NAME/VERSION
    ENDPOINT = "endpoint"
    CAPTURE = "capture"


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """One thing, or one column of it where `column` is not empty."""

    kind: NodeKind
    name: str
    column: str = ""

    def whole(self) -> Node:
        """The thing itself, whatever the column."""
        return Node(self.kind, self.name)

    def __str__(self) -> str:
        column = f".{self.column}" if self.column else ""
        return f"{self.kind.value}/{self.name}{column}"


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` was made from `source`; `via` says by what (ingest, view, recipe, query,
    features, train, deploy, capture), `detail` which one.

    `run_id` and `snapshot_id` are of the newest time that it was so. Times are epoch seconds.
    """

    source: Node
    target: Node
    via: str
    detail: str = ""
    run_id: str | None = None
    snapshot_id: str | None = None
    by: str = ""
    first_at: float | None = None
    last_at: float | None = None


def edges_between(
    source: tuple[NodeKind, str],
    target: tuple[NodeKind, str],
    via: str,
    *,
    columns: Mapping[str, tuple[str, ...]] | None = None,
    detail: str = "",
    run_id: str | None = None,
    snapshot_id: str | None = None,
) -> tuple[Edge, ...]:
    """The edge between two things and one for every pair of columns.

    `columns` maps a column of the target to those of the source that it is made from; one that
    is made of nobody knows which has "". Under "" stands what decides about all of its rows.
    """
    pairs = [("", "")]
    pairs += [(of, made) for made, origins in (columns or {}).items() for of in origins]
    return tuple(
        Edge(Node(*source, of), Node(*target, made), via, detail, run_id, snapshot_id)
        for of, made in pairs
    )
