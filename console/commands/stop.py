"""`opsdeck stop`: end the processes of a workspace."""

from __future__ import annotations

import sys

import click

from console.groups import Verb
from console.output import emit
from console.session import Session, pass_session
from core.errors import OpsdeckError, ReadOnly


@click.command("stop", cls=Verb)
@pass_session
def command(session: Session) -> None:
    """End the workspace's worker and endpoint processes on this machine.

    Nothing is lost: the next worker brings the endpoints up again as they were, and takes
    up the runs where they stopped. What does not stop is named, and the exit status is 1.
    """
    ops = session.ops()
    workers, failed = 0, dict[str, str]()
    try:
        workers = ops.workers.stop()
    except ReadOnly:
        raise
    except OpsdeckError as error:
        failed["workers"] = error.one_line()
    stopped = []
    for endpoint in ops.endpoints.list():
        try:
            control = ops.endpoints.control(endpoint.name)
            # Not what it answers: one that hangs answers nothing and runs all the same.
            info = control.info()
            if info is not None and info.alive:
                control.stop()
                stopped.append(endpoint.name)
        except OpsdeckError as error:
            failed[endpoint.name] = error.one_line()

    def text() -> str:
        names = ", ".join(stopped) or "none"
        lines = [f"stopped: {workers} worker{'s' * (workers != 1)}; endpoints: {names}"]
        return "\n".join([*lines, *(f"not stopped: {n}: {why}" for n, why in failed.items())])

    emit(session, {"workers": workers, "endpoints": stopped, "failed": failed}, text)
    if failed:
        sys.exit(1)
