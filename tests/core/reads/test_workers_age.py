"""Workers as the front end lists them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from core.reads.workers import list_workers
from core.state.reading import open_reader
from core.state.store import Store
from tests.support.opened import raw


def test_the_clock_is_the_databases(database_url: str) -> None:
    Store(database_url).migrate()
    reader = open_reader(database_url)
    assert abs(reader.clock() - time.time()) < 5
    reader.close()


@dataclass
class Ahead:
    """A reader on a database whose clock is ten minutes ahead of this host's."""

    inner: Any

    def rows(self, sql: str, **params: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.inner.rows(sql, **params)
        return found

    def change_counter(self) -> tuple[int, int]:
        return (0, 0)

    def clock(self) -> float:
        return float(self.inner.clock()) + 600

    def close(self) -> None:
        self.inner.close()


def test_a_worker_is_as_old_as_the_databases_clock_says(database_url: str) -> None:
    Store(database_url).migrate()
    now = time.time() + 600
    insert = "INSERT INTO workers (id, host, pid, started_at, heartbeat_at, slots, state)"
    for name, at in (("fresh", now), ("stale", now - 30)):
        raw(database_url, f"{insert} VALUES (?, 'h', 1, 0, ?, 2, 'running')", (name, at))
    reader = Ahead(open_reader(database_url))
    alive = {worker.id: worker.alive for worker in list_workers(reader)}
    assert alive == {"fresh": True, "stale": False}
    reader.close()
