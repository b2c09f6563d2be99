"""`opsdeck stop`: end the processes of a workspace."""

from __future__ import annotations

import click

from console.groups import Verb
from console.output import emit
from console.session import Session, pass_session


@click.command("stop", cls=Verb)
@pass_session
def command(session: Session) -> None:
    """End the workspace's worker and endpoint processes on this machine.

    Nothing is lost: the next worker brings the endpoints up again as they were, and takes
    up the runs where they stopped.
    """
    ops = session.ops()
    workers = ops.workers.stop()
    stopped = []
    for endpoint in ops.endpoints.list():
        if endpoint.supervisor_pid is not None:
            ops.endpoints.control(endpoint.name).stop()
            stopped.append(endpoint.name)

    def text() -> str:
        names = ", ".join(stopped) or "none"
        return f"stopped: {workers} worker{'s' * (workers != 1)}; endpoints: {names}"

    emit(session, {"workers": workers, "endpoints": stopped}, text)
