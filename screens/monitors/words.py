"""How monitors, their windows and their numbers are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from screens.glyphs import Sign
from screens.widgets.lines import Piece
from screens.widgets.table import Cell, Column
from screens.words import age, number, percent, plural, span

if TYPE_CHECKING:
    from core.domain.monitor import Measurement, Monitor, Violation

STATES: Mapping[str, Sign] = {
    "ok": Sign("✓", "ok", "ok"),
    "violated": Sign("▲", "violated", "bad"),
    "insufficient": Sign("?", "too few", "dim"),
    "info": Sign("·", "shown only", "dim"),
    "pending": Sign("○", "pending", "dim"),
    "failed": Sign("✗", "failed", "bad"),
    "broken": Sign("✗", "broken file", "bad"),
    "paused": Sign("‖", "paused", "warn"),
    "gone": Sign("■", "gone", "faint"),
    "running": Sign("▶", "running", "run"),
    "skipped": Sign("↷", "skipped", "faint"),
    "done": Sign("✓", "done", "ok"),
}
"""Of monitors, of their windows and of single numbers."""

COLUMNS = (
    Column("MONITOR", 22, grow=2),
    Column("KIND", 13, drop=3),
    Column("WATCHES", 14, grow=1, drop=2),
    Column("STATE", 13),
    Column("WINDOWS", 12),
    Column("LABELS", 6, align="right", drop=4),
    Column("LAST", 8, align="right"),
    Column("NEXT", 6, align="right", drop=1),
    Column("WORST", 16, grow=4, drop=5),
)

_MARKS = {"ok": "✓", "violated": "▲", "insufficient": "?", "info": "·", "failed": "✗"}
"""A window in one column; states differ by their form, not by colour alone."""


def cells(monitor: Monitor, now: float) -> Sequence[Cell]:
    """A monitor as a row."""
    state = sign_of(monitor.state)
    coverage = monitor.label_coverage
    last, due = monitor.last_window_end, monitor.next_at
    return (
        (monitor.name, "bold"),
        (monitor.kind, "dim"),
        (monitor.watch, "dim"),
        (state.text, state.style),
        lambda width: trend(monitor.trend, width),
        ("–" if coverage is None else percent(coverage * 100), "dim"),
        ("–" if last is None else age(now - last), "dim"),
        ("–" if due is None else "now" if due <= now else span(due - now), "dim"),
        headline_of(monitor),
    )


def headline_of(monitor: Monitor) -> Piece:
    """What a person should know of it first: what it needs, why it cannot go on, what it found."""
    if monitor.needs:
        return (f"needs: {monitor.needs}", "warn")
    return (monitor.reason, "bad") if monitor.reason else (monitor.headline, "text")


def trend(states: Sequence[str], width: int) -> list[Piece]:
    """The newest windows, the newest at the right."""
    return [
        (_MARKS.get(state, "?"), sign_of(state).style if state != "ok" else "ok")
        for state in states[-width:]
    ]


def sign_of(state: str) -> Sign:
    """The sign of a state of a monitor, a window or a number."""
    return STATES.get(str(state)) or Sign("?", str(state), "dim")


def searched(monitor: Monitor) -> str:
    """What the filter looks through."""
    word = sign_of(monitor.state).word
    return " ".join(
        (monitor.name, monitor.kind, monitor.watch, word, monitor.owner, headline_of(monitor)[0])
    )


def totals(monitors: Sequence[Monitor]) -> list[Piece]:
    """How many there are, and how many are not well."""
    pieces: list[Piece] = [(plural(len(monitors), "monitor"), "faint")]
    for state in ("violated", "failed", "broken", "insufficient"):
        count = sum(monitor.state == state for monitor in monitors)
        if count:
            shown = sign_of(state)
            pieces.append((f"   {shown.glyph} {count} {shown.word}", shown.style))
    return pieces


_COMPARE = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": "≥",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "≤",
}


def limit_words(measurement: Measurement) -> str:
    """What would be a violation: `> 0.05`; empty where nothing would."""
    if measurement.threshold is None:
        return ""
    sign = _COMPARE.get(measurement.comparison, "")
    return f"{sign} {number(measurement.threshold)}".strip()


def value_words(measurement: Measurement) -> str:
    """The number with its interval: `0.31 [0.28, 0.34]`."""
    if measurement.value is None:
        return "–"
    said = number(measurement.value)
    if measurement.low is not None and measurement.high is not None:
        said += f" [{number(measurement.low)}, {number(measurement.high)}]"
    return said


def of_words(measurement: Measurement | Violation) -> str:
    """What a number is of: feature and segment."""
    from core.domain.monitor import row_name

    return row_name(measurement.feature, measurement.segment)
