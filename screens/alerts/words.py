"""Alerts as rows and as words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from screens.glyphs import Sign, sign
from screens.widgets.lines import Line, Piece
from screens.widgets.table import Cell, Column
from screens.words import plural, span

if TYPE_CHECKING:
    from core.domain.alert import Alert
    from core.domain.alertview import OnCall, Triage

COLUMNS = (
    Column("SEVERITY", 10),
    Column("AGE", 4, align="right"),
    Column("SEEN", 5, align="right", drop=2),
    Column("ABOUT", 14, grow=2),
    Column("WHAT", 30, grow=5),
    Column("OWNER", 11, grow=1, drop=1),
    Column("STATE", 11),
)

_SEVERITY = {
    "critical": Sign("✗", "critical", "bad"),
    "warning": Sign("▲", "warning", "warn"),
    "info": Sign("·", "info", "dim"),
}


def severity(word: str) -> Sign:
    """A severity as glyph and word."""
    return _SEVERITY[str(word)]


def state_of(alert: Alert, now: float) -> Sign:
    """How it stands: silenced and snoozed hide open and acknowledged."""
    if alert.silence is not None:
        return sign("silenced")
    if alert.snoozed(now):
        return sign("snoozed")
    return sign(alert.state)


def cells(alert: Alert, now: float, people: Mapping[str, str]) -> Sequence[Cell]:
    """An alert as a row."""
    how, state = severity(alert.severity), state_of(alert, now)
    back: list[Piece] = [(" ↻", "warn")] if alert.reopened else []
    more = alert.causes - 1
    told: list[Piece] = [(alert.title, "text"), *back]
    if more > 0:
        told.insert(0, (f"{alert.causes:,}× ", "accent"))
    return (
        (how.text, how.style),
        (span(now - alert.opened_at), "dim"),
        (f"{alert.events:,}", "dim"),
        partial(_about, alert.target),
        told,
        (owner(alert, people), "text" if alert.owner else "faint"),
        (state.text, state.style),
    )


def _about(target: str, width: int) -> Line:
    """What it is about: the name, and of what sort it is where there is room."""
    kind, _, name = target.partition("/")
    if not name or len(target) > width:
        return [(name or kind, "text")]
    return [(name, "text"), (f" {kind}", "faint")]


def owner(alert: Alert, people: Mapping[str, str]) -> str:
    """Who it falls to: of a schedule whoever is on call."""
    return people.get(alert.owner or "") or alert.owner or "nobody"


def on_call_names(on_call: Sequence[OnCall]) -> dict[str, str]:
    """Who each schedule stands for now."""
    return {f"oncall/{each.schedule}": each.who or "nobody" for each in on_call}


def searched(alert: Alert) -> str:
    """What the filter looks through."""
    labels = " ".join(f"{key}={value}" for key, value in alert.labels.items())
    return (
        f"{alert.id} {alert.severity} {alert.kind} {alert.target} {alert.title} {alert.message}"
        f" {alert.owner or 'nobody'} {alert.state} {labels}"
    )


def totals(triage: Triage, hidden: bool) -> list[Piece]:
    """What there is, what is not shown and why, and whether anybody is told."""
    line: list[Piece] = [(plural(len(triage.alerts), "alert"), "dim")]
    away = [
        f"{count} {word}"
        for count, word in ((triage.silenced, "silenced"), (triage.snoozed, "snoozed"))
        if count
    ]
    if away:
        line.append((f"   {', '.join(away)}", "warn"))
        line.append((" shown too, f hides" if hidden else " not shown, f shows", "faint"))
    if triage.unattended:
        line.append((f"   ▲ {triage.unattended}", "bad"))
    elif triage.on_call:
        names = ", ".join(f"{each.who or 'nobody'} ({each.schedule})" for each in triage.on_call)
        line.append((f"   on call: {names}", "dim"))
    return line
