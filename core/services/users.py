"""Who uses a dataset: what is made from it, by lineage, and what looks at it."""

from __future__ import annotations

from core.domain.datalineage import Node, NodeKind
from core.services.lineage import LineageService
from core.session import Session

_WORDS = {
    NodeKind.DATASET: "dataset",
    NodeKind.FEATURE_VIEW: "feature view",
    NodeKind.MODEL: "model",
    NodeKind.ENDPOINT: "endpoint",
}


def users_of(session: Session, dataset: str) -> tuple[tuple[str, str], ...]:
    """What uses a dataset, as (what, name): datasets and feature views made from it, pipelines
    whose runs read it, models, endpoints, and the monitors that watch it; nearest first."""
    impact = LineageService(session).impact(Node(NodeKind.DATASET, dataset))
    found: dict[tuple[str, str], None] = {}
    for each in impact.touched:
        node = each.node
        if node.kind is NodeKind.RUN:
            for name in _pipelines(session, node.name):
                found["pipeline", name] = None
        elif node.kind in _WORDS:
            found[_WORDS[node.kind], node.name] = None
    watched = {f"dataset/{dataset}"}
    watched |= {f"features/{n.partition('@')[0]}" for what, n in found if what == "feature view"}
    watching = session.reader.rows(
        "SELECT name, watch FROM monitors WHERE gone_at IS NULL ORDER BY name"
    )
    found.update({("monitor", row["name"]): None for row in watching if row["watch"] in watched})
    return tuple(found)


def _pipelines(session: Session, run: str) -> list[str]:
    if not run.isdigit():
        return []
    rows = session.reader.rows("SELECT pipeline FROM runs WHERE number = :number", number=int(run))
    return [str(row["pipeline"]) for row in rows]
