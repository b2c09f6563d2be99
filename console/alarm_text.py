"""Alarms and objectives as text for people."""

from __future__ import annotations

from collections.abc import Sequence

from console.session import Session
from console.tables import Column, block, heading, table
from console.words import Cell, duration, number, when
from core.domain.alarm import Alarm, AlarmEvent
from core.domain.series import Datapoint
from core.domain.slo import SloStatus

GLYPHS = {"OK": ("●", "green"), "ALARM": ("▲", "red"), "INSUFFICIENT_DATA": ("○", "yellow")}
BARS = "▁▂▃▄▅▆▇█"


def state_cell(session: Session, state: str) -> Cell:
    """A state with its glyph; the bare word in a pipe."""
    glyph, colour = GLYPHS[state]
    return Cell(f"{glyph} {state}" if session.terminal else state, colour)


def list_text(session: Session, found: Sequence[Alarm]) -> str:
    """Alarms as a table, with what somebody should know of all of them."""
    if not found:
        return "no such alarms; make one: opsdeck alarms create --help"
    columns = [
        Column("alarm"),
        Column("state"),
        Column("since"),
        Column("what", flexible=True),
        Column("why", flexible=True),
    ]
    rows = [
        (
            each.name,
            state_cell(session, each.state),
            when(each.since, terminal=session.terminal),
            each.definition.words(),
            _why(each),
        )
        for each in found
    ]
    return "\n".join([table(session, columns, rows), *_staleness(found[0])])


def _why(alarm: Alarm) -> str:
    notes = []
    if alarm.test:
        notes.append("a test")
    if not alarm.actions_enabled:
        notes.append("actions off")
    if alarm.held:
        notes.append(f"actions wait: {alarm.held}")
    if alarm.problem:
        notes.append(f"file: {alarm.problem}")
    return "; ".join([*notes, alarm.reason])


def _staleness(alarm: Alarm) -> list[str]:
    if not alarm.stale:
        return []
    ago = "never" if alarm.age is None else f"{duration(alarm.age)} ago"
    return [f"these states are stale: last evaluated {ago}; start a worker: opsdeck worker"]


def alarm_text(session: Session, alarm: Alarm, events: Sequence[AlarmEvent]) -> str:
    """One alarm, whole."""
    of = alarm.definition
    values = [point.value for point in alarm.datapoints]
    rows: list[tuple[str, Cell | str]] = [
        ("alarm", of.name),
        ("state", state_cell(session, alarm.state)),
        ("since", when(alarm.since, terminal=session.terminal)),
        ("why", alarm.reason),
        ("test", "set by hand, to try it" if alarm.test else ""),
        ("actions wait", alarm.held),
        ("file", alarm.problem),
        ("goes off", of.words()),
        ("missing data", str(of.treat_missing_data) if of.metric else ""),
        ("does", ", ".join(action.words() for action in of.actions) or "nothing"),
        ("actions", _switched(session, alarm)),
        ("suppressed by", of.suppress_with),
        ("endpoint", of.endpoint),
        ("made for", of.derived_from),
        ("about", of.description),
        ("runbook", of.runbook),
        ("datapoints", f"{spark(values)}  {_last(alarm)}" if values else ""),
    ]
    parts = [block(session, rows)]
    if events:
        parts += ["", heading(session, "history"), history_text(session, events, named=False)]
    return "\n".join([*parts, *_staleness(alarm)])


def _switched(session: Session, alarm: Alarm) -> str:
    if not alarm.switched_by:
        return "" if alarm.actions_enabled else "off"
    at = when(alarm.switched_at, terminal=session.terminal)
    why = f": {alarm.switched_why}" if alarm.switched_why else ""
    return f"{'on' if alarm.actions_enabled else 'off'} by {alarm.switched_by}, {at}{why}"


def _last(alarm: Alarm) -> str:
    point = alarm.datapoints[-1]
    value = "missing" if point.value is None else number(point.value)
    if point.low is not None and point.high is not None:
        return f"{value} of [{number(point.low)}, {number(point.high)}]"
    return value


def history_text(session: Session, found: Sequence[AlarmEvent], *, named: bool) -> str:
    """Events as a table, newest first."""
    if not found:
        return "nothing has happened"
    columns = [
        Column("when"),
        *([Column("alarm")] if named else []),
        Column("what"),
        Column("why", flexible=True),
        Column("who"),
    ]
    rows: list[list[Cell | str]] = [
        [
            when(each.at, terminal=session.terminal),
            *([each.alarm] if named else []),
            _what(each),
            each.reason,
            each.actor,
        ]
        for each in found
    ]
    return table(session, columns, rows)


def _what(event: AlarmEvent) -> Cell:
    if not event.to_state:
        return Cell(event.kind, "bright_black")
    prefix = "test: " if event.kind == "test" else ""
    return Cell(f"{prefix}{event.from_state} → {event.to_state}", GLYPHS[event.to_state][1])


def points_text(session: Session, points: Sequence[Datapoint]) -> str:
    """Datapoints as a table under a line of bars; gaps are told as such."""
    if not points:
        return "nothing was recorded"
    columns = [Column("at"), Column("value", right=True), Column("samples", right=True)]
    rows = [
        (
            when(each.at, terminal=session.terminal),
            "-" if each.value is None else number(each.value),
            number(each.samples),
        )
        for each in points
    ]
    return f"{spark([each.value for each in points])}\n{table(session, columns, rows)}"


def spark(values: Sequence[float | None]) -> str:
    """Values as a line of bars, a gap as a dot."""
    known = [value for value in values if value is not None and abs(value) != float("inf")]
    low, high = min(known, default=0.0), max(known, default=0.0)
    step = (high - low) / (len(BARS) - 1) or 1.0
    return "".join(
        "·" if value is None else BARS[int((min(max(value, low), high) - low) / step)]
        for value in values
    )


def slos_text(session: Session, found: Sequence[SloStatus]) -> str:
    """Objectives as a table."""
    if not found:
        return "no objectives; write them in monitors/*.yaml, section slos (see docs/alarms.md)"
    columns = [
        Column("slo"),
        Column("promised", flexible=True),
        Column("is", right=True),
        Column("budget left", right=True),
        Column("burns", right=True),
        Column("lasts", right=True),
        Column("alarms", flexible=True),
    ]
    rows = [
        (
            each.name,
            each.definition.words(),
            "-" if each.sli is None else f"{each.sli * 100:.3f} %",
            budget_cell(each),
            burns(each),
            "-" if each.exhausted_in is None else duration(each.exhausted_in),
            ", ".join(name for name, state in each.alarms.items() if state == "ALARM") or "-",
        )
        for each in found
    ]
    return table(session, columns, rows)


def budget_cell(slo: SloStatus) -> Cell:
    """The share of the budget that is left; red where it is overdrawn."""
    if slo.budget_left is None:
        return Cell("-")
    colour = "red" if slo.budget_left <= 0 else "yellow" if slo.budget_left < 0.25 else "green"
    return Cell(f"{slo.budget_left * 100:.1f} %", colour)


def burns(slo: SloStatus) -> str:
    """The burn rate over the shortest windows that have events."""
    known = [(length, rate) for length, rate in sorted(slo.burn.items()) if rate is not None]
    return f"{known[0][1]:.2g}×" if known else "-"


def slo_text(session: Session, slo: SloStatus) -> str:
    """One objective, whole."""
    of = slo.definition
    rows: list[tuple[str, Cell | str]] = [
        ("slo", of.name),
        ("promised", f"{of.words()}, over {duration(of.window)}"),
        ("is", "-" if slo.sli is None else f"{slo.sli * 100:.4f} %"),
        ("events", f"{slo.events:,.0f}, of them {slo.bad:,.0f} bad"),
        ("budget left", budget_cell(slo)),
        ("lasts", "" if slo.exhausted_in is None else duration(slo.exhausted_in)),
        ("as of", when(slo.at, terminal=session.terminal)),
        ("file", slo.problem),
        ("about", of.description),
        ("trend", spark(slo.trend) if slo.trend else ""),
    ]
    burn = [
        (duration(length), "-" if rate is None else f"{rate:.3g}×")
        for length, rate in sorted(slo.burn.items())
    ]
    parts = [block(session, rows), "", heading(session, "burn rate"), block(session, burn)]
    if slo.alarms:
        states = [(name, state_cell(session, state)) for name, state in slo.alarms.items()]
        parts += ["", heading(session, "alarms"), block(session, states)]
    return "\n".join(parts)
