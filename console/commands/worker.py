"""`opsdeck worker`: execute runs and deployments in this terminal."""

from __future__ import annotations

import click

from console.groups import Verb
from console.session import Session, pass_session
from core.errors import BadInput, ReadOnly


@click.command("worker", cls=Verb)
@click.option(
    "--slots",
    type=click.IntRange(1, 64),
    help="Steps executed at once (default: worker.slots of opsdeck.yaml).",
)
@pass_session
def command(session: Session, slots: int | None) -> None:
    """Execute the workspace's runs and deployments until interrupted.

    The console and the commands that need a worker start one in the background by
    themselves; this is for a machine of its own, a service manager, or a container.
    What a stopped worker was doing goes on when the next one starts.
    """
    if session.json:
        raise BadInput("--json does not go with worker", "see: opsdeck doctor --json")
    if session.read_only:
        raise ReadOnly("worker: a read-only session executes nothing", "leave out --read-only")
    workspace = session.ops().workspace
    from core.engine.worker import main

    raise click.exceptions.Exit(main(workspace, slots or workspace.slots))
