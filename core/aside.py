"""Heavy reading aside: a process of one's own that has the data libraries loaded.

A front end must not load pyiceberg, DuckDB or Polars: their imports would hold its event loop
for seconds. It asks here instead, and the process that answers stays for the next question.
Questions are methods of the services of `Ops`; answers are domain records. The two ends are
processes of one person on one machine, so they speak pickles over pipes.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, BinaryIO

from core.errors import OpsdeckError, ServiceUnavailable
from core.quiet import QUIET_ENVIRONMENT
from core.session import Session

HEAD = struct.Struct("!Q")
SERVICES = (
    "data", "explaining", "explore", "fairness", "features", "governance", "ingest", "labelling",
    "lineage", "monitors", "quality", "queries", "recipes", "remote", "triggers", "views",
)  # fmt: skip
"""What may be asked: the services that need the libraries."""


class Cancelled(OpsdeckError):
    """Somebody ended the question before it was answered."""

    code = "E313"


class Aside:
    """The process aside, started by the first question. Thread-safe; one question at a time.

    A question that is cancelled ends the process, the only sure way to stop a library; the next
    question starts another.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._child: subprocess.Popen[bytes] | None = None
        self._asking = threading.Lock()
        self._cancelled = False
        self._closed = False

    def ask(
        self, service: str, method: str, *args: Any, seconds: float = 600.0, **named: Any
    ) -> Any:
        """What `ops.SERVICE.METHOD(*args, **named)` returns, computed aside.

        Raises what it raises, `Cancelled`, and `ServiceUnavailable` when the process dies or
        has not answered after so many seconds.
        """
        if service not in SERVICES:
            raise ValueError(f"no questions to {service}")
        with self._asking:
            self._cancelled = False
            child = self._alive()
            try:
                write(_pipe(child.stdin), (service, method, args, named))
                self._await(child, seconds)
                good, answer = read(_pipe(child.stdout))
            except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
                self._end()
                if self._cancelled:
                    raise Cancelled(f"{service} {method}: cancelled") from error
                raise ServiceUnavailable(
                    f"{service} {method}: the process that worked on it has died",
                    f"see {self._session.workspace.state_dir / 'aside.log'}",
                ) from error
        if not good:
            raise answer
        return answer

    def warm(self) -> None:
        """Start the process, so that the first question finds it ready. Does not wait."""
        with self._asking:
            self._alive()

    def cancel(self) -> None:
        """End the question that is being worked on, if any."""
        child = self._child
        if child is not None and self._asking.locked():
            self._cancelled = True
            child.kill()

    def close(self) -> None:
        """End the process."""
        self._closed = True
        self._end()

    def _alive(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise ServiceUnavailable("the console is closing")
        if self._child is None or self._child.poll() is not None:
            self._child = _start(self._session)
        return self._child

    def _await(self, child: subprocess.Popen[bytes], seconds: float) -> None:
        """Return when there is something to read."""
        until = time.monotonic() + seconds
        while not select.select([_pipe(child.stdout)], [], [], 0.5)[0]:
            if time.monotonic() > until:
                raise EOFError(f"no answer after {seconds:g} s")

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(2)
        for pipe in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                _pipe(pipe).close()


def _start(session: Session) -> subprocess.Popen[bytes]:
    workspace = session.workspace
    command = [sys.executable, "-P", "-m", "core.asidechild", str(workspace.root), session.actor]
    try:
        workspace.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (workspace.state_dir / "aside.log").open("ab") as log:
            return subprocess.Popen(
                [*command, *(["--read-only"] if session.read_only else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # a ^C is for the front end
                env={**os.environ, **QUIET_ENVIRONMENT},
            )
    except OSError as error:
        raise ServiceUnavailable(f"no process can be started: {error.strerror}") from error


def _pipe(pipe: Any) -> BinaryIO:
    assert pipe is not None
    found: BinaryIO = pipe
    return found


def write(pipe: BinaryIO, value: object) -> None:
    """One message: its length, then the pickle."""
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.write(HEAD.pack(len(data)))
    pipe.write(data)
    pipe.flush()


def read(pipe: BinaryIO) -> Any:
    """The next message; raises `EOFError` where there is none."""
    head = _exactly(pipe.read, HEAD.size)
    return pickle.loads(_exactly(pipe.read, HEAD.unpack(head)[0]))


def _exactly(take: Callable[[int], bytes], size: int) -> bytes:
    data = take(size)
    if len(data) != size:
        raise EOFError("the pipe has ended")
    return data
