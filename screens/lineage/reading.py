"""What the lineage screen reads: both trees, columns, and what a change would touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import NotFound, OpsdeckError

if TYPE_CHECKING:
    from core.domain.datalineage import Node
    from core.lineage import Branch
    from core.ops import Ops
    from core.services.lineage import Impact

Columns = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class LineageView:
    """The lineage of one thing. `columns` are its columns (name, type), empty where it has none
    that are known; `trouble` says why nothing could be read."""

    ref: str
    node: Node | None = None
    upstream: Branch | None = None
    downstream: Branch | None = None
    impact: Impact | None = None
    columns: Columns = ()
    trouble: str = ""


def read_lineage(ref: str, ops: Ops) -> LineageView:
    """Read the lineage of `ref` both ways."""
    try:
        node = ops.lineage.find(ref)
        return LineageView(
            ref,
            node,
            ops.lineage.upstream(node),
            ops.lineage.downstream(node),
            ops.lineage.impact(node),
            _columns(node, ops),
        )
    except OpsdeckError as error:
        return LineageView(ref, trouble=error.one_line())


def _columns(node: Node, ops: Ops) -> Columns:
    """Columns of the whole thing, in their order."""
    try:
        if node.kind == "dataset":
            return tuple((c.name, c.type) for c in ops.data.get(node.name).columns)
        if node.kind == "feature_view":
            return tuple((f.name, f.type) for f in ops.features.find(node.name).spec.features)
    except NotFound:
        return ()
    return ()
