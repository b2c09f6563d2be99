"""Waking what waits in this process, so that nobody has to poll the database for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Bell:
    """Rings by name: whoever waits for that name looks again. Thread-safe.

    It only saves time: what is waited for is in the database, and may come from another
    process that rings no bell here.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, set[threading.Event]] = {}

    def ring(self, name: str) -> None:
        """Wake those who wait for this name."""
        with self._lock:
            for event in self._waiting.get(name, ()):
                event.set()

    @contextmanager
    def listening(self, *names: str) -> Iterator[threading.Event]:
        """An event that each ring sets; clear it before looking, so that none is missed."""
        event = threading.Event()
        with self._lock:
            for name in names:
                self._waiting.setdefault(name, set()).add(event)
        try:
            yield event
        finally:
            with self._lock:
                for name in names:
                    self._waiting[name].discard(event)
                    if not self._waiting[name]:
                        del self._waiting[name]
