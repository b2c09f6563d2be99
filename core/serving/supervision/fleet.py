"""The server processes that share an endpoint's socket, spoken to as one.

A table is in force when every one of them has confirmed it. One that is silent for too long is
ended rather than waited for: what it had in hand is counted as lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from core.errors import EndpointUnavailable
from core.serving.process.ledger import unanswered
from core.serving.routing import RoutingTable
from core.serving.supervision.desired import Desired
from core.serving.supervision.loads import load_into
from core.serving.supervision.spawn import ServerProcess

log = logging.getLogger(__name__)

SWAP_SECONDS = 3.0  # a swap takes a millisecond; what is silent for longer hangs
DRAIN_SECONDS = 5.0
LEAVE_ACK_SECONDS = 3.0
LEAVE_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class Part:
    """One server's answer to a swap."""

    server: ServerProcess
    epoch: int  # that ended
    in_flight: int  # requests of the old table at the swap
    failed_before: int  # what the server had counted as failed by the swap


@dataclass(frozen=True, slots=True)
class Swapped:
    """A table that every server has put in force by `at` (`perf_counter`)."""

    at: float
    parts: tuple[Part, ...]
    lost: int = 0  # requests that servers took along when they ended

    @property
    def in_flight(self) -> int:
        """Requests of the old table at the swap, those lost among them."""
        return self.lost + sum(part.in_flight for part in self.parts)

    async def drained(self, seconds: float = DRAIN_SECONDS) -> tuple[int, bool]:
        """Wait until no request holds the old table; how many have failed since the swap, and
        whether all were answered within these seconds."""
        ends = await asyncio.gather(*(_drained(part, seconds) for part in self.parts))
        failed = self.lost + sum(failed for failed, _ in ends)
        return failed, self.lost == 0 and all(whole for _, whole in ends)


class Fleet:
    """The servers in service, the oldest first, and those on their way out."""

    def __init__(self, port: int) -> None:
        self.members: list[ServerProcess] = []
        self.leaving: set[ServerProcess] = set()
        self._port = port
        self._tasks: set[asyncio.Future[Any]] = set()

    def live(self) -> list[ServerProcess]:
        """The members that have not died."""
        return [server for server in self.members if not server.channel.lost.is_set()]

    async def swap(self, desired: Desired, patience: float) -> Swapped:
        """Put the desired table in force in all servers; those that are silent for `patience`
        seconds, or have died, are ended and counted. Raises what a refusal says."""
        for old in self.leaving:
            self.keep(_quietly(give_table(old, desired.table, SWAP_SECONDS)))
        ends = await self.each(lambda server: self._swap(server, desired, patience))
        parts = tuple(end for _, end in ends if isinstance(end, Part))
        lost = sum(end for _, end in ends if not isinstance(end, Part))
        return Swapped(time.perf_counter(), parts, lost)

    async def _swap(self, server: ServerProcess, desired: Desired, patience: float) -> Part | int:
        failed = server.ledger.failed
        try:
            await _load_what_is_routed(server, desired)
            # Read and sent in one go: an older one is never sent later.
            answer = await give_table(server, desired.table, patience)
        except EndpointUnavailable as error:
            return self._end(server, error.message, failed)
        return Part(server, answer["epoch"], answer["in_flight"], answer["failed"])

    def _end(self, server: ServerProcess, why: str, failed_before: int) -> int:
        """End a server that died or hangs; how many requests that cost."""
        lost = server.ledger.in_flight
        if not server.channel.lost.is_set():
            lost = unanswered(server.ledger, self._port, server.pid)
            log.error("killing server %d: %s", server.pid, why)
            server.kill(why)
            server.channel.close()
        return server.ledger.failed - failed_before + lost

    async def ask(
        self, operation: str, timeout: float, **arguments: Any
    ) -> list[tuple[ServerProcess, Any]]:
        """The answers of all servers; who is silent is left out. Raises what a refusal says."""
        return await self.each(lambda one: one.channel.call(operation, timeout, **arguments))

    async def each(
        self, work: Callable[[ServerProcess], Awaitable[Any]]
    ) -> list[tuple[ServerProcess, Any]]:
        """The same with more than a question: what came of it, by server."""
        live = self.live()
        ends = await asyncio.gather(*map(work, live), return_exceptions=True)
        found: list[tuple[ServerProcess, Any]] = []
        for server, end in zip(live, ends, strict=True):
            if isinstance(end, EndpointUnavailable):
                log.warning("server %d: %s", server.pid, end.message)
            elif isinstance(end, BaseException):
                raise end
            else:
                found.append((server, end))
        return found

    def dismiss(self, server: ServerProcess) -> Awaitable[None]:
        """Take a server out of service at once; what is returned is done when it has gone."""
        self.members.remove(server)
        self.leaving.add(server)
        return self.keep(self._part(server))

    async def _part(self, server: ServerProcess) -> None:
        """Ask a server to leave and wait for it; end it when it hangs or takes too long."""
        with contextlib.suppress(TimeoutError, EndpointUnavailable):
            await server.channel.call("leave", LEAVE_ACK_SECONDS)
            await asyncio.wait_for(server.channel.lost.wait(), LEAVE_SECONDS)
        server.kill("it did not leave")
        server.channel.close()
        self.leaving.discard(server)

    def keep(self, work: Any) -> asyncio.Future[Any]:
        """Run something beside; the loop alone holds tasks only weakly."""
        task: asyncio.Future[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def give_table(server: ServerProcess, table: RoutingTable, patience: float) -> Any:
    """Put a table in force in one server; what it had in hand then. Raises what it raises, and
    `EndpointUnavailable` when it is silent for so many seconds."""
    rows = [asdict(variant) for variant in table.variants]
    answer = await server.channel.call("swap", patience, variants=rows)
    server.table = table
    return answer


async def _load_what_is_routed(server: ServerProcess, desired: Desired) -> None:
    """A server that was started without models, after a crash loop, has none."""
    while lacking := [
        variant.revision
        for variant in desired.table.variants
        if variant.revision not in server.loads
    ]:
        await load_into(server, desired.loads[lacking[0]])


async def _drained(part: Part, seconds: float) -> tuple[int, bool]:
    try:
        answer = await part.server.channel.call(
            "drained", seconds + 3, epoch=part.epoch, seconds=seconds
        )
    except EndpointUnavailable:
        # It died or hangs: whatever it had in hand got no answer.
        ledger = part.server.ledger
        return ledger.failed - part.failed_before + ledger.in_flight, False
    return answer["failed"] - part.failed_before, answer["drained"]


async def _quietly(work: Awaitable[Any]) -> None:
    """Wait for something whose failure means that the server has left, which is as good."""
    with contextlib.suppress(EndpointUnavailable):
        await work
