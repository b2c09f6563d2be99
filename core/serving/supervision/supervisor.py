"""The supervisor process of one endpoint: owns its folder, its port and its servers.

`python -P -m core.serving.supervision.supervisor --dir DIR --name NAME --port PORT`. It holds
the folder's lock, binds the port, keeps server processes on it, answers the control socket,
and needs neither console nor worker. It imports no machine learning library.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import json
import logging
import os
import signal
import socket
import sys
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from core.errors import DiskFull, EndpointUnavailable, OpsdeckError, PortTaken, WrongState
from core.processes import is_alive, started
from core.serving import wire
from core.serving.config import EndpointConfig
from core.serving.folder import EndpointFolder
from core.serving.records import EndpointState, url_of
from core.serving.supervision.desired import Desired
from core.serving.supervision.desk import Desk
from core.serving.supervision.health import watch
from core.serving.supervision.keeper import Keeper
from core.serving.supervision.scaling import Scaler
from core.serving.supervision.spawn import Spawner

log = logging.getLogger(__name__)

BACKLOG = 4096
LOG_BYTES = 5 * 1024 * 1024
REBIND_SECONDS = 5.0  # what the servers of a dead supervisor may take to let go of the port


class Supervisor:
    """One endpoint's processes and its file."""

    def __init__(
        self, folder: EndpointFolder, name: str, listener: socket.socket, config: EndpointConfig
    ) -> None:
        self._folder = folder
        self._name = name
        self._listener = listener
        self._port: int = listener.getsockname()[1]
        self._socket_path = folder.socket_path()
        self._gone = asyncio.Event()
        self._started = started(os.getpid())
        desired = Desired.from_json(folder.read() or {})
        self._host = config.host
        output = _rotated("core.serving.output", folder.server_log, "%(message)s")
        self._spawner = Spawner(name, folder.root, output)
        self._keeper = Keeper(self._spawner, listener, desired, self._save, config)

    async def run(self, ready: ReadyPipe) -> None:
        """Serve until told to stop."""
        url = url_of(self._host, self._port)
        self._folder.write(self._record())  # without it nobody could find us: raises OSError
        desk = Desk(self._name, url, self._keeper, self._gone.set, self._folder.root)
        self._spawner.handler = desk.whole.answer
        control = await desk.open(self._socket_path)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._terminate)
        keeping = asyncio.ensure_future(self._keeper.run())
        keeping.add_done_callback(self._ended)
        watching = asyncio.ensure_future(watch(self._host, self._port, self._keeper))
        scaling = asyncio.ensure_future(Scaler(self._keeper).run())
        judging = asyncio.ensure_future(desk.watch.run())
        sampling = asyncio.ensure_future(desk.sampler.run())
        settled = asyncio.ensure_future(self._keeper.settled.wait())
        await asyncio.wait([settled, keeping], return_when=asyncio.FIRST_COMPLETED)
        ready.report(wire.success({"port": self._port}))
        await self._gone.wait()
        if keeping.done():
            keeping.result()  # raises what ended it
        elif self._keeper.state is not EndpointState.STOPPING:
            await self._keeper.stop()
        self._keeper.state = EndpointState.STOPPED
        self._save()
        control.close()
        self._listener.close()
        desk.watch.close()
        for task in (watching, scaling, judging, sampling, keeping, settled):
            task.cancel()
        Path(self._socket_path).unlink(missing_ok=True)

    def _ended(self, keeping: asyncio.Future[None]) -> None:
        """The keeper ends by itself only when it is told to stop, or is broken."""
        if keeping.cancelled() or keeping.exception() is not None:
            self._gone.set()

    def _terminate(self) -> None:
        self._gone.set()

    def _save(self) -> None:
        """Write `endpoint.json`. A full disk must not stop a rollback: the next change tries
        again, and the log says that it failed."""
        try:
            self._folder.write(self._record())
        except OSError as error:
            log.error("endpoint.json was not written: %s", error)

    def _record(self) -> dict[str, Any]:
        keeper = self._keeper
        servers = keeper.servers()
        return {
            "name": self._name,
            "host": self._host,
            "port": self._port,
            "state": keeper.state,
            "supervisor_pid": os.getpid(),
            "supervisor_start": self._started,
            "server_pid": servers[0].pid if servers else None,
            "server_pids": [server.pid for server in servers],
            "server_starts": [server.start for server in servers],
            "control": self._socket_path,
            "updated_at": time.time(),
            **keeper.desired.to_json(),
        }


def bind(folder: EndpointFolder, port: int, host: str) -> socket.socket:
    """The listening socket: on the port asked for, else on that of the last time, else free.

    Raises `PortTaken`, `EndpointUnavailable`. The servers of a dead supervisor may hold the
    port for a moment longer: they are waited for, and ended if they hang.
    """
    last = folder.read() or {}
    wanted = port or int(last.get("port", 0))
    deadline = time.monotonic() + REBIND_SECONDS
    while True:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, wanted))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                raise EndpointUnavailable(
                    f"Port {wanted} on {host} cannot be bound: {error.strerror}",
                    "choose another port, or another host",
                ) from None
        else:
            listener.setblocking(False)
            return listener
        orphans = _orphans(last) if wanted == last.get("port") else []
        if not orphans:
            raise PortTaken(
                f"Port {wanted} on {host} is in use by another program",
                "choose another port, or end that program",
            )
        if time.monotonic() > deadline:
            for orphan in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan, signal.SIGKILL)
            deadline = time.monotonic() + REBIND_SECONDS
        time.sleep(0.05)


def _orphans(last: dict[str, Any]) -> list[int]:
    """The servers of the last supervisor that still live."""
    pairs = zip(last.get("server_pids", ()), last.get("server_starts", ()), strict=False)
    return [pid for pid, start in pairs if is_alive(pid, start)]


def _rotated(name: str, file: Path, layout: str) -> logging.Logger:
    handler = RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=3, delay=True)
    handler.setFormatter(logging.Formatter(layout))
    logger = logging.getLogger(name)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    return logger


class ReadyPipe:
    """Tells who started us how it went, once; they may have gone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def report(self, message: dict[str, Any]) -> None:
        """Write the line and close; nothing the second time, or when nobody waits."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with contextlib.suppress(OSError):
                os.write(descriptor, json.dumps(message).encode() + b"\n")
            os.close(descriptor)


def _run(folder: EndpointFolder, name: str, port: int, ready: ReadyPipe) -> int:
    """Supervise; the exit status. What fails on the way is logged and reported."""
    try:
        lock = folder.acquire()
        if lock is None:
            raise WrongState(
                f"Another supervisor already runs endpoint {name} in {folder.root}",
                "talk to that one",
            )
        config = EndpointConfig.read(folder.root)
        listener = bind(folder, port, config.host)

        async def run() -> None:
            await Supervisor(folder, name, listener, config).run(ready)

        asyncio.run(run())
    except OpsdeckError as error:
        return _failed(error, ready)
    except OSError as error:
        log.exception("the supervisor failed")
        where = error.filename or folder.root
        text = f"Endpoint {name} cannot run: {error.strerror or error} at {where}"
        kind = DiskFull if error.errno == errno.ENOSPC else EndpointUnavailable
        return _failed(kind(text, "mend that and start it again"), ready)
    except Exception as error:
        log.exception("the supervisor failed")
        text = f"The supervisor of endpoint {name} failed: {type(error).__name__}"
        return _failed(EndpointUnavailable(text, f"look into {folder.supervisor_log}"), ready)
    return 0


def _failed(error: OpsdeckError, ready: ReadyPipe) -> int:
    log.error("%s", error.one_line())
    ready.report(wire.failure(error))
    sys.stderr.write(error.one_line() + "\n")
    return error.exit_status


def main() -> None:
    """Parse the arguments, leave the terminal, supervise."""
    parser = argparse.ArgumentParser(prog="core.serving.supervision.supervisor")
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ready-fd", type=int, default=-1)
    args = parser.parse_args()
    folder = EndpointFolder(args.dir)
    folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if args.ready_fd >= 0 and os.fork():
        os._exit(0)  # whoever started us has nothing to wait for
    if args.ready_fd >= 0:
        os.set_inheritable(args.ready_fd, False)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.raiseExceptions = False  # a full disk must not fill stderr
    _rotated("", folder.supervisor_log, "%(asctime)s %(levelname)s %(message)s")
    sys.exit(_run(folder, args.name, args.port, ReadyPipe(args.ready_fd)))


if __name__ == "__main__":
    main()
