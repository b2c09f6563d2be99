"""The mirror in MLflow: somebody with only its UI sees how models stand."""

from __future__ import annotations

import sqlalchemy as sa

from core.engine.context import SYSTEM, Engine
from core.state import schema


def mirror_model(worker: Engine, name: str) -> None:
    """Make MLflow's aliases and tags say what the state says. Not durable: asked for again
    with every change, and repeated until it has worked."""
    with worker.store.transaction(SYSTEM) as tx:
        aliases = tx.rows(
            sa.select(schema.model_aliases).where(schema.model_aliases.c.name == name)
        )
        versions = tx.rows(
            sa.select(schema.model_versions.c.version, schema.model_versions.c.approval).where(
                schema.model_versions.c.name == name, schema.model_versions.c.approval != ""
            )
        )
    wanted = {row["alias"]: row["version"] for row in aliases}
    for alias in ("candidate", "staging", "champion", "previous"):
        if alias in wanted:
            worker.tracker.call("set_alias", name=name, alias=alias, version=wanted[alias])
        else:
            worker.tracker.call("delete_alias", name=name, alias=alias)
    for row in versions:
        worker.tracker.call(
            "set_version_tags",
            name=name,
            version=row["version"],
            tags={"opsdeck.approval": row["approval"]},
        )
