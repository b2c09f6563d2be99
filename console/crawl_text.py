"""What crawlers found, as text."""

from __future__ import annotations

from collections.abc import Sequence

from console.session import Session
from console.tables import Column, heading, table
from console.words import state, when
from core.domain.ingest import Crawl
from screens.words import size


def crawls_text(session: Session, found: Sequence[Crawl]) -> str:
    """Findings as a table."""
    if not found:
        return "nothing waits for a decision"
    rows = [
        (
            one.id,
            one.dataset,
            state(one.state, terminal=session.terminal),
            one.found["format"],
            f"{one.found['files']:,}",
            size(one.found["bytes"]),
            when(one.at, terminal=session.terminal),
            _said(one),
        )
        for one in found
    ]
    columns = (
        Column("crawl"), Column("dataset"), Column("state"), Column("format"),
        Column("files", right=True), Column("size", right=True), Column("when"),
        Column("proposes", flexible=True),
    )  # fmt: skip
    return table(session, columns, rows)


def crawl_text(session: Session, one: Crawl) -> str:
    """One finding: columns, changes, files that could not be read."""
    found = one.found
    title = f"{one.dataset}  {one.state}  {one.id}"
    where = (
        f"{found['files']:,} {found['format']} files ({size(found['bytes'])}) in {found['folder']}"
    )
    parts = [f"{heading(session, title)}\n{where}"]
    if not found["exists"]:
        rows = [(each["name"], each["type"], each["note"]) for each in found["columns"]]
        columns = (Column("column"), Column("type"), Column("note", flexible=True))
        parts.append(table(session, columns, rows))
    elif one.changes:
        parts.append("\n".join(_change(session, one)))
    if found["broken"]:
        broken = [(each["uri"].rpartition("/")[2], each["reason"]) for each in found["broken"]]
        titles = (Column("unreadable"), Column("why", flexible=True))
        parts.append(table(session, titles, broken))
    return "\n\n".join(parts)


def _change(session: Session, one: Crawl) -> list[str]:
    return [
        f"  {change.text}" + ("  (breaking)" if change.breaking else "") for change in one.changes
    ]


def _said(one: Crawl) -> str:
    if not one.found["columns"]:
        return "no file can be read"
    if not one.found["exists"]:
        return f"a new dataset of {len(one.found['columns'])} columns"
    said = "; ".join(change.text for change in one.changes)
    return f"{said} (breaking)" if one.breaking else said or "-"
