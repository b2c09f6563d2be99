"""A time limit for what a kind does, wherever it hangs in Python code."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from core.monitors.errors import MonitorTimedOut


@contextmanager
def time_limit(name: str, seconds: float) -> Iterator[None]:
    """Raise `MonitorTimedOut` in the block after so many seconds.

    By a signal, so in a process's main thread only; elsewhere, and in a library's own loop, it
    is who asks the process aside that ends it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(_number: int, _frame: FrameType | None) -> None:
        raise MonitorTimedOut(
            f"monitor {name}: took longer than {seconds:g} s",
            "give it timeout: in its file, or smaller windows",
        )

    before = signal.signal(signal.SIGALRM, over)
    begun = time.monotonic()
    left, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:  # whoever was waiting for a signal still does
            signal.setitimer(signal.ITIMER_REAL, max(0.001, left - time.monotonic() + begun))
