"""`opsdeck alerts`: what somebody should know of, and saying that it is looked after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from console.groups import noun
from console.output import emit
from console.session import Session, pass_session
from console.tables import Column, table
from console.words import Cell, state, when
from core.errors import BadInput

if TYPE_CHECKING:
    from core.domain.alert import Alert

STATES = ("open", "acknowledged", "resolved")
_COLOURS = {"critical": "red", "warning": "yellow", "info": "bright_black"}


@noun("List alerts, acknowledge and resolve them.")
def command() -> None:
    """Group of the verbs on alerts."""


@command.command("list")
@click.option("--state", "wanted", type=click.Choice(STATES), help="Only those (default: open).")
@click.option("--all", "all_", is_flag=True, help="Those that are over, too.")
@click.option("--endpoint", metavar="NAME", help="Only those about this endpoint.")
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@pass_session
def list_(
    session: Session, wanted: str | None, all_: bool, endpoint: str | None, limit: int
) -> None:
    """List alerts, newest first."""
    if all_ and wanted is not None:
        raise BadInput("--all and --state exclude each other")
    found = session.ops().alerts.list(
        state=None if all_ else wanted or "open",
        target=None if endpoint is None else f"endpoint/{endpoint}",
        limit=limit,
    )
    emit(session, {"alerts": found}, lambda: _text(session, found))


@command.command("ack")
@click.argument("alert")
@click.option("-m", "--comment", default="", help="What you do about it, for the journal.")
@pass_session
def ack(session: Session, alert: str, comment: str) -> None:
    """Say that you look after ALERT (the beginning of its id)."""
    done = session.ops().alerts.acknowledge(alert, comment)
    emit(session, done, lambda: f"alert {done.id} of {done.target}: acknowledged")


@command.command("resolve")
@click.argument("alert")
@click.option("-m", "--comment", default="", help="What it was, for the journal.")
@pass_session
def resolve(session: Session, alert: str, comment: str) -> None:
    """Say that ALERT (the beginning of its id) is over."""
    done = session.ops().alerts.resolve(alert, comment)
    emit(session, done, lambda: f"alert {done.id} of {done.target}: resolved")


def _text(session: Session, found: tuple[Alert, ...]) -> str:
    if not found:
        return "no such alerts"
    columns = [
        Column("alert"),
        Column("when"),
        Column("severity"),
        Column("state"),
        Column("about", flexible=True),
        Column("what", flexible=True),
        Column("why", flexible=True),
    ]
    rows = [
        (
            each.id,
            when(each.at, terminal=session.terminal),
            Cell(each.severity, _COLOURS[each.severity]),
            state(each.state, terminal=session.terminal),
            each.target,
            each.title,
            each.message,
        )
        for each in found
    ]
    return table(session, columns, rows)
