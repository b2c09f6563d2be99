"""The first screen: what is wrong, what waits, what runs, what serves, what happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.widget import Widget

from screens.actions import Context
from screens.background import Ask
from screens.base import ModeScreen
from screens.glyphs import sign
from screens.health import WRONG, Concern, concerns, verdict
from screens.rollouts.state import serving, state_of
from screens.widgets.bars import gauge
from screens.widgets.lines import Line
from screens.widgets.page import Page
from screens.widgets.table import Cell, Column, RowTable
from screens.words import age, clock_time, duration, params, percent, plural, short

if TYPE_CHECKING:
    from core.domain.journal import JournalEntry
    from core.domain.pulse import Pulse
    from core.domain.release import Endpoint
    from core.domain.run import Run
    from core.domain.worker import Worker
    from core.ops import Ops


_NAMED = ("data", "features", "alerts")
"""Modes that are told what to select."""


def read_pulse(ops: Ops) -> Pulse:
    """Read everything at once (off the event loop)."""
    return ops.pulse.snapshot()


def concern_cells(concern: Concern, now: float) -> Sequence[Cell]:
    """What needs somebody, as a row."""
    style = "bad" if concern.kind == WRONG else "wait"
    mark = "✗" if concern.kind == WRONG else "◆"
    return (
        [(f"{mark} ", style), (concern.text, "text"), (f"  {concern.detail}", "dim")],
        (age(now - concern.at), "dim"),
    )


def running_cells(run: Run, now: float) -> Sequence[Cell]:
    """An open run, as a row."""
    status = sign(run.status)
    took = None if run.started_at is None else now - run.started_at
    return (
        [(f"{status.glyph} ", status.style), (run.label, "text")],
        (status.word, status.style),
        partial(_progress, run, status.style),
        (params(run.params), "dim"),
        (duration(took), "dim"),
    )


def _progress(run: Run, style: str, width: int) -> Line:
    share = run.steps_done / run.steps_total if run.steps_total else 0.0
    return [*gauge(share, width - 5, style), (f" {run.steps_done}/{run.steps_total}", "dim")]


def serving_cells(endpoint: Endpoint) -> Sequence[Cell]:
    """An endpoint with its traffic, as a row."""
    status = state_of(endpoint)
    quiet = endpoint.supervisor_pid is None
    share = 100 * endpoint.errors / endpoint.requests if endpoint.requests else 0.0
    return (
        [(f"{status.glyph} ", status.style), (endpoint.name, "text")],
        (status.word, status.style),
        serving(endpoint),
        ("–" if quiet else f"{short(endpoint.rps)}/s", "dim" if quiet else "text"),
        ("–" if quiet else f"{percent(share)} err", "bad" if endpoint.errors else "dim"),
        ("–" if endpoint.p99_ms is None else f"p99 {short(endpoint.p99_ms)}ms", "dim"),
    )


def worker_cells(worker: Worker) -> Sequence[Cell]:
    """A worker, as a row."""
    state = sign("alive" if worker.alive else "stopped" if worker.state == "stopped" else "dead")
    return (
        [(f"{state.glyph} ", state.style), (worker.host, "text"), (f"  pid {worker.pid}", "dim")],
        (state.word, state.style),
        (plural(worker.slots, "slot"), "dim"),
        (f"seen {age(worker.age)}", "dim"),
    )


def event_cells(entry: JournalEntry, now: float) -> Sequence[Cell]:
    """A journal entry, as a row."""
    return (
        (clock_time(entry.at, now), "faint"),
        (entry.actor, "dim"),
        (entry.action, "accent"),
        [(entry.subject, "text"), (f"  {params(entry.detail)}", "dim")],
    )


class PulseScreen(ModeScreen):
    """Panes of lists; tab goes from one to the next, enter opens what is selected."""

    scope = "pulse"
    CSS = """
    PulseScreen #panes { height: 1fr; layout: grid; grid-size: 2 3;
      grid-rows: 1fr 1fr 2fr; grid-columns: 2fr 3fr; grid-gutter: 0 1; }
    PulseScreen #panes RowTable { height: 100%; }
    PulseScreen #events { column-span: 2; }
    PulseScreen.-narrow #panes { layout: vertical; }
    PulseScreen.-narrow #panes RowTable { height: 4; }
    PulseScreen.-narrow #panes #events { height: 1fr; }
    PulseScreen.-narrow #panes #endpoints { height: 3; }
    PulseScreen.-narrow #panes #workers { display: none; }
    PulseScreen.-narrow.-high #panes #workers { display: block; height: 3; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._pulse: Pulse | None = None

    def body(self) -> ComposeResult:
        now = self.deck.now
        yield Page(lambda _width: [verdict(self._pulse)], id="verdict")
        with Container(id="panes"):
            yield _pane(
                "concerns",
                (Column("", 20, grow=1), Column("", 7, align="right")),
                lambda row: concern_cells(row, now()),
                lambda row: row.key,
                "nothing needs you",
            )
            yield _pane(
                "endpoints",
                (
                    Column("", 13, grow=2),
                    Column("", 11),
                    Column("", 15, grow=1),
                    Column("", 7, align="right", drop=1),
                    Column("", 7, align="right", drop=2),
                    Column("", 10, align="right", drop=3),
                ),
                serving_cells,
                lambda row: row.name,
                "no endpoint yet",
            )
            yield _pane(
                "running",
                (
                    Column("", 15, grow=4),
                    Column("", 8),
                    Column("", 8, grow=1),
                    Column("", 12, grow=3, drop=1),
                    Column("", 6, align="right"),
                ),
                lambda row: running_cells(row, now()),
                lambda row: str(row.number),
                "no run is open: 2 lists runs, :run starts one",
            )
            yield _pane(
                "workers",
                (
                    Column("", 16, grow=1),
                    Column("", 8),
                    Column("", 8, drop=2),
                    Column("", 12, align="right", drop=1),
                ),
                worker_cells,
                lambda row: row.id,
                "no worker: one starts with the first run",
            )
            yield _pane(
                "events",
                (
                    Column("", 11),
                    Column("", 10),
                    Column("", 22),
                    Column("", 20, grow=1),
                ),
                lambda row: event_cells(row, now()),
                lambda row: str(row.seq),
                "nothing has happened yet",
            )

    def first_focus(self) -> Widget | None:
        return self._table("concerns")

    def _table(self, name: str) -> RowTable:
        return self.query_one(f"#{name}", RowTable)

    def ask(self) -> Ask:
        return Ask(self, read_pulse, live=True, every=2.0)

    def show(self, data: Pulse) -> None:
        self._pulse = data
        self.query_one("#verdict", Page).put(lambda _width: [verdict(data)])
        self.refilter()

    def refilter(self) -> None:
        pulse = self._pulse
        if pulse is None:
            return
        found = concerns(pulse)
        for name, title, rows in (
            ("concerns", "needs you", found),
            ("endpoints", "endpoints", pulse.endpoints),
            ("running", "open runs", pulse.running),
            ("workers", "workers", pulse.workers),
            ("events", "recent events", pulse.events),
        ):
            shown = self.matching(rows, str)
            table = self._table(name)
            table.put(shown)
            count = f" {len(shown)}" if shown and name != "events" else ""
            table.border_title = f"{title}{count}"

    def _selected(self) -> tuple[str, object]:
        table = self.focused
        if isinstance(table, RowTable) and table.id:
            return table.id, table.selected
        return "", None

    def selection(self, session: Context) -> Context:
        name, row = self._selected()
        if name == "running" and row is not None:
            return replace(session, run=row)  # type: ignore[arg-type]
        if isinstance(row, Concern) and row.alert is not None:
            return replace(session, alert=row.alert)
        return session

    def copyable(self) -> str:
        _, row = self._selected()
        return str(getattr(row, "id", None) or getattr(row, "ref", None) or "")

    def on_row_table_chosen(self, _event: RowTable.Chosen) -> None:
        self.do_pulse_open()

    def on_row_table_moved(self, _event: RowTable.Moved) -> None:
        self.foot()

    # actions

    def do_pulse_open(self) -> None:
        """Go to what is selected."""
        name, row = self._selected()
        if row is None:
            return
        if isinstance(row, Concern):
            if row.opens == "run":
                self.deck.open_run(row.ref)
            elif row.opens == "release":
                self.deck.push_screen(_release(row.ref))
            else:
                self.deck.go(row.opens, row.ref if row.opens in _NAMED else "")
        elif name == "endpoints":
            self.deck.push_screen(_release(str(getattr(row, "name", ""))))
        elif name == "running":
            self.deck.open_run(str(getattr(row, "number", "")))
        else:
            modes = {"events": "audit", "workers": "runs"}
            self.deck.go(modes[name])

    def do_pulse_acknowledge(self) -> None:
        """Say that one looks after the selected alert."""
        from screens.changes import acknowledge

        alert = self.deck.context.alert
        if alert is not None:
            acknowledge(self.deck, alert)


def _release(ref: str) -> Screen[Any]:
    from screens.rollouts.screen import ReleaseScreen

    return ReleaseScreen(ref)


def _pane(
    name: str,
    columns: Sequence[Column],
    cells: Callable[[Any], Sequence[Cell]],
    key: Callable[[Any], str],
    empty: str,
) -> RowTable:
    return RowTable(
        columns,
        cells,
        key,
        empty=empty,
        header=False,
        pane=True,
        moving=lambda _row: name in ("concerns", "running"),
        id=name,
        classes="pane",
    )
