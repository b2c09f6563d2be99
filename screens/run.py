"""One run: its steps with a Gantt chart, live metrics, logs, and what it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from core.domain.run import RunDetail, StepRun, StepStatus
from screens import changes
from screens.actions import Context
from screens.background import Ask
from screens.base import ModeScreen
from screens.glyphs import sign
from screens.rundetails import detail_lines, headline
from screens.runview import RunReader, RunView, grouped
from screens.widgets.bars import span_bar
from screens.widgets.chart import Chart, Series
from screens.widgets.lines import Line
from screens.widgets.logview import LogView
from screens.widgets.page import Page
from screens.widgets.rails import NODE, rails
from screens.widgets.sheet import Sheet
from screens.widgets.table import Cell, Column, RowTable
from screens.words import duration, plural

CHARTS = 3


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step with what its row needs: its rail, and the time axis of the run."""

    step: StepRun
    rail: str
    low: float
    high: float
    now: float


STEP_COLUMNS = (
    Column("STEP", 16, grow=1),
    Column("STATUS", 9),
    Column("TOOK", 7, align="right"),
    Column("TRY", 3, align="right", drop=2),
    Column("CPU", 6, align="right", drop=3),
    Column("TIMELINE", 14, grow=5, drop=1),
)


def step_rows(detail: RunDetail, now: float) -> list[StepRow]:
    """The steps in order, with rails and a common time axis."""
    lines = rails({step.step: step.needs for step in detail.steps})
    starts = [step.started_at for step in detail.steps if step.started_at is not None]
    low = min(starts, default=detail.run.started_at or detail.run.created_at)
    ends = [(step.ended_at or now) for step in detail.steps if step.started_at is not None]
    high = max(max(ends, default=low), low + 0.001)
    return [StepRow(step, lines[step.step], low, high, now) for step in detail.steps]


def step_cells(row: StepRow) -> Sequence[Cell]:
    """A step as a row: rail, name, status, time, bar."""
    step = row.step
    status = sign(step.status)
    took = None
    if step.started_at is not None:
        took = (step.ended_at if step.ended_at is not None else row.now) - step.started_at
    before, _, after = row.rail.partition(NODE)
    tries = f"{step.attempt}/{step.max_attempts}" if step.max_attempts > 1 else ""
    return (
        [
            (before, "groove"),
            (status.glyph, status.style),
            (f"{after} ", "groove"),
            (step.step, "faint" if step.status is StepStatus.PENDING else "text"),
        ],
        (status.word, status.style),
        (duration(took), "faint" if took is None else "text"),
        (tries, "dim"),
        ("" if step.cpu_seconds is None else duration(step.cpu_seconds), "dim"),
        partial(_bar, row, status.style),
    )


def telling_step(detail: RunDetail) -> str:
    """The step to look at first: what failed, else what runs or waits, else the last done."""
    for wanted in ("failed", "rejected", "running", "retrying", "waiting"):
        for step in detail.steps:
            if step.status == wanted:
                return step.step
    done = [step.step for step in detail.steps if step.status.ended_well]
    return done[-1] if done else detail.steps[0].step if detail.steps else ""


def _bar(row: StepRow, style: str, width: int) -> Line:
    step = row.step
    if step.started_at is None:
        return [("·" * width, "groove")]
    end = step.ended_at if step.ended_at is not None else row.now
    return span_bar(step.started_at, end, row.low, row.high, width, style)


class RunScreen(ModeScreen):
    """A run. Wide screens show charts and logs side by side, narrow ones either."""

    scope = "run"
    CSS = """
    RunScreen #steps { height: auto; max-height: 50%; min-height: 5; }
    RunScreen #lower { height: 1fr; }
    RunScreen .pane { width: 1fr; height: 100%; }
    RunScreen Chart { height: 1fr; padding: 0 1; }
    """

    def __init__(self, ref: str, *, pane: str = "") -> None:
        super().__init__()
        self._reader = RunReader(ref)
        self._pane = pane or "charts"
        self._view: RunView | None = None
        self._run_ask: Ask | None = None

    def body(self) -> ComposeResult:
        yield Page(self._headline, id="head")
        yield RowTable(STEP_COLUMNS, step_cells, lambda row: row.step.step, id="steps")
        with Horizontal(id="lower"):
            with Vertical(id="charts", classes="pane"):
                for number in range(CHARTS):
                    yield Chart(id=f"chart{number}")
            yield LogView(id="logs")
            yield Sheet(id="details", classes="pane")

    @property
    def steps(self) -> RowTable:
        """The list of steps."""
        return self.query_one("#steps", RowTable)

    @property
    def logs(self) -> LogView:
        """The log."""
        return self.query_one("#logs", LogView)

    @property
    def step(self) -> StepRun | None:
        """The selected step."""
        row = self.steps.selected
        return row.step if isinstance(row, StepRow) else None

    def first_focus(self) -> Widget | None:
        return self.logs if self._pane == "logs" else self.steps

    def on_mount(self) -> None:
        self.logs.add_class("pane")
        self._charts([])
        self.lay_out()

    def on_resize(self) -> None:
        self.lay_out()

    def ask(self) -> Ask:
        ended = self._view is not None and self._view.detail.run.status.ended
        ask = self._run_ask
        if ask is None or ask.read is not self._reader or ask.live is ended:
            self._run_ask = ask = Ask(self, self._reader, live=not ended)
        return ask

    def show(self, data: RunView) -> None:
        if data.reader is not self._reader:
            return  # an answer to what was asked before
        first = self._view is None
        self._view = data
        self.steps.put(step_rows(data.detail, self.deck.now()))
        if first:
            self.steps.select(telling_step(data.detail))
        self.query_one("#head", Page).put(self._headline)
        self._charts(grouped(data.series)[:CHARTS], data.trouble)
        self.logs.empty = self._why_empty()
        self.logs.add(data.lines)
        self._details()
        self._titles()
        self.deck.read(self.ask())
        if data.more:
            self.deck.poke()

    def _why_empty(self) -> str:
        step = self.step
        if self._reader.step is None or step is None:
            return "no output yet"
        if step.cached_from:
            return f"no output: the outputs were taken from run {step.cached_from}"
        return f"no output: {step.step} is {sign(step.status).word}"

    def _headline(self, _width: int) -> Sequence[Line]:
        run = self._view.detail.run if self._view is not None else None
        return [headline(run, self.deck.now())]

    def _charts(self, groups: Sequence[tuple[str, list[Series]]], trouble: str = "") -> None:
        for number, chart in enumerate(self.query(Chart)):
            chart.display = number == 0 or number < len(groups)
            if number == 0 and trouble:
                chart.empty = trouble
            name, series = groups[number] if number < len(groups) else ("", [])
            if chart.display:
                chart.put(series, title=name)

    def _details(self) -> None:
        view = self._view
        if view is not None:
            step = self.steps.selected_key
            self.query_one("#details", Sheet).put(
                lambda width: detail_lines(
                    view.detail, view.scores, step, width, view.trials, view.debugged
                )
            )

    # panes

    def lay_out(self) -> None:
        """Show the pane chosen; charts have the logs beside them where there is room."""
        wide = self.size.width >= 110
        self.query_one("#charts").display = self._pane == "charts"
        self.logs.display = self._pane == "logs" or (wide and self._pane == "charts")
        self.query_one("#details").display = self._pane == "details"
        self._titles()

    def _titles(self) -> None:
        self.query_one("#charts").border_title = "charts"
        self.query_one("#details").border_title = "details"
        log = self.logs
        said = ["logs", self._reader.step or "all steps", plural(len(log), "line")]
        said.append("following" if log.follow else "f follows")
        if log.wrap:
            said.append("wrapped")
        if log.needle:
            said.append(f"/{log.needle} {plural(log.matches, 'match').replace('hs', 'hes')}")
        if log.dropped:
            said.append(f"{log.dropped:,} older ones are in the file")
        log.border_title = " · ".join(said)

    def _show_pane(self, pane: str, focus: Widget) -> None:
        self._pane = pane
        self.lay_out()
        self.set_focus(focus)

    def _follow_step(self, step: str | None) -> None:
        """Show the log of this step only, or of all."""
        if step != self._reader.step:
            self._reader = RunReader(self._reader.ref, step)
            self.logs.clear()
            self.deck.read(self.ask())
        self._titles()

    def on_log_view_changed(self, _event: LogView.Changed) -> None:
        self._titles()

    def on_row_table_moved(self, _event: RowTable.Moved) -> None:
        self._details()
        self.foot()

    def on_row_table_chosen(self, _event: RowTable.Chosen) -> None:
        self.do_run_logs()

    # what ModeScreen asks

    def filtered(self, text: str) -> None:
        self.filter_text = text
        self.logs.search(text)
        if not self.logs.display:
            self._pane = "logs"
            self.lay_out()
        self.chrome()

    def back(self) -> bool:
        return super().back() or self.refocus(self.steps)

    def selection(self, session: Context) -> Context:
        run = self._view.detail.run if self._view is not None else None
        return replace(session, run=run, step=self.step if run is not None else None)

    def copyable(self) -> str:
        return self._view.detail.run.id if self._view is not None else ""

    def status(self) -> Sequence[tuple[str, str]]:
        if self.filter_text:
            return [*self.filter_status(), ("n N next, last match", "faint")]
        if self.focused is self.logs:
            return [("f follow   w wrap   / search   ← → sideways", "faint")]
        step = self.step
        if step is not None and step.message:
            return [(f"{step.step}: ", "dim"), (step.message, sign(step.status).style)]
        return []

    # actions

    def do_run_charts(self) -> None:
        """Show the charts."""
        self._show_pane("charts", self.steps)

    def do_run_logs(self) -> None:
        """Show what the selected step printed."""
        step = self.step
        self._show_pane("logs", self.logs)
        self._follow_step(step.step if step is not None else None)

    def do_run_all(self) -> None:
        """Show the log of all steps."""
        self._follow_step(None)

    def do_run_details(self) -> None:
        """Show parameters, outputs and lineage."""
        self._show_pane("details", self.query_one("#details"))

    def do_run_cancel(self) -> None:
        """Cancel the run."""
        if self._view is not None:
            changes.cancel_run(self.deck, self._view.detail.run)

    def do_run_resume(self) -> None:
        """Resume the run."""
        if self._view is not None:
            changes.resume_run(self.deck, self._view.detail.run)

    def do_run_rerun(self) -> None:
        """Repeat the run from the selected step on."""
        if self._view is not None:
            changes.rerun(self.deck, self._view.detail.run, self.step)
