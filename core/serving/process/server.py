"""The server process: serves HTTP on the socket it was given and obeys its supervisor.

It is forked from the warm process with the listening socket, which the supervisor owns, one end
of the control channel and the memory of its ledger. When the channel ends the supervisor is
dead: the server answers what it has and leaves, so that the next supervisor can have the port.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from core.errors import OpsdeckError
from core.serving.config import EndpointConfig
from core.serving.folder import EndpointFolder
from core.serving.http import metrics
from core.serving.http.app import build
from core.serving.http.connection import Connection
from core.serving.process.channel import Channel
from core.serving.process.ledger import Ledger
from core.serving.process.service import Service
from core.serving.process.whole import WAIT_SECONDS
from core.serving.process.workers import counts
from core.serving.process.workers import run as follow_load
from core.serving.records import Variant
from core.serving.supervision.figures import figures_of

log = logging.getLogger(__name__)

IDLE_GRACE = 2.0  # seconds that an open connection without a request keeps a leaving server
BUSY_GRACE = 30.0  # seconds after which a leaving server gives up on what is in flight


class Server:
    """One server process from its first breath to its drain."""

    def __init__(self, name: str, root: Path, listener: socket.socket, ledger: Ledger) -> None:
        self._folder = EndpointFolder(root)
        self._service = Service(name, self._folder.capture, EndpointConfig.read(root), ledger)
        self._listener = listener
        self._leave = asyncio.Event()
        self._uvicorn: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def run(self, end: socket.socket) -> None:
        """Serve until told to leave, or until the supervisor has gone."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._leave.set)
        channel = Channel(self._obey)
        await channel.open(end)
        self._service.whole = partial(channel.call, timeout=WAIT_SECONDS)
        following = asyncio.ensure_future(follow_load(self._service))
        waits = [
            asyncio.ensure_future(self._leave.wait()),
            asyncio.ensure_future(channel.lost.wait()),
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if channel.lost.is_set():
            _log_to(self._folder.server_log)  # who read our output has died too
            log.error("the supervisor has gone: leaving")
        await self._drain()
        following.cancel()
        channel.close()

    async def _obey(self, operation: str, args: dict[str, Any]) -> Any:
        """Carry out one operation. A swap happens before anything is awaited."""
        service = self._service
        match operation:
            case "swap":
                old = service.swap(Variant.from_json(row) for row in args["variants"])
                failed = service.ledger.failed
                return {"epoch": old.number, "in_flight": old.in_flight, "failed": failed}
            case "drained":
                return await service.drained(args["epoch"], args["seconds"])
            case "load":
                return asdict(await service.load(**args))
            case "unload":
                return service.unload(args["revision"])
            case "serve":
                return await self._serve()
            case "status":
                return self._status()
            case "ping":
                return service.stuck()
            case "figures":
                return figures_of(service)
            case "part":
                service.parting = args["connections"]
                return None
            case "metrics":
                return metrics.render(service)
            case "capture":
                service.set_capture(args["rate"])
                return asdict(service.capture.status())
            case "configure":
                return service.configure(EndpointConfig.from_json(args["config"]))
            case "meters":
                return service.meters()
            case "shadow":
                return service.mirror(**args)
            case "disagreements":
                return service.shadow.disagreements()
            case "modules":
                return service.modules()
            case "leave":
                self._leave.set()
                return None
        raise OpsdeckError(f"Unknown operation {operation!r}")

    def _status(self) -> dict[str, Any]:
        service = self._service
        return {
            "actual": [asdict(variant) for variant in service.epoch.table.variants],
            "loaded": [asdict(item.report) for item in service.loaded.values()],
            "up_seconds": time.time() - service.started,
            "capture": asdict(service.capture.status()),
            "workers": counts(service),
        }

    async def _serve(self) -> None:
        if self._uvicorn is not None:
            return
        self._uvicorn = _Quiet(http_config(self._service))
        self._serving = asyncio.ensure_future(self._uvicorn.serve(sockets=[self._listener]))
        while not self._uvicorn.started:
            await asyncio.sleep(0.005)

    async def _drain(self) -> None:
        """Stop accepting, close each connection with its next answer, leave when empty."""
        if self._uvicorn is not None and self._serving is not None:
            for accepting in self._uvicorn.servers:
                accepting.close()
            self._listener.close()
            self._service.draining = True
            connections = self._uvicorn.server_state.connections
            begun = time.monotonic()
            while connections and time.monotonic() - begun < BUSY_GRACE:
                if not self._service.in_flight and time.monotonic() - begun > IDLE_GRACE:
                    break
                await asyncio.sleep(0.02)
            self._uvicorn.should_exit = True
            await asyncio.wait([self._serving], timeout=5)
        self._service.shadow.close()
        await asyncio.to_thread(self._service.capture.close)


def http_config(service: Service) -> uvicorn.Config:
    """How uvicorn serves a service."""
    return uvicorn.Config(
        build(service),
        # uvicorn calls it as it would a class.
        http=partial(Connection, service),  # type: ignore[arg-type]
        interface="asgi3",
        proxy_headers=False,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
    )


class _Quiet(uvicorn.Server):
    """uvicorn without its signal handlers: the supervisor alone says when to leave."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: a Ctrl-C in the terminal that started all this must not reach us."""
        yield


def _log_to(file: Path) -> None:
    """Point stdout and stderr at a file."""
    with file.open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)


def main(
    name: str, root: Path, listener: socket.socket, end: socket.socket, ledger: Ledger
) -> None:
    """Run one server process; called in the child right after the fork."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    sys.setswitchinterval(0.001)  # a model that loads in a thread must not slow the loop down
    warnings.filterwarnings("ignore", message="X does not have valid feature names")

    async def run() -> None:
        await Server(name, root, listener, ledger).run(end)

    uvloop.run(run())
