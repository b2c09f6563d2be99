"""Keeping an endpoint's server processes alive, and having them do what was last asked for.

`desired` is what should be; each server's own table is what is. Every start of a server puts
the desired state back before it accepts a connection; connections wait on the socket, which
the supervisor owns, meanwhile. `wanted` servers are kept; each holds every variant.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.errors import EndpointUnavailable, OpsdeckError, WrongState
from core.serving.config import EndpointConfig
from core.serving.process.preload import libraries
from core.serving.records import EndpointState, LoadReport, Variant
from core.serving.routing import RoutingTable
from core.serving.supervision.alignment import Line, inform
from core.serving.supervision.desired import CrashCount, Desired
from core.serving.supervision.fleet import SWAP_SECONDS, Fleet, Swapped, give_table
from core.serving.supervision.loads import (
    ASK_SECONDS,
    load_first,
    load_rest,
    unload_from,
)
from core.serving.supervision.spawn import ServerProcess, Spawner

log = logging.getLogger(__name__)

READY_SECONDS = 20.0
STARTS_AT_ONCE = 2  # beside traffic; when nobody answers, one has the machine to itself


class Keeper:
    """The servers of one endpoint. Lives on the supervisor's event loop."""

    def __init__(
        self,
        spawner: Spawner,
        listener: socket.socket,
        desired: Desired,
        changed: Callable[[], None],
        config: EndpointConfig | None = None,
    ) -> None:
        self.desired = desired
        self.config = config or EndpointConfig()
        self.state = EndpointState.STARTING
        self.restarts = 0
        self.last_error = ""
        self.settled = asyncio.Event()  # the first start has succeeded or failed for good
        self.fleet = Fleet(listener.getsockname()[1])
        self.wanted = self.config.bounds()[0]
        self._spawner = spawner
        self._listener = listener
        self._changed = changed
        self._crashes = CrashCount(self.wanted)
        self._up = asyncio.Event()
        self._wake = asyncio.Event()  # there may be something to start or to let go
        self._hopeless: RoutingTable | None = None  # with it, servers start without models
        self._not_before = 0.0  # `monotonic` from which the next server may be started
        self._starts: set[asyncio.Future[None]] = set()
        self._incoming: dict[int, LoadReport] = {}  # loaded by some servers, not yet by all
        self._changing = asyncio.Lock()  # no server leaves while a model is being loaded
        self._shrinking = False
        self._lost = 0  # requests that died with servers, under the present table

    @property
    def server(self) -> ServerProcess | None:
        """The server that has been up for longest."""
        return next(iter(self.fleet.live()), None)

    def servers(self) -> list[ServerProcess]:
        """The server processes that live and are not on their way out, the oldest first."""
        return self.fleet.live()

    @property
    def warm(self) -> bool:
        """Whether the libraries are loaded already for the next server."""
        return self._spawner.warm

    @property
    def in_force(self) -> bool:
        """Whether every server has confirmed the desired table."""
        live = self.fleet.live()
        return bool(live) and all(server.table == self.desired.table for server in live)

    async def run(self) -> None:
        """Start servers, and let go those that are too many, until `stop`."""
        while not self._stopping():
            self._begin()
            held = self._not_before - time.monotonic()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), held if held > 0 else None)
            self._wake.clear()
            for start in [start for start in self._starts if start.done()]:
                self._starts.discard(start)
                if not start.cancelled():
                    start.result()

    def scale(self, wanted: int) -> None:
        """Keep so many servers from now on. Those that go answer what they have first."""
        if wanted != self.wanted:
            log.info("%d servers are wanted instead of %d", wanted, self.wanted)
            self.wanted = wanted
            self._crashes.servers = wanted
            self._wake.set()

    async def configure(self, config: EndpointConfig) -> None:
        """Apply other settings to all servers, and to those that start from now on. Raises
        `BadInput`; then nothing changes."""
        config.check()
        self.config = config
        await self.fleet.each(lambda server: inform(server, self.config))
        low, high = config.bounds()
        self.scale(min(max(self.wanted, low), high))

    def route(
        self, variants: list[Variant], reason: str, regretted: bool = False
    ) -> tuple[RoutingTable, bool]:
        """Make a table the desired one; returns the one before, and whether they differ.

        The one before is one to fall back to, unless it is `regretted` or has crashed.
        Raises `BadInput`, `NotFound`; then nothing changes.
        """
        table = RoutingTable.of(variants)
        before = self.desired.table
        self.desired.route(table, reason, healthy=not regretted and self._crashes.count == 0)
        self._crashes.clear()
        self._lost = 0
        self._not_before = 0.0  # somebody changed what is to be run: start it now
        self._wake.set()
        return before, table != before

    async def apply(self, patience: float = SWAP_SECONDS) -> Swapped:
        """Bring the desired table into force in all servers. While none is up this waits for
        the next one, which starts with the table; those that are silent for `patience` seconds
        are ended for that. Raises `EndpointUnavailable`."""
        try:
            done = await self.fleet.swap(self.desired, patience)
        except OpsdeckError:
            if self.state is EndpointState.FAILED:
                self._hopeless = self.desired.table
            raise
        if not done.parts:
            self._changed()
            await self.wait_up()
            late = await self.fleet.swap(self.desired, SWAP_SECONDS)
            if not late.parts:
                raise EndpointUnavailable("No server took the routing table", "see server.log")
            done = Swapped(late.at, (), done.lost + late.lost)
        if not self._stopping():
            routed = bool(self.desired.table.variants)
            self.state = EndpointState.SERVING if routed else EndpointState.EMPTY
        self._changed()  # after the swap: writing the file takes longer than swapping
        return done

    async def load(self, **model: Any) -> LoadReport:
        """Load a model into every server: into one first, so that a model which kills its
        loader takes no more along. Raises `ModelUnusable`, also when it kills the server."""
        have = self.desired.loads.get(model["revision"])
        if have is not None and have.model_path != model["model_path"]:
            raise WrongState(
                f"Revision {have.revision} is {have.model_path} already",
                "give the new model version a new revision",
            )
        await self._prepare(Path(model["model_path"]))
        async with self._changing:
            first = await self.wait_up()
            report = await load_first(first, model)
            self._incoming[report.revision] = report
            try:
                await load_rest(self.fleet, report, keep=have is not None)
            finally:
                self._incoming.pop(report.revision, None)
            self.desired.loads[report.revision] = report
        self._changed()
        self.fleet.keep(self._preload(first))
        return report

    async def _prepare(self, model: Path) -> None:
        """Before the first load the libraries go to the warm process and new servers are
        forked from it: seconds of imports are paid once, not in each."""
        await self.wait_up()
        modules = libraries([model])
        if not self.desired.loads and not self._spawner.warm and modules:
            await self._spawner.preload(modules)
            await self.replace()

    async def unload(self, revision: int) -> None:
        """Free a revision. Raises `WrongState`, `NotFound`."""
        self.desired.unload(revision)
        self._changed()
        await asyncio.gather(*(unload_from(server, revision) for server in self.servers()))

    async def wait_up(self, seconds: float = READY_SECONDS) -> ServerProcess:
        """The oldest server, once there is one that lives. Raises `EndpointUnavailable`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._stopping():
            if (server := self.server) is not None:
                return server
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._up.wait(), deadline - time.monotonic())
            await asyncio.sleep(0.005)  # a server just lost is still in its place for a moment
        raise EndpointUnavailable(f"The server is not up: {self.last_error or self.state}")

    async def replace(self, servers: Sequence[ServerProcess] | None = None) -> None:
        """Put a new server in the place of each (of these), one after the other: it starts, and
        the old one finishes and leaves."""
        async with self._changing:
            await self.wait_up()
            leaving = []
            for old in self.servers() if servers is None else servers:
                if old not in self.fleet.members:
                    continue
                await self._start()
                if old in self.fleet.members:
                    leaving.append(self.fleet.dismiss(old))
                    self._changed()
        await asyncio.gather(*leaving)

    async def stop(self) -> None:
        """Let the servers finish and leave."""
        self.state = EndpointState.STOPPING
        self._wake.set()
        for start in self._starts:
            start.cancel()
        leaving = [self.fleet.dismiss(server) for server in self.servers()]
        self._changed()
        await asyncio.gather(*leaving)
        self._spawner.close()

    def kill_server(self, server: ServerProcess, why: str) -> None:
        """End a server that hangs; the next one follows by itself."""
        log.error("killing server %d: %s", server.pid, why)
        server.kill(why)

    def _begin(self) -> None:
        """Begin whatever brings the number of servers nearer to what is wanted."""
        live = len(self.servers())
        if live > self.wanted and not self._shrinking:
            self._shrinking = True
            self.fleet.keep(self._shrink())
        if time.monotonic() < self._not_before:
            return
        room = (STARTS_AT_ONCE if live else 1) - len(self._starts)
        missing = self.wanted - live - len(self._starts)
        for _ in range(min(missing, room)):
            start = asyncio.ensure_future(self._bring())
            self._starts.add(start)
            start.add_done_callback(lambda _: self._wake.set())

    async def _bring(self) -> None:
        try:
            await self._start()
        except (OpsdeckError, OSError) as error:
            await self._crashed(str(error))

    async def _start(self) -> None:
        """Start a server, have it be as desired, put it into service."""
        if self.desired.loads and not self._spawner.warm and not self._is_hopeless():
            # A supervisor's first start with models to bring back: imports before the fork.
            paths = [Path(report.model_path) for report in self.desired.loads.values()]
            await self._spawner.preload(libraries(paths))
        server = await self._spawner.start(self._listener)
        try:
            while not (line := self._line()).holds(server):
                self.last_error = await line.bring(server) or self.last_error
            if self._stopping():
                raise EndpointUnavailable("The endpoint stops")
            # From here on every swap reaches it: nothing has been awaited since it was in line.
            self.fleet.members.append(server)
            if server.loads:
                self.fleet.keep(self._preload(server))
            await server.channel.call("serve", ASK_SECONDS)
        except BaseException:
            if server in self.fleet.members:
                self.fleet.members.remove(server)
            server.kill("it could not be started")
            server.channel.close()
            raise
        self._put(server)

    def _line(self) -> Line:
        """What a server that starts is to hold as things stand at this moment."""
        return Line(self.desired, self.config, self._incoming, self._is_hopeless())

    async def _watch(self, server: ServerProcess) -> None:
        """See to a server's death."""
        await server.channel.lost.wait()
        if server in self.fleet.members and not self._stopping():
            self.fleet.members.remove(server)
            server.channel.close()
            self._lost += server.ledger.in_flight
            if not self.servers():
                self._up.clear()
            await self._crashed(await self._spawner.how_it_ended(server))

    async def _crashed(self, why: str) -> None:
        """Count a crash, decide what to start next, and from when on."""
        if self._stopping():
            return
        self.restarts += 1
        self.last_error = why
        self._crashes.add()
        log.error("%s (crash %d within a minute)", why, self._crashes.count)
        if self._crashes.looping and self.state is not EndpointState.FAILED:
            self._crashes.clear()
            try:
                await self._give_up()
            except OpsdeckError as error:  # those that live did not follow; the next one will
                log.error("the crash loop was not ended everywhere: %s", error.one_line())
        elif not self.servers() and self.state is not EndpointState.FAILED:
            self.state = EndpointState.RESTARTING
        self._not_before = time.monotonic() + self._crashes.back_off
        self._changed()
        self._wake.set()

    async def _give_up(self) -> None:
        """End a crash loop: back to the last good table, or, without one, to no model at all.
        The servers that live follow."""
        begun = time.perf_counter()
        if self.desired.give_up(self._lost):
            log.error("crash loop: going back to the last good table")
            if not self.servers():
                self.state = EndpointState.RESTARTING
            swapped = await self.fleet.swap(self.desired, SWAP_SECONDS)
            self.desired.note_swap((swapped.at - begun) * 1000)
            for server in self.servers():
                for revision in server.loads - self.desired.loads.keys():
                    await unload_from(server, revision)
            return
        log.error("crash loop: nothing to go back to; serving no model")
        self.state = EndpointState.FAILED
        self._hopeless = self.desired.table
        await self.fleet.each(lambda one: give_table(one, RoutingTable(), SWAP_SECONDS))

    def _put(self, server: ServerProcess) -> None:
        if self.state is not EndpointState.FAILED and not self._stopping():
            routed = bool(self.desired.table.variants)
            self.state = EndpointState.SERVING if routed else EndpointState.EMPTY
        self._up.set()
        self.settled.set()
        self._changed()
        self.fleet.keep(self._watch(server))

    async def _shrink(self) -> None:
        """Let one server go, if there are too many: the one with the least in hand."""
        try:
            async with self._changing:
                spare = self.servers()[1:]  # the oldest stays
                if len(spare) < self.wanted or not spare:
                    return
                server = min(reversed(spare), key=lambda one: one.ledger.in_flight)
                leaving = self.fleet.dismiss(server)
                self._changed()
            await leaving
        finally:
            self._shrinking = False
            self._wake.set()

    async def _preload(self, server: ServerProcess) -> None:
        try:
            if modules := await server.channel.call("modules", ASK_SECONDS):
                await self._spawner.preload(modules)
        except EndpointUnavailable as error:
            log.warning("nothing preloaded: %s", error)

    def _is_hopeless(self) -> bool:
        """Whether a crash loop has been given up on, and nobody has routed anew since."""
        failed = self.state is EndpointState.FAILED
        return failed and self.desired.table is self._hopeless

    def _stopping(self) -> bool:
        return self.state is EndpointState.STOPPING
