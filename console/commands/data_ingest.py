"""`opsdeck data ingest` and `ingests`: files and queries into datasets."""

from __future__ import annotations

import time
from typing import Any

import click

from console.groups import Verb
from console.ingest_text import ingest_text, ingests_text, report_text
from console.output import emit
from console.session import Session, pass_session
from core.errors import BadInput, OpsdeckError

FORMATS = ("csv", "jsonl", "parquet")
STATES = ("open", "done", "failed", "quarantined")


@click.command("ingest", cls=Verb)
@click.argument("name")
@click.argument("froms", metavar="FROM...", nargs=-1, required=True)
@click.option("--create", is_flag=True, help="Make the dataset where there is none.")
@click.option("--dry-run", is_flag=True, help="Read and check everything; take in nothing.")
@click.option("--format", type=click.Choice(FORMATS), help="Where the files' names don't tell.")
@click.option(
    "--mode",
    type=click.Choice(("append", "overwrite", "upsert")),
    default="append",
    show_default=True,
    help="Add rows, put them in place of all, or of those with the same keys.",
)
@click.option("--keys", metavar="COLUMNS", help="Of --mode upsert, with commas between.")
@click.option("--types", multiple=True, metavar="COLUMN=TYPE", help="Types, where guessed wrongly.")
@click.option(
    "--timestamp",
    "timestamps",
    multiple=True,
    metavar="COLUMN=FORMAT",
    help="How times are written: iso, epoch, epoch_ms or %d/%m/%Y %H:%M; may be repeated.",
)
@click.option("--rename", multiple=True, metavar="OLD=NEW", help="A column called otherwise here.")
@click.option("--evolve", is_flag=True, help="Let new columns and wider types in.")
@click.option("--fill-missing", is_flag=True, help="Leave columns empty that the source lacks.")
@click.option(
    "--on-error",
    type=click.Choice(("fail", "quarantine", "skip")),
    default="fail",
    show_default=True,
    help="At rows that cannot be read: take in nothing, keep them aside, or leave them out.",
)
@click.option("--null", "nulls", multiple=True, metavar="TEXT", help="A text that means missing.")
@click.option("--encoding", default="utf-8", show_default=True, help="Of text files.")
@click.option("--delimiter", metavar="CHARACTER", help="Of CSV (default: found out).")
@click.option("--no-hive", is_flag=True, help="Don't make columns of name=value folders.")
@click.option("--again", is_flag=True, help="Also files that were taken in before, or changed.")
@click.option("--query", metavar="SQL", help="FROM is a database's address: take in these rows.")
@click.option("--password-env", metavar="NAME", help="The variable with the database's password.")
@click.option("-m", "--message", default="", help="Noted beside the new version.")
@click.option("--watch", type=float, metavar="SECONDS", help="Look again this often, until Ctrl-C.")
@pass_session
def ingest(
    session: Session,
    name: str,
    froms: tuple[str, ...],
    keys: str | None,
    no_hive: bool,
    watch: float | None,
    **options: Any,
) -> None:
    """Take FROM into the dataset NAME: files, folders, patterns, s3:// or a database.

    CSV (also compressed), JSON Lines and Parquet. Of the files only those that are new, each
    once, all in one commit: a fault anywhere leaves the dataset as it was.

    \b
      opsdeck data ingest rentals 'data/rentals-*.csv.gz' --create
      opsdeck data ingest rentals data/ --dry-run
      opsdeck data ingest rentals s3://bucket/rentals/
      opsdeck data ingest orders postgresql://me@host/shop --query 'SELECT * FROM orders'
    """
    wanted = [key.strip() for key in keys.split(",") if key.strip()] if keys else []
    if watch is not None and not 1 <= watch <= 86_400:
        raise BadInput(f"--watch {watch:g}: not between 1 and 86400 seconds")
    if watch is not None and (options["query"] or options["dry_run"] or options["again"]):
        raise BadInput("--watch takes in new files only", "leave the other option out")

    def once() -> int:
        report = session.ops().ingest.ingest(
            name,
            froms,
            keys=wanted,
            hive=not no_hive,
            progress=session.say if session.terminal else lambda _text: None,
            **options,
        )
        if watch is None or report.read:
            emit(session, report, lambda: report_text(session, report))
        return report.read

    once()
    told = ""
    while watch is not None:
        time.sleep(watch)
        try:
            once()
            told = ""
        except OpsdeckError as error:  # a file that is not whole yet, perhaps: look again
            if error.one_line() != told:
                told = error.one_line()
                click.echo(f"error {told}", err=True)


@click.command("ingests", cls=Verb)
@click.argument("batch", required=False)
@click.option("--dataset", metavar="NAME", help="Only into this one.")
@click.option("--state", type=click.Choice(STATES), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=30, show_default=True)
@pass_session
def ingests(
    session: Session, batch: str | None, dataset: str | None, state: str | None, limit: int
) -> None:
    """List the batches that came into datasets, newest first; with BATCH show that one."""
    service = session.ops().ingest
    if batch is not None:
        one = service.get(batch)
        emit(session, one, lambda: ingest_text(session, one))
        return
    found = service.list(dataset=dataset, state=state, limit=limit)
    emit(session, {"ingests": found}, lambda: ingests_text(session, found))
