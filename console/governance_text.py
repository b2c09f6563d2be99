"""Grants, labels and who can, as text."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from console.session import Session
from console.tables import Column, block, heading, table
from console.words import Cell, when

if TYPE_CHECKING:
    from core.domain.governance import Grant, Label, Reach


def policy_text(
    session: Session, name: str, owner: str, grants: Sequence[Grant], labels: Sequence[Label]
) -> str:
    """A dataset's grants and labels."""
    if not grants:
        closed = "without grants: open to all"
    else:
        closed = "closed: only who is granted, its owner and admins"
    parts = [block(session, [("dataset", name), ("owner", owner or "-"), ("use", closed)])]
    if grants:
        parts += ["", grants_text(session, grants)]
    if labels:
        parts += ["", heading(session, "Labels"), labels_text(session, labels)]
    return "\n".join(parts)


def grants_text(session: Session, grants: Sequence[Grant]) -> str:
    """Grants as a table; those that have ended are said to."""
    columns = [
        Column("to"),
        Column("may"),
        Column("columns", flexible=True),
        Column("masks", flexible=True),
        Column("rows", flexible=True),
        Column("until"),
        Column("by"),
    ]
    rows = [
        (
            grant.principal,
            grant.action.value,
            "all" if grant.columns is None else ", ".join(grant.columns),
            ", ".join(f"{name}={mask}" for name, mask in grant.masks.items()) or "-",
            grant.row_filter or "all",
            _until(session, grant),
            grant.by,
        )
        for grant in grants
    ]
    return table(session, columns, rows)


def _until(session: Session, grant: Grant) -> Cell | str:
    if grant.expires_at is None:
        return "-"
    shown = when(grant.expires_at, terminal=False)
    return shown if grant.holds(time.time()) else Cell(f"ended {shown}", "red")


def labels_text(session: Session, labels: Sequence[Label]) -> str:
    """Labels as a table."""
    columns = [Column("column"), Column("label"), Column("inherited from"), Column("by")]
    rows = [(each.column or "(all)", each.tag, each.origin or "-", each.by) for each in labels]
    return table(session, columns, rows)


def reach_text(session: Session, name: str, found: Sequence[Reach]) -> str:
    """Who can, as a table; with one principal, column by column."""
    rows: list[tuple[Cell | str, ...]] = [
        (
            each.principal if each.principal != "*" else "everybody else",
            each.why,
            *(
                Cell("yes", "green") if may else Cell("no", "red")
                for may in (each.read, each.write, each.manage)
            ),
            _seen(each),
            each.rows or ("all" if each.read else "-"),
        )
        for each in found
    ]
    columns = [
        Column("who"),
        Column("why"),
        Column("read"),
        Column("write"),
        Column("manage"),
        Column("sees", flexible=True),
        Column("rows", flexible=True),
    ]
    text = table(session, columns, rows)
    if len(found) == 1 and found[0].columns:
        shown = table(session, [Column("column"), Column("shown")], list(found[0].columns.items()))
        text += f"\n\n{shown}"
    return text


def _seen(each: Reach) -> str:
    if not each.columns:
        return "-"
    masked = [f"{name}={how}" for name, how in each.columns.items() if how != "clear"]
    count = len(each.columns)
    words = f"{count} column" + ("s" if count != 1 else "")
    return f"{words}; {', '.join(masked)}" if masked else words
