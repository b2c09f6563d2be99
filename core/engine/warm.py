"""The worker's end of the warm server: start it, ask it for step processes, outlive it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.engine.workerlog import rotate_if_large
from core.errors import WorkerUnavailable
from core.quiet import QUIET_ENVIRONMENT

log = logging.getLogger("opsdeck.worker")
_SCRIPT = Path(__file__).with_name("zygote.py")
BOOT_SECONDS = 120.0
START_SECONDS = 30.0
START_TRIES = 3
"""So many servers are asked for a process, each after the death of the one before."""

BACKOFF_SECONDS = (0.0, 1.0, 4.0, 15.0, 60.0)
"""Before it is started again: so long after it has died so often without becoming ready."""

_MARK = "OPSDECK_WARM_SERVER"
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class _ServerDied(WorkerUnavailable):
    """The server ended before it answered: nothing of what it was asked for is left."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a step process ended. `code` or `signal` is set; `lost`: the server died with it."""

    code: int | None
    signal: int | None
    cpu_seconds: float = 0.0
    max_rss_mb: float = 0.0
    lost: bool = False


class StepProcess:
    """A step process that was started: its pid, and its end when it comes."""

    def __init__(self, name: str, on_exit: Callable[[], None]) -> None:
        self.name = name
        self.pid = 0
        self.exit: Exit | None = None
        self._on_exit = on_exit

    def ended(self, exit_: Exit) -> None:
        """Called once by the server's reader."""
        self.exit = exit_
        self._on_exit()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Signal the whole process group; a group that is gone is no error."""
        if self.pid and self.exit is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)


class WarmServer:
    """Starts the warm server in the background and again when it dies. Thread-safe."""

    def __init__(self, log: Path, owner: str) -> None:
        """`owner` is the worker's id: processes below this server are found again by it."""
        self._log = log
        self._owner = owner
        self._failures = 0
        self._starting = threading.Lock()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._processes: dict[str, StepProcess] = {}
        self._replies: dict[str, dict[str, object]] = {}
        self._sock: socket.socket | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._closed = False
        with self._lock:
            self._boot()

    @property
    def ready(self) -> bool:
        """Whether it has its libraries loaded."""
        return self._ready

    def wait_ready(self, timeout: float = BOOT_SECONDS) -> None:
        """Block until it is warm; raises `WorkerUnavailable`."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._ready or self._closed, timeout):
                raise WorkerUnavailable(
                    f"the warm server was not ready within {timeout:g} s", f"look into {self._log}"
                )

    def start(
        self, name: str, request: Path, fds: tuple[int, int, int], on_exit: Callable[[], None]
    ) -> StepProcess:
        """Fork a step process for the request file; the caller closes its own `fds`.

        A server that dies before it answers is waited for to be replaced, and the next one is
        asked. Raises `WorkerUnavailable` when it refuses or is late, and when too many die. A
        process that it reports too late is killed.
        """
        for left in reversed(range(START_TRIES)):
            self.wait_ready()
            try:
                return self._ask(name, request, fds, on_exit)
            except _ServerDied:
                if not left or self._closed:
                    raise
        raise AssertionError("unreachable")

    def _ask(
        self, name: str, request: Path, fds: tuple[int, int, int], on_exit: Callable[[], None]
    ) -> StepProcess:
        process = StepProcess(name, on_exit)
        # One request at a time: a descriptor travels with the bytes of its own request.
        with self._starting, self._changed:
            if self._sock is None or not self._ready:
                raise _ServerDied("the warm server has ended")
            self._processes[name] = process
            line = json.dumps({"start": name, "request": str(request)}).encode()
            try:
                socket.send_fds(self._sock, [line], list(fds))
            except OSError as error:
                self._processes.pop(name, None)
                if not isinstance(error, ConnectionError):
                    raise WorkerUnavailable(f"the warm server cannot be asked: {error}") from error
                self._ready = False  # its reader has not seen it yet: wait for the next one
                raise _ServerDied(f"the warm server has ended: {error}") from error
            answered = self._changed.wait_for(
                lambda: name in self._replies or name not in self._processes, START_SECONDS
            )
            reply = self._replies.pop(name, None)
            if answered and reply is None:
                raise _ServerDied("the warm server ended before it started the step")
            if reply is None or "refused" in reply:
                self._processes.pop(name, None)
                why = (reply or {}).get("error", "no answer")
                raise WorkerUnavailable(f"the warm server did not start the step: {why}")
        return process

    def close(self) -> None:
        """End the server and every step process."""
        with self._changed:
            self._closed = True
            if self._sock is not None:
                with contextlib.suppress(OSError):
                    self._sock.shutdown(socket.SHUT_RDWR)
            server = self._server
            self._changed.notify_all()
        if server is not None:
            try:
                server.wait(timeout=5)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()

    def _boot(self) -> None:
        ours, theirs = socket.socketpair()
        rotate_if_large(self._log)
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [sys.executable, "-P", str(_SCRIPT), str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    **os.environ,
                    **QUIET_ENVIRONMENT,
                    **_ONE_THREAD,
                    "MPLBACKEND": "Agg",
                    _MARK: f"{self._owner} {self._log.parent}",
                },
                start_new_session=True,
                cwd="/",
            )
        theirs.close()
        self._sock, self._ready = ours, False
        threading.Thread(
            target=self._read, args=(ours, self._server), name="warm-server", daemon=True
        ).start()

    def _read(self, sock: socket.socket, server: subprocess.Popen[bytes]) -> None:
        buffer = b""
        while True:
            try:
                data = sock.recv(65536)
            except OSError:
                data = b""
            if not data:
                break
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                self._handle(json.loads(line))
        with self._changed:
            self._ready = False  # from now on the next one is waited for
            sock.close()
        server.wait()
        self._lost()

    def _handle(self, message: dict[str, object]) -> None:
        ended: StepProcess | None = None
        with self._changed:
            if "ready" in message:
                self._ready = True
                self._failures = 0
            elif "exited" in message:
                ended = self._processes.pop(str(message["exited"]), None)
            else:
                name = str(message.get("started") or message.get("refused"))
                pid = int(str(message.get("pid", 0)))
                if name in self._processes:
                    self._replies[name] = message
                    self._processes[name].pid = pid
                elif pid:  # given up meanwhile: nobody would watch it
                    log.warning("the warm server started %s too late", name)
                    _kill_group(pid)
            self._changed.notify_all()
        if ended is not None:
            ended.ended(_exit_of(message))

    def _lost(self) -> None:
        """The server has died: so must its children, and another one is started."""
        with self._changed:
            orphans = list(self._processes.values())
            self._processes.clear()
            self._sock, self._ready = None, False
            self._changed.notify_all()
        kill_below_warm_server(self._owner)
        for process in orphans:
            process.ended(Exit(None, None, lost=True))
        while not self._closed:
            time.sleep(BACKOFF_SECONDS[min(self._failures, len(BACKOFF_SECONDS) - 1)])
            self._failures += 1
            with self._changed:
                if self._closed:
                    return
                try:
                    self._boot()
                except OSError:
                    log.exception("the warm server cannot be started")
                else:
                    return


def kill_below_warm_server(owner: str) -> int:
    """Kill every process that descends from a dead worker's or a dead server's step processes.

    They are known by a variable that the server was started with, which they all inherit:
    not all are in its groups, and those that outlive their parents are nobody's. Returns how
    many there were.
    """
    mark = f"{_MARK}={owner} ".encode()
    killed = 0
    for _ in range(20):  # what forks while we look is seen the next time
        found = [pid for pid in _pids() if mark in _environment(pid)]
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        if not found:
            break
        time.sleep(0.01)
    return killed


def _kill_group(pid: int) -> None:
    """Kill a step process that may not have made its group yet."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _pids() -> list[int]:
    try:
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    except OSError:  # not Linux: process groups have to do
        return []


def _environment(pid: int) -> bytes:
    """The variables a process was started with; a zombie has none."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _exit_of(message: dict[str, object]) -> Exit:
    status = int(str(message["status"]))
    code = os.waitstatus_to_exitcode(status)
    return Exit(
        code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        cpu_seconds=float(str(message["cpu"])),
        max_rss_mb=float(str(message["rss_mb"])),
    )
