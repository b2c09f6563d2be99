"""Opening the console on a workspace."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from console.failures import Bug, described
from console.session import Session
from core.errors import BadInput

if TYPE_CHECKING:
    from core.ops import Ops


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
    show_console(session.ops())


def show_console(ops: Ops, start_mode: str = "pulse") -> None:
    """Show the console until the person leaves it; raises `Bug` where a fault ended it."""
    from console.app import OpsdeckApp

    app = OpsdeckApp(ops, start_mode=start_mode)
    app.run()
    if app.fault is not None:
        raise Bug(
            f"the console ended by a fault: {described(app.fault)}",
            f"this is a bug; its trace is in {app.log_path}",
        )
