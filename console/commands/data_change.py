"""`opsdeck data create|alter|tag|branch|rollback`: making datasets, and naming their versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from console.asking import confirm_yes
from console.commands.data_catalog import count_words
from console.groups import Verb
from console.output import emit
from console.session import Session, pass_session
from console.tables import block, heading
from core.errors import BadInput

if TYPE_CHECKING:
    from core.domain.dataset import Dataset
    from core.domain.upkeep import RollbackPlan


def _pairs(option: str, texts: tuple[str, ...], mark: str = ":") -> list[tuple[str, str]]:
    found = []
    for text in texts:
        name, separator, rest = text.partition(mark)
        if not separator or not name or not rest:
            raise BadInput(
                f"{option} {text}: must be NAME{mark}…", f"for example: price{mark}double"
            )
        found.append((name, rest))
    return found


@click.command("create", cls=Verb)
@click.argument("name")
@click.option(
    "-c",
    "--column",
    "columns",
    multiple=True,
    metavar="NAME:TYPE",
    help="A column; TYPE! must have values. Repeat for more.",
)
@click.option("--like", metavar="FILE", help="The columns of this Parquet, CSV or JSON Lines file.")
@click.option(
    "--partition",
    multiple=True,
    metavar="BY",
    help="How files are split: day(at), month(at), bucket(16,id), or a column.",
)
@click.option("--owner", metavar="WHO", help="Who answers for it (default: you).")
@click.option("--description", default="", metavar="TEXT", help="What it is.")
@pass_session
def create(
    session: Session,
    name: str,
    columns: tuple[str, ...],
    like: str | None,
    partition: tuple[str, ...],
    owner: str | None,
    description: str,
) -> None:
    """Make an empty dataset.

    Types: boolean, int, long, float, double, date, time, timestamp, timestamptz, string,
    binary, decimal(P,S).
    """
    made = session.ops().data.create(
        name,
        _pairs("--column", columns),
        like=like,
        owner=owner,
        description=description,
        partition=partition,
    )
    emit(session, made, lambda: f"dataset {made.name}: {len(made.columns)} columns, no rows yet")


@click.command("alter", cls=Verb)
@click.argument("name")
@click.option("--add", multiple=True, metavar="NAME:TYPE", help="A new column.")
@click.option("--widen", multiple=True, metavar="NAME:TYPE", help="int to long, float to double.")
@click.option("--rename", multiple=True, metavar="OLD:NEW", help="Another name for a column.")
@click.option("--drop", multiple=True, metavar="NAME", help="Take a column out.")
@click.option("--describe", multiple=True, metavar="NAME:TEXT", help="What a column is.")
@click.option("-y", "--yes", is_flag=True, help="Drop columns without asking.")
@pass_session
def alter(
    session: Session,
    name: str,
    add: tuple[str, ...],
    widen: tuple[str, ...],
    rename: tuple[str, ...],
    drop: tuple[str, ...],
    describe: tuple[str, ...],
    yes: bool,
) -> None:
    """Change a dataset's columns. Nothing is rewritten; older versions keep theirs."""
    session.ops().data.get(name)
    if drop:
        what = ", ".join(drop)
        confirm_yes(session, yes, f"{name}: newer versions will not have {what} any more")
    changed = session.ops().data.alter(
        name,
        add=dict(_pairs("--add", add)),
        widen=dict(_pairs("--widen", widen)),
        rename=dict(_pairs("--rename", rename)),
        drop=drop,
        doc=dict(_pairs("--describe", describe)),
    )
    emit(session, changed, lambda: _columns_line(changed))


def _columns_line(found: Dataset) -> str:
    names = ", ".join(f"{each.name} {each.type}" for each in found.columns)
    return f"dataset {found.name}: {names}"


@click.command("tag", cls=Verb)
@click.argument("name")
@click.argument("tag")
@click.option("--at", metavar="VERSION", help="Which version (default: the current one).")
@click.option("--delete", is_flag=True, help="Take the tag away.")
@pass_session
def tag(session: Session, name: str, tag: str, at: str | None, delete: bool) -> None:
    """Name a version of dataset NAME; it is kept until the tag is taken away."""
    data = session.ops().data
    if delete:
        if at is not None:
            raise BadInput("--at and --delete exclude each other")
        data.untag(name, tag)
        emit(session, {"dataset": name, "tag": tag, "deleted": True}, lambda: f"no tag {tag} now")
        return
    named = data.tag(name, tag, at=at)
    emit(session, named, lambda: f"{name} #{named.number} is {tag}")


@click.command("branch", cls=Verb)
@click.argument("name")
@click.argument("branch")
@click.option("--at", metavar="VERSION", help="Where it begins (default: the current version).")
@click.option("--publish", is_flag=True, help="Make what it holds the dataset's current version.")
@click.option("--delete", is_flag=True, help="Give the branch up, with what only it holds.")
@pass_session
def branch(
    session: Session, name: str, branch: str, at: str | None, publish: bool, delete: bool
) -> None:
    """Begin a branch of dataset NAME: versions that its readers do not see until published."""
    data = session.ops().data
    if publish + delete + (at is not None) > 1:
        raise BadInput("--at, --publish and --delete exclude each other")
    if delete:
        data.unbranch(name, branch)
        document = {"dataset": name, "branch": branch, "deleted": True}
        emit(session, document, lambda: f"no branch {branch} now")
        return
    if publish:
        published = data.publish(name, branch)
        emit(session, published, lambda: f"{name} is at #{published.number} of {branch} now")
        return
    begun = data.branch(name, branch, at=at)
    emit(session, begun, lambda: f"{name} {branch} begins at #{begun.number}")


@click.command("rollback", cls=Verb)
@click.argument("name")
@click.argument("version")
@click.option("-m", "--reason", default="", help="Why, for the journal.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what it would change, and change nothing.")
@pass_session
def rollback(
    session: Session, name: str, version: str, reason: str, yes: bool, dry_run: bool
) -> None:
    """Make VERSION (a number, tag, branch or time) of dataset NAME the current one again."""
    data = session.ops().data
    plan = data.rollback_preview(name, version)
    if dry_run:
        emit(session, plan, lambda: _plan_text(session, plan) + "\n\nnothing was done")
        return
    confirm_yes(
        session,
        yes,
        f"{name}: version #{plan.after} with {count_words(plan.rows_after)} rows instead of"
        f" #{plan.before} with {count_words(plan.rows_before)}",
    )
    done = data.rollback(name, version, reason=reason)
    emit(session, done, lambda: f"{name} is at #{done.number} now: {count_words(done.rows)} rows")


def _plan_text(session: Session, plan: RollbackPlan) -> str:
    facts = [
        ("dataset", plan.dataset),
        ("version", f"#{plan.before} → #{plan.after}"),
        ("rows", f"{count_words(plan.rows_before)} → {count_words(plan.rows_after)}"),
        ("possible", "" if plan.possible else "no: the version has been expired"),
    ]
    parts = [block(session, facts)]
    if plan.columns:
        lines = [heading(session, "columns"), *(f"  {line}" for line in plan.columns)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)
