"""Workers: who is alive, and starting one in the background."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time

from core.domain.worker import Worker
from core.engine.launch import start_worker
from core.errors import WorkerUnavailable
from core.processes import started
from core.reads.workers import list_workers
from core.session import Session


class WorkersService:
    """The workers of the workspace's database."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._stopped = session.workspace.state_dir / "stopped"

    def list(self) -> tuple[Worker, ...]:
        """Workers seen within the last hour, newest first."""
        return list_workers(self._session.reader)

    def alive(self) -> bool:
        """Whether some worker lives (on this host: its process is looked at too)."""
        return any(_lives(worker) for worker in self.list())

    def wake(self) -> None:
        """Start a worker in the background where the workspace is embedded and none lives."""
        self._session.refuse_when_read_only("starting a worker")
        if self._session.workspace.embedded and not self.alive():
            self._stopped.unlink(missing_ok=True)
            start_worker(self._session.workspace)

    def keep_alive(self) -> None:
        """The same for who only watches: a worker that was stopped on purpose stays stopped."""
        if not self._stopped.exists():
            self.wake()

    def ensure(self, timeout: float = 30.0) -> Worker:
        """The living worker, started first if there is none; raises `WorkerUnavailable`."""
        deadline = time.monotonic() + timeout
        started = False
        while True:
            for worker in self.list():
                if _lives(worker):
                    return worker
            if not started:
                self._session.refuse_when_read_only("starting a worker")
                start_worker(self._session.workspace)
                started = True
            if time.monotonic() > deadline:
                raise WorkerUnavailable(
                    f"no worker was ready within {timeout:g} s",
                    f"look into {self._session.workspace.state_dir / 'worker.log'}",
                )
            time.sleep(0.1)

    def stop(self, timeout: float = 10.0) -> int:
        """End this host's workers; what they execute is taken up by the next one.

        Returns how many were ended. Raises `WorkerUnavailable` when one does not leave.
        """
        self._session.refuse_when_read_only("stopping a worker")
        if self._session.workspace.state_dir.is_dir():
            self._stopped.touch()
        mine = [w for w in self.list() if w.host == socket.gethostname() and _lives(w)]
        for worker in mine:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGTERM)
        deadline = time.monotonic() + timeout
        for worker in mine:
            while started(worker.pid) is not None:
                if time.monotonic() > deadline:
                    raise WorkerUnavailable(
                        f"worker {worker.pid} did not leave within {timeout:g} s",
                        f"end it with: kill -9 {worker.pid}",
                    )
                time.sleep(0.05)
        return len(mine)


def _lives(worker: Worker) -> bool:
    if not worker.alive:
        return False
    if worker.host != socket.gethostname():
        return True
    begun = started(worker.pid)
    return begun is not None and worker.id.endswith(f"-{begun}") and worker.pid != os.getpid()
