"""The console on a workspace: its modes, what its header counts, what it keeps alive."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from screens.backend import Backend
from screens.background import Head
from screens.registry import MODES

if TYPE_CHECKING:
    from textual.screen import Screen

    from core.ops import Ops
    from screens.deck import Deck

WAKE_SECONDS = 5.0
"""How often a worker is started where work is open and none lives."""
_PACKAGES = ("data", "query", "features", "alerts", "monitors")


def _mode(name: str) -> Callable[[], Screen[Any]]:
    """Makes the screen of a mode, its module imported when it is first shown."""

    def make() -> Screen[Any]:
        module = f"screens.{name}.screen" if name in _PACKAGES else f"screens.{name}"
        screen = getattr(import_module(module), f"{name.capitalize()}Screen")
        return cast("Screen[Any]", screen())

    return make


SCREENS = {name: _mode(name) for name in MODES}
"""How the screen of each mode is made."""


class WorkspaceBackend(Backend):
    """A workspace's operations."""

    screens = SCREENS

    def __init__(self, ops: Ops) -> None:
        self.facade = ops
        self._ops = ops
        self._lives = False
        self._woken_at = -1e9
        self.log_path = ops.workspace.state_dir / "console.log"

    @property
    def name(self) -> str:
        return self._ops.workspace.name

    @property
    def environment(self) -> str:
        return self._ops.workspace.environment

    @property
    def actor(self) -> str:
        return self._ops.actor

    @property
    def read_only(self) -> bool:
        return self._ops.read_only

    def version(self) -> Any:
        return self._ops.version()

    def head(self) -> Head:
        head = Head(
            workers=tuple(self._ops.workers.list()),
            approvals=len(self._ops.approvals.list(status="open", limit=99)),
            running=self._ops.runs.count(status="running"),
            alerts=self._ops.alerts.count(),
        )
        self._lives = any(worker.alive for worker in head.workers)
        return head

    def after_reading(self, _head: Head | None) -> None:
        """Start a worker where runs are open and none lives, at first and every few seconds.

        One that was stopped on purpose stays stopped; a read-only session starts nothing.
        """
        now = time.monotonic()
        if self._lives or self._ops.read_only or now - self._woken_at < WAKE_SECONDS:
            return
        self._woken_at = now
        runs = self._ops.runs
        if runs.count(status="running") or runs.count(status="queued"):
            self._ops.workers.keep_alive()

    def command(self, deck: Deck, text: str) -> None:
        from screens.commands import run_command

        run_command(deck, text)

    def read_names(self, facade: Any) -> Any:
        from screens.commands import read_names

        return read_names(facade)

    def complete(self, names: Any, text: str, *, read_only: bool) -> Sequence[str]:
        from screens.commands import Names, complete

        return complete(names or Names(), text, read_only=read_only)
