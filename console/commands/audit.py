"""`opsdeck audit`: the journal and the proof that nobody changed it."""

from __future__ import annotations

import json

import click

from console.failures import EXIT_REFUSED
from console.groups import noun
from console.output import emit, to_json
from console.session import Session, pass_session
from console.tables import Column, table
from console.words import Cell, when


@noun("List the journal and verify its chain.")
def command() -> None:
    """Group of the verbs on the journal."""


@command.command("list")
@click.option("-n", "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--before", type=click.IntRange(1, 2**62), metavar="SEQ", help="Page on from here.")
@click.option("--search", default="", help="Only entries with this text.")
@pass_session
def list_(session: Session, limit: int, before: int | None, search: str) -> None:
    """List journal entries, newest first."""
    ops = session.ops()
    entries = ops.audit.list(limit=limit, before=before, search=search)

    def text() -> str:
        if not entries:
            return "no such entries"
        columns = [
            Column("seq", right=True),
            Column("when"),
            Column("who"),
            Column("what"),
            Column("on"),
            Column("detail", flexible=True),
        ]
        rows = [
            (
                str(e.seq),
                when(e.at, terminal=session.terminal),
                e.actor,
                e.action,
                e.subject,
                json.dumps(to_json(e.detail), ensure_ascii=False) if e.detail else "",
            )
            for e in entries
        ]
        return table(session, columns, rows)

    emit(session, {"entries": entries, "total": ops.audit.count()}, text)


@command.command("verify")
@pass_session
def verify(session: Session) -> None:
    """Recompute the chain of hashes; exits 1 and names the first entry that fails."""
    report = session.ops().audit.verify()

    def text() -> str:
        if report.ok:
            cell = Cell(f"the chain holds: {report.entries} entries, head {report.head}", "green")
        else:
            cell = Cell(
                f"the chain is broken at entry {report.broken_seq}: {report.reason}"
                f" ({report.entries} entries before it hold)",
                "red",
            )
        return click.style(cell.text, fg=cell.colour) if session.colour else cell.text

    emit(session, report, text)
    if not report.ok:
        raise click.exceptions.Exit(EXIT_REFUSED)
