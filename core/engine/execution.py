"""One execution of a step: a process from the warm server, watched until it has ended.

The calling thread does all of it: reads the process's output line by line, its events and
its memory use, and kills the whole process group when the time is up, the memory is more
than allowed, or the run is cancelled.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.domain.run import OutputRef
from core.engine.logwriter import LogWriter
from core.engine.warm import Exit, StepProcess, WarmServer

TICK_SECONDS = 0.2
DRAIN_SECONDS = 1.0
GRACE_SECONDS = 3.0
MEMORY_EVERY = 0.5
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Order:
    """What to execute. `request` is for the step process; times are seconds."""

    execution_id: str
    request: Mapping[str, Any]
    work_dir: Path
    log: Path
    attempt: int
    timeout: float
    memory_mb: int | None = None


@dataclass(slots=True)
class Outcome:
    """How it ended. `reason` is one line; "" when it ended well. `stopped` says who killed
    it: "cancelled", "timeout", "memory", or "" when it ended by itself."""

    exit: Exit
    outputs: list[dict[str, str]] = field(default_factory=list)
    reason: str = ""
    stopped: str = ""
    pid: int = 0
    note: str = ""
    """A line when it ended well: that the log could not be written, which trial was the best."""
    published: list[OutputRef] = field(default_factory=list)
    """Outputs that are in the artifact store already."""

    @property
    def ok(self) -> bool:
        """Whether the step said that all was stored, and left with 0."""
        return not self.reason


class Execution:
    """Runs one `Order`. Use once."""

    def __init__(self, warm: WarmServer, order: Order, cancelled: Callable[[], bool]) -> None:
        self._warm = warm
        self._order = order
        self._cancelled = cancelled
        self._open: set[int] = set()
        self._wake_lock = threading.Lock()
        self._wake_read = self._wake_write = -1
        self._events = b""
        self._outputs: list[dict[str, str]] = []
        self._error = ""
        self._done = False
        self._stopped = ""
        self._stop_note = ""
        self._kill_at = 0.0

    def run(self, on_start: Callable[[int], None]) -> Outcome:
        """Execute to the end; `on_start` gets the process id.

        Raises `WorkerUnavailable`, and `OSError` where there is no room or no descriptor left.
        """
        order = self._order
        log = LogWriter(order.log, order.attempt)
        process: StepProcess | None = None
        try:
            self._wake_read, self._wake_write = self._pipe()
            ends = {name: self._pipe() for name in ("out", "err", "events")}
            order.work_dir.mkdir(parents=True)
            request = order.work_dir / "request.json"
            request.write_text(json.dumps(order.request))
            process = self._start(request, ends)
            on_start(process.pid)
            self._watch(process, {name: pair[0] for name, pair in ends.items()}, log)
            return self._outcome(process, log)
        except BaseException:
            # Nobody watches it any more, and nobody will take what it made.
            if process is not None:
                process.kill()
            shutil.rmtree(order.work_dir, ignore_errors=True)
            raise
        finally:
            log.close()
            with self._wake_lock:
                self._close(*self._open)

    def _pipe(self) -> tuple[int, int]:
        pair = os.pipe()
        self._open.update(pair)
        return pair

    def _close(self, *fds: int) -> None:
        """Close these, each once: another thread may get the same number right after."""
        for fd in fds:
            self._open.remove(fd)
            os.close(fd)

    def _poke(self) -> None:
        """Wake the watcher; done by the warm server's reader, maybe after the watcher has left."""
        with self._wake_lock:
            if self._wake_write in self._open:
                os.write(self._wake_write, b"x")

    def _start(self, request: Path, ends: Mapping[str, tuple[int, int]]) -> StepProcess:
        writes = (ends["out"][1], ends["err"][1], ends["events"][1])
        try:
            return self._warm.start(self._order.execution_id, request, writes, self._poke)
        finally:
            self._close(*writes)

    def _watch(self, process: StepProcess, fds: Mapping[str, int], log: LogWriter) -> None:
        deadline = time.monotonic() + self._order.timeout
        next_memory = time.monotonic() + MEMORY_EVERY
        drain_until: float | None = None
        with selectors.DefaultSelector() as selector:
            for name, fd in fds.items():
                os.set_blocking(fd, False)
                selector.register(fd, selectors.EVENT_READ, name)
            selector.register(self._wake_read, selectors.EVENT_READ, "wake")
            while True:
                for key, _ in selector.select(0.02 if drain_until else TICK_SECONDS):
                    self._read(selector, key, log)
                now = time.monotonic()
                if process.exit is not None:
                    # What it left behind may hold the pipes: don't wait for that.
                    drain_until = drain_until or now + DRAIN_SECONDS
                    if len(selector.get_map()) == 1 or now > drain_until:
                        return
                    continue
                if now > deadline:
                    self._stop(process, "timeout", log)
                elif self._cancelled():
                    self._stop(process, "cancelled", log)
                elif self._order.memory_mb is not None and now > next_memory:
                    next_memory = now + MEMORY_EVERY
                    self._check_memory(process, log)

    def _read(
        self, selector: selectors.BaseSelector, key: selectors.SelectorKey, log: LogWriter
    ) -> None:
        try:
            data = os.read(key.fd, 1 << 18)
        except BlockingIOError:
            return
        if key.data == "wake":
            return
        if not data:
            selector.unregister(key.fd)
        elif key.data == "events":
            self._take_events(data)
        else:
            log.feed(key.data, data)

    def _take_events(self, data: bytes) -> None:
        *lines, self._events = (self._events + data).split(b"\n")
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:  # the user's code has found the pipe: not ours, not to be trusted
                self._error = "it wrote into the pipe that belongs to Opsdeck"
                continue
            if event["event"] == "output":
                self._outputs.append({k: event[k] for k in ("name", "kind", "path")})
            elif event["event"] == "error":
                self._error = str(event["message"])
            elif event["event"] == "done":
                self._done = True

    def _stop(self, process: StepProcess, why: str, log: LogWriter) -> None:
        """Ask the group to end, and after a moment make it."""
        now = time.monotonic()
        if not self._stopped:
            self._stopped = why
            self._kill_at = now + GRACE_SECONDS
            log.say(f"stopping the step: {self._stop_note or why}")
            process.kill(signal.SIGTERM)
        elif now > self._kill_at:
            process.kill(signal.SIGKILL)

    def _check_memory(self, process: StepProcess, log: LogWriter) -> None:
        used = tree_memory_mb(process.pid)
        limit = self._order.memory_mb
        if limit is not None and used > limit:
            self._stop_note = f"it uses {used:,.0f} MiB of memory, {limit:,} MiB are allowed"
            self._kill_at = 0.0
            self._stop(process, "memory", log)
            process.kill(signal.SIGKILL)

    def _outcome(self, process: StepProcess, log: LogWriter) -> Outcome:
        assert process.exit is not None
        outcome = Outcome(process.exit, self._outputs, stopped=self._stopped, pid=process.pid)
        outcome.reason = self._reason(process.exit)
        if outcome.reason:
            log.say(outcome.reason)
        outcome.note = log.failed
        return outcome

    def _reason(self, exit_: Exit) -> str:
        if self._stopped == "cancelled":
            return "cancelled"
        if self._stopped == "timeout":
            return f"ran longer than its time limit of {self._order.timeout:g} s"
        if self._stopped == "memory":
            return self._stop_note
        if exit_.lost:
            return "lost: the warm server died"
        if self._error:
            return self._error
        if exit_.signal is not None:
            name = signal.Signals(exit_.signal).name
            hint = " (out of memory?)" if exit_.signal == signal.SIGKILL else ""
            return f"killed by {name}{hint}"
        if exit_.code != 0:
            return f"left with exit status {exit_.code} before it had finished"
        return "" if self._done else "left before it had finished"


def tree_memory_mb(leader: int) -> float:
    """Resident memory of a process and all below it, in MiB, pages they share counted once
    (of each process's shared pages those of the leader only)."""
    total = 0
    waiting = [leader]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(OSError, ValueError, IndexError):
            resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
            total += int(resident) - (0 if pid == leader else int(shared))
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                waiting += map(int, children.read_text().split())
    return total * _PAGE / (1 << 20)
