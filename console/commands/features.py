"""`opsdeck features`: feature views, offline and online."""

from __future__ import annotations

from collections.abc import Sequence

import click

from console import feature_text as text
from console.asking import confirm_yes
from console.commands import feature_keeping
from console.groups import noun
from console.output import emit
from console.session import Session, pass_session
from core.errors import BadInput


@noun("Feature views: read point in time offline, and by key online.")
def command() -> None:
    """Group of the verbs on feature views."""


@command.command("list")
@click.option("--all", "all_", is_flag=True, help="Every version, retired ones too.")
@pass_session
def list_(session: Session, all_: bool) -> None:
    """List the feature views, with what is wrong with their files."""
    service = session.ops().features
    found, problems = service.list(retired=all_), service.problems()
    document = {"features": found, "problems": problems}
    emit(session, document, lambda: text.listed(session, found, problems))


@command.command("show")
@click.argument("view")
@pass_session
def show(session: Session, view: str) -> None:
    """Show a feature view (NAME or NAME@VERSION): definition, versions, freshness, skew."""
    service = session.ops().features
    found = service.find(view)
    versions = service.versions(found.spec.name)
    skews = service.skews(found.spec.name, 5)
    document = {"view": found, "versions": versions, "skew": skews}
    emit(session, document, lambda: text.shown(session, found, versions, skews))


@command.command("get")
@click.argument("view")
@click.argument("key", nargs=-1, required=True, metavar="KEY=VALUE…")
@pass_session
def get(session: Session, view: str, key: Sequence[str]) -> None:
    """Read an entity's online row, with its age. The values are those that a model would get."""
    found = session.ops().features.get(view, pairs(key))
    emit(session, found, lambda: text.online(session, found))


@command.command("history")
@click.argument("view")
@click.argument("key", nargs=-1, required=True, metavar="KEY=VALUE…")
@click.option("--at", metavar="SNAPSHOT", help="Of the source as it was: number, tag, time.")
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@pass_session
def history(session: Session, view: str, key: Sequence[str], at: str | None, limit: int) -> None:
    """List an entity's offline rows, the newest event first."""
    found = session.ops().features.history(view, pairs(key), at=at, limit=limit)
    emit(session, {"rows": found}, lambda: text.rows(session, found))


@command.command("join")
@click.argument("entities")
@click.argument("views", nargs=-1, required=True, metavar="VIEW…")
@click.option("--time", "time_", required=True, metavar="COLUMN", help="When each row is of.")
@click.option("-o", "--output", required=True, help="A .csv or .parquet file, or a dataset.")
@click.option("--key", "keys", multiple=True, metavar="KEY=COLUMN", help="Where names differ.")
@click.option("--prefix", is_flag=True, help="Call the features VIEW_NAME.")
@click.option("--cutoff", is_flag=True, help="Only rows that were created by then.")
@click.option("--times", is_flag=True, help="Add a column: since when each view's row holds.")
@click.option("--at", multiple=True, metavar="NAME=SNAPSHOT", help="Read a source as it was.")
@pass_session
def join(
    session: Session, entities: str, views: Sequence[str], time_: str, output: str,
    keys: Sequence[str], prefix: bool, cutoff: bool, times: bool, at: Sequence[str],
) -> None:  # fmt: skip
    """Join features to the rows of ENTITIES (a CSV or Parquet file, or a dataset).

    One row comes out for each that went in, in its order, with what was true at its time.
    VIEW is NAME, NAME@VERSION, or either with some of its features: weather@1:temp,wind.
    """
    done = session.ops().features.join(
        entities, views, time_column=time_, output=output, keys=pairs(keys, "--key"),
        prefix=prefix, cutoff=cutoff, times=times, at=pairs(at, "--at"),
    )  # fmt: skip
    emit(session, done, lambda: text.joined(session, done))


@command.command("delete")
@click.argument("view")
@click.argument("key", nargs=-1, required=True, metavar="KEY=VALUE…")
@click.option("--purge", is_flag=True, help="Expire older snapshots, and delete their files.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("-m", "--reason", default="", help="Why, for the journal.")
@pass_session
def delete(
    session: Session, view: str, key: Sequence[str], purge: bool, yes: bool, reason: str
) -> None:
    """Delete an entity from both stores (right to erasure).

    Online it is gone at once. Its rows are deleted from the source; older snapshots hold them
    until they expire, or until --purge. The journal gets a digest, not the key.
    """
    service = session.ops().features
    source = service.find(view).spec.source
    if not session.ops().read_only:
        more = f", and every older snapshot of {source} goes" if purge else ""
        confirm_yes(session, yes, f"the entity's rows are deleted from dataset {source}{more}")
    done = service.delete(view, pairs(key), purge=purge, reason=reason)
    emit(session, done, lambda: text.erased(session, done))


feature_keeping.attach(command)


def pairs(given: Sequence[str], option: str = "") -> dict[str, str]:
    """What `KEY=VALUE …` says; raises `BadInput`."""
    found: dict[str, str] = {}
    for each in given:
        key, sign, value = each.partition("=")
        if not sign or not key:
            where = f"{option} " if option else ""
            raise BadInput(f"{where}{each!r}: not KEY=VALUE", "for example: station=17")
        found[key] = value
    return found
