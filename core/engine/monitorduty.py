"""What the worker does for monitors by itself: sees which are due, and has each looked at.

Files are read again when one has changed; what is due is told from rows and folders. The looks
are done in a process aside of their own, so that a slow monitor holds neither views nor
features up, and one that hangs in a library can be ended from outside. With several workers one
of them holds a monitor at a time.
"""

from __future__ import annotations

import logging
import threading
import time

from core.aside import Aside
from core.engine.context import SYSTEM, Engine
from core.engine.workerlog import Seldom
from core.errors import OpsdeckError, ServiceUnavailable
from core.monitors.errors import MonitorBusy
from core.monitors.files import stamp
from core.services.monitors import MonitorsService
from core.session import Session

log = logging.getLogger("opsdeck.worker")

LOOK_SECONDS = 5.0
IDLE_SECONDS = 120.0
"""How long the process aside is kept when nothing is due: its libraries take seconds to load."""
TIDY_SECONDS = 3600.0
MARGIN_SECONDS = 60.0


class MonitorDuty(threading.Thread):
    """Looks every few seconds for monitors that are due, and runs one after the other."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(name="opsdeck-monitors", daemon=True)
        self._engine = engine
        self._service = MonitorsService(engine.session)
        self._stamp: object = None
        self._aside: Aside | None = None
        self._busy_at = self._tidied_at = time.monotonic()
        self._seldom = Seldom()

    def run(self) -> None:
        """Look and do until the worker stops."""
        while not self._engine.stopping.wait(LOOK_SECONDS):
            try:
                self.turn()
            except Exception as error:  # noqa: BLE001 - the state may be away for a while
                self._seldom.failed("monitors", error)
            else:
                self._seldom.worked("monitors")
        self._let_go(at_once=True)

    def turn(self) -> None:
        """One round: the files, what is due, what is old."""
        self._read_files()
        for name in self._service.due(time.time()):
            if self._engine.stopping.is_set():
                return
            self._try(name)
        if time.monotonic() - self._tidied_at > TIDY_SECONDS:
            self._tidied_at = time.monotonic()
            self._service.tidy(time.time())
        self._let_go()

    def _try(self, name: str) -> None:
        """One monitor; what is wrong with it keeps no other from being looked at."""
        try:
            self.look(name)
        except OpsdeckError as error:
            self._seldom.failed(f"monitor {name}", error)

    def look(self, name: str) -> None:
        """Look at one monitor. What goes wrong in it is on its own record; that its process had
        to be ended is put there from here."""
        if self._aside is None:
            self._aside = Aside(Session(self._engine.workspace, SYSTEM, read_only=False))
        limit = 2 * self._timeout(name) + MARGIN_SECONDS
        try:
            self._aside.ask("monitors", "look", name, seconds=limit)
        except MonitorBusy as error:
            log.debug("%s", error.one_line())
        except ServiceUnavailable as error:
            if not self._engine.stopping.is_set():
                log.warning("monitor %s: %s", name, error.one_line())
                self._service.abandon(name, f"its process was ended: {error.message}")
        except OpsdeckError as error:
            log.warning("monitor %s: %s", name, error.one_line())
        except RuntimeError:  # a bug there: its trace is in aside.log
            log.exception("monitor %s", name)
        self._busy_at = time.monotonic()

    def _read_files(self) -> None:
        """Bring the rows up to the files where one has changed since."""
        now = stamp(self._engine.workspace.root)
        if now == self._stamp:
            return
        problems = self._service.sync()
        self._stamp = now
        for problem in problems[:5]:
            log.warning("%s", problem.one_line())

    def _timeout(self, name: str) -> float:
        from core.monitors.syncing import definition_of

        return definition_of(self._engine.session, name)[0].timeout

    def _let_go(self, *, at_once: bool = False) -> None:
        if self._aside is not None and (at_once or time.monotonic() - self._busy_at > IDLE_SECONDS):
            self._aside.close()
            self._aside = None
