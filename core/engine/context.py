"""What the workflows of one worker process stand on."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from core.engine.tracking import LazyTracker
from core.engine.warm import WarmServer
from core.session import Session
from core.state.store import Store
from core.workspace import Workspace

SYSTEM = "opsdeck"
"""The actor of what the worker does by itself."""


@dataclass(slots=True)
class Engine:
    """One worker's parts. `cancelled` is kept up to date by the watcher thread."""

    workspace: Workspace
    session: Session
    store: Store
    warm: WarmServer
    tracker: LazyTracker
    worker_id: str
    slots: int
    cancelled: frozenset[str] = frozenset()
    stopping: threading.Event = field(default_factory=threading.Event)

    def hold_if_stopping(self) -> None:
        """Block for good once the worker is leaving: what happens now is no step's fault.

        The workflow stays pending, and the next worker takes it up where it was.
        """
        if self.stopping.is_set():
            threading.Event().wait()


_current: list[Engine] = []


def set_engine(engine: Engine) -> None:
    """Make this process's engine known; once."""
    _current[:] = [engine]


def engine() -> Engine:
    """This process's engine."""
    return _current[0]
