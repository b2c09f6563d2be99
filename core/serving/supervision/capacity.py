"""How many server processes an endpoint should have now, and how they share the work; how many
workers a variant should have in each.

Every server holds every variant, so the number of processes is the endpoint's: moving weight
between variants, or all of it in a rollback, is then a matter of a table and never waits for a
process to start, and each variant can use all there is. What a variant costs is memory, once a
process. Its workers, threads in each process, are its own: they follow what is asked of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

SMOOTH_SECONDS = 2.0  # over how long what is in flight is averaged
UP_SECONDS = 3.0  # how long the servers have to be too few
UNEVEN_LEAST = 2.0  # requests in flight over the mean that are no reason to move any
UNEVEN_SHARE = 0.5  # of the mean, likewise
DOWN_SECONDS = 60.0  # how long they have to be too many, for each that goes
WORKERS_UP_SECONDS = 1.0  # the same for workers, which cost less to start
WORKERS_DOWN_SECONDS = 20.0


class Capacity:
    """The rule. It is told what is in flight, and remembers for how long what has held.

    Too few: more than `target` requests in flight a server, smoothed, for `up` seconds; then as
    many are wanted as bring it down to the target. Too many: one less would do, for `down`
    seconds; then one less is wanted. Bounds hold at once. For workers it is the same.
    """

    def __init__(self, up: float = UP_SECONDS, down: float = DOWN_SECONDS) -> None:
        self._up, self._down = up, down
        self.smoothed = 0.0  # requests in flight
        self._at: float | None = None
        self._few_since: float | None = None
        self._many_since: float | None = None

    def wanted(
        self, now: float, in_flight: float, servers: int, target: float, low: int, high: int
    ) -> int:
        """How many servers there should be, `servers` being the number last wanted.

        `now` is in seconds on any clock that never goes back.
        """
        self._smooth(now, in_flight)
        inside = min(max(servers, low), high)
        if inside != servers:
            self._few_since = self._many_since = None
            return inside
        needed = min(max(math.ceil(self.smoothed / target - 1e-9), low), high)
        self._few_since = _since(self._few_since, now, needed > servers)
        self._many_since = _since(self._many_since, now, needed < servers)
        if self._few_since is not None and now - self._few_since >= self._up:
            self._few_since = None
            return needed
        if self._many_since is not None and now - self._many_since >= self._down:
            self._many_since = now
            return servers - 1
        return servers

    def _smooth(self, now: float, in_flight: float) -> None:
        gone = math.inf if self._at is None else now - self._at
        self.smoothed = smooth(self.smoothed, in_flight, gone)
        self._at = now


def smooth(before: float, seen: float, seconds: float) -> float:
    """An exponential average, `seconds` after the last look."""
    return before + (1 - math.exp(-seconds / SMOOTH_SECONDS)) * (seen - before)


def _since(before: float | None, now: float, holds: bool) -> float | None:
    if not holds:
        return None
    return now if before is None else before


def to_move(in_flight: Sequence[float]) -> list[int]:
    """How many connections each server should part with, so that all have as much to do.

    `in_flight` is what each has in hand, smoothed. A client that keeps its connection stays
    with the server that accepted it, also when others have been started since: so connections
    of a server that has much more than the mean are closed with their next answer, and whoever
    is idle accepts them anew. One request in flight is taken for one connection; small
    differences are left alone, since moving costs a client the time to connect.
    """
    if not in_flight:
        return []
    mean = sum(in_flight) / len(in_flight)
    left_alone = max(UNEVEN_LEAST, UNEVEN_SHARE * mean)
    return [math.floor(held - mean) if held - mean > left_alone else 0 for held in in_flight]
