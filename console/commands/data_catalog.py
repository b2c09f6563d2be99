"""`opsdeck data list|show|snapshots|schema`: what the lake holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from console.groups import Verb
from console.output import emit
from console.session import Session, pass_session
from console.tables import Column, block, heading, table
from console.words import when

if TYPE_CHECKING:
    from core.domain.dataset import Column as DataColumn
    from core.domain.dataset import Dataset, Snapshot

SHOWN = 10


@click.command("list", cls=Verb)
@click.option("--kind", metavar="KIND", help="Only those: table, view, features, captures.")
@click.option("--dropped", is_flag=True, help="Those that were dropped, instead.")
@pass_session
def list_(session: Session, kind: str | None, dropped: bool) -> None:
    """List the datasets, by name."""
    found = session.ops().data.list(kind=kind, dropped=dropped)
    emit(session, {"datasets": found}, lambda: _datasets_text(session, found))


@click.command("show", cls=Verb)
@click.argument("name")
@pass_session
def show(session: Session, name: str) -> None:
    """Show a dataset: its columns, newest versions, tags and branches."""
    data = session.ops().data
    found, versions, refs = data.get(name), data.snapshots(name, limit=SHOWN), data.refs(name)
    document = {"dataset": found, "refs": refs, "snapshots": versions}
    emit(session, document, lambda: _dataset_text(session, found, versions))


@click.command("snapshots", cls=Verb)
@click.argument("name")
@click.option("--all", "all_", is_flag=True, help="Those that were expired, too.")
@click.option("-n", "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@pass_session
def snapshots(session: Session, name: str, all_: bool, limit: int) -> None:
    """List a dataset's versions, newest first."""
    found = session.ops().data.snapshots(name, expired=all_, limit=limit)
    emit(session, {"snapshots": found}, lambda: snapshots_text(session, found))


@click.command("schema", cls=Verb)
@click.argument("name")
@click.option("--at", metavar="VERSION", help="Of this version: a number, tag or branch.")
@click.option("--since", metavar="VERSION", help="What changed since this version, instead.")
@pass_session
def schema(session: Session, name: str, at: str | None, since: str | None) -> None:
    """Show a dataset's columns, or what changed of them between two versions."""
    data = session.ops().data
    if since is not None:
        changed = data.schema_difference(name, since, at)
        emit(
            session,
            {"dataset": name, "since": since, "until": at, "changes": changed},
            lambda: "\n".join(changed) or f"the columns are those of {since}",
        )
        return
    columns = data.schema(name, at)
    emit(session, {"dataset": name, "columns": columns}, lambda: _columns_text(session, columns))


def size_words(count: int | None) -> str:
    """Bytes for people: `1.5 MB`."""
    if count is None:
        return "-"
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def count_words(count: int | None) -> str:
    """A count with its thousands apart: `17,379`."""
    return "-" if count is None else f"{count:,}"


def _datasets_text(session: Session, found: tuple[Dataset, ...]) -> str:
    if not found:
        return "no datasets yet; see: opsdeck data create --help, opsdeck data ingest --help"
    columns = [
        Column("dataset"),
        Column("kind"),
        Column("version", right=True),
        Column("rows", right=True),
        Column("size", right=True),
        Column("columns", right=True),
        Column("changed"),
        Column("owner", flexible=True),
        Column("what", flexible=True),
    ]
    rows = [
        (
            each.name,
            each.kind,
            "-" if each.number is None else f"#{each.number}",
            count_words(each.rows),
            size_words(each.bytes),
            str(len(each.columns)),
            when(each.dropped_at or each.updated_at, terminal=session.terminal),
            each.owner,
            each.description,
        )
        for each in found
    ]
    return table(session, columns, rows)


def _dataset_text(session: Session, found: Dataset, versions: tuple[Snapshot, ...]) -> str:
    facts = [
        ("dataset", found.name),
        ("kind", found.kind),
        ("what", found.description),
        ("owner", found.owner),
        ("version", "-" if found.number is None else f"#{found.number}"),
        ("rows", count_words(found.rows)),
        ("size", size_words(found.bytes)),
        ("changed", when(found.updated_at, terminal=session.terminal)),
        ("files", found.location),
    ]
    parts = [block(session, facts), _columns_text(session, found.columns)]
    title = heading(session, f"versions ({len(versions)} of {found.snapshots})")
    parts.append(f"{title}\n{snapshots_text(session, versions)}")
    return "\n\n".join(parts)


def _columns_text(session: Session, found: tuple[DataColumn, ...]) -> str:
    columns = [Column("column"), Column("type"), Column("missing"), Column("what", flexible=True)]
    rows = [
        (each.name, each.type, "may be" if each.nullable else "never", each.doc) for each in found
    ]
    return table(session, columns, rows)


def snapshots_text(session: Session, found: tuple[Snapshot, ...]) -> str:
    """Versions as a table."""
    if not found:
        return "no versions"
    columns = [
        Column("version", right=True),
        Column("when"),
        Column("did"),
        Column("rows", right=True),
        Column("added", right=True),
        Column("deleted", right=True),
        Column("size", right=True),
        Column("names", flexible=True),
        Column("by", flexible=True),
        Column("message", flexible=True),
    ]
    rows = [
        (
            f"#{each.number}",
            when(each.at, terminal=session.terminal),
            each.operation + (" (expired)" if each.expired_at else ""),
            count_words(each.rows),
            count_words(each.added_rows),
            count_words(each.deleted_rows),
            size_words(each.bytes),
            ", ".join((("current",) if each.current else ()) + each.refs),
            each.by,
            each.message,
        )
        for each in found
    ]
    return table(session, columns, rows)
