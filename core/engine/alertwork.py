"""The worker's thread for alerts: whom to tell, what escalates, what goes out."""

from __future__ import annotations

import threading

from core.alerting.keeper import Keeper
from core.engine.context import AWAY_SECONDS, Engine
from core.engine.workerlog import Seldom

EVERY_SECONDS = 1.0


class AlertWork(threading.Thread):
    """Ticks until the worker stops; what fails is logged and tried again."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(name="opsdeck-alerts", daemon=True)
        self._engine = engine
        self._seldom = Seldom()
        self._keeper = Keeper(engine.session, engine.worker_id)

    def run(self) -> None:
        """Look every second."""
        while not self._engine.stopping.wait(EVERY_SECONDS):
            try:
                self._keeper.tick()
            except Exception as error:  # noqa: BLE001 - whatever it is, alerts must go on
                self._seldom.failed(self.name, error)
                self._engine.stopping.wait(AWAY_SECONDS)
            else:
                self._seldom.worked(self.name)
