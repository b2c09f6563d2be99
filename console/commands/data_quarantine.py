"""`opsdeck data quarantine`: batches that were held back, and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.asking import confirm_yes
from console.groups import noun
from console.output import emit
from console.quality_text import held_text, hold_text, quarantine_text
from console.session import Session, pass_session
from core.errors import OpsdeckError

if TYPE_CHECKING:
    from core.domain.quality import QuarantinedRow


@noun("Hold rows back; list what is held; mend, replay or discard it.")
def quarantine() -> None:
    """Group of the verbs on quarantined batches."""


@quarantine.command("list")
@click.argument("name", required=False)
@click.option("--all", "all_", is_flag=True, help="Those that are over, too.")
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@pass_session
def list_(session: Session, name: str | None, all_: bool, limit: int) -> None:
    """List the batches that wait (of dataset NAME), newest first."""
    found = session.ops().quality.quarantined(name, all_=all_, limit=limit)
    emit(session, {"quarantine": found}, lambda: quarantine_text(session, found))


@quarantine.command("show")
@click.argument("batch")
@click.option("-n", "--limit", type=click.IntRange(0, 1000), default=10, show_default=True)
@click.option("--all", "all_", is_flag=True, help="Rows that nothing is wrong with, too.")
@pass_session
def show(session: Session, batch: str, limit: int, all_: bool) -> None:
    """Show BATCH (the beginning of its id): what failed, and rows with their reasons."""
    quality = session.ops().quality
    found = quality.held(batch)
    rows: tuple[QuarantinedRow, ...] = ()
    note = ""
    if limit and found.state in ("held", "repaired", "replaying"):
        try:
            rows = quality.held_rows(batch, only_bad=not all_, limit=limit)
        except OpsdeckError as error:  # the rest may be seen by everybody
            note = f"rows are not shown: {error.message}"
    document = {"batch": found, "rows": rows, "note": note}
    emit(session, document, lambda: held_text(session, found, rows, note))


@quarantine.command("hold")
@click.argument("dataset")
@click.option("--where", required=True, metavar="SQL", help="Which rows, such as: temp > 0.9.")
@click.option("-m", "--reason", required=True, help="Why; kept with the rows and the journal.")
@click.option("--dry-run", is_flag=True, help="Say how many rows, and who uses them, only.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_session
def hold(session: Session, dataset: str, where: str, reason: str, dry_run: bool, yes: bool) -> None:
    """Take rows out of DATASET's newest version into quarantine.

    The condition is SQL over its columns; a row where it is null stays. Older versions keep the
    rows; replay puts them back, once. For example:

    \b
    opsdeck data quarantine hold rentals --where "station = 'X4' AND temp > 0.9" \\
        --reason "the sensor was broken"
    """
    quality = session.ops().quality
    would = quality.preview_hold(dataset, where)
    if dry_run:
        emit(session, would, lambda: hold_text(session, would))
        return
    if not yes:
        click.echo(hold_text(session, would), err=True)
    confirm_yes(session, yes, f"{would.rows:,} rows leave {dataset} and are held")
    done = quality.hold(dataset, where, reason)
    emit(
        session,
        done,
        lambda: (
            f"batch {done.id}: {done.rows:,} rows of {done.dataset} are held"
            f"\nput them back: opsdeck data quarantine replay {done.id}"
        ),
    )


@quarantine.command("edit")
@click.argument("batch")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--all", "all_", is_flag=True, help="All rows, not only the bad ones.")
@pass_session
def edit(session: Session, batch: str, file: Path, all_: bool) -> None:
    """Write the bad rows of BATCH to a new CSV FILE, with the reasons, to be mended there.

    Change cells; put anything into _drop to leave a row out; then: quarantine repair.
    """
    count = session.ops().quality.export_held(batch, file, all_=all_)
    emit(session, {"path": file, "rows": count}, lambda: f"{count:,} rows: {file}")


@quarantine.command("repair")
@click.argument("batch")
@click.argument("file", type=click.Path(path_type=Path))
@pass_session
def repair(session: Session, batch: str, file: Path) -> None:
    """Take the mended rows of BATCH back from FILE, and say what is still wrong.

    Exits 1 where something is: the batch can be mended again.
    """
    found, changed, dropped = session.ops().quality.repair(batch, file)
    still = f"still wrong: {found.message}" if found.message else "nothing is wrong any more"
    emit(
        session,
        {"batch": found, "changed": changed, "dropped": dropped},
        lambda: (
            f"batch {found.id}: {changed:,} rows changed, {dropped:,} dropped; {still}"
            + ("" if found.message else f"\nlet it in: opsdeck data quarantine replay {found.id}")
        ),
    )
    if found.message:
        click.get_current_context().exit(1)


@quarantine.command("replay")
@click.argument("batch")
@click.option("--as-they-were", is_flag=True, help="Rows that hold took: do not ask.")
@pass_session
def replay(session: Session, batch: str, as_they_were: bool) -> None:
    """Ask BATCH again and, if it passes, commit it: once, as the batch that it was."""
    done = session.ops().quality.replay(batch, as_they_were=as_they_were)
    emit(
        session,
        done,
        lambda: f"batch {done.id}: {done.rows:,} rows are in {done.dataset} now",
    )


@quarantine.command("discard")
@click.argument("batch")
@click.option("-m", "--reason", default="", help="Why, for the journal.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_session
def discard(session: Session, batch: str, reason: str, yes: bool) -> None:
    """Give BATCH up; its rows are deleted for good."""
    quality = session.ops().quality
    found = quality.held(batch)
    confirm_yes(session, yes, f"{found.rows:,} rows meant for {found.dataset} are deleted for good")
    done = quality.discard(found.id, reason)
    emit(session, done, lambda: f"batch {done.id} of {done.dataset}: discarded")
