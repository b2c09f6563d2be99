"""The environment that an endpoint belongs to, and the aliases that follow what it serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core.releases import aliases
from core.state import schema
from core.state.store import Transaction

PRODUCTION, STAGING = "production", "staging"


def environment_of(tx: Transaction, endpoint: str) -> str | None:
    """The environment that an endpoint belongs to; `None` where there is none yet."""
    table = schema.endpoints
    row = tx.row(sa.select(table.c.environment).where(table.c.name == endpoint))
    return None if row is None else str(row["environment"])


def point_aliases(
    tx: Transaction, endpoint: str, now: Mapping[str, Any], before: Mapping[str, Any] | None
) -> None:
    """Point `champion` and `previous` at the versions of these revisions; asks to mirror it.

    An endpoint of staging moves `staging` instead, and one of any other environment nothing.
    With several production endpoints for a model the last deployment counts. A model that
    this endpoint served before keeps its `champion` only where another endpoint still has
    that version in production.
    """
    environment = environment_of(tx, endpoint)
    if environment != PRODUCTION:
        if environment == STAGING:
            aliases.set_alias(tx, now["model"], STAGING, now["version"])
            tx.outbox("mirror", now["model"])
        return
    aliases.set_alias(tx, now["model"], "champion", now["version"])
    if before is None or before["model"] != now["model"]:
        aliases.drop_alias(tx, now["model"], "previous")
    if before is not None:
        aliases.set_alias(tx, before["model"], "previous", before["version"])
    if aliases.alias_of(tx, now["model"], "candidate") == now["version"]:
        aliases.drop_alias(tx, now["model"], "candidate")
    _drop_unserved(tx, endpoint)


def withdraw_aliases(tx: Transaction, endpoint: str) -> None:
    """Take `champion` and `previous` from models that this endpoint served and no other
    production endpoint serves any more; asks to mirror it."""
    if environment_of(tx, endpoint) == PRODUCTION:
        _drop_unserved(tx, endpoint)


def _drop_unserved(tx: Transaction, endpoint: str) -> None:
    table = schema.revisions
    served = sa.select(table.c.model).where(table.c.endpoint == endpoint).distinct()
    for model in sorted(row["model"] for row in tx.rows(served)):
        if not _in_production(tx, model, aliases.alias_of(tx, model, "champion")):
            aliases.drop_alias(tx, model, "champion")
        if aliases.alias_of(tx, model, "previous") == aliases.alias_of(tx, model, "champion"):
            aliases.drop_alias(tx, model, "previous")
        tx.outbox("mirror", model)


def _in_production(tx: Transaction, model: str, version: int | None) -> bool:
    """Whether a version is some production endpoint's stable one."""
    table, endpoints = schema.revisions, schema.endpoints
    found = (
        sa.select(table.c.revision)
        .join(endpoints, endpoints.c.name == table.c.endpoint)
        .where(
            table.c.model == model,
            table.c.version == version,
            table.c.state == "stable",
            endpoints.c.environment == PRODUCTION,
        )
    )
    return tx.row(found.limit(1)) is not None
