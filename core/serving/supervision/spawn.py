"""Starting server processes through the warm process, from the supervisor's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import EndpointUnavailable
from core.processes import is_alive, started
from core.quiet import QUIET_ENVIRONMENT
from core.serving.config import EndpointConfig
from core.serving.process.channel import Channel, Handler, refuse
from core.serving.process.ledger import Ledger, shared_memory
from core.serving.routing import RoutingTable

log = logging.getLogger(__name__)

BOOT_SECONDS = 60.0
_ONE_THREAD = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")


def quiet_environment() -> dict[str, str]:
    """Our environment with telemetry off and one thread for BLAS and OpenMP."""
    fixed = {f"{library}_NUM_THREADS": "1" for library in _ONE_THREAD}
    return {**os.environ, **QUIET_ENVIRONMENT, **fixed}


class ServerProcess:
    """A server process as its supervisor holds it: pid, channel and ledger."""

    def __init__(self, pid: int, channel: Channel, ledger: Ledger) -> None:
        self.pid = pid
        self.start = started(pid)
        self.channel = channel
        self.ledger = ledger
        self.killed_because = ""  # why we ended it, when we did
        self.table: RoutingTable | None = None  # the last one that it confirmed
        self.loads: set[int] = set()  # revisions that it has loaded
        self.config: EndpointConfig | None = None  # the settings that it was given last

    def kill(self, why: str) -> None:
        """End it now; no error when it has ended."""
        self.killed_because = why
        if is_alive(self.pid, self.start):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


class _Lines(asyncio.Protocol):
    """A server's output, line by line into its rotated log."""

    def __init__(self, sink: logging.Logger) -> None:
        self._sink = sink
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._sink.info(line.decode(errors="replace"))
        if len(self._rest) > 65536:
            self._sink.info(self._rest.decode(errors="replace"))
            self._rest = b""


class Spawner:
    """Keeps one warm process and forks servers from it."""

    def __init__(self, name: str, root: Path, output: logging.Logger) -> None:
        self._name = name
        self._root = root
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._lock = asyncio.Lock()
        self.handler: Handler = refuse  # answers what servers ask
        self.warm = False  # the next server will have its libraries at once

    async def start(self, listener: socket.socket) -> ServerProcess:
        """A new server process on the listener. Raises `EndpointUnavailable`."""
        ours, theirs = socket.socketpair()
        read_end, write_end = os.pipe()
        memory = shared_memory()
        try:
            ledger = Ledger(memory)
            handed = [listener.fileno(), theirs.fileno(), write_end, memory]
            answer = await self._ask({"op": "fork"}, handed)
            if "pid" not in answer:
                log.warning("%s: starting it afresh", answer.get("error"))
                self.close()
                answer = await self._ask({"op": "fork"}, handed)
            if "pid" not in answer:
                raise EndpointUnavailable(f"No server process: {answer.get('error')}")
        except BaseException:
            ours.close()
            os.close(read_end)
            raise
        finally:
            theirs.close()
            os.close(write_end)
            os.close(memory)
        loop = asyncio.get_running_loop()
        pipe = os.fdopen(read_end, "rb", buffering=0)
        await loop.connect_read_pipe(lambda: _Lines(self._output), pipe)
        channel = Channel(self.handler)
        await channel.open(ours)
        return ServerProcess(answer["pid"], channel, ledger)

    async def preload(self, modules: Sequence[str]) -> None:
        """Have the warm process import these, so that the next server has them; returns when
        it has. Raises `EndpointUnavailable` when it cannot be had."""
        self.warm = False
        answer = await self._ask({"op": "import", "modules": list(modules)})
        while answer.get("waiting"):
            await asyncio.sleep(0.1)  # a fork goes in between two imports
            answer = await self._ask({"op": "import", "modules": []})
        self.warm = True

    async def how_it_ended(self, server: ServerProcess) -> str:
        """Why a server process is gone, in words."""
        if server.killed_because:
            return f"the server process was ended: {server.killed_because}"
        try:
            status = (await self._ask({"op": "ended", "pid": server.pid})).get("status")
        except EndpointUnavailable:
            status = None
        if status is None:
            return "the server process was lost"
        if status < 0:
            return f"the server process was ended by {signal.Signals(-status).name}"
        return f"the server process exited with status {status}"

    def close(self) -> None:
        """End the warm process. Servers go on."""
        self.warm = False
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def _ask(self, message: dict[str, Any], handed: Sequence[int] = ()) -> dict[str, Any]:
        async with self._lock:
            try:
                return await asyncio.to_thread(self._exchange, message, handed)
            except (OSError, ValueError):
                # It was killed: a fresh one can do the same.
                self.close()
            try:
                return await asyncio.to_thread(self._exchange, message, handed)
            except (OSError, ValueError) as error:
                self.close()
                raise EndpointUnavailable(f"The warm process cannot be used: {error}") from None

    def _exchange(self, message: dict[str, Any], handed: Sequence[int]) -> dict[str, Any]:
        control = self._control or self._boot()
        line = json.dumps(message).encode() + b"\n"
        sent = socket.send_fds(control, [line], handed) if handed else 0
        control.sendall(line[sent:])
        answer = b""
        while not answer.endswith(b"\n"):
            chunk = control.recv(65536)
            if not chunk:
                raise ConnectionResetError("it has died")
            answer += chunk
        found: dict[str, Any] = json.loads(answer)
        return found

    def _boot(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        command = [
            sys.executable,
            "-P",
            "-m",
            "core.serving.process.warm",
            "--fd",
            str(theirs.fileno()),
        ]
        command += ["--dir", str(self._root), "--name", self._name]
        with theirs:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=quiet_environment(),
            )
        ours.settimeout(BOOT_SECONDS)
        self._control = ours
        return ours
