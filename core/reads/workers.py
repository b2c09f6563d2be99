"""Workers, as their heartbeat rows show them."""

from __future__ import annotations

from core.domain.worker import Worker
from core.state.reading import Reader


def list_workers(reader: Reader, *, now: float | None = None) -> tuple[Worker, ...]:
    """Workers that serve or died within the last hour, newest first.

    Their ages are by the clock that their heartbeats are written by, the database's.
    """
    at = reader.clock() if now is None else now
    rows = reader.rows(
        "SELECT * FROM workers WHERE heartbeat_at > :since AND state <> 'starting'"
        " ORDER BY started_at DESC",
        since=at - 3600,
    )
    return tuple(
        Worker(
            id=row["id"],
            host=row["host"],
            pid=row["pid"],
            started_at=row["started_at"],
            heartbeat_at=row["heartbeat_at"],
            slots=row["slots"],
            state=row["state"],
            age=max(0.0, at - row["heartbeat_at"]),
        )
        for row in rows
    )
