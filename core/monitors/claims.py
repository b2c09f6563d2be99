"""One process at a time works on a monitor, also where several workers share a database.

The claim stands in the monitor's row: who holds it and until when at the latest. A holder of
this machine that has died lets go at once, another when its time is over. Whoever commits checks
that the claim is still its own: who was taken for dead and lives writes nothing.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from core.monitors.errors import MonitorBusy
from core.processes import is_alive, started
from core.session import Session
from core.state.monitor_tables import monitors as table
from core.state.store import Transaction

MARGIN_SECONDS = 60.0


@contextmanager
def claimed(session: Session, name: str, seconds: float) -> Iterator[str]:
    """Hold a monitor while the block runs, `seconds` at most; the claim is yielded. Raises
    `MonitorBusy` where somebody else does."""
    mine = (
        f"{socket.gethostname()}:{os.getpid()}:{started(os.getpid()) or 0}:{secrets.token_hex(4)}"
    )
    with session.change(f"monitors run {name}") as tx:
        row = tx.row(sa.select(table).where(table.c.name == name)) or {}
        holder, until = row.get("claim"), row.get("claimed_until") or 0.0
        if holder and not _let_go(str(holder), float(until), tx.now):
            raise MonitorBusy(f"monitor {name}: another process is working on it", "try again")
        _set(tx, name, mine, tx.now + seconds + MARGIN_SECONDS)
    try:
        yield mine
    finally:
        with session.change(f"monitors run {name}") as tx:
            tx.execute(
                sa.update(table)
                .where(table.c.name == name, table.c.claim == mine)
                .values(claim=None, claimed_until=None)
            )


def extend(tx: Transaction, name: str, mine: str, seconds: float) -> None:
    """Hold it for as long again; raises `MonitorBusy` where the claim is not ours any more."""
    check(tx, name, mine)
    _set(tx, name, mine, tx.now + seconds + MARGIN_SECONDS)


def check(tx: Transaction, name: str, mine: str) -> None:
    """Raises `MonitorBusy` where the claim is not ours any more."""
    row = tx.row(sa.select(table.c.claim).where(table.c.name == name))
    if row is None or row["claim"] != mine:
        raise MonitorBusy(f"monitor {name}: another process has taken over")


def dead(holder: str | None) -> bool:
    """Whether the holder of a claim is a process of this machine that is no more."""
    if not holder:
        return False
    host, pid, start, *_ = [*holder.split(":"), "", "", ""]
    return host == socket.gethostname() and pid.isdigit() and not is_alive(int(pid), start)


def _let_go(holder: str, until: float, now: float) -> bool:
    return now > until or dead(holder)


def _set(tx: Transaction, name: str, mine: str, until: float) -> None:
    values = {"claim": mine, "claimed_until": until}
    tx.execute(sa.update(table).where(table.c.name == name).values(**values))
