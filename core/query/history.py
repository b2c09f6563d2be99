"""What was asked before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.domain.query import PastQuery, QueriedDataset
from core.errors import OpsdeckError
from core.lineage import redact_secrets
from core.query.errors import QueryCancelled, QueryRefused, QueryTimeout, QueryTooBig
from core.session import Session
from core.state.reading import containing

if TYPE_CHECKING:
    from core.state.reading import Reader

_MAX_SQL = 20_000
_KEEP = 1_000
"""Queries kept of each actor."""


def state_of(error: BaseException | None) -> str:
    """The word for how a query ended."""
    from core.governance.errors import Refused

    if error is None:
        return "done"
    if isinstance(error, Refused | QueryRefused):
        return "refused"
    if isinstance(error, QueryCancelled):
        return "cancelled"
    return "limited" if isinstance(error, QueryTimeout | QueryTooBig) else "failed"


def record(
    session: Session,
    query: str,
    sql: str,
    datasets: tuple[QueriedDataset, ...],
    error: BaseException | None,
    rows: int | None,
    milliseconds: float,
) -> None:
    """Keep a query; nothing in a read-only session."""
    if session.read_only:
        return
    import sqlalchemy as sa

    from core.state.lake_tables import queries

    message = error.message if isinstance(error, OpsdeckError) else type(error).__name__
    named = [f"{each.name}#{each.number or each.snapshot}" for each in datasets]
    with session.change("data query") as tx:
        tx.execute(
            queries.insert().values(
                id=query,
                at=tx.now,
                actor=tx.actor,
                sql=redact_secrets(sql)[:_MAX_SQL],
                datasets=json.dumps(named),
                state=state_of(error),
                rows=rows,
                milliseconds=round(milliseconds, 3),
                message=redact_secrets(message)[:500] if error is not None else "",
            )
        )
        mine = queries.c.actor == tx.actor
        newest = sa.select(queries.c.id).where(mine).order_by(queries.c.at.desc())
        oldest = tx.row(newest.offset(_KEEP).limit(1))
        if oldest is not None:
            before = sa.select(queries.c.at).where(queries.c.id == oldest["id"]).scalar_subquery()
            tx.execute(queries.delete().where(mine & (queries.c.at <= before)))


def past_queries(
    reader: Reader, *, actor: str | None = None, about: str = "", limit: int = 50
) -> tuple[PastQuery, ...]:
    """Queries, newest first: of an actor, and those whose text contains `about`."""
    given: dict[str, Any] = {"limit": limit}
    parts = []
    if actor is not None:
        parts.append("actor = :actor")
        given["actor"] = actor
    if about:
        parts.append("lower(sql) LIKE :about ESCAPE '!'")
        given["about"] = containing(about.lower())
    where = f"WHERE {' AND '.join(parts)}" if parts else ""
    rows = reader.rows(
        f"SELECT * FROM queries {where} ORDER BY at DESC, id DESC LIMIT :limit", **given
    )
    return tuple(_past(row) for row in rows)


def _past(row: Mapping[str, Any]) -> PastQuery:
    return PastQuery(**{**row, "datasets": tuple(json.loads(row["datasets"]))})
