"""The aliases of a model: every change of them is here, and journalled."""

from __future__ import annotations

import sqlalchemy as sa

from core.state import schema
from core.state.store import Transaction


def set_alias(tx: Transaction, model: str, alias: str, version: int) -> None:
    """Point an alias at a version."""
    table = schema.model_aliases
    old = alias_of(tx, model, alias)
    if old == version:
        return
    tx.execute(table.delete().where(table.c.name == model, table.c.alias == alias))
    tx.execute(table.insert().values(name=model, alias=alias, version=version, updated_at=tx.now))
    tx.journal("model.alias", f"model/{model}", alias=alias, version=version, was=old)


def drop_alias(tx: Transaction, model: str, alias: str) -> None:
    """Take an alias away, where there is one."""
    table = schema.model_aliases
    old = alias_of(tx, model, alias)
    if old is not None:
        tx.execute(table.delete().where(table.c.name == model, table.c.alias == alias))
        tx.journal("model.alias", f"model/{model}", alias=alias, version=None, was=old)


def alias_of(tx: Transaction, model: str, alias: str) -> int | None:
    """The version that an alias points at, if any."""
    table = schema.model_aliases
    row = tx.row(sa.select(table.c.version).where(table.c.name == model, table.c.alias == alias))
    return None if row is None else int(row["version"])
