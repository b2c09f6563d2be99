"""What can be wrong with monitors."""

from __future__ import annotations

from collections.abc import Sequence

from core.domain.pipeline import Problem
from core.errors import BadInput, NotFound, OpsdeckError, WrongState
from core.reads.monitors import NoMonitorRow as NoMonitor

__all__ = [
    "MonitorBusy",
    "MonitorFailed",
    "MonitorTimedOut",
    "MonitorsInvalid",
    "NoBaseline",
    "NoMonitor",
    "NotWatchable",
]


class MonitorsInvalid(BadInput):
    """A file under `monitors/` has problems; all of them are in `problems`."""

    code = "E600"

    def __init__(self, message: str, hint: str = "", problems: Sequence[Problem] = ()) -> None:
        super().__init__(message, hint)
        self.problems = tuple(problems)


class NoBaseline(OpsdeckError):
    """The rows for a baseline cannot be found; the hint says what to name."""

    code = "E602"


class MonitorFailed(OpsdeckError):
    """A run of a monitor did not come to an end."""

    code = "E603"


class MonitorTimedOut(MonitorFailed):
    """A run of a monitor took longer than its `timeout`."""

    code = "E604"


class MonitorBusy(WrongState):
    """Another process is working on the monitor."""

    code = "E605"


class NotWatchable(NotFound):
    """What a monitor watches is not there, or has no column that its definition names."""

    code = "E606"


class NothingThere(NotWatchable):
    """What a monitor watches is not there (yet). No failure before it has been there once."""
