"""`opsdeck slos`: what is promised of endpoints, and how much of the error budget is left."""

from __future__ import annotations

import click

from console.alarm_text import slo_text, slos_text
from console.groups import noun
from console.output import emit
from console.session import Session, pass_session


@noun("Show objectives, their error budgets and burn rates.")
def command() -> None:
    """Group of the verbs on objectives."""


@command.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the objectives, the least budget left first."""
    found = session.ops().slos.list()
    emit(session, {"slos": found}, lambda: slos_text(session, found))


@command.command("show")
@click.argument("name")
@pass_session
def show(session: Session, name: str) -> None:
    """Show an objective: what is left of its budget, how fast it burns, its alarms."""
    found = session.ops().slos.get(name)
    emit(session, found, lambda: slo_text(session, found))
