"""The profile pane: every column in a line, and the selected one in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from screens import profile_lines as draw
from screens.widgets.lines import Line, beside
from screens.widgets.table import Cell, Column
from screens.words import number, plural

if TYPE_CHECKING:
    from core.domain.profile import ColumnProfile, DatasetProfile, TimeStats
    from screens.data.reading import Detail

COLUMNS = (
    Column("COLUMN", 12, grow=1),
    Column("TYPE", 9, drop=2),
    Column("MISSING", 8, align="right"),
    Column("DISTINCT", 9, align="right"),
    Column("DISTRIBUTION", 20, grow=1),
    Column("VALUES", 16, grow=3),
)


def cells(column: ColumnProfile) -> Sequence[Cell]:
    """A column as a row."""
    about = "~" if column.distinct_approximate else ""
    distinct = "–" if column.distinct is None else f"{about}{column.distinct:,}"
    return (
        (column.name, "bold"),
        (column.type, "dim"),
        _missing(column),
        distinct,
        lambda width: _drawn(column, width),
        (draw.values_words(column), "dim"),
    )


def _drawn(column: ColumnProfile, width: int) -> Line:
    if column.time is not None:
        return [(coverage(column.time, width), "accent")]
    return [(draw.drawing(column, width), "accent")]


def coverage(times: TimeStats, width: int) -> str:
    """The time that a column covers, from its first to its last: full height where nothing is
    missing, lower the more is; a gap is always seen."""
    first, last = times.first, times.last
    if first is None or last is None or last <= first:
        return ""
    cell = (last - first) / width
    missing = [0.0] * width
    for gap in times.gaps:
        end = max(gap.last, gap.first + (times.step or 0.0))
        for place in range(width):
            low, high = first + place * cell, first + (place + 1) * cell
            missing[place] += max(0.0, min(end, high) - max(gap.first, low))
    return "".join("█" if not m else _HEIGHTS[round((1 - min(m / cell, 1)) * 6)] for m in missing)


_HEIGHTS = " ▁▂▃▄▅▆"


def _missing(column: ColumnProfile) -> tuple[str, str]:
    if not column.missing:
        return ("–", "faint")
    share = column.missing_share
    return ("▲ <0.1%" if share < 0.001 else f"▲ {share:.1%}", "warn")


def styled(lines: Sequence[draw.Line], indent: str = "  ") -> list[Line]:
    """Lines of `screens.profile_lines` as lines of a sheet."""
    return [
        [(indent, "text"), *((text, style or "text") for text, style in line)] for line in lines
    ]


def column_lines(profile: DatasetProfile, column: ColumnProfile, width: int) -> list[Line]:
    """Everything about one column: facts, histogram, top values, gaps, what goes with it."""
    facts: list[Line] = [
        [(f"  {key:<10} ", "dim"), (value, "warn" if _odd(key, value) else "text")]
        for key, value in draw.facts(column)
        if value
    ]
    pictures = _pictures(column, max(min(width // 2 - 30, 30), 8))
    wide = width >= 110 and pictures
    lines = beside(facts, pictures, width // 2) if wide else [*facts, *pictures]
    times = column.time
    if times is not None and times.missing:
        title = f" MISSING TIMES (UTC), ONE {draw.step_words(times).upper()} APART"
        lines += [[(title, "head")], *styled(draw.gap_lines(times))]
    pairs = draw.strongest(profile, column.name)
    if pairs:
        lines.append([(" GOES TOGETHER", "head")])
        lines += [[(f"  {draw.correlation_words(pair)}", "text")] for pair in pairs]
    return lines


def _odd(key: str, value: str) -> bool:
    return key == "gaps" and value != "none"


def _pictures(column: ColumnProfile, width: int) -> list[Line]:
    stats = column.number
    lines: list[Line] = []
    if stats is not None and stats.histogram is not None:
        lines += [[(" HISTOGRAM", "head")], *styled(draw.histogram_lines(stats.histogram, width))]
    if column.top and (stats is None or column.top_complete):
        lines += [[(" TOP VALUES", "head")], *styled(draw.top_lines(column, width))]
    return lines


def about(detail: Detail) -> str:
    """The pane's title."""
    snapshot, profile = detail.snapshot, detail.profile
    if snapshot is None:
        return "profile"
    told = f"profile of #{snapshot.number}"
    if profile is None:
        return told
    told += f", {plural(profile.rows, 'row')}"
    if profile.sampled_rows is not None:
        told += f", drawn from {number(profile.sampled_rows)} of them"
    if profile.duplicate_rows:
        told += f", {profile.duplicate_rows:,} repeated"
    return told


def why_none(detail: Detail) -> str:
    """What stands in the place of a profile that there is not."""
    if detail.snapshot is None:
        return "nothing has been written to this dataset yet"
    if not detail.glance.read:
        return f"you may not read {detail.entry.dataset.name}: {detail.glance.why}"
    told = f"no profile of #{detail.snapshot.number} yet: n makes one"
    if not detail.glance.all:
        told = "you see this dataset in part: n makes a profile of that, which is not kept"
    return told
