"""`opsdeck monitors baseline`: list, make, compare and promote baselines."""

from __future__ import annotations

import click

from console import monitor_text as text
from console.groups import Verb
from console.output import emit
from console.session import Session, pass_session
from core.errors import BadInput


def attach(command: click.Group) -> None:
    """Put the verb under `monitors`."""
    command.add_command(baseline)


@click.command("baseline", cls=Verb)
@click.argument("name")
@click.option("--make", is_flag=True, help="Make it now, as the definition says.")
@click.option("--from", "source", metavar="SOURCE", help="Make one from other rows; it holds then.")
@click.option("--promote", metavar="ID", help="Have a stored one hold.")
@click.option("--reset", is_flag=True, help="Back to what the definition says.")
@click.option("--show", "shown", metavar="ID", help="Where a stored one's rows are from.")
@click.option("--compare", nargs=2, metavar="ID ID", help="Where two stored ones differ.")
@pass_session
def baseline(
    session: Session,
    name: str,
    make: bool,
    source: str | None,
    promote: str | None,
    reset: bool,
    shown: str | None,
    compare: tuple[str, str] | None,
) -> None:
    """List a monitor's baselines; make, compare and promote them.

    SOURCE is training, training:STEP.OUTPUT, captured:7d, captured:2012-01-01..2012-02-01,
    dataset:NAME@VERSION, run/12:STEP.OUTPUT, or the id of a stored baseline. A monitor makes
    its own when it first runs, and another one for each version that is served.
    """
    service = session.ops().monitors
    chosen = [
        make,
        source is not None,
        promote is not None,
        reset,
        shown is not None,
        bool(compare),
    ]
    if sum(chosen) > 1:
        raise BadInput("--make, --from, --promote, --reset, --show, --compare: one of them")
    if make or source is not None:
        made = service.baseline(name, source)
        emit(session, made, lambda: text.baseline_text(session, made))
    elif promote is not None:
        held = service.promote(name, promote)
        emit(session, held, lambda: f"{name} compares with {held.id[:12]} ({held.source}) now")
    elif reset:
        service.demote(name)
        emit(session, {"reset": name}, lambda: f"{name} compares with what its definition says")
    elif shown is not None:
        found = service.show_baseline(name, shown)
        emit(session, found, lambda: text.baseline_text(session, found))
    elif compare:
        differing = service.compare_baselines(name, *compare)
        document = {"differences": [
            {"place": place, "first": one, "second": other} for place, one, other in differing
        ]}  # fmt: skip
        emit(session, document, lambda: text.differences_text(session, differing))
    else:
        service.get(name)
        listed = service.baselines(name)
        emit(session, {"baselines": listed}, lambda: text.baselines_text(session, listed))
