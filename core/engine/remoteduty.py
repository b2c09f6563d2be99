"""What the worker does for runs in AWS accounts: starts them there, and follows them.

Each look is taken in a process aside of its own: AWS's libraries stay out of the worker, and a
call that hangs can be ended from outside. With several workers one of them has a run at a time;
a look that is taken twice does no harm.
"""

from __future__ import annotations

import logging
import threading
import time

from core.aside import Aside
from core.engine.context import SYSTEM, Engine
from core.engine.workerlog import Seldom
from core.errors import OpsdeckError
from core.services.remote import RemoteService
from core.session import Session

log = logging.getLogger("opsdeck.worker")

LOOK_SECONDS = 0.5
IDLE_SECONDS = 120.0
TURN_SECONDS = 300.0
"""After so long a look is given up, and its process ended: the next one goes on."""


class RemoteDuty(threading.Thread):
    """Looks for runs there that are due, and takes one after the other a step further."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(name="opsdeck-remote", daemon=True)
        self._engine = engine
        self._service = RemoteService(engine.session)
        self._aside: Aside | None = None
        self._busy_at = time.monotonic()
        self._seldom = Seldom()

    def run(self) -> None:
        """Look and do until the worker stops."""
        while not self._engine.stopping.wait(LOOK_SECONDS):
            try:
                self.turn()
            except Exception as error:  # noqa: BLE001 - the state may be away for a while
                self._seldom.failed("runs in AWS", error)
            else:
                self._seldom.worked("runs in AWS")
        self._let_go(at_once=True)

    def turn(self) -> None:
        """One round over the runs that are due."""
        for run_id in self._service.due(time.time()):
            if self._engine.stopping.is_set():
                return
            self._advance(run_id)
        self._let_go()

    def _advance(self, run_id: str) -> None:
        if self._aside is None:
            self._aside = Aside(Session(self._engine.workspace, SYSTEM, read_only=False))
        try:
            self._aside.ask("remote", "advance", run_id, seconds=TURN_SECONDS)
        except OpsdeckError as error:
            if not self._engine.stopping.is_set():
                log.warning("run %s in AWS: %s", run_id, error.one_line())
        except RuntimeError:  # a bug there: its trace is in aside.log
            log.exception("run %s in AWS", run_id)
        self._busy_at = time.monotonic()

    def _let_go(self, *, at_once: bool = False) -> None:
        idle = time.monotonic() - self._busy_at > IDLE_SECONDS
        if self._aside is not None and (at_once or idle):
            self._aside.close()
            self._aside = None
