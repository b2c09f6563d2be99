"""`opsdeck doctor`: is everything there that is needed, and does it work."""

from __future__ import annotations

from collections.abc import Iterator

import click

from console.doctor import BROKEN, Check, machine_checks, workspace_checks
from console.failures import EXIT_REFUSED
from console.groups import Verb
from console.output import emit
from console.session import Session, pass_session
from console.tables import Column, table
from console.words import Cell
from core.errors import ConfigInvalid, NotAWorkspace

_SIGNS = {"ok": ("✓", "green"), "warning": ("▲", "yellow"), "broken": ("✗", "red")}


@click.command("doctor", cls=Verb)
@pass_session
def command(session: Session) -> None:
    """Check Python, dependencies, the workspace and everything that it stands on.

    Exits 1 if something is broken; warnings alone exit 0.
    """
    checks = list(_checks(session))
    broken = [check for check in checks if check.state == BROKEN]
    emit(session, {"ok": not broken, "checks": checks}, lambda: _text(session, checks))
    if broken:
        raise click.exceptions.Exit(EXIT_REFUSED)


def _checks(session: Session) -> Iterator[Check]:
    yield from machine_checks()
    try:
        ops = session.ops(any_schema=True)
    except (NotAWorkspace, ConfigInvalid) as error:
        yield Check("workspace", BROKEN, f"{error.code} {error.message}", error.hint)
        return
    yield from workspace_checks(ops)


def _text(session: Session, checks: list[Check]) -> str:
    columns = [
        Column("check"),
        Column("state"),
        Column("found", flexible=True),
        Column("what to do", flexible=True),
    ]
    return table(session, columns, [_row(session, check) for check in checks])


def _row(session: Session, check: Check) -> tuple[Cell | str, ...]:
    glyph, colour = _SIGNS[check.state]
    word = f"{glyph} {check.state}" if session.terminal else check.state
    return check.name, Cell(word, colour), check.message, check.hint
