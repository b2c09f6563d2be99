"""How many steps one worker executes at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PROMISE_SECONDS = 10.0
_LOOK_SECONDS = 0.2


class Slots:
    """A worker's slots. Thread-safe.

    The dispatcher takes a step up only when `promise` says there is room, and the step then
    enters with `held`; one that comes without a promise (taken over, or trying again) waits.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._changed = threading.Condition()
        self._held = 0
        self._promised: dict[str, float] = {}

    @property
    def free(self) -> bool:
        """Whether there may be room."""
        with self._changed:
            return self._room()

    def promise(self, key: str) -> bool:
        """Set a slot aside for a step that is about to start; False when there is none.

        A promise that nobody calls in lapses: the step had been started before.
        """
        with self._changed:
            if not self._room():
                return False
            self._promised[key] = time.monotonic()
            return True

    def withdraw(self, key: str) -> None:
        """Take a promise back: another worker has taken the step up."""
        with self._changed:
            self._promised.pop(key, None)
            self._changed.notify_all()

    @contextmanager
    def held(self, key: str, given_up: Callable[[], bool]) -> Iterator[None]:
        """A slot for as long as the block lasts; entered without one when `given_up` is true
        (the step then finds that it was cancelled, and executes nothing)."""
        with self._changed:
            while key not in self._promised and not given_up() and not self._room():
                self._changed.wait(_LOOK_SECONDS)
            self._promised.pop(key, None)
            self._held += 1
        try:
            yield
        finally:
            with self._changed:
                self._held -= 1
                self._changed.notify_all()

    def _room(self) -> bool:
        now = time.monotonic()
        for old in [k for k, at in self._promised.items() if now - at > _PROMISE_SECONDS]:
            del self._promised[old]
        return self._held + len(self._promised) < self._count
