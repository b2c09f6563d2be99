"""Opening the console: on a workspace or an AWS account, and from one to the other."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from console.failures import Bug, described
from console.session import Session
from core.errors import BadInput, OpsdeckError

if TYPE_CHECKING:
    from core.ops import Ops
    from screens.backend import Backend

Place = tuple[str, str]
"""The name of a context and a region, "" for its own; no name is the workspace."""


def open_console(session: Session) -> None:
    """Show the console until the person leaves it.

    Raises `BadInput` without a terminal, or with `--json`, which a screen cannot obey.
    """
    if session.json:
        raise BadInput("--json goes with a command", "for example: opsdeck runs list --json")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadInput(
            "the console needs a terminal on standard input and output",
            "use a command instead, for example: opsdeck runs list; see: opsdeck --help",
        )
    from console.contexts import named_context

    name = "" if session.workspace is not None and not session.context else named_context(session)
    if session.region and not name:
        raise BadInput("--region goes with --context", "name the AWS account: --context NAME")
    here: Place = (name or "", session.region or "")
    show(lambda place: open_place(session, place), here)


def show_console(ops: Ops, start_mode: str = "pulse") -> None:
    """Show the console on a workspace until the person leaves it, whatever else they look at
    meanwhile; raises `Bug` where a fault ended it."""
    session = Session(workspace=ops.workspace.root, actor=ops.actor, read_only=ops.read_only)
    show(lambda place: ops if not place[0] else open_place(session, place), ("", ""), start_mode)


def show(open_: Callable[[Place], Ops | Backend], place: Place, start_mode: str = "pulse") -> None:
    """Show one console after the other, as somebody goes from context to context.

    Raises what opening the first raises; where another can't be opened the one before is shown
    again and tells why. `Bug` where a fault ended one.
    """
    from console.app import OpsdeckApp

    on, told = open_(place), ""
    while True:
        app = OpsdeckApp(on, start_mode=start_mode)
        if told:
            app.say_first(told)
        app.run()
        if app.fault is not None:
            raise Bug(
                f"the console ended by a fault: {described(app.fault)}",
                f"this is a bug; its trace is in {app.log_path}",
            )
        if app.switch_to is None:
            return
        start_mode = app.current_mode
        try:
            on, told = open_(app.switch_to), ""
        except OpsdeckError as error:
            told = error.one_line()


def open_place(session: Session, place: Place) -> Ops | Backend:
    """What a console is opened on: the workspace of the session, or the account of a context."""
    name, region = place
    if not name:
        workspace = replace(session, context=None, region=None)
        session._ops = workspace.ops()  # it stays open while one looks elsewhere
        return session._ops
    from console.awsapp import aws_backend

    return aws_backend(replace(session, context=name, region=region or None, _account=None))
