"""The rows of endpoints themselves: made, addressed, told of, and put away."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from core.errors import WrongState
from core.releases.environments import PRODUCTION
from core.state import schema
from core.state.store import Transaction

DELETED = "deleted"
"""State of an endpoint whose row stays for the sake of its receipts."""


def ensure_endpoint(tx: Transaction, name: str, port: int, environment: str | None) -> None:
    """Make the endpoint's row, the first time; address and environment stay what they are.

    One that was deleted begins anew under its old name. Raises `WrongState` for another port
    or environment than it has.
    """
    table = schema.endpoints
    found = tx.row(sa.select(table).where(table.c.name == name))
    if found is not None and found["status"] == DELETED:
        tx.execute(
            table.update()
            .where(table.c.name == name)
            .values(
                status="empty",
                environment=environment or PRODUCTION,
                port=port,
                created_at=tx.now,
                updated_at=tx.now,
            )
        )
    elif found is not None:
        if port not in (0, found["port"]) and found["port"]:
            raise WrongState(
                f"endpoint {name} answers on port {found['port']}, not {port}",
                "leave the port out, or deploy to another endpoint",
            )
        if environment not in (None, found["environment"]):
            raise WrongState(
                f"endpoint {name} belongs to {found['environment']}, not to {environment}",
                "deploy to another endpoint",
            )
        return
    else:
        tx.execute(
            table.insert().values(
                name=name,
                environment=environment or PRODUCTION,
                status="empty",
                host="127.0.0.1",
                port=port,
                created_at=tx.now,
                updated_at=tx.now,
            )
        )
    tx.journal(
        "endpoint.create",
        f"endpoint/{name}",
        port=port,
        environment=environment or PRODUCTION,
    )


def set_address(tx: Transaction, endpoint: str, host: str, port: int) -> None:
    """Record where the endpoint answers."""
    tx.execute(
        schema.endpoints.update()
        .where(schema.endpoints.c.name == endpoint)
        .values(host=host, port=port, updated_at=tx.now)
    )


def port_of(tx: Transaction, endpoint: str) -> int:
    """The port that the endpoint was given, or once had; 0 for any."""
    table = schema.endpoints
    row = tx.row(sa.select(table.c.port).where(table.c.name == endpoint))
    return 0 if row is None else int(row["port"])


def set_message(tx: Transaction, endpoint: str, message: str) -> None:
    """Say beside an endpoint what keeps it from serving; "" when nothing does."""
    touch(tx, endpoint, message=message)


def retire_all(tx: Transaction, endpoint: str) -> None:
    """Mark an endpoint as deleted, and none of its revisions as serving any more."""
    table = schema.revisions
    tx.execute(
        table.update()
        .where(table.c.endpoint == endpoint, table.c.state.in_(["stable", "previous", "canary"]))
        .values(state="retired", weight=0.0)
    )
    touch(tx, endpoint, status=DELETED, message="")


def is_deleted(tx: Transaction, endpoint: str) -> bool:
    """Whether an endpoint was deleted and has not been made anew."""
    table = schema.endpoints
    row = tx.row(sa.select(table.c.status).where(table.c.name == endpoint))
    return row is not None and row["status"] == DELETED


def touch(tx: Transaction, name: str, **values: Any) -> None:
    """Change an endpoint's row."""
    tx.execute(
        schema.endpoints.update()
        .where(schema.endpoints.c.name == name)
        .values(updated_at=tx.now, **values)
    )
