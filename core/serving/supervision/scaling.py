"""Looking at what the servers have in hand: having as many as that takes, each with its share.

What is in flight stands in memory that servers and supervisor share, so nobody is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from core.errors import EndpointUnavailable
from core.serving.supervision.capacity import Capacity, smooth, to_move
from core.serving.supervision.keeper import Keeper
from core.serving.supervision.spawn import ServerProcess

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
DECIDE_SECONDS = 1.0
ASK_SECONDS = 1.0


class Scaler:
    """Applies the rules of `capacity` to a keeper, under the settings in force."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._rule = Capacity()
        self._held: dict[ServerProcess, float] = {}  # in flight, smoothed
        self._seen: list[int] = []  # in flight in all, at the looks since the last decision

    async def run(self) -> None:
        """Look and decide for ever."""
        while True:
            decide = time.monotonic() + DECIDE_SECONDS
            while time.monotonic() < decide:
                await asyncio.sleep(LOOK_SECONDS)
                self.look(LOOK_SECONDS)
            try:
                self.decide()
                await self.even_out()
            except Exception:  # one decision that fails must not be the last one
                log.exception("the number of servers could not be decided on")

    def look(self, seconds: float) -> None:
        """Note what each server has in hand, so many seconds after the last look."""
        self._held = {
            server: smooth(self._held.get(server, 0.0), server.ledger.in_flight, seconds)
            for server in self._keeper.servers()
        }
        self._seen.append(sum(server.ledger.in_flight for server in self._held))

    def decide(self) -> None:
        """Scale for what is in flight, and for the bounds that hold now."""
        keeper, now = self._keeper, time.monotonic()
        low, high = keeper.config.bounds()
        target = keeper.config.target_in_flight
        mean = sum(self._seen) / len(self._seen) if self._seen else 0.0
        self._seen.clear()
        keeper.scale(self._rule.wanted(now, mean, keeper.wanted, target, low, high))

    async def even_out(self) -> None:
        """Have servers with more than their share part with some connections."""
        held = self._held
        for server, count in zip(held, to_move(list(held.values())), strict=True):
            if count:
                with contextlib.suppress(EndpointUnavailable):  # its death is seen elsewhere
                    await server.channel.call("part", ASK_SECONDS, connections=count)
