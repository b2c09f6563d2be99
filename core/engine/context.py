"""What the workflows of one worker process stand on."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from core.engine.bell import Bell
from core.engine.slots import Slots
from core.engine.tracking import LazyTracker
from core.engine.warm import WarmServer
from core.errors import DiskFull, StateBusy, StateCorrupt
from core.session import Session
from core.state.store import Store, Transaction
from core.workspace import Workspace

SYSTEM = "opsdeck"
"""The actor of what the worker does by itself."""

STATE_AWAY = (DiskFull, StateBusy, StateCorrupt)
"""What a transaction raises while the state cannot be written: no fault of any step."""

ROOM_BYTES = 4 << 20
AWAY_SECONDS = 1.0
SAY_EVERY = 60.0

T = TypeVar("T")
log = logging.getLogger("opsdeck.worker")


@dataclass(slots=True)
class Engine:
    """One worker's parts. `cancelled` is kept up to date by the watcher thread.

    `bell` rings a run's id when one of its steps has ended here; `poke` wakes the
    dispatcher when there is something in the outbox.
    """

    workspace: Workspace
    session: Session
    store: Store
    warm: WarmServer
    tracker: LazyTracker
    worker_id: str
    slots: Slots
    threads: int
    cancelled: frozenset[str] = frozenset()
    stopping: threading.Event = field(default_factory=threading.Event)
    bell: Bell = field(default_factory=Bell)
    poke: threading.Event = field(default_factory=threading.Event)

    def hold_if_stopping(self) -> None:
        """Block for good once the worker is leaving: what happens now is no step's fault.

        The workflow stays pending, and the next worker takes it up where it was.
        """
        if self.stopping.is_set():
            threading.Event().wait()

    def insist(self, work: Callable[[], T]) -> T:
        """Do work that ends in a change of the state, again and again while the disk is full
        or the database away: what has happened must get on record. May be repeated, then."""
        said = float("-inf")
        while True:
            try:
                return work()
            except STATE_AWAY as error:
                if time.monotonic() - said > SAY_EVERY:
                    said = time.monotonic()
                    log.warning("the state cannot be written, waiting: %s", error.one_line())
                self.wait_for_room()

    def record(self, work: Callable[[Transaction], T]) -> T:
        """`insist` on one transaction."""

        def once() -> T:
            with self.store.transaction(SYSTEM) as tx:
                return work(tx)

        return self.insist(once)

    def wait_for_room(self) -> None:
        """A moment, and until the disk has some room; for good when the worker stops."""
        while True:
            self.stopping.wait(AWAY_SECONDS)
            self.hold_if_stopping()
            if shutil.disk_usage(self.workspace.state_dir).free > ROOM_BYTES:
                return


_current: list[Engine] = []


def set_engine(engine: Engine) -> None:
    """Make this process's engine known; once."""
    _current[:] = [engine]


def engine() -> Engine:
    """This process's engine."""
    return _current[0]
