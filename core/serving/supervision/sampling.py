"""What an endpoint did in each slot of ten seconds, kept for an hour for whoever records it.

The supervisor counts by itself, so that nothing is missing when a worker was away for a while,
and two workers that ask find the same. Slots begin at multiples of ten seconds of the clock; a
clock that is put back has some of them twice, the later one counts. Whoever asks names the last
slot that it has by its number; a supervisor that started anew has another `life`, and begins at 0.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections import deque
from typing import Any

from core.errors import OpsdeckError
from core.serving.model.readings import Readings
from core.serving.process.meters import Reading, new_token
from core.serving.records import CaptureStatus, WorkerCount
from core.serving.supervision.keeper import Keeper

log = logging.getLogger(__name__)

SLOT_SECONDS = 10.0
KEEP = 360
LOOK_SECONDS = 1.0
PATIENCE = 2.0
MOST_AT_ONCE = 60  # slots in one answer

_COUNTS = ("requests", "errors", "rejected", "answered", "milliseconds", "score_count")


class Sampler:
    """One endpoint's slots. Lives on the supervisor's event loop."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._readings = Readings(keeper.fleet)
        self._life = new_token()
        self._next = 0
        self._slots: deque[dict[str, Any]] = deque(maxlen=KEEP)
        self._in_flight: list[int] = []
        self._crashes = keeper.restarts
        self._dropped: dict[int, int] = {}

    async def run(self) -> None:
        """Sample for ever. Nothing that goes wrong with one slot ends it."""
        slot = _slot(time.time())
        with contextlib.suppress(OpsdeckError):
            await self._readings.take(PATIENCE)  # what was before does not count
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._in_flight.append(
                sum(server.ledger.in_flight for server in self._keeper.fleet.live())
            )
            now = _slot(time.time())
            if now == slot:
                continue
            try:
                await self._take(slot)
            except OpsdeckError as error:
                log.warning("no sample was taken: %s", error.one_line())
            except Exception:
                log.exception("no sample was taken")
            slot = now

    def samples(self, life: int, after: int) -> dict[str, Any]:
        """The slots after that number of this life, the oldest first, some at a time; all that
        are kept, where the life is another one."""
        first = after if life == self._life else -1
        found = [slot for slot in self._slots if slot["number"] > first]
        return {"life": self._life, "slots": found[:MOST_AT_ONCE]}

    async def _take(self, at: float) -> None:
        """End the slot that began at `at`."""
        keeper = self._keeper
        taken = await self._readings.take(PATIENCE)
        answers = await keeper.fleet.ask("status", PATIENCE)
        crashes = max(0, keeper.restarts - self._crashes)
        self._crashes = keeper.restarts
        held, self._in_flight = self._in_flight, []
        workers: dict[int, int] = {}
        dropped, seen = 0, {}
        for server, answer in answers:
            for count in (WorkerCount.from_json(row) for row in answer.get("workers", ())):
                workers[count.revision] = workers.get(count.revision, 0) + count.workers
            capture = CaptureStatus.from_json(answer["capture"])
            seen[server.pid] = capture.dropped_full + capture.dropped_disk + capture.dropped_cap
            dropped += max(0, seen[server.pid] - self._dropped.get(server.pid, 0))
        self._dropped = {**self._dropped, **seen} if len(answers) < len(keeper.servers()) else seen
        table = {item.revision: item.weight for item in keeper.desired.table.variants}
        self._slots.append(
            {
                "number": self._next,
                "at": at,
                "servers": len(answers),
                "in_flight": [len(held), sum(held), min(held, default=0), max(held, default=0)],
                "workers": sum(count for number, count in workers.items() if number in table),
                "weights": table,
                "revisions": {
                    number: _row(readings)
                    for number, readings in taken.revisions.items()
                    if number in table or any(reading.requests for reading in readings)
                },
                "shed": taken.shed,
                "crashes": crashes,
                "dropped": dropped,
            }
        )
        self._next += 1


def _slot(now: float) -> float:
    return math.floor(now / SLOT_SECONDS) * SLOT_SECONDS


def _row(readings: list[Reading]) -> dict[str, Any]:
    """What all servers counted of one revision, as JSON."""
    row: dict[str, Any] = {name: sum(getattr(r, name) for r in readings) for name in _COUNTS}
    row["score_sum"] = sum(r.score_sum + r.shift * r.score_count for r in readings)
    for name in ("latencies", "scores"):
        merged: dict[int, int] = {}
        for reading in readings:
            for bucket, count in getattr(reading, name).items():
                merged[bucket] = merged.get(bucket, 0) + count
        row[name] = merged
    return row
