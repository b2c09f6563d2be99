"""Profiles, their differences and samples, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from console.session import Session
from console.tables import Column, block, heading, table
from console.words import Cell, harmless, number, when
from screens import profile_lines as draw
from screens.words import plural

if TYPE_CHECKING:
    from core.domain.profile import ColumnDiff, ColumnProfile, DatasetProfile, ProfileDiff
    from core.services.explore import Sample

_COLOURS = {"accent": "cyan", "dim": "bright_black", "warn": "yellow", "bad": "red"}
_CHANGES = {"added": "green", "removed": "red", "retyped": "red", "shifted": "yellow"}
_WIDTH = 20


def profile_text(session: Session, profile: DatasetProfile) -> str:
    """All columns in a line each, then gaps in time and what goes together."""
    parts = [_head(session, profile), _columns(session, profile)]
    for column in profile.columns:
        if column.time is not None and column.time.missing:
            parts.append(_gaps(session, column))
    pairs = draw.strongest(profile)
    if pairs:
        rows = [f"  {draw.correlation_words(pair)}" for pair in pairs]
        parts.append("\n".join([heading(session, "goes together"), *rows]))
    return "\n\n".join(parts)


def column_text(session: Session, profile: DatasetProfile, column: ColumnProfile) -> str:
    """Everything about one column."""
    parts = [
        heading(session, f"{profile.dataset}.{column.name} at #{profile.snapshot_number}"),
        block(session, draw.facts(column)),
    ]
    stats, times = column.number, column.time
    if stats is not None and stats.histogram is not None:
        parts.append(_lines(session, draw.histogram_lines(stats.histogram)))
    if column.top and (stats is None or column.top_complete):
        parts.append(_titled(session, "values", draw.top_lines(column)))
    if times is not None and times.missing:
        parts.append(_titled(session, "missing times (UTC)", draw.gap_lines(times, None)))
    pairs = draw.strongest(profile, column.name)
    if pairs:
        rows = [f"  {draw.correlation_words(pair)}" for pair in pairs]
        parts.append("\n".join([heading(session, "goes together"), *rows]))
    if profile.sampled_rows is not None:
        parts.append(_sampled(profile))
    return "\n\n".join(parts)


def diff_text(session: Session, diff: ProfileDiff, *, all_: bool = False) -> str:
    """What changed, the most changed first; columns that stayed the same only with `all_`."""
    before, after = diff.before, diff.after
    gap = f"{diff.rows_changed:+,}" if diff.rows_changed else "as many"
    head = block(
        session,
        [
            ("dataset", diff.dataset),
            ("from", f"#{before.snapshot_number}, {plural(before.rows, 'row')}"),
            ("to", f"#{after.snapshot_number}, {plural(after.rows, 'row')} ({gap})"),
        ],
    )
    shown = [each for each in diff.columns if all_ or each.change != "same"]
    left = len(diff.columns) - len(shown)
    tail = f"{plural(left, 'column')} about the same (--all shows them)" if left else ""
    if not shown:
        return f"{head}\n\n{tail}"
    columns = [
        Column("column"),
        Column("change"),
        Column("PSI", right=True),
        Column("JS", right=True),
        Column("KS", right=True),
        Column("mean", flexible=True),
        Column("before"),
        Column("after"),
    ]
    rows = [_diff_row(each) for each in shown]
    notes = [f"  {each.name}: {text}" for each in shown for text in _remarks(each)]
    parts = [head, table(session, columns, rows), "\n".join(harmless(n) for n in notes), tail]
    return "\n\n".join(part for part in parts if part)


def sample_text(session: Session, sample: Sample) -> str:
    """The rows of a sample as a table."""
    columns = [Column(name, flexible=True) for name in sample.columns]
    rows = [[_value(row[name]) for name in sample.columns] for row in sample.rows]
    drawn = f"{len(sample.rows):,} of {plural(sample.of, 'row')} of #{sample.snapshot_number}"
    parts = [table(session, columns, rows), drawn, *(f"note: {each}" for each in sample.hidden)]
    return "\n".join(parts)


def _head(session: Session, profile: DatasetProfile) -> str:
    duplicates = profile.duplicate_rows
    told = "not counted" if duplicates is None else f"{duplicates:,}"
    return block(
        session,
        [
            ("dataset", profile.dataset),
            ("snapshot", f"#{profile.snapshot_number}"),
            ("rows", f"{profile.rows:,}"),
            ("repeated", told),
            ("sample", _sampled(profile) if profile.sampled_rows is not None else ""),
            ("profiled", when(profile.at, terminal=session.terminal)),
            ("note", "; ".join(profile.notes)),
        ],
    )


def _sampled(profile: DatasetProfile) -> str:
    return (
        f"quantiles, histograms and values are of {profile.sampled_rows:,} of"
        f" {profile.rows:,} rows, drawn by chance"
    )


def _columns(session: Session, profile: DatasetProfile) -> str:
    columns = [
        Column("column"),
        Column("type"),
        Column("missing", right=True),
        Column("distinct", right=True),
        Column("distribution"),
        Column("values", flexible=True),
    ]
    rows = [
        (
            column.name,
            column.type,
            Cell(_missing(column), "yellow" if column.missing else ""),
            _distinct(column),
            Cell(draw.drawing(column, _WIDTH), "cyan"),
            draw.values_words(column),
        )
        for column in profile.columns
    ]
    return table(session, columns, rows)


def _missing(column: ColumnProfile) -> str:
    if not column.missing:
        return "-"
    return "<0.1%" if column.missing_share < 0.001 else f"{column.missing_share:.1%}"


def _distinct(column: ColumnProfile) -> str:
    if column.distinct is None:
        return "-"
    return f"~{column.distinct:,}" if column.distinct_approximate else f"{column.distinct:,}"


def _gaps(session: Session, column: ColumnProfile) -> str:
    times = column.time
    assert times is not None
    title = (
        f"{column.name}: {times.missing:,} times missing in {plural(times.gap_count, 'gap')}"
        f" (one {draw.step_words(times)} apart)"
    )
    text = _titled(session, title, draw.gap_lines(times))
    return text + (f"\n  all: --column {column.name}" if times.gap_count > 10 else "")


def _diff_row(column: ColumnDiff) -> Sequence[Cell | str]:
    one, two = draw.diff_drawing(column, 16)
    shift = column.shift
    psi = Cell("-") if shift is None else Cell(f"{shift.psi:.2f}", _alarm(shift.psi))
    return (
        column.name,
        Cell(column.change, _CHANGES.get(column.change, "")),
        psi,
        "-" if shift is None else f"{shift.js:.2f}",
        "-" if shift is None or shift.ks is None else f"{shift.ks:.2f}",
        _means(column),
        Cell(one, "bright_black"),
        Cell(two, "cyan"),
    )


def _alarm(psi: float) -> str:
    return "red" if psi >= 0.2 else "yellow" if psi >= 0.1 else ""


def _means(column: ColumnDiff) -> str:
    one = column.before.number.mean if column.before and column.before.number else None
    two = column.after.number.mean if column.after and column.after.number else None
    if one is None and two is None:
        return "-"
    return " → ".join("-" if each is None else number(each) for each in (one, two))


def _remarks(column: ColumnDiff) -> list[str]:
    told = list(column.remarks)
    if column.new_values:
        told.append("new: " + ", ".join(column.new_values))
    if column.lost_values:
        told.append("no longer: " + ", ".join(column.lost_values))
    if column.shift is not None and not column.shift.exact:
        told.append("its bins differ: PSI, JS and KS are approximate")
    return told


def _value(value: object) -> Cell:
    return Cell("missing", "bright_black") if value is None else Cell(number(value))


def _titled(session: Session, title: str, lines: Sequence[draw.Line]) -> str:
    return f"{heading(session, title)}\n{_lines(session, lines)}"


def _lines(session: Session, lines: Sequence[draw.Line]) -> str:
    return "\n".join("  " + "".join(_piece(session, piece) for piece in line) for line in lines)


def _piece(session: Session, piece: draw.Piece) -> str:
    text, style = harmless(piece[0]), _COLOURS.get(piece[1])
    return click.style(text, fg=style) if session.colour and style else text
