"""What an endpoint should be: the loads and the table last asked for, and the last good ones.

Kept in `endpoint.json`, so that a supervisor that starts puts back what the last one had.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from core.errors import NotFound, WrongState
from core.serving.records import GaveUp, LoadReport, Variant
from core.serving.routing import RoutingTable

LOOP_CRASHES = 5
LOOP_SECONDS = 60.0


@dataclass(slots=True)
class Desired:
    """The instructions in force. Changed on the supervisor's event loop only."""

    loads: dict[int, LoadReport] = field(default_factory=dict)
    table: RoutingTable = field(default_factory=RoutingTable)
    good: RoutingTable = field(default_factory=RoutingTable)
    reason: str = ""
    pinned: bool = False
    gave_up: GaveUp | None = None  # the last crash loop; older supervisors have left none

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Desired:
        """What `endpoint.json` had; empty for a new endpoint."""
        reports = [LoadReport.from_json(row) for row in data.get("loads", ())]
        return cls(
            loads={report.revision: report for report in reports},
            table=_table(data.get("variants", ())),
            good=_table(data.get("good", ())),
            reason=data.get("reason", ""),
            pinned=data.get("pinned", False),
            gave_up=GaveUp.from_json(data["gave_up"]) if data.get("gave_up") else None,
        )

    def to_json(self) -> dict[str, Any]:
        """The part of `endpoint.json` that this is."""
        return {
            "loads": [asdict(report) for report in self.loads.values()],
            "variants": [asdict(variant) for variant in self.table.variants],
            "good": [asdict(variant) for variant in self.good.variants],
            "reason": self.reason,
            "pinned": self.pinned,
            "gave_up": asdict(self.gave_up) if self.gave_up else None,
        }

    def route(self, table: RoutingTable, reason: str, healthy: bool) -> None:
        """Take a new table; the one it replaces is the last good one if it was healthy and
        had one revision alone: of two it is not known which one is to blame for a crash.

        Raises `NotFound` when it names a revision that was never loaded.
        """
        for variant in table.variants:
            if variant.revision not in self.loads:
                raise NotFound(f"Revision {variant.revision} is not loaded", "load it first")
        if not table.variants:
            self.good = table  # nothing that was here is fit to come back
        elif healthy and self.table.sole:
            self.good = self.table
        self.table = table
        self.reason = reason
        self.pinned = False

    def unload(self, revision: int) -> None:
        """Forget a revision. Raises `NotFound`, or `WrongState` while it is routed."""
        if revision not in self.loads:
            raise NotFound(f"Revision {revision} is not loaded")
        if self.table.names(revision):
            raise WrongState(f"Revision {revision} is routed", "route the requests away first")
        del self.loads[revision]

    def give_up(self, requests_failed: int) -> bool:
        """End a crash loop that cost so many requests: note when and of what, and `pin`."""
        crashed = tuple(variant.revision for variant in self.table.variants)
        self.gave_up = GaveUp(time.time(), crashed, requests_failed)
        return self.pin()

    def note_swap(self, milliseconds: float) -> None:
        """The last good table is in force again, after so long."""
        if self.gave_up is not None:
            self.gave_up = replace(self.gave_up, milliseconds=milliseconds)

    def pin(self) -> bool:
        """Fall back to the last good table and nothing else; False when there is no other."""
        if self.pinned or not self.good.variants:
            return False
        kept = {variant.revision for variant in self.good.variants}
        if not kept <= self.loads.keys():
            return False
        if self.good == self.table and kept == self.loads.keys():
            return False
        self.loads = {key: report for key, report in self.loads.items() if key in kept}
        self.table = self.good
        self.reason = "crash loop: the last good table was put back"
        self.pinned = True
        return True


def _table(rows: Any) -> RoutingTable:
    return RoutingTable.of(Variant.from_json(row) for row in rows)


class CrashCount:
    """Crashes of the last minute, over all `servers`, and how long to wait before the next
    start. One cause that ends all servers once is no loop yet."""

    def __init__(self, servers: int = 1) -> None:
        self.servers = servers
        self._times: deque[float] = deque()

    def add(self) -> None:
        """A server has crashed now."""
        self._times.append(time.monotonic())

    def clear(self) -> None:
        """Somebody changed what is to be run: count afresh."""
        self._times.clear()

    @property
    def count(self) -> int:
        """Crashes within the window."""
        while self._times and time.monotonic() - self._times[0] > LOOP_SECONDS:
            self._times.popleft()
        return len(self._times)

    @property
    def looping(self) -> bool:
        """Whether starting it again as it is has no point."""
        return self.count >= max(LOOP_CRASHES, 2 * self.servers + 1)

    @property
    def back_off(self) -> float:
        """Seconds to wait: none after one crash, then doubling, never over 2."""
        return 0.0 if self.count <= 1 else min(2.0, 0.125 * 2**self.count)
