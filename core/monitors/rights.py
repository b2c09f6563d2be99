"""With whose rights a monitor reads datasets: those of the person who stands for its definition.

A file says what is to be read, and not who has written it: neither a name in it nor whoever
happens to bring the rows up to the files lends it any rights. Somebody who creates a monitor,
runs it by its name or makes its baseline stands for it, as somebody does who applies a view,
until its definition is changed. Meanwhile it reads what is open to all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from core.domain.monitor import NOBODY
from core.monitors.errors import NotWatchable
from core.session import Session
from core.state.monitor_tables import monitors as table


def reader_of(row: Mapping[str, Any]) -> str:
    """On whose behalf the monitor of a row reads."""
    return str(row["created_by"])


def stand_for(session: Session, name: str) -> None:
    """Have the session's actor stand for a monitor's definition as it is, where nobody does, or
    somebody who may not read what it wants."""
    from core.governance.errors import Refused

    rows = session.reader.rows(
        "SELECT created_by, fingerprint, reason FROM monitors WHERE name = :name", name=name
    )
    if not rows or not rows[0]["fingerprint"] or session.actor in (NOBODY, rows[0]["created_by"]):
        return
    if rows[0]["created_by"] != NOBODY and not rows[0]["reason"].startswith(Refused.code):
        return
    unchanged = (
        (table.c.name == name)
        & (table.c.created_by == rows[0]["created_by"])
        & (table.c.fingerprint == rows[0]["fingerprint"])
    )
    with session.change(f"monitors run {name}") as tx:
        if tx.row(sa.select(table.c.name).where(unchanged)) is None:
            return
        values = {"created_by": tx.actor, "failures": 0, "backoff_until": None}
        tx.execute(table.update().where(unchanged).values(**values))
        tx.journal("monitor.stand", f"monitor/{name}", fingerprint=rows[0]["fingerprint"])


@contextmanager
def reading(name: str, dataset: str, actor: str) -> Iterator[None]:
    """Reading a dataset for a monitor: a refusal says what to do where nobody stands for it."""
    from core.governance.errors import Refused

    try:
        yield
    except Refused as error:
        if actor != NOBODY:
            raise
        raise NotWatchable(
            f"dataset {dataset} is not open to all, and nobody stands for monitor {name} as it is"
            " defined now",
            f"somebody who may read it: opsdeck monitors run {name}",
        ) from error
