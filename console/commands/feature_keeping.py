"""The verbs of `opsdeck features` that change definitions and online stores."""

from __future__ import annotations

import click

from console import feature_text as text
from console.groups import Verb
from console.moments import moment
from console.output import emit
from console.session import Session, pass_session
from core.errors import BadInput


def attach(group: click.Group) -> None:
    """Put these verbs into the noun `features`."""
    for verb in (apply, materialize, backfill, skew, retire):
        group.add_command(verb)


@click.command("apply", cls=Verb)
@click.argument("names", nargs=-1)
@click.option("--all", "all_", is_flag=True, help="Every file under features/.")
@pass_session
def apply(session: Session, names: tuple[str, ...], all_: bool) -> None:
    """Take over the definition in features/NAME.yaml.

    A definition that gives other values is a new version; models go on reading theirs.
    """
    service = session.ops().features
    if bool(names) == all_:
        raise BadInput("name views, or give --all", "for example: opsdeck features apply --all")
    wanted = names or service.names()
    done = [service.apply(name) for name in wanted]
    emit(session, {"features": done}, lambda: "\n".join(text.applied(view) for view in done))


@click.command("materialize", cls=Verb)
@click.argument("views", nargs=-1)
@click.option("--all", "all_", is_flag=True, help="Every view that is kept online.")
@click.option("--rebuild", is_flag=True, help="Make the online store anew.")
@pass_session
def materialize(session: Session, views: tuple[str, ...], all_: bool, rebuild: bool) -> None:
    """Bring online stores up to their sources: what is new there, or all where rows were
    rewritten."""
    service = session.ops().features
    if bool(views) == all_:
        raise BadInput("name views, or give --all", "opsdeck features materialize --all")
    wanted = views or tuple(view.spec.name for view in service.list() if view.spec.online)
    done = [service.materialize(ref, rebuild=rebuild) for ref in wanted]
    emit(
        session, {"materialized": done}, lambda: "\n".join(text.materialized(each) for each in done)
    )


@click.command("backfill", cls=Verb)
@click.argument("view")
@click.option("--from", "since", metavar="TIME", help="Event times from here: 2026-01-01, 7d.")
@click.option("--to", "until", metavar="TIME", help="… and before this.")
@pass_session
def backfill(session: Session, view: str, since: str | None, until: str | None) -> None:
    """Look at a range of event times again; no row overwrites a newer one."""
    begin, end = moment("--from", since), moment("--to", until)
    done = session.ops().features.backfill(view, begin, end)
    emit(session, done, lambda: text.materialized(done))


@click.command("skew", cls=Verb)
@click.argument("view")
@click.option("-n", "--sample", type=click.IntRange(1, 100_000), default=1000, show_default=True)
@click.option("--last", is_flag=True, help="Measure nothing; show what was measured before.")
@pass_session
def skew(session: Session, view: str, sample: int, last: bool) -> None:
    """Compare some entities online with the offline rows of the same moment, by feature."""
    service = session.ops().features
    found = service.skews(service.find(view).spec.name) if last else (
        service.skew(view, sample=sample),
    )  # fmt: skip
    emit(session, {"skew": found}, lambda: text.skews(session, found))


@click.command("retire", cls=Verb)
@click.argument("view")
@click.option("--force", is_flag=True, help="Also while an endpoint's model reads it.")
@click.option("-m", "--reason", default="", help="Why, for the journal.")
@pass_session
def retire(session: Session, view: str, force: bool, reason: str) -> None:
    """Take a version out of use and delete its online store."""
    done = session.ops().features.retire(view, force=force, reason=reason)
    emit(session, done, lambda: f"{done.ref}: retired; its online store is deleted")
