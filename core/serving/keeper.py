"""Keeping one server process alive, and having it do what was last asked for.

`desired` is what should be; the server's own table is what is. Every start of a server puts
the desired state back before it accepts a connection; connections wait on the socket, which
the supervisor owns, meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.errors import EndpointUnavailable, ModelUnusable, OpsdeckError, WrongState
from core.serving.desired import CrashCount, Desired
from core.serving.ledger import unanswered
from core.serving.records import EndpointState, LoadReport, Variant
from core.serving.routing import RoutingTable
from core.serving.spawn import ServerProcess, Spawner

log = logging.getLogger(__name__)

LOAD_SECONDS = 170.0
SWAP_SECONDS = 3.0  # a swap takes a millisecond; what is silent for longer hangs
ASK_SECONDS = 10.0
LEAVE_ACK_SECONDS = 3.0
READY_SECONDS = 20.0
DRAIN_SECONDS = 5.0
LEAVE_SECONDS = 40.0
_FORK_SAFE = ("mlflow.sklearn", "mlflow.pyfunc")  # loaders that start no threads on import


@dataclass(frozen=True, slots=True)
class Swapped:
    """A table that was put in force: when (`perf_counter`), by which server, instead of what."""

    at: float
    server: ServerProcess
    epoch: int | None  # that ended; None when its server has ended too
    in_flight: int = 0  # requests of the old table at the swap
    failed_before: int = 0  # what the server had counted as failed by the swap
    lost: int = 0  # requests that the server took along when it ended


class Keeper:
    """The server of one endpoint. Lives on the supervisor's event loop."""

    def __init__(
        self,
        spawner: Spawner,
        listener: socket.socket,
        desired: Desired,
        changed: Callable[[], None],
    ) -> None:
        self.desired = desired
        self.state = EndpointState.STARTING
        self.server: ServerProcess | None = None
        self.restarts = 0
        self.last_error = ""
        self.settled = asyncio.Event()  # the first start has succeeded or failed for good
        self._spawner = spawner
        self._listener = listener
        self._changed = changed
        self._crashes = CrashCount()
        self._up = asyncio.Event()
        self._nudge = asyncio.Event()  # somebody changed what is to be run: start it now
        self._leaving: set[ServerProcess] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._replacing = asyncio.Lock()

    @property
    def warm(self) -> bool:
        """Whether the libraries are loaded already for the next server."""
        return self._spawner.warm

    def servers(self) -> list[ServerProcess]:
        """The server processes that live and are not on their way out, the oldest first."""
        server = self.server
        return [] if server is None or server.channel.lost.is_set() else [server]

    @property
    def in_force(self) -> bool:
        """Whether the server has confirmed the desired table."""
        return self.server is not None and self.server.table == self.desired.table

    async def run(self) -> None:
        """Start servers until `stop`."""
        while not self._stopping():
            try:
                server = await self._start(bare=self.state is EndpointState.FAILED)
            except (OpsdeckError, OSError) as error:
                await self._crashed(str(error))
                continue
            if self._stopping():
                server.kill("the endpoint stops")
                return
            self._put(server)
            # A replacement moves `self.server` on: follow it.
            while self.server is not None and not self._stopping():
                watched = self.server
                await watched.channel.lost.wait()
                if self.server is watched:
                    break
            if not self._stopping():
                self._take_down()
                await self._crashed(await self._spawner.how_it_ended(watched))

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
        self._nudge.set()
        return before, table != before

    async def apply(self, patience: float = SWAP_SECONDS) -> Swapped:
        """Bring the desired table into force. While the server is down this waits for the next
        one, which starts with the table; one that is silent for `patience` seconds is ended
        for that. Raises `EndpointUnavailable`."""
        server = self.server
        if server is None or self.state is EndpointState.FAILED:
            return await self._apply_late()
        table = self.desired.table
        rows = [asdict(variant) for variant in table.variants]
        for old in self._leaving:
            self._keep(_quietly(old.channel.call("swap", SWAP_SECONDS, variants=rows)))
        failed = server.ledger.failed
        try:
            answer = await server.channel.call("swap", patience, variants=rows)
        except EndpointUnavailable as error:
            return await self._apply_late(self._end(server, error.message, failed))
        swapped = time.perf_counter()
        server.table = table
        self.state = EndpointState.SERVING if rows else EndpointState.EMPTY
        self._changed()  # after the swap: writing the file takes longer than swapping
        return Swapped(swapped, server, answer["epoch"], answer["in_flight"], answer["failed"])

    def _end(self, server: ServerProcess, why: str, failed_before: int) -> int:
        """End a server that died or hangs; how many requests that cost."""
        lost = server.ledger.in_flight
        if not server.channel.lost.is_set():
            lost = unanswered(server.ledger, self._listener.getsockname()[1])
            log.error("killing the server: %s", why)
            server.kill(why)
            server.channel.close()
        return server.ledger.failed - failed_before + lost

    async def load(self, **model: Any) -> LoadReport:
        """Load a model into the server. Raises `ModelUnusable`, also when it kills the server."""
        have = self.desired.loads.get(model["revision"])
        if have is not None and have.model_path != model["model_path"]:
            raise WrongState(
                f"Revision {have.revision} is {have.model_path} already",
                "give the new model version a new revision",
            )
        server = await self._ready_for(Path(model["model_path"]))
        try:
            answer = await server.channel.call("load", LOAD_SECONDS, **model)
        except EndpointUnavailable as error:
            if not server.channel.lost.is_set():
                raise
            raise ModelUnusable(
                f"Loading {model['model']} version {model['version']} ended the server process",
                "see server.log in the endpoint's folder",
            ) from error
        report = LoadReport.from_json(answer)
        self.desired.loads[report.revision] = report
        self._changed()
        self._keep(self._preload(server))
        return report

    async def _ready_for(self, model: Path) -> ServerProcess:
        """The server to load into. Before the first load the libraries go to the warm process
        and a new server is forked from it: seconds of imports are paid once, not in each."""
        server = await self.wait_up()
        modules = _libraries(model)
        if self.desired.loads or self._spawner.warm or not modules:
            return server
        await self._spawner.preload(modules)
        await self.replace()
        return await self.wait_up()

    async def unload(self, revision: int) -> None:
        """Free a revision. Raises `WrongState`, `NotFound`."""
        self.desired.unload(revision)
        self._changed()
        if self.server is not None:
            await self.server.channel.call("unload", ASK_SECONDS, revision=revision)

    async def wait_up(self, seconds: float = READY_SECONDS) -> ServerProcess:
        """The server, once there is one that lives. Raises `EndpointUnavailable`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._stopping():
            if self.server is not None and not self.server.channel.lost.is_set():
                return self.server
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._up.wait(), deadline - time.monotonic())
            await asyncio.sleep(0.005)  # a server just lost is still in its place for a moment
        raise EndpointUnavailable(f"The server is not up: {self.last_error or self.state}")

    async def replace(self) -> None:
        """Start a second server, hand over, let the first one finish and leave."""
        async with self._replacing:
            old = await self.wait_up()
            table = None
            fresh = await self._start(bare=False)
            # What was asked for while it started goes to it too; the switch itself waits for
            # nothing, so no instruction falls between the two.
            while table is not self.desired.table:
                table = self.desired.table
                await self._replay(fresh)
            self._leaving.add(old)
            self.server = fresh
            self._changed()
            await self._part(old)
            self._leaving.discard(old)

    async def stop(self) -> None:
        """Let the server finish and leave."""
        self.state = EndpointState.STOPPING
        self._changed()
        server, self.server = self.server, None
        if server is not None:
            await self._part(server)
        self._spawner.close()

    def kill_server(self, why: str) -> None:
        """End a server that hangs; the next one follows by itself."""
        if self.server is not None:
            log.error("killing the server: %s", why)
            self.server.kill(why)

    async def _start(self, bare: bool) -> ServerProcess:
        if not bare and self.desired.loads and not self._spawner.warm:
            # A supervisor's first start with models to bring back: imports before the fork.
            paths = [Path(report.model_path) for report in self.desired.loads.values()]
            names = dict.fromkeys(name for path in paths for name in _libraries(path))
            await self._spawner.preload(list(names))
        server = await self._spawner.start(self._listener)
        try:
            if not bare:
                await self._replay(server)
            await server.channel.call("serve", ASK_SECONDS)
        except BaseException:
            server.kill("it could not be started")
            server.channel.close()
            raise
        return server

    async def _replay(self, server: ServerProcess) -> None:
        """Load and route as desired. Raises when a routed revision cannot be loaded; one that
        is not routed is given up."""
        for report in list(self.desired.loads.values()):
            try:
                await self._load_again(server, report)
            except ModelUnusable as error:
                if self.desired.table.names(report.revision):
                    raise
                self.last_error = error.message
                self.desired.loads.pop(report.revision, None)
        table = self.desired.table
        rows = [asdict(variant) for variant in table.variants]
        await server.channel.call("swap", ASK_SECONDS, variants=rows)
        server.table = table
        self._keep(self._preload(server))

    async def _load_again(self, server: ServerProcess, report: LoadReport) -> None:
        await server.channel.call(
            "load",
            LOAD_SECONDS,
            revision=report.revision,
            model_path=report.model_path,
            model=report.model,
            version=report.version,
        )

    async def _apply_late(self, lost: int = 0) -> Swapped:
        """The table is kept; a server that is failed or not up yet gets it when it can."""
        self._changed()
        server = await self.wait_up()
        table = self.desired.table
        if self.state is EndpointState.FAILED:
            for variant in table.variants:
                await self._load_again(server, self.desired.loads[variant.revision])
        # It may have started just before the table was changed.
        rows = [asdict(variant) for variant in table.variants]
        await server.channel.call("swap", SWAP_SECONDS, variants=rows)
        server.table = table
        if not self._stopping():
            self.state = EndpointState.SERVING if rows else EndpointState.EMPTY
        self._changed()
        return Swapped(time.perf_counter(), server, None, in_flight=lost, lost=lost)

    async def _crashed(self, why: str) -> None:
        """Count a crash, decide what to start next, wait as long as one should."""
        if self._stopping():
            return
        self.restarts += 1
        self.last_error = why
        self._crashes.add()
        log.error("%s (crash %d within a minute)", why, self._crashes.count)
        if self._crashes.looping and self.state is not EndpointState.FAILED:
            self._crashes.clear()
            if self.desired.pin():
                log.error("crash loop: going back to the last good table")
            else:
                log.error("crash loop: nothing to go back to; serving no model")
                self.state = EndpointState.FAILED
                self._changed()
                return
        if self.state is not EndpointState.FAILED:
            self.state = EndpointState.RESTARTING
        self._changed()
        self._nudge.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._nudge.wait(), self._crashes.back_off)

    def _take_down(self) -> None:
        if self.server is not None:
            self.server.channel.close()
        self.server = None
        self._up.clear()

    def _put(self, server: ServerProcess) -> None:
        self.server = server
        if self.state is not EndpointState.FAILED:
            routed = bool(self.desired.table.variants)
            self.state = EndpointState.SERVING if routed else EndpointState.EMPTY
        self._up.set()
        self.settled.set()
        self._changed()

    async def _part(self, server: ServerProcess) -> None:
        """Ask a server to leave and wait for it; end it when it hangs or takes too long."""
        with contextlib.suppress(TimeoutError, EndpointUnavailable):
            await server.channel.call("leave", LEAVE_ACK_SECONDS)
            await asyncio.wait_for(server.channel.lost.wait(), LEAVE_SECONDS)
        server.kill("it did not leave")
        server.channel.close()

    async def _preload(self, server: ServerProcess) -> None:
        begun = time.monotonic()
        try:
            if modules := await server.channel.call("modules", ASK_SECONDS):
                await self._spawner.preload(modules)
        except EndpointUnavailable as error:
            log.warning("nothing preloaded after %.1f s: %s", time.monotonic() - begun, error)

    def _stopping(self) -> bool:
        return self.state is EndpointState.STOPPING

    def _keep(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _libraries(model: Path) -> list[str]:
    """What loading a model directory will import, going by the loader that MLmodel names."""
    try:
        text = (model / "MLmodel").read_text()
    except (OSError, UnicodeDecodeError):
        return []  # loading it will say what is wrong with it
    found = re.search(r"^\s*loader_module: *(mlflow\.[a-z_]+)", text, re.MULTILINE)
    loader = found.group(1) if found else "mlflow.pyfunc"
    extra = ["sklearn.ensemble", "sklearn.pipeline"] if loader == "mlflow.sklearn" else []
    return [*extra, loader, "mlflow.pyfunc.scoring_server"] if loader in _FORK_SAFE else extra


async def _quietly(work: Any) -> None:
    """Wait for something whose failure means that the server has left, which is as good."""
    with contextlib.suppress(EndpointUnavailable):
        await work
