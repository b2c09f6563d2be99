"""What is to be done at one look: windows that are due, and where each begins and ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from core.domain.monitor import MonitorDefinition
from core.monitors.kind import Window


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """One window to look at. `key` is unique in its monitor; `place` (JSON-able) says which
    rows it is of, so that it can be read again; `cursor` is where the next one begins."""

    key: str
    start: float
    end: float
    place: Mapping[str, Any]
    cursor: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    version: int | None = None
    snapshot: int | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """The windows that are due, oldest first, and what was passed over: how many windows were
    missed and are not caught up with, from when until when."""

    windows: tuple[WindowPlan, ...] = ()
    skipped: int = 0
    skipped_from: float | None = None
    skipped_until: float | None = None
    cursor: Mapping[str, Any] | None = None
    more: bool = False


class Source(Protocol):
    """Where the rows of a monitor come from."""

    def due(self, cursor: Mapping[str, Any], now: float) -> Due:
        """The windows behind the cursor that are over. An empty cursor is a new monitor's: it
        begins with the newest `catch_up` windows there are."""

    def between(self, since: float, until: float, now: float) -> Due:
        """All windows within a time, for a replay."""

    def read(self, place: Mapping[str, Any], folder: Path) -> Window:
        """The rows of a window, spooled into a folder."""

    def seen(self) -> str:
        """Changes when there is something new to look at. Cheap: the worker asks every few
        seconds."""


def bounded(definition: MonitorDefinition, windows: list[WindowPlan], *, fresh: bool) -> Due:
    """At most `catch_up` of the windows, the newest; a monitor that is new has missed none."""
    over = len(windows) - definition.catch_up
    if over <= 0:
        return Due(tuple(windows))
    passed, kept = windows[:over], windows[over:]
    if fresh:
        return Due(tuple(kept))
    return Due(tuple(kept), len(passed), passed[0].start, passed[-1].end)


def iso(at: float) -> str:
    """A moment as keys have it, to the microsecond where there is a fraction."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
