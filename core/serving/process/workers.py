"""Each variant's workers in one server process, as many as its own load takes."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from core.serving.records import WorkerCount
from core.serving.supervision.capacity import (
    WORKERS_DOWN_SECONDS,
    WORKERS_UP_SECONDS,
    Capacity,
)

if TYPE_CHECKING:
    from core.serving.config import EndpointConfig
    from core.serving.model.batch import Batcher
    from core.serving.process.service import Service

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2


class Workers:
    """Those of one variant. What the model has kept for longer than anybody waits is of no use
    and stays within the bounds all the same, as nobody can end a thread: where there is room,
    others stand in for it."""

    def __init__(self, batcher: Batcher, revision: int) -> None:
        self._batcher = batcher
        self._revision = revision
        self._rule = Capacity(WORKERS_UP_SECONDS, WORKERS_DOWN_SECONDS)
        self._useful = 1  # that there are to be
        self._bounds = (1, 1)

    def follow(self, config: EndpointConfig, now: float | None = None) -> None:
        """Have as many as the load of this moment (seconds on a clock that never goes back)
        asks for, and the bounds that hold now."""
        at = time.monotonic() if now is None else now
        batcher = self._batcher
        self._bounds = low, high = config.worker_bounds(self._revision)
        stuck = batcher.stuck
        room = max(1, high - stuck)
        self._useful = self._rule.wanted(
            at, batcher.load, self._useful, config.target_per_worker, min(low, room), room
        )
        wanted = min(self._useful + stuck, high)
        if wanted != batcher.workers:
            batcher.resize(wanted)

    def count(self) -> WorkerCount:
        """How many there are, and what holds for them."""
        batcher = self._batcher
        return WorkerCount(self._revision, batcher.workers, batcher.stuck, *self._bounds)


async def run(service: Service) -> None:
    """Follow the load of every variant of a server process, for ever."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            follow(service)
        except Exception:  # one look that fails must not be the last one
            log.exception("the number of workers could not be decided on")


def follow(service: Service) -> None:
    """Have every variant follow its load once."""
    for item in service.loaded.values():
        item.workers.follow(service.config)


def counts(service: Service) -> list[dict[str, Any]]:
    """What `status` says of them, as JSON."""
    from dataclasses import asdict

    return [asdict(service.loaded[key].workers.count()) for key in sorted(service.loaded)]
