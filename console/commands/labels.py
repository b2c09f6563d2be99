"""`opsdeck labels`: rows of captured traffic for people to label, by turns or by spreadsheet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.asking import confirm_yes
from console.groups import noun
from console.labels_text import (
    handed_text,
    imported_text,
    queue_text,
    said_text,
    status_text,
    task_text,
)
from console.output import emit
from console.session import Session, pass_session
from core.errors import BadInput

if TYPE_CHECKING:
    from core.domain.labelling import PickPolicy

REASONS = ("uncertain", "disagreeing", "drifted", "random")
STATES = ("open", "done", "disputed", "skipped", "dropped")


@noun("Have people label captured rows: pick, label, export, import.")
def command() -> None:
    """Group of the verbs on the labelling queue."""


@command.command("status")
@click.argument("endpoint", required=False)
@pass_session
def status(session: Session, endpoint: str | None) -> None:
    """Show how far the queues are, who has labelled, and how far people agree."""
    service = session.ops().labelling
    found = service.queues() if endpoint is None else (service.status(endpoint),)
    emit(session, {"queues": found}, lambda: status_text(session, found))


@command.command("queue")
@click.argument("endpoint")
@click.option("--add", "rows", type=click.IntRange(1, 10_000), metavar="N",
              help="Pick N more rows of captured traffic first.")  # fmt: skip
@click.option("--share", "shares", multiple=True, metavar="REASON=SHARE",
              help="How much of them for which reason: uncertain, disagreeing, drifted, random"
              " (.4 .2 .2 .2).")  # fmt: skip
@click.option("--since", metavar="DURATION", help="Only requests of the last 7d, 12h, …")
@click.option("--twice", type=click.FloatRange(0, 1), default=0.1, show_default=True,
              help="Share of the rows that two people are asked about.")  # fmt: skip
@click.option("--seed", type=int, default=0, help="Of what is drawn by lot.")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES),
              help="Show these (default: open).")  # fmt: skip
@click.option("--mine", is_flag=True, help="Show those that are given to me.")
@click.option("--drop", is_flag=True, help="Take all that is not labelled out of the queue.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@pass_session
def queue(
    session: Session,
    endpoint: str,
    rows: int | None,
    shares: tuple[str, ...],
    since: str | None,
    twice: float,
    seed: int,
    states: tuple[str, ...],
    mine: bool,
    drop: bool,
    yes: bool,
    limit: int,
) -> None:
    """List the rows that wait for a label, or pick more of them.

    Rows are picked from captured requests (of one row each) that have no label: those of which
    the model is least sure, on which the shadow disagrees, that a drift monitor found unlike
    the training data, and some by lot; unlike each other.
    """
    service = session.ops().labelling
    if drop:
        found = service.status(endpoint)
        confirm_yes(session, yes, f"{found.open} open rows leave the queue of {endpoint}")
        dropped = service.drop(endpoint)
        emit(session, {"dropped": dropped}, lambda: f"{endpoint}: {dropped} rows dropped")
        return
    if rows is not None:
        service.pick(endpoint, _policy(rows, shares, since, twice, seed))
    elif shares or since:
        raise BadInput("--share and --since say how rows are picked", "give --add N, too")
    status = service.status(endpoint)
    person = session.ops().actor if mine else None
    tasks = service.queue(endpoint, states=states or ("open",), assigned_to=person, limit=limit)
    document = {"queue": status, "tasks": tasks}
    emit(session, document, lambda: queue_text(session, status, tasks))


def _policy(
    rows: int, shares: tuple[str, ...], since: str | None, twice: float, seed: int
) -> PickPolicy:
    from core import units
    from core.domain.labelling import PickPolicy

    given: dict[str, float] = {}
    for each in shares:
        reason, _, share = each.partition("=")
        if reason not in REASONS:
            raise BadInput(f"--share {each}: no reason {reason}", f"known: {', '.join(REASONS)}")
        try:
            given[reason] = float(share.rstrip("%")) / (100 if share.endswith("%") else 1)
        except ValueError:
            raise BadInput(f"--share {each}: no share", f"such as {reason}=0.5") from None
    try:
        seconds = None if since is None else units.seconds(since)
    except ValueError:
        raise BadInput(f"--since {since}: no duration", "such as 7d or 12h") from None
    policy = PickPolicy(rows=rows, since=seconds, twice=twice, seed=seed)
    if given:
        return PickPolicy(rows=rows, shares=given, since=seconds, twice=twice, seed=seed)
    return policy


@command.command("show")
@click.argument("endpoint")
@click.argument("inference_id", required=False)
@pass_session
def show(session: Session, endpoint: str, inference_id: str | None) -> None:
    """Show a row: its inputs, the answer, why it was picked. Without an id: the next for me,
    which is then mine for ten minutes."""
    service = session.ops().labelling
    task = service.next(endpoint) if inference_id is None else service.get(endpoint, inference_id)
    emit(session, task, lambda: task_text(session, task))


@command.command("label")
@click.argument("endpoint")
@click.argument("inference_id")
@click.argument("value")
@click.option("-m", "--comment", default="", help="What made it hard, for others.")
@click.option("--new", is_flag=True, help="The label is a class that nobody has said yet.")
@pass_session
def label(
    session: Session, endpoint: str, inference_id: str, value: str, comment: str, new: bool
) -> None:
    """Say what is true of a row of the queue.

    It becomes a label of the endpoint about a minute later; until then `undo` takes it back.
    """
    done = session.ops().labelling.label(endpoint, inference_id, value, comment=comment, new=new)
    session.ops().workers.keep_alive()
    emit(session, done, lambda: said_text(done))


@command.command("skip")
@click.argument("endpoint")
@click.argument("inference_id")
@click.option("-m", "--comment", default="", help="Why it cannot be said, for others.")
@pass_session
def skip(session: Session, endpoint: str, inference_id: str, comment: str) -> None:
    """Leave a row to others; one that two people have skipped leaves the queue."""
    done = session.ops().labelling.skip(endpoint, inference_id, comment)
    emit(session, done, lambda: said_text(done))


@command.command("undo")
@click.argument("endpoint")
@pass_session
def undo(session: Session, endpoint: str) -> None:
    """Take back my last label or skip."""
    done = session.ops().labelling.undo(endpoint)
    emit(session, done, lambda: f"{done.inference_id}: open again, and yours")


@command.command("assign")
@click.argument("endpoint")
@click.argument("person")
@click.option("-n", "--rows", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--id", "ids", multiple=True, metavar="ID", help="This row, and not the next ones.")
@pass_session
def assign(session: Session, endpoint: str, person: str, rows: int, ids: tuple[str, ...]) -> None:
    """Give open rows to PERSON (`nobody`: back to everybody)."""
    whom = None if person == "nobody" else person
    done = session.ops().labelling.assign(endpoint, whom, rows=rows, ids=ids)
    emit(session, {"assigned": done, "to": whom}, lambda: f"{endpoint}: {done} rows to {person}")


@command.command("export")
@click.argument("endpoint")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--for", "person", metavar="PERSON", help="Give the rows to somebody.")
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=10_000)
@pass_session
def export(session: Session, endpoint: str, file: Path, person: str | None, limit: int) -> None:
    """Write the open rows to a CSV FILE with an empty column `label`.

    Cells that a spreadsheet would take for a formula have an apostrophe in front.
    """
    done = session.ops().labelling.export(endpoint, file, assign_to=person, limit=limit)
    tail = f"; fill in the column label, then: opsdeck labels import {endpoint} {file}"
    emit(session, {"rows": done, "file": file}, lambda: f"{done} rows in {file}{tail}")


@command.command("import")
@click.argument("endpoint")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--new", is_flag=True, help="Let in classes that nobody has said yet.")
@click.option("--dry-run", is_flag=True, help="Only tell what it would come to.")
@pass_session
def import_(session: Session, endpoint: str, file: Path, new: bool, dry_run: bool) -> None:
    """Take the labels of a CSV FILE in: the columns inference_id and label, all others are
    passed over.

    A row without a label stays in the queue. Where any line cannot be taken, none is. The labels
    become those of the endpoint, and a new version of the datasets that triggers augment.
    """
    service = session.ops().labelling
    done = service.import_file(endpoint, file, new=new, dry_run=dry_run)
    handed = service.hand_over(endpoint, at_once=True) if done.stored else None
    document = {"import": done, "handed": handed}
    emit(session, document, lambda: imported_text(session, done, handed))
    if done.problems:
        raise click.exceptions.Exit(1)


@command.command("handover")
@click.argument("endpoint")
@pass_session
def handover(session: Session, endpoint: str) -> None:
    """Make what people have agreed on labels of the endpoint now, as a worker does it."""
    done = session.ops().labelling.hand_over(endpoint, at_once=True)
    emit(session, done, lambda: handed_text(done))
