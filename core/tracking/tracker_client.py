"""The worker's end of the tracker process (see `tracker.py`): calls, restarts, time limits."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from core.errors import BadInput, NotFound, OpsdeckError, TrackingUnavailable, WrongState
from core.quiet import QUIET_ENVIRONMENT

TRACKER_SCRIPT = Path(__file__).with_name("tracker.py")
INIT_TIMEOUT = 180.0
"""Seconds for `init`: it imports mlflow and may run every migration of a new store."""

_MAX_ANSWER = 64 * 1024 * 1024
_REFUSALS: Mapping[str, type[OpsdeckError]] = {
    "RESOURCE_DOES_NOT_EXIST": NotFound,
    "RESOURCE_ALREADY_EXISTS": WrongState,
    "INVALID_STATE": WrongState,
    "INVALID_PARAMETER_VALUE": BadInput,
    "BAD_REQUEST": BadInput,
}

Respawn = Callable[[], tuple[int, int, int | None]]
"""Starts a tracker; returns the descriptor its answers come from, the one its requests go
to, and its process id (None if not known)."""


class _Gone(Exception):
    """The tracker process ended, or its pipes are of no use any more."""


class Tracker:
    """A tracker process and the calls on it. Thread-safe: calls queue up for the process.

    Made from open pipes and a process id, it owns the pipes. With `respawn`, a tracker that
    has died or has not answered in time is replaced at the next attempt, and `init` repeated
    on it with the arguments it was last called with. A call in whose middle the process dies
    is tried `tries` times at most, for all operations can be; `create_run` without `unique_tag`
    only once.
    """

    def __init__(
        self,
        read_fd: int,
        write_fd: int,
        pid: int | None = None,
        *,
        respawn: Respawn | None = None,
        tries: int = 2,
    ) -> None:
        self._lock = threading.Lock()
        self._tries = tries
        self._respawn = respawn
        self._init_args: dict[str, Any] | None = None
        self._next_id = 0
        self._closed = False
        self._children: list[subprocess.Popen[bytes]] = []
        self._link: _Link | None = _Link(read_fd, write_fd, pid)

    @classmethod
    def start(
        cls,
        python: str,
        env: Mapping[str, str] | None = None,
        *,
        stderr: int | IO[Any] | None = None,
    ) -> Tracker:
        """Start a tracker with the interpreter `python` and environment `env` (or ours).

        Its messages go to `stderr`, or ours. Raises `TrackingUnavailable` when it can't start.
        """
        environment = dict(os.environ if env is None else env)
        environment.update(QUIET_ENVIRONMENT)
        children: list[subprocess.Popen[bytes]] = []

        def respawn() -> tuple[int, int, int]:
            for child in children:
                _reap(child)
            child = _popen(python, environment, stderr)
            children[:] = [child]
            assert child.stdin is not None and child.stdout is not None
            # Descriptors of our own: the Popen's file objects may close theirs any time.
            read_fd, write_fd = os.dup(child.stdout.fileno()), os.dup(child.stdin.fileno())
            child.stdin.close()
            child.stdout.close()
            return read_fd, write_fd, child.pid

        tracker = cls(*respawn(), respawn=respawn)
        tracker._children = children
        return tracker

    @property
    def pid(self) -> int | None:
        """Process id of the tracker, None while there is none (or its id isn't known)."""
        link = self._link
        return link.pid if link is not None else None

    def init(self, tracking_uri: str, artifact_root: str | None = None) -> dict[str, Any]:
        """Open (and create) the tracking store; needed before any other call."""
        args = {"tracking_uri": tracking_uri, "artifact_root": artifact_root}
        result = self.call("init", timeout=INIT_TIMEOUT, **args)
        assert isinstance(result, dict)
        return result

    def call(self, op: str, *, timeout: float = 60.0, **args: Any) -> Any:
        """Do one operation and return its result; `timeout` in seconds, waiting in line included.

        Raises `NotFound`, `WrongState` or `BadInput` when MLflow refuses, and
        `TrackingUnavailable` when the store or the process is broken, late or closed.
        """
        deadline = time.monotonic() + timeout
        if not self._lock.acquire(timeout=timeout):
            raise TrackingUnavailable(f"{op}: the tracker was busy for {timeout:g} s", "try again")
        try:
            repeatable = op != "create_run" or args.get("unique_tag") is not None
            result = self._attempts(op, args, deadline, self._tries if repeatable else 1)
            if op == "init":
                self._init_args = dict(args)
            return result
        finally:
            self._lock.release()

    def close(self, timeout: float = 5.0) -> None:
        """End the process: first by closing its input, after `timeout` seconds by a kill."""
        with self._lock:
            self._closed = True
            if self._link is not None:
                self._link.close()
                self._link = None
        for child in self._children:
            try:
                child.wait(timeout)
            except subprocess.TimeoutExpired:
                _reap(child)

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _attempts(self, op: str, args: dict[str, Any], deadline: float, attempts: int) -> Any:
        for left in reversed(range(attempts)):
            begun = time.monotonic()
            try:
                link = self._linked(op, deadline)
                # What a new process takes to start is not the caller's time limit.
                deadline += time.monotonic() - begun
                return self._exchange(link, op, args, deadline)
            except _Gone as gone:
                self._drop()
                if left == 0 or self._respawn is None:
                    raise TrackingUnavailable(
                        f"{op}: the tracker process ended: {gone}", "see the worker's log"
                    ) from gone
        raise AssertionError("unreachable")

    def _linked(self, op: str, deadline: float) -> _Link:
        """The process to ask, started if there is none; raises `_Gone` when it dies at that."""
        if self._closed:
            raise TrackingUnavailable(f"{op}: the tracker is closed")
        if self._link is not None:
            return self._link
        if self._respawn is None:
            raise TrackingUnavailable(f"{op}: the tracker process has ended", "restart the worker")
        self._link = _Link(*self._respawn())
        if self._init_args is not None and op != "init":
            init_deadline = max(deadline, time.monotonic() + INIT_TIMEOUT)
            self._exchange(self._link, "init", self._init_args, init_deadline)
        return self._link

    def _exchange(self, link: _Link, op: str, args: dict[str, Any], deadline: float) -> Any:
        self._next_id += 1
        request_id = self._next_id
        try:
            line = json.dumps({"id": request_id, "op": op, "args": args})
        except (TypeError, ValueError) as error:
            raise BadInput(f"{op}: {error}", "arguments are JSON values") from error
        try:
            link.send(line.encode() + b"\n", deadline)
            reply = link.receive(request_id, deadline)
        except TimeoutError as error:
            self._drop(kill=True)  # its state is unknown, and a late answer would be another's
            raise TrackingUnavailable(
                f"{op}: no answer from the tracker in time", "the store may be locked or slow"
            ) from error
        if reply.get("ok") is True:
            return reply.get("result")
        raise _refusal(op, reply.get("error"))

    def _drop(self, kill: bool = False) -> None:
        if self._link is not None:
            self._link.close(kill)
            self._link = None


class _Link:
    """Two pipe ends: lines out and in, by a deadline of `time.monotonic`."""

    def __init__(self, read_fd: int, write_fd: int, pid: int | None) -> None:
        self.pid = pid
        self._read_fd, self._write_fd = read_fd, write_fd
        self._buffer = bytearray()
        os.set_blocking(read_fd, False)
        os.set_blocking(write_fd, False)

    def send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            _wait(self._write_fd, selectors.EVENT_WRITE, deadline)
            try:
                view = view[os.write(self._write_fd, view) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise _Gone(error.strerror or str(error)) from error

    def receive(self, request_id: int, deadline: float) -> dict[str, Any]:
        while True:
            line = self._line(deadline)
            try:
                reply = json.loads(line)
            except ValueError as error:
                raise _Gone(f"it wrote something else: {line[:80]!r}") from error
            if isinstance(reply, dict) and reply.get("id") == request_id:
                return reply

    def _line(self, deadline: float) -> bytes:
        start = 0
        while (end := self._buffer.find(b"\n", start)) < 0:
            start = len(self._buffer)
            if start > _MAX_ANSWER:
                raise _Gone("its answer has no end")
            _wait(self._read_fd, selectors.EVENT_READ, deadline)
            try:
                data = os.read(self._read_fd, 65536)
            except BlockingIOError:
                continue
            except OSError as error:
                raise _Gone(error.strerror or str(error)) from error
            if not data:
                raise _Gone("end of its output")
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def close(self, kill: bool = False) -> None:
        if kill and self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        os.close(self._write_fd)
        os.close(self._read_fd)


def _wait(fd: int, event: int, deadline: float) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(fd, event)
        if not selector.select(max(0.0, deadline - time.monotonic())):
            raise TimeoutError


def _popen(
    python: str, environment: Mapping[str, str], stderr: int | IO[Any] | None
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [python, str(TRACKER_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=dict(environment),
            start_new_session=True,  # the terminal's Ctrl-C is the worker's to handle
        )
    except OSError as error:
        raise TrackingUnavailable(
            f"the tracker could not be started with {python}: {error.strerror}",
            "check the interpreter",
        ) from error


def _reap(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.kill()
    child.wait()


def _refusal(op: str, error: object) -> OpsdeckError:
    fields = error if isinstance(error, dict) else {}
    code, message = str(fields.get("code", "")), str(fields.get("message", "unknown error"))
    kind = _REFUSALS.get(code, TrackingUnavailable)
    hint = "" if kind is not TrackingUnavailable else "check the tracking store"
    return kind(f"{op}: {message}", hint)
