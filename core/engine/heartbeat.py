"""Being seen alive, and taking over from workers that are not.

DBOS recovers only the work of its own executor id, and every worker has a new one; so one
living worker (the oldest) resumes what dead or departed ones left pending.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from core.domain.worker import DEAD_AFTER_SECONDS, HEARTBEAT_SECONDS
from core.engine import durable, runstate
from core.engine.context import SYSTEM, Engine
from core.engine.warm import kill_below_warm_server
from core.engine.workerlog import Seldom
from core.processes import started
from core.state import schema
from core.state.store import Transaction

log = logging.getLogger("opsdeck.worker")
_TABLE = schema.workers
FENCED, DONE = 1, 2
"""Of `workers.reaped`: it may no longer write; its work has been taken over. Whoever dies in
between leaves the rest to the next one."""


def new_worker_id() -> str:
    """Host, process id and start time: no two workers ever share one."""
    return f"{socket.gethostname()}-{os.getpid()}-{started(os.getpid()) or 0}"


STARTING = "starting"
"""State of a worker that does not serve yet: nobody is shown it."""


class Heartbeat:
    """Writes this worker's row each second and looks after the others'.

    In order: `announce` before there is anything that could take up work, `start`, and `serve`
    once it can be done.
    """

    def __init__(self, engine: Engine, slots: int, on_fenced: Callable[[], None]) -> None:
        self._engine = engine
        self._slots = slots
        self._on_fenced = on_fenced
        self._seldom = Seldom()
        self._serves = False
        self._thread = threading.Thread(target=self._loop, name="heartbeat", daemon=True)

    def announce(self) -> None:
        """Make the row. Before DBOS is launched, which takes up at once what a take-over left in
        its queue: work of a worker that died with no row would be nobody's to take over."""
        with self._engine.store.transaction(SYSTEM) as tx:
            now = database_now(tx)
            tx.execute(
                _TABLE.insert().values(
                    id=self._engine.worker_id,
                    host=socket.gethostname(),
                    pid=os.getpid(),
                    started_at=now,
                    heartbeat_at=now,
                    slots=self._slots,
                    state=STARTING,
                )
            )

    def serve(self) -> None:
        """Count among those that serve, and take over at once from those that are surely gone."""
        with self._engine.store.transaction(SYSTEM) as tx:
            row = tx.row(sa.select(_TABLE.c.reaped).where(_TABLE.c.id == self._engine.worker_id))
            if row is None or row["reaped"]:
                return  # slept for too long: the next beat ends it
            self._set(tx, self._engine.worker_id, state="running", heartbeat_at=database_now(tx))
            tx.journal("worker.start", f"worker/{self._engine.worker_id}")
        self._serves = True
        self.take_over()

    def start(self) -> None:
        """Begin beating."""
        self._thread.start()

    def stopped(self) -> None:
        """Say goodbye; what is pending goes to the next worker."""
        with self._engine.store.transaction(SYSTEM) as tx:
            self._set(tx, self._engine.worker_id, state="stopped")
            tx.journal("worker.stop", f"worker/{self._engine.worker_id}")

    def _loop(self) -> None:
        while not self._engine.stopping.wait(HEARTBEAT_SECONDS):
            try:
                if not self._beat():
                    self._on_fenced()
                    return
                if self._serves:
                    self.take_over()
            except Exception as error:  # noqa: BLE001 - the database may be away for a while
                self._seldom.failed("heartbeat", error)
            else:
                self._seldom.worked("heartbeat")

    def _beat(self) -> bool:
        """Write the time; False when another worker has already taken over from this one."""
        with self._engine.store.transaction(SYSTEM) as tx:
            row = tx.row(sa.select(_TABLE.c.reaped).where(_TABLE.c.id == self._engine.worker_id))
            if row is None or row["reaped"]:
                return False
            self._set(tx, self._engine.worker_id, heartbeat_at=database_now(tx))
        return True

    def take_over(self) -> None:
        """Resume what dead workers left, where this is the worker to do it."""
        with self._engine.store.transaction(SYSTEM) as tx:
            now = database_now(tx)
            others = tx.rows(
                sa.select(_TABLE).where(_TABLE.c.reaped != DONE).order_by(_TABLE.c.started_at)
            )
        dead = [row for row in others if row["id"] != self._engine.worker_id and _dead(row, now)]
        living = [row["id"] for row in others if row not in dead and row["state"] != STARTING]
        if not dead or living[:1] != [self._engine.worker_id]:
            return
        with self._engine.store.transaction(SYSTEM) as tx:
            for row in dead:
                # Before the take-over: a worker that only slept must find itself replaced.
                self._set(tx, row["id"], reaped=FENCED, state="stopped")
                if row["state"] == "running":
                    tx.journal("worker.lost", f"worker/{row['id']}", by=self._engine.worker_id)
            tx.execute(  # what they had claimed and not done is free at once
                schema.outbox.update()
                .where(
                    schema.outbox.c.taken_by.in_([row["id"] for row in dead]),
                    schema.outbox.c.done_at.is_(None),
                )
                .values(taken_at=None)
            )
        for row in dead:
            if row["host"] == socket.gethostname():
                kill_below_warm_server(row["id"])
        lost = [row["id"] for row in dead]
        steps = durable.steps_left(lost)
        with self._engine.store.transaction(SYSTEM) as tx:
            for step in steps:
                runstate.queue_again(tx, step.run, step.generation, step.step, asdict(step))
        count = len(steps) + durable.recover(lost)
        with self._engine.store.transaction(SYSTEM) as tx:
            for row in dead:
                self._set(tx, row["id"], reaped=DONE)
        if count:
            log.info("took over %d workflows of %d workers", count, len(dead))

    @staticmethod
    def _set(tx: Transaction, worker_id: str, **values: Any) -> None:
        tx.execute(_TABLE.update().where(_TABLE.c.id == worker_id).values(**values))


def database_now(tx: Transaction) -> float:
    """The database's clock, in epoch seconds: workers' own clocks may disagree."""
    if tx.connection.dialect.name == "postgresql":
        value = tx.connection.execute(
            sa.text("SELECT extract(epoch FROM clock_timestamp())")
        ).scalar_one()
        return float(value)
    return time.time()


def _dead(row: Mapping[str, Any], now: float) -> bool:
    if row["reaped"] or row["state"] == "stopped" or now - row["heartbeat_at"] > DEAD_AFTER_SECONDS:
        return True
    if row["host"] != socket.gethostname():
        return False
    begun = started(row["pid"])
    return begun is None or not str(row["id"]).endswith(f"-{begun}")
