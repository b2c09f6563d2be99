"""`opsdeck lineage`: where data come from, where they go, what a change would break."""

from __future__ import annotations

import json

import click

from console.groups import noun
from console.lineage_text import impact_text, tree
from console.moments import moment
from console.output import emit
from console.session import Session, pass_session
from console.tables import heading
from screens.lineage.words import name_of


@noun("Show where data come from, where they go, and what a change would break.")
def command() -> None:
    """Group of the verbs on lineage."""


@command.command("show")
@click.argument("what")
@click.option("--up", is_flag=True, help="Only what it was made from.")
@click.option("--down", is_flag=True, help="Only what was made from it.")
@click.option("--depth", type=int, default=20, show_default=True, help="How many steps away.")
@pass_session
def show(session: Session, what: str, up: bool, down: bool, depth: int) -> None:
    """Show the lineage of WHAT, both ways: [KIND/]NAME[.COLUMN].

    KIND is source, dataset, feature_view, run, model, endpoint or capture; it can be left
    out where the name says enough. A model is NAME/VERSION, or NAME for its newest version.

    \b
    opsdeck lineage show rentals
    opsdeck lineage show rentals.count --down
    opsdeck lineage show model/bike-demand/3 --up
    """
    service = session.ops().lineage
    node = service.find(what)
    both = up == down
    above = service.upstream(node, depth) if up or both else None
    below = service.downstream(node, depth) if down or both else None

    def text() -> str:
        parts = [heading(session, name_of(node))]
        if above is not None:
            parts += ["made from", tree(session, above, "nothing that is known")]
        if below is not None:
            parts += ["goes into", tree(session, below, "nothing that is known")]
        return "\n".join(parts)

    emit(session, {"node": node, "upstream": above, "downstream": below}, text)


@command.command("impact")
@click.argument("what")
@pass_session
def impact(session: Session, what: str) -> None:
    """Show what breaks if WHAT ([KIND/]NAME[.COLUMN]) changes or goes away."""
    found = session.ops().lineage.impact(what)
    emit(session, found, lambda: impact_text(session, found))


@command.command("export")
@click.option("--since", default=None, help="Only what happened after this (ISO time, or 7d).")
@click.option("--to", default=None, metavar="URL|FILE", help="Send there instead of printing.")
@pass_session
def export(session: Session, since: str | None, to: str | None) -> None:
    """Print OpenLineage events, one JSON document a line.

    With `lake: {openlineage: URL or file}` in opsdeck.yaml the worker sends them by itself. A
    backend's key is read from OPENLINEAGE_API_KEY.
    """
    service = session.ops().lineage
    after = moment("--since", since) or 0.0
    if to is not None:
        sent = service.send(to, after)
        emit(session, {"sent": sent, "to": to}, lambda: f"{sent} events sent to {to}")
        return
    for event in service.events(after):
        click.echo(json.dumps(event, separators=(",", ":")))
