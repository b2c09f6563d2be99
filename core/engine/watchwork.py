"""What a worker watches every few seconds: samples of endpoints, objectives, alarms.

All of it is plain SQL and sockets, cheap enough for the worker's own process; heavy monitors run
aside, and leave their numbers in the series that alarms look at.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from core.alarms.keeper import Keeper
from core.alarms.rows import load
from core.engine.context import Engine
from core.errors import OpsdeckError
from core.series.borrowing import BorrowedSeries
from core.series.keeping import MOST_AT_ONCE, forget, make_coarser
from core.series.sampling import EndpointSamples
from core.slo.keeper import SloKeeper

EVERY_SECONDS = 5.0
TIDY_SECONDS = 600.0
log = logging.getLogger("opsdeck.worker")


class Watchman:
    """One thread; whatever fails is logged and tried again the next time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        session = engine.session
        self._samples = EndpointSamples(session, engine.workspace.endpoints_dir)
        self._borrowed = BorrowedSeries(session)
        self._slos = SloKeeper(session)
        self._alarms = Keeper(session, engine.worker_id)
        self._thread = threading.Thread(target=self._loop, name="watchman", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def _loop(self) -> None:
        tidy_at = time.monotonic()
        while not self._engine.stopping.wait(EVERY_SECONDS):
            for job in (self._samples.take, self._borrow, self._slos.look, self._alarms.look):
                self._do(job)
            if time.monotonic() >= tidy_at:
                tidy_at = time.monotonic() + TIDY_SECONDS
                self._do(self._tidy)

    def _borrow(self) -> None:
        alarms = load(self._engine.session.reader).values()
        metrics = (alarm.definition.metric for alarm in alarms)
        self._borrowed.take(metric for metric in metrics if metric is not None)

    def _do(self, job: Callable[[], object]) -> None:
        try:
            job()
        except OpsdeckError as error:  # the state is away: the next look may find it
            log.warning("watch: %s", error.one_line())
        except Exception:
            log.exception("watch")

    def _tidy(self) -> None:
        """Make old points coarser, a part at a time: others want the database too."""
        while not self._engine.stopping.is_set():
            with self._engine.session.change("series") as tx:
                if make_coarser(tx, time.time()) < MOST_AT_ONCE:
                    forget(tx, time.time())
                    return
