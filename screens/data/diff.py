"""The diff pane: what changed from one snapshot to another, the most changed first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screens import profile_lines as draw
from screens.data.words import version
from screens.widgets.lines import Line, Piece, fit, wrapped
from screens.words import number, plural

if TYPE_CHECKING:
    from core.domain.profile import ColumnDiff, ProfileDiff
    from screens.data.reading import Detail

CHANGES = {
    "added": ("+", "added", "ok"),
    "removed": ("−", "removed", "bad"),
    "retyped": ("~", "retyped", "bad"),
    "shifted": ("▲", "shifted", "warn"),
    "same": ("=", "same", "faint"),
}
LARGE, MODERATE = 0.2, 0.1
"""A population stability index from which a shift counts as large, or as one to look at."""


def diff_lines(detail: Detail, diff: ProfileDiff | None, width: int) -> list[Line]:
    """Rows, columns and distributions of two snapshots side by side."""
    before, after = detail.before, detail.snapshot
    if after is None:
        return [[("  nothing has been written to this dataset yet", "faint")]]
    if before is None:
        told = f"  #{after.number} is the first version: there is nothing to compare it with"
        return [[(told, "faint")], *_how()]
    head: Line = [(f" {version(before)} → {version(after)} ", "title")]
    if diff is None:
        return [
            head,
            *_rows(before.rows, after.rows),
            *_columns(detail),
            [],
            [("  n compares what is in them, column by column", "faint")],
            *_how(),
        ]
    lines: list[Line] = [head, *_rows(diff.before.rows, diff.after.rows)]
    lines += [[], *_table(diff, width)]
    return lines


def _how() -> list[Line]:
    return [[("  m in the snapshots marks the one to compare with", "faint")]]


def _rows(before: int | None, after: int | None) -> list[Line]:
    if before is None or after is None:
        return []
    more = after - before
    style = "ok" if more > 0 else "warn" if more < 0 else "dim"
    told = f"{more:+,}".replace("-", "−") if more else "as many"
    return [[("  rows ", "dim"), (f"{before:,} → {after:,}  ", "text"), (told, style)]]


def _columns(detail: Detail) -> list[Line]:
    from core.domain.dataset import schema_difference

    assert detail.before is not None and detail.snapshot is not None
    found = schema_difference(detail.before.columns, detail.snapshot.columns)
    styles = {"+": "ok", "-": "bad", "~": "warn"}
    if not found:
        return [[("  the same columns", "dim")]]
    return [[(f"  {line}", styles[line[0]])] for line in found]


def _table(diff: ProfileDiff, width: int) -> list[Line]:
    room = min(max((len(c.name) for c in diff.columns), default=6), 24)
    drawn = max(min((width - room - 44) // 2, 24), 6)
    lines: list[Line] = [
        [
            (f" {fit('COLUMN', room)}  {fit('CHANGE', 9)} {'PSI':>5} {'MEAN':<18} ", "head"),
            (f"{fit('BEFORE', drawn)} {fit('AFTER', drawn)}", "head"),
        ]
    ]
    same = [each for each in diff.columns if each.change == "same"]
    for column in diff.columns:
        if column.change != "same":
            lines += _column(column, room, drawn, width)
    if same:
        names = ", ".join(column.name for column in same)
        told = f" = {plural(len(same), 'column')} about the same: {names}"
        lines += wrapped([(told, "faint")], width - 1, indent=3)
    return lines


def _column(column: ColumnDiff, room: int, drawn: int, width: int) -> list[Line]:
    glyph, word, style = CHANGES[column.change]
    one, two = draw.diff_drawing(column, drawn)
    shift = column.shift
    alarm = "dim"
    if shift is not None and shift.psi >= MODERATE:
        alarm = "bad" if shift.psi >= LARGE else "warn"
    line: list[Piece] = [
        (f" {fit(column.name, room)}  ", "bold"),
        (fit(f"{glyph} {word}", 9), style),
        (f" {'–' if shift is None else f'{shift.psi:.2f}':>5} ", alarm),
        (fit(_means(column), 18), "text"),
        (f" {fit(one, drawn)} ", "dim"),
        (fit(two, drawn), "accent"),
    ]
    lines: list[Line] = [line]
    told = list(column.remarks)
    if column.new_values:
        told.append("new values: " + ", ".join(column.new_values))
    if column.lost_values:
        told.append("no longer: " + ", ".join(column.lost_values))
    for text in told:
        lines += wrapped([(f"{' ' * (room + 3)}{text}", "dim")], width - 1, indent=room + 5)
    return lines


def _means(column: ColumnDiff) -> str:
    sides = [each.number.mean if each and each.number else None
             for each in (column.before, column.after)]  # fmt: skip
    if sides == [None, None]:
        return "–"
    return " → ".join("–" if mean is None else number(mean) for mean in sides)
