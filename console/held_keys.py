"""Keys that come while the prompt opens or closes: held, and handed on once it has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import App
from textual.events import Event, Key, Paste
from textual.timer import Timer

from screens.base import ModeScreen

HOLD_SECONDS = 2.5
"""How long keys are held at most for a prompt that neither opens nor closes."""
RETRY_SECONDS = 0.02


class HeldKeys:
    """Keys typed quickly, or pasted, come before the prompt that they are meant for.

    Without being held they would be commands to the screen behind it. `hear` gets each in
    its turn.
    """

    def __init__(self, app: App[Any], hear: Callable[[Event], Awaitable[None]]) -> None:
        self._app = app
        self._hear = hear
        self._held: list[Key | Paste] | None = None
        self._limit: Timer | None = None

    async def take(self, event: Key | Paste) -> None:
        """Hand on a key, now or once the prompt has moved."""
        if self._held is not None:
            self._held.append(event)
            return
        if self._moves_prompt(event):
            self._hold()
        await self._hear(event)

    async def let_go(self) -> None:
        """Hand on the keys that were held: the prompt is open, or it is closed."""
        while self._held:
            if not self._app.screen.is_mounted:  # what was entered has just opened it
                self._app.set_timer(RETRY_SECONDS, self.let_go)
                return
            event = self._held.pop(0)
            again = self._moves_prompt(event)
            await self._hear(event)
            if again:
                self._hold()
                return
        self._held = None

    def _moves_prompt(self, event: Key | Paste) -> bool:
        """Whether a key opens or closes the prompt, which takes a moment."""
        screen = self._app.screen
        if not isinstance(event, Key) or not isinstance(screen, ModeScreen):
            return False
        if screen.in_prompt:
            return event.key in ("enter", "escape", "down")
        if getattr(screen.focused, "takes_text", False):
            return False
        return event.character in (":", "/")

    def _hold(self) -> None:
        """Hold keys until the prompt is open (or closed)."""
        if self._held is None:
            self._held = []
        if self._limit is not None:
            self._limit.stop()  # that of an earlier key would let these go too soon
        self._limit = self._app.set_timer(HOLD_SECONDS, self._hold_no_longer)

    async def _hold_no_longer(self) -> None:
        """The prompt has not moved after all; one that is being mounted will."""
        if self._held is None:
            return
        screen = self._app.screen
        if isinstance(screen, ModeScreen) and screen.opening_prompt:
            self._hold()
        else:
            await self.let_go()
