"""The worker process: `python -m core.engine.worker WORKSPACE [SLOTS]`, or `opsdeck worker`."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from core.engine import workerlog
from core.errors import DiskFull, OpsdeckError, WorkerAlreadyRunning, WorkerUnavailable
from core.quiet import QUIET_ENVIRONMENT
from core.session import Session
from core.workspace import Workspace, open_workspace

log = logging.getLogger("opsdeck.worker")


def main(workspace: Workspace, slots: int | None = None) -> int:
    """Serve the workspace's runs until SIGTERM or SIGINT; returns the exit status.

    Raises `WorkerAlreadyRunning` where an embedded workspace has one, `StateVersion`,
    `StateCorrupt`, `DiskFull` and `WorkerUnavailable`.
    """
    os.environ.update(QUIET_ENVIRONMENT)
    workerlog.set_up(workspace.state_dir / "worker.log")
    for name in ("dbos", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.raiseExceptions = False  # a log that cannot be written is no reason to say so in it
    try:
        workspace.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _lock(workspace)
        try:
            return _serve(workspace, slots or workspace.slots)
        finally:
            os.close(lock)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull(
                f"{workspace.state_dir}: no room on the disk", "free some space, then start again"
            ) from error
        raise WorkerUnavailable(f"the worker cannot start: {error}") from error


def _serve(workspace: Workspace, slots: int) -> int:
    # Heavy from here on: after the lock, so that a second worker leaves at once.
    from core.engine import durable
    from core.engine.alertwork import AlertWork
    from core.engine.caretaker import Caretaker
    from core.engine.context import SYSTEM, Engine, set_engine
    from core.engine.dispatcher import Dispatcher
    from core.engine.duties import Duties
    from core.engine.heartbeat import Heartbeat, new_worker_id
    from core.engine.monitorduty import MonitorDuty
    from core.engine.plan import threads_per_step
    from core.engine.remoteduty import RemoteDuty
    from core.engine.slots import Slots
    from core.engine.tracking import LazyTracker
    from core.engine.warm import WarmServer
    from core.engine.watchwork import Watchman

    worker_id = new_worker_id()
    warm = WarmServer(workspace.state_dir / "warm-server.log", worker_id)  # boots meanwhile
    session = Session(workspace, SYSTEM, read_only=False)
    engine = Engine(
        workspace=workspace,
        session=session,
        store=session.store(),
        warm=warm,
        tracker=LazyTracker(workspace, warm),
        worker_id=worker_id,
        slots=Slots(slots),
        threads=threads_per_step(slots),
    )
    set_engine(engine)
    asked_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.set())
    heartbeat = Heartbeat(engine, slots, on_fenced=asked_to_stop.set)
    heartbeat.announce()
    heartbeat.start()
    durable.launch(workspace, engine.worker_id)
    heartbeat.serve()
    Dispatcher(engine).start()
    Caretaker(engine).start()
    Duties(engine).start()
    Watchman(engine).start()
    MonitorDuty(engine).start()
    RemoteDuty(engine).start()
    AlertWork(engine).start()
    log.info("worker %s serves %s with %d slots", engine.worker_id, workspace.root, slots)
    asked_to_stop.wait()
    engine.stopping.set()
    warm.close()  # its step processes with it: their workflows stay pending for the next one
    with contextlib.suppress(OpsdeckError):
        heartbeat.stopped()
    log.info("worker %s has stopped", engine.worker_id)
    logging.shutdown()
    os._exit(0)  # threads that wait at gates would hold a normal exit back


def _lock(workspace: Workspace) -> int:
    """One worker for an embedded workspace; any number on a shared database."""
    path = workspace.state_dir / "worker.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    if not workspace.embedded:
        return handle
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(handle, 32, 0).decode().strip() or "unknown"
        os.close(handle)
        raise WorkerAlreadyRunning(
            f"{workspace.root}: a worker runs already (process {pid})",
            "one is enough; for several use a PostgreSQL database",
        ) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return handle


if __name__ == "__main__":
    try:
        sys.exit(
            main(open_workspace(Path(sys.argv[1])), int(sys.argv[2]) if len(sys.argv) > 2 else None)
        )
    except OpsdeckError as error:
        sys.stderr.write(f"{error.one_line()}\n")
        sys.exit(error.exit_status)
