"""Recording edges of the lineage graph, in the transaction of what made them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from core.domain.datalineage import Edge
from core.state.lake_tables import lineage_edges

if TYPE_CHECKING:
    from core.state.store import Transaction


def record_edges(tx: Transaction, edges: Iterable[Edge]) -> None:
    """Note that these hold now; what was known already gets its newest time, run and snapshot."""
    for edge in edges:
        key = edge_id(edge)
        newest = {
            "detail": edge.detail,
            "run_id": edge.run_id,
            "snapshot_id": edge.snapshot_id,
            "last_at": tx.now,
            "by": edge.by or tx.actor,
        }
        table = lineage_edges
        if tx.execute(table.update().where(table.c.id == key).values(**newest)).rowcount:
            continue
        tx.execute(
            table.insert().values(
                id=key,
                source_kind=edge.source.kind.value,
                source=edge.source.name,
                source_column=edge.source.column,
                target_kind=edge.target.kind.value,
                target=edge.target.name,
                target_column=edge.target.column,
                via=edge.via,
                first_at=tx.now,
                **newest,
            )
        )


def edge_id(edge: Edge) -> str:
    """The same for the same two ends and `via`: 32 hexadecimal digits."""
    text = "\0".join((str(edge.source), str(edge.target), edge.via))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
