"""The rows of runs that happen in an AWS account."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core.domain.remote import RemoteState
from core.state.reading import Reader
from core.state.remote_tables import remote_runs
from core.state.store import Transaction

LEASE_SECONDS = 45.0
"""How long whoever looks after a run may take until another may: what is done twice is done
once by the token."""


def token_of(run_id: str, generation: int) -> str:
    """What a service knows one start of a run by: 64 characters."""
    return hashlib.sha256(f"opsdeck {run_id} {generation}".encode()).hexdigest()


def insert_remote(tx: Transaction, run_id: str, service: str, context: str, region: str) -> None:
    """Ask for a run there."""
    tx.execute(
        remote_runs.insert().values(
            run_id=run_id,
            service=service,
            context=context,
            region=region,
            state=RemoteState.REQUESTED,
            token=token_of(run_id, 1),
        )
    )


def find_remote(reader: Reader, run_id: str) -> Mapping[str, Any] | None:
    """The row of a run; `None` where it happens here."""
    rows = reader.rows("SELECT * FROM remote_runs WHERE run_id = :run", run=run_id)
    return rows[0] if rows else None


def due_remotes(reader: Reader, now: float) -> Sequence[str]:
    """Runs that somebody should look after now."""
    rows = reader.rows(
        "SELECT run_id FROM remote_runs WHERE state <> 'ended' AND next_at <= :now"
        " ORDER BY next_at LIMIT 50",
        now=now,
    )
    return [str(row["run_id"]) for row in rows]


def claim(tx: Transaction, run_id: str) -> Mapping[str, Any] | None:
    """The row, taken for a while; `None` where somebody else has it, or it is over."""
    table = remote_runs
    taken = tx.execute(
        table.update()
        .where(
            table.c.run_id == run_id,
            table.c.state != RemoteState.ENDED,
            table.c.next_at <= tx.now,
        )
        .values(next_at=tx.now + LEASE_SECONDS)
    )
    if taken.rowcount != 1:
        return None
    return tx.row(sa.select(table).where(table.c.run_id == run_id))


def save(tx: Transaction, run_id: str, **values: Any) -> None:
    """Change a row; `detail` is given as a mapping."""
    if "detail" in values:
        values["detail"] = json.dumps(values["detail"], sort_keys=True)
    tx.execute(remote_runs.update().where(remote_runs.c.run_id == run_id).values(**values))


def wake(tx: Transaction, run_id: str, **values: Any) -> None:
    """Have somebody look after a run at once."""
    save(tx, run_id, next_at=0.0, **values)


def ask_again(tx: Transaction, row: Mapping[str, Any], generation: int) -> None:
    """Have a run resumed: in its execution, or from the beginning where it never had one."""
    state = RemoteState.AGAIN if row["execution"] else RemoteState.REQUESTED
    wake(tx, row["run_id"], state=state, failures=0, token=token_of(row["run_id"], generation))
