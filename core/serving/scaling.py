"""Looking at what the servers have in hand, and having as many as that takes.

What is in flight stands in memory that servers and supervisor share, so nobody is asked.
"""

from __future__ import annotations

import asyncio
import time

from core.serving.capacity import Capacity
from core.serving.keeper import Keeper

LOOK_SECONDS = 0.2
DECIDE_SECONDS = 1.0


class Scaler:
    """Applies the rule of `capacity` to a keeper, under the settings in force."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._rule = Capacity()

    async def run(self) -> None:
        """Look and decide for ever."""
        while True:
            seen = []
            until = time.monotonic() + DECIDE_SECONDS
            while time.monotonic() < until:
                await asyncio.sleep(LOOK_SECONDS)
                seen.append(sum(one.ledger.in_flight for one in self._keeper.servers()))
            self.decide(sum(seen) / len(seen))

    def decide(self, in_flight: float) -> None:
        """Scale for what is in flight, and for the bounds that hold now."""
        keeper, now = self._keeper, time.monotonic()
        low, high = keeper.config.bounds()
        target = keeper.config.target_in_flight
        keeper.scale(self._rule.wanted(now, in_flight, keeper.wanted, target, low, high))
