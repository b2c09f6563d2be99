"""What the worker does for the data side by itself: views, features, upkeep, lineage events.

Whether something is due is looked up in rows, which costs next to nothing; what is due is done
in a process aside, since the libraries that it takes would triple the worker's memory. With
several workers a duty may be done twice: whatever it calls must bear that.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from core.aside import Aside
from core.engine.context import SYSTEM, Engine
from core.errors import OpsdeckError
from core.lake.due import UpkeepDue
from core.quality.leftover import HoldsDue
from core.session import Session
from core.triggers.looking import TriggersDue

log = logging.getLogger("opsdeck.worker")

LOOK_SECONDS = 5.0
IDLE_SECONDS = 60.0
"""How long the process aside is kept when nothing is due."""


@dataclass(frozen=True, slots=True)
class Task:
    """A call of a service: `ops.SERVICE.METHOD(*args)`."""

    service: str
    method: str
    args: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.service, self.method, *self.args))


Due = Callable[[Session, float], Sequence[Task]]
"""What is due now (epoch seconds); reads rows, and imports nothing heavy."""


def due_views(session: Session, now: float) -> Sequence[Task]:
    """Views whose time has come."""
    from core.services.views import ViewsService

    return [Task("views", "refresh", (name,)) for name in ViewsService(session).due(now)]


def due_features(session: Session, now: float) -> Sequence[Task]:
    """Online stores whose time has come and whose source has moved."""
    from core.services.features import FeaturesService

    return [Task("features", "materialize", (ref,)) for ref in FeaturesService(session).due(now)]


def due_lineage(session: Session, now: float) -> Sequence[Task]:
    """Events that somebody wants to have and has not got."""
    from core.services import lineageevents

    if lineageevents.target_of(session) is None:
        return ()
    sent = lineageevents.read_cursor(session.workspace.state_dir / lineageevents.CURSOR)
    return [Task("lineage", "follow")] if lineageevents.newest(session) > sent else ()


_UPKEEP = UpkeepDue()


def due_upkeep(session: Session, now: float) -> Sequence[Task]:
    """Datasets with old versions to let go, small files to merge, files that nothing needs."""
    return [Task("data", "keep_up", (name,)) for name in _UPKEEP(session, now)]


_TRIGGERS = TriggersDue()


def due_triggers(session: Session, now: float) -> Sequence[Task]:
    """Triggers whose time or cause has come, and firings that wait for a decision."""
    return [Task("triggers", "look")] if _TRIGGERS.look(session, now) else ()


def due_retrainings(session: Session, now: float) -> Sequence[Task]:
    """Firings that were accepted and have no run yet."""
    return [Task("triggers", "start", (firing,)) for firing in _TRIGGERS.firings(session, now)]


def due_labels(session: Session, now: float) -> Sequence[Task]:
    """Endpoints whose people have labelled something a while ago."""
    from core.services.labelling import LabellingService
    from core.services.workers import WorkersService

    names = LabellingService(session, WorkersService(session)).due(now)
    return [Task("labelling", "hand_over", (name,)) for name in names]


_HOLDS = HoldsDue()


def due_holds(session: Session, now: float) -> Sequence[Task]:
    """Datasets that rows were taken out of by somebody who died before saying so."""
    return [Task("quality", "settle_holds", (name,)) for name in _HOLDS(session, now)]


DUTIES: tuple[Due, ...] = (
    due_views,
    due_features,
    due_lineage,
    due_upkeep,
    due_holds,
    due_labels,
    due_triggers,
    due_retrainings,
)


class Duties(threading.Thread):
    """Looks every few seconds for what is due, and has it done, one task after the other."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(name="opsdeck-duties", daemon=True)
        self._engine = engine
        self._aside: Aside | None = None
        self._busy_at = 0.0

    def run(self) -> None:
        """Look and do until the worker stops."""
        while not self._engine.stopping.wait(LOOK_SECONDS):
            try:
                for task in self._due():
                    if self._engine.stopping.is_set():
                        break
                    self.do(task)
            except OpsdeckError as error:  # the state is away: the next look may find it
                log.warning("duties: %s", error.one_line())
            self._let_go()
        self._let_go(at_once=True)

    def do(self, task: Task) -> None:
        """One task. What goes wrong is its service's to record; here it is only logged."""
        if self._aside is None:
            self._aside = Aside(Session(self._engine.workspace, SYSTEM, read_only=False))
        try:
            self._aside.ask(task.service, task.method, *task.args)
        except OpsdeckError as error:
            log.warning("%s: %s", task, error.one_line())
        except RuntimeError:  # a bug there: its trace is in aside.log
            log.exception("%s", task)
        self._busy_at = time.monotonic()

    def _due(self) -> Iterator[Task]:
        for duty in DUTIES:
            yield from duty(self._engine.session, time.time())

    def _let_go(self, *, at_once: bool = False) -> None:
        if self._aside is not None and (at_once or time.monotonic() - self._busy_at > IDLE_SECONDS):
            self._aside.close()
            self._aside = None
