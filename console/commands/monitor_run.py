"""`opsdeck monitors run|suggest|export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from console import monitor_text as text
from console.groups import Verb
from console.moments import moment
from console.output import emit
from console.session import Session, pass_session
from console.words import many
from core.errors import BadInput

if TYPE_CHECKING:
    from core.domain.looked import Looked


def attach(command: click.Group) -> None:
    """Put these verbs under `monitors`."""
    for verb in (run, suggest, export):
        command.add_command(verb)


@click.command("run", cls=Verb)
@click.argument("names", nargs=-1)
@click.option("--all", "all_", is_flag=True, help="Every monitor.")
@click.option("--from", "since", metavar="TIME", help="Run over all windows from then on.")
@click.option("--to", "until", metavar="TIME", help="… up to then (default: now).")
@pass_session
def run(
    session: Session, names: tuple[str, ...], all_: bool, since: str | None, until: str | None
) -> None:
    """Run monitors now, over the windows that are due.

    With --from they are run over every window within a time, whether they have been or not: a
    backfill, or a replay after a change of thresholds. How the monitor stands stays as it is
    then, and nobody is told. Exits 1 where a window could not be evaluated.
    """
    service = session.ops().monitors
    if bool(names) == all_:
        raise BadInput("name monitors, or give --all", "for example: opsdeck monitors run --all")
    if until and not since:
        raise BadInput("--to without --from", "add --from, such as --from 7d")
    if all_:
        service.sync()
        names = tuple(each.name for each in service.list() if each.paused_at is None)
    begin, end = moment("--from", since), moment("--to", until)
    done = [service.run(name, since=begin, until=end, stand=not all_) for name in names]
    document = {"runs": [_document(each) for each in done]}
    emit(session, document, lambda: "\n".join(text.looked_text(session, d) for d in done))
    if any(each.status == "failed" for looked in done for each in looked.outcomes):
        raise click.exceptions.Exit(1)


def _document(done: Looked) -> dict[str, object]:
    """Without what a kind remembers, which is nobody's concern."""
    keys = ("run", "status", "state", "headline", "reason")
    outcomes = [{key: getattr(each, key) for key in keys} for each in done.outcomes]
    return {
        "monitor": done.monitor,
        "outcomes": outcomes,
        "skipped": done.skipped,
        "why": done.why,
    }


@click.command("suggest", cls=Verb)
@click.argument("watch", metavar="ENDPOINT|features/NAME")
@click.option("--write", is_flag=True, help="Write it to a file under monitors/.")
@click.option("--force", is_flag=True, help="… also over a file that is there.")
@pass_session
def suggest(session: Session, watch: str, write: bool, force: bool) -> None:
    """Propose monitors, objectives, alarms and a trigger for an endpoint, or monitors for a
    feature view.

    They follow from what its model learned from and how it answers, or from the view's rows; the
    file says why each is there. Printed, or written with --write: the worker takes it over at
    once.
    """
    service = session.ops().monitors
    if force and not write:
        raise BadInput("--force without --write")
    if write:
        made = service.write_suggested(watch, force=force)
        lines = [f"{made.path} is written; see: opsdeck monitors list"]
    else:
        made = service.suggest(watch)
        lines = [made.text.rstrip()]
    for note in made.notes:
        session.say(f"note: {note}")
    emit(session, made, lambda: "\n".join(lines))


@click.command("export", cls=Verb)
@click.argument("ref", metavar="NAME|RUN|NAME@WINDOW")
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice(["sagemaker", "csv", "parquet"]),
    help="By default csv or parquet by the target's ending, else SageMaker's files.",
)
@click.option("--limit", type=click.IntRange(1), default=10_000, help="Windows at most.")
@pass_session
def export(session: Session, ref: str, target: Path, format_: str | None, limit: int) -> None:
    """Write SageMaker's files of a run into a folder, or measurements to a CSV or Parquet file."""
    from core.monitors.exporting import ExportFormat

    ending = target.suffix.removeprefix(".")
    word = format_ or (ending if ending in ("csv", "parquet") else "sagemaker")
    files, rows = session.ops().monitors.export(ref, target, ExportFormat(word), limit=limit)
    told = f"{many(rows, 'measurement')} in {target}" if rows else ", ".join(map(str, files))
    emit(session, {"files": files, "rows": rows}, lambda: told)
