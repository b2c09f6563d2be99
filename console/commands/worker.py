"""`opsdeck worker`: execute runs and deployments in this terminal."""

from __future__ import annotations

import click

from console.groups import Verb
from console.output import emit
from console.session import Session, pass_session
from core.errors import BadInput, ReadOnly, WorkerUnavailable

STOP_SECONDS = 15.0


@click.command("worker", cls=Verb)
@click.option(
    "--slots",
    type=click.IntRange(1, 64),
    help="Steps executed at once (default: worker.slots of opsdeck.yaml).",
)
@click.option("--stop", is_flag=True, help="Stop this machine's worker of the workspace instead.")
@pass_session
def command(session: Session, slots: int | None, stop: bool) -> None:
    """Execute the workspace's runs and deployments until interrupted.

    The console and the commands that need a worker start one in the background by
    themselves; this is for a machine of its own, a service manager, or a container.
    What a stopped worker was doing goes on when the next one starts.
    """
    if stop:
        _stop(session)
        return
    if session.json:
        raise BadInput("--json does not go with worker", "see: opsdeck doctor --json")
    if session.read_only:
        raise ReadOnly("worker: a read-only session executes nothing", "leave out --read-only")
    workspace = session.ops().workspace
    # Off before the first import of anything that would send it.
    import os

    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")
    from core.engine.worker import main

    raise click.exceptions.Exit(main(workspace, slots or workspace.slots))


def _stop(session: Session) -> None:
    """End this machine's workers of the workspace, and wait until they have left."""
    import contextlib
    import os
    import signal
    import socket
    import time

    from core.engine.launch import process_start_time

    if session.read_only:
        raise ReadOnly("worker --stop: this session is read-only", "leave out --read-only")
    here = socket.gethostname()
    # A process id alone may be another program's by now: its start time must agree too.
    mine = [
        worker
        for worker in session.ops().workers.list()
        if worker.host == here and worker.id.endswith(f"-{process_start_time(worker.pid)}")
    ]
    for worker in mine:
        with contextlib.suppress(ProcessLookupError):  # it left by itself meanwhile
            os.kill(worker.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while any(process_start_time(worker.pid) is not None for worker in mine):
        if time.monotonic() > deadline:
            pids = ", ".join(str(worker.pid) for worker in mine)
            raise WorkerUnavailable(f"worker {pids} does not stop", f"look at: ps {pids}")
        time.sleep(0.05)
    emit(session, {"stopped": mine}, lambda: f"stopped {len(mine)} worker{'s' * (len(mine) != 1)}")
