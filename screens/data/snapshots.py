"""The snapshots pane: versions of a dataset, newest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from screens.widgets.lines import Line, Piece
from screens.widgets.table import Cell, Column
from screens.words import age

if TYPE_CHECKING:
    from core.domain.dataset import Snapshot

COLUMNS = (
    Column("", 1),
    Column("#", 5, align="right"),
    Column("WHEN", 8, align="right"),
    Column("OPERATION", 9),
    Column("ROWS", 10, align="right"),
    Column("CHANGED", 15),
    Column("BY", 9, grow=1, drop=1),
    Column("NAMED", 12, grow=2),
    Column("MESSAGE", 12, grow=4, drop=2),
)


def cells(mark: Callable[[], int | None], snapshot: Snapshot, now: float) -> Sequence[Cell]:
    """A snapshot as a row; `mark` tells which one is marked for comparing."""
    gone = snapshot.expired_at is not None
    style = "faint" if gone else "text"
    sign: Piece = ("●", "ok") if snapshot.current else (" ", "text")
    if snapshot.number == mark():
        sign = ("◇", "wait")
    return (
        sign,
        (str(snapshot.number), "bold" if snapshot.current else style),
        (age(now - snapshot.at), "dim"),
        (snapshot.operation, style),
        ("–" if snapshot.rows is None else f"{snapshot.rows:,}", style),
        changed(snapshot),
        (snapshot.by, "dim"),
        _named(snapshot),
        (snapshot.message, "dim"),
    )


def changed(snapshot: Snapshot) -> Line:
    """Rows that came and went."""
    pieces: list[Piece] = []
    if snapshot.added_rows:
        pieces.append((f"+{snapshot.added_rows:,}", "ok"))
    if snapshot.deleted_rows:
        pieces.append((f"{' ' if pieces else ''}−{snapshot.deleted_rows:,}", "bad"))
    return pieces or [("–", "faint")]


def _named(snapshot: Snapshot) -> Line:
    pieces: list[Piece] = [(f"⚑ {ref} ", "accent") for ref in snapshot.refs]
    if snapshot.expired_at is not None:
        pieces.append(("⊗ expired", "faint"))
    elif snapshot.current:
        pieces.append(("current", "ok"))
    return pieces or [("–", "faint")]
