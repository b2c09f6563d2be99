"""Opening the console on a workspace."""

from __future__ import annotations

import sys

from console.session import Session
from core.errors import BadInput


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
    ops = session.ops()
    from console.app import OpsdeckApp

    OpsdeckApp(ops).run()
