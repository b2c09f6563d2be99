"""The held pane: batches in quarantine, and the rows of the selected one with their reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from screens.glyphs import Sign
from screens.widgets.lines import Line, Piece, wrapped
from screens.widgets.table import Cell, Column
from screens.words import age, number, plural

if TYPE_CHECKING:
    from core.domain.quality import QuarantinedBatch, QuarantinedRow

STATES: Mapping[str, Sign] = {
    "held": Sign("‖", "held", "wait"),
    "repaired": Sign("✎", "repaired", "accent"),
    "replaying": Sign("▶", "replaying", "run"),
    "replayed": Sign("✓", "replayed", "ok"),
    "discarded": Sign("⊗", "discarded", "dim"),
}
OPEN = ("held", "repaired")
"""States in which somebody can still decide."""

COLUMNS = (
    Column("BATCH", 9),
    Column("STATE", 11),
    Column("WHEN", 8, align="right"),
    Column("ROWS", 8, align="right"),
    Column("BAD", 7, align="right"),
    Column("REASON", 18, grow=3),
    Column("BY", 9, grow=1, drop=1),
)


def cells(batch: QuarantinedBatch, now: float) -> Sequence[Cell]:
    """A batch as a row."""
    state = STATES[batch.state]
    return (
        (batch.id[:8], "bold"),
        (state.text, state.style),
        (age(now - batch.at), "dim"),
        f"{batch.rows:,}",
        (f"{batch.bad_rows:,}", "bad" if batch.bad_rows else "dim"),
        ", ".join(batch.reasons) or "–",
        (batch.by, "dim"),
    )


def batch_lines(
    batch: QuarantinedBatch,
    rows: Sequence[QuarantinedRow] | None,
    now: float,
    width: int,
    *,
    in_part: bool = False,
) -> list[Line]:
    """A batch: why it was held, what became of it, and rows where they were asked for.

    `in_part`: the actor does not see all of the dataset as it is.
    """
    lines: list[Line] = []
    for reason, count in batch.reasons.items():
        told = "" if count is None else f"  {plural(count, 'row')}"
        lines += wrapped([("  ✗ ", "bad"), (reason, "text"), (told, "dim")], width - 1, 4)
    if batch.decided_by:
        when = age(now - batch.decided_at) if batch.decided_at else ""
        lines.append([(f"  {STATES[batch.state].word} by {batch.decided_by} {when}", "dim")])
    if batch.message:
        lines += wrapped([(f"  {batch.message}", "dim")], width - 1, 2)
    if rows is not None:
        lines.append([(f" BAD ROWS, THE FIRST {len(rows)}", "head")])
        if in_part:
            lines.append([("  ▒ as you may see them: some values are masked", "wait")])
        for row in rows:
            lines += _row(row, width)
    elif batch.state in OPEN:
        lines.append([("  i shows its bad rows with their reasons", "faint")])
    return lines


def _row(row: QuarantinedRow, width: int) -> list[Line]:
    pieces: list[Piece] = [(f"  {row.number:>6}  ", "dim")]
    for name, value in row.values.items():
        pieces += [(f"{name}=", "faint"), (_value(value) + " ", "text")]
    return [
        *wrapped(pieces, width - 1, indent=10),
        *wrapped([(f"          ✗ {'; '.join(row.reasons)}", "bad")], width - 1, indent=12),
    ]


def _value(value: object) -> str:
    return "∅" if value is None else number(value)
