"""Rolling an endpoint back: every new request to one revision at once, and the receipt."""

from __future__ import annotations

import time
from dataclasses import replace

from core.errors import NotFound
from core.serving.records import EndpointState, RollbackReport, Variant
from core.serving.routing import RoutingTable
from core.serving.supervision.keeper import Keeper

SILENCE_SECONDS = 1.0  # how long a rollback lets a server be silent


class Rollbacks:
    """Carries rollbacks out, whoever asks for them, and remembers the last receipt."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._last: tuple[RoutingTable, RollbackReport] | None = None

    async def to(self, revision: int, reason: str) -> RollbackReport:
        """Everything to one revision, in force in every server; then see how the requests in
        flight end. Asked for again it gives the same receipt and changes nothing.

        Raises `NotFound` (not loaded), `EndpointUnavailable` (no server comes up).
        """
        begun = time.perf_counter()
        keeper = self._keeper
        if revision not in keeper.desired.loads:
            raise NotFound(f"Revision {revision} is not loaded", "it cannot be rolled back to")
        before = keeper.desired.table
        changed = not before.all_to(revision) or keeper.state is EndpointState.FAILED
        if not changed and keeper.in_force:
            return self._again(before, revision)
        keeper.route([Variant(revision, 100.0)], reason, regretted=True)
        table = keeper.desired.table
        swapped = await keeper.apply(SILENCE_SECONDS)
        took = (swapped.at - begun) * 1000
        failed, drained = await swapped.drained()
        report = RollbackReport(
            revision, before.variants, took, swapped.in_flight, failed, drained, changed
        )
        self._last = table, report
        return report

    def _again(self, table: RoutingTable, revision: int) -> RollbackReport:
        """The receipt of a rollback that is asked for again: whoever asks may have lost it."""
        if self._last is not None and self._last[0] is table:
            return replace(self._last[1], changed=False)
        return RollbackReport(revision, table.variants, 0.0, 0, 0, True, False)
