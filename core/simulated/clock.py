"""The clock of the simulated account.

Two times run side by side:

* what is *shown*: epoch seconds, real time plus what was advanced; every timestamp that
  is answered is of this time, so that ages and time ranges of an outside client fit;
* what is *nominal*: the seconds that durations are measured in. It runs `speed` times as
  fast as what is shown, so that a job of 10 nominal minutes takes 10 s at speed 60.

Advancing moves both by the same number of seconds.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Clock:
    """Thread-safe. `now()` is in epoch seconds; `elapsed` and `after` in nominal ones."""

    def __init__(self, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"the clock's speed must be above 0, not {speed}")
        self._lock = threading.RLock()
        self._local = threading.local()
        self._first = speed
        self.restart()

    def restart(self) -> None:
        """Back to real time, at the speed of the start; what was advanced is forgotten."""
        with self._lock:
            self._offset = 0.0
            start = time.time()
            # Pieces of the line from shown to nominal time: (shown, nominal, slope from there).
            # Before the start both are the same, so that a seeded past has its real durations.
            self._pieces: list[tuple[float, float, float]] = [
                (float("-inf"), float("-inf"), 1.0),
                (start, start, self._first),
            ]

    @property
    def speed(self) -> float:
        """Nominal seconds in a second."""
        return self._pieces[-1][2]

    def now(self) -> float:
        """What is shown, in epoch seconds; while a timer fires, when it was due."""
        pinned = getattr(self._local, "now", None)
        return pinned if pinned is not None else time.time() + self._offset

    def nominal(self, shown: float | None = None) -> float:
        """The nominal time at `shown` (now, if not given)."""
        with self._lock:
            shown = self.now() if shown is None else shown
            base, nominal, slope = self._pieces[
                bisect_right(self._pieces, shown, key=lambda piece: piece[0]) - 1
            ]
            return shown if base == float("-inf") else nominal + (shown - base) * slope

    def shown(self, nominal: float) -> float:
        """When `nominal` is, in epoch seconds: the inverse of `nominal`."""
        with self._lock:
            base, start, slope = self._pieces[
                bisect_right(self._pieces, nominal, key=lambda piece: piece[1]) - 1
            ]
            return nominal if base == float("-inf") else base + (nominal - start) / slope

    def elapsed(self, since: float) -> float:
        """Nominal seconds from `since` (epoch seconds) until now."""
        return self.nominal() - self.nominal(since)

    def when(self, since: float, seconds: float) -> float:
        """The epoch second at which a nominal duration begun at `since` is over."""
        return self.shown(self.nominal(since) + seconds)

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`, shown and nominal alike; never back."""
        if seconds < 0:
            raise ValueError("the clock does not go back")
        with self._lock:
            shown = time.time() + self._offset
            nominal, speed = self.nominal(shown), self.speed
            self._pieces.append((shown, nominal, 1.0))
            self._pieces.append((shown + seconds, nominal + seconds, speed))
            self._offset += seconds

    def set_speed(self, speed: float) -> None:
        """From now on, `speed` nominal seconds in a second."""
        if speed <= 0:
            raise ValueError(f"the clock's speed must be above 0, not {speed}")
        with self._lock:
            shown = time.time() + self._offset
            self._pieces.append((shown, self.nominal(shown), speed))

    @contextmanager
    def at(self, shown: float) -> Iterator[None]:
        """In this thread, let `now()` be `shown`: for timers that are due and for seeds."""
        before = getattr(self._local, "now", None)
        self._local.now = shown
        try:
            yield
        finally:
            self._local.now = before


class Timers:
    """What is to happen later, fired in the order of time by `run_due`."""

    LIMIT = 200_000

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._order = itertools.count()
        self._heap: list[tuple[float, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._lock = threading.RLock()

    def after(self, seconds: float, do: Callable[..., Any], *args: Any) -> int:
        """Call `do(*args)` in `seconds` nominal seconds; returns a number for `cancel`."""
        with self._lock:
            number = next(self._order)
            due = self._clock.nominal() + max(0.0, seconds)
            heapq.heappush(self._heap, (due, number, do, args))
            return number

    def cancel(self, number: int) -> None:
        """Forget a timer that has not fired; one that has is no error."""
        with self._lock:
            self._heap = [entry for entry in self._heap if entry[1] != number]
            heapq.heapify(self._heap)

    def clear(self) -> None:
        """Forget every timer."""
        with self._lock:
            self._heap.clear()

    def run_due(self) -> int:
        """Fire what is due, each with the clock at the time it was due; how many did."""
        fired = 0
        with self._lock:
            until = self._clock.nominal()
            while self._heap and self._heap[0][0] <= until:
                due, _, do, args = heapq.heappop(self._heap)
                with self._clock.at(self._clock.shown(due)):
                    do(*args)
                fired += 1
                if fired > self.LIMIT:
                    raise RuntimeError("timers keep starting each other: advance by less")
        return fired
