"""`opsdeck data profile|diff|sample|card`: looking at what a dataset holds."""

from __future__ import annotations

from pathlib import Path

import click

from console.groups import Verb
from console.output import emit
from console.profile_text import column_text, diff_text, profile_text, sample_text
from console.session import Session, pass_session
from core.errors import NotFound


@click.command("profile", cls=Verb)
@click.argument("name", metavar="NAME[@VERSION]")
@click.option("--column", metavar="COLUMN", help="Everything about this column.")
@click.option("--refresh", is_flag=True, help="Make it anew, though one is kept.")
@pass_session
def profile(session: Session, name: str, column: str | None, refresh: bool) -> None:
    """Show what is in a dataset: a line a column, gaps in time, what goes together.

    A profile is made once for each version and kept. VERSION is a number, a tag, a branch or
    a time; the newest where it is left out.
    """
    dataset, _, at = name.partition("@")
    found = session.ops().explore.profile(dataset, at or None, refresh=refresh)
    if column is None:
        emit(session, found, lambda: profile_text(session, found))
        return
    one = found.column(column)
    if one is None:
        known = ", ".join(each.name for each in found.columns)
        raise NotFound(f"dataset {dataset}: no column {column}", f"columns: {known}")
    emit(session, one, lambda: column_text(session, found, one))


@click.command("diff", cls=Verb)
@click.argument("name")
@click.option("--from", "before", required=True, metavar="VERSION", help="Number, tag or time.")
@click.option("--to", "after", metavar="VERSION", help="The newest where it is left out.")
@click.option("--all", "all_", is_flag=True, help="Columns that stayed the same, too.")
@pass_session
def diff(session: Session, name: str, before: str, after: str | None, all_: bool) -> None:
    """Show what changed between two versions: columns, rows, distributions, values.

    PSI below 0.1 is usually read as no shift to speak of, above 0.2 as a large one; JS is the
    Jensen-Shannon distance (0 to 1), KS the greatest gap between the cumulated shares.
    """
    found = session.ops().explore.diff(name, before, after)
    emit(session, found, lambda: diff_text(session, found, all_=all_))


@click.command("sample", cls=Verb)
@click.argument("name", metavar="NAME[@VERSION]")
@click.option("-n", "count", type=click.IntRange(1, 100_000), default=20, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Another draw.")
@click.option("--stratify", metavar="COLUMN", help="Each of its values has its share of rows.")
@click.option("--columns", metavar="A,B,…", help="Only these.")
@pass_session
def sample(
    session: Session, name: str, count: int, seed: int, stratify: str | None, columns: str | None
) -> None:
    """Show rows drawn by chance; the same ones for the same seed and version."""
    dataset, _, at = name.partition("@")
    chosen = [each.strip() for each in (columns or "").split(",") if each.strip()]
    found = session.ops().explore.sample(
        dataset, count, at=at or None, seed=seed, stratify=stratify, columns=chosen
    )
    emit(session, found, lambda: sample_text(session, found))


@click.command("card", cls=Verb)
@click.argument("name", metavar="NAME[@VERSION]")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write it here (default: cards/NAME.md in the workspace); `-` prints it.",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@pass_session
def card(session: Session, name: str, output: Path | None, force: bool) -> None:
    """Write a data card in Markdown: what it is, where from, columns, gaps, how to use it."""
    dataset, _, at = name.partition("@")
    explore = session.ops().explore
    if output is not None and str(output) == "-":
        text = explore.card(dataset, at or None)
        emit(session, {"card": text}, lambda: text.rstrip("\n"))
        return
    path = explore.write_card(dataset, output, at=at or None, force=force)
    emit(session, {"path": path}, lambda: f"data card of {dataset}: {path}")
