"""The Monitors mode: all monitors above, a pane of the selected one beneath."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from screens.actions import Action, Context
from screens.background import Ask, Change
from screens.monitors import panes
from screens.monitors.curves import coverage_line, next_metric, series_of
from screens.monitors.heat import HeatView
from screens.monitors.reading import PANES, MonitorsView, Wish, read_monitors
from screens.monitors.words import COLUMNS, cells, headline_of, searched, sign_of, totals
from screens.registry import REGISTRY
from screens.widgets.chart import Chart
from screens.widgets.lines import Line
from screens.widgets.page import Page
from screens.widgets.panebar import PaneBar
from screens.widgets.sheet import Sheet
from screens.widgets.table import RowTable
from screens.words import plural
from screens.working import WorkingScreen

if TYPE_CHECKING:
    from core.domain.looked import Looked
    from core.domain.monitor import Monitor, MonitorRun

_SHOWN = {"heat": "heat", "curves": "curves"}
"""Panes that are not a sheet of text, and the id of what shows them."""
_ABOUT_ONE = ("distribution", "numbers", "violations")
"""Panes that show the window, and the first of them the feature, of the map's cursor."""


class MonitorsScreen(WorkingScreen):
    """Keys of the panes show them; enter gives the pane the whole screen."""

    scope = "monitors"
    CSS = """
    MonitorsScreen #list { height: auto; max-height: 40%; min-height: 3; }
    MonitorsScreen #head { display: none; }
    MonitorsScreen #pane { height: 1fr; }
    MonitorsScreen #pane > * { height: 100%; display: none; }
    MonitorsScreen #pane > .shown { display: block; }
    MonitorsScreen #chart { height: 1fr; padding: 0 1; }
    MonitorsScreen.zoomed #list { display: none; }
    MonitorsScreen.zoomed #head { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._wish = Wish()
        self._view = MonitorsView(self._wish)
        self._asks: dict[Wish, Ask] = {}

    def body(self) -> ComposeResult:
        yield RowTable(
            COLUMNS,
            lambda monitor: cells(monitor, self.deck.now()),
            lambda monitor: monitor.name,
            empty="no monitor yet: opsdeck monitors suggest ENDPOINT --write",
            id="list",
        )
        yield Page(self._headline, id="head")
        yield PaneBar(PANES, id="bar")
        with Container(id="pane"):
            yield HeatView(id="heat")
            with Container(id="curves"):
                yield Page(lambda _width: (), id="coverage")
                yield Chart(id="chart")
            yield Sheet(id="sheet")

    @property
    def table(self) -> RowTable:
        """The list."""
        return self.query_one("#list", RowTable)

    @property
    def heat(self) -> HeatView:
        """The map."""
        return self.query_one(HeatView)

    @property
    def monitor(self) -> Monitor | None:
        """The selected monitor."""
        found: Monitor | None = self.table.selected
        return found

    def first_focus(self) -> Widget | None:
        return self.table

    def ask(self) -> Ask:
        wish = self.deck.wish("monitors")
        if wish:
            name, _, pane = wish.partition("/")
            self._wish = Wish(name, pane if pane in PANES else self._wish.pane)
            self.filter_text = ""
        if self._wish not in self._asks:
            self._asks = {
                self._wish: Ask(self, partial(read_monitors, self._wish), live=True, every=2.0)
            }
        return self._asks[self._wish]

    def show(self, data: MonitorsView) -> None:
        if (data.wish.pane, data.wish.window) != (self._wish.pane, self._wish.window):
            return  # of the pane before: the next reading is on its way
        wanted = self._wish.name
        if wanted and wanted != data.wish.name:
            self.deck.tell(f"▲ no monitor is called {wanted}", "warn")
        self._view = data
        self._wish = replace(self._wish, name=data.wish.name)
        self.refilter()
        if data.wish.name and data.wish.name != self.table.selected_key:
            self.table.select(data.wish.name)
        self._draw()

    def refilter(self) -> None:
        self.table.put(self.matching(self._view.monitors, searched))

    def _headline(self, width: int) -> Sequence[Line]:
        monitor = self._view.shown
        if monitor is None:
            return [[]]
        state = sign_of(monitor.state)
        return [[(f" {monitor.name} ", "title"), (f"of {monitor.watch}  ", "dim"),
                 (f"{state.text}  ", state.style), headline_of(monitor)]]  # fmt: skip

    # drawing

    def _draw(self) -> None:
        pane, data = self._wish.pane, self._view
        self.query_one("#bar", PaneBar).put(pane)
        self.query_one("#head", Page).put(self._headline)
        shown = _SHOWN.get(pane, "sheet")
        for widget in self.query_one("#pane").children:
            widget.set_class(widget.id == shown, "shown")
        match pane:
            case "heat":
                if data.heat is not None or data.wish.pane == pane:  # else it is being read
                    self.heat.put(data.heat, self.deck.now())
            case "curves":
                self._draw_curves()
            case _:
                self._draw_sheet(pane)
        self.foot()

    def _draw_curves(self) -> None:
        if self._view.wish.pane != "curves":
            return  # the pane before had a map of another metric: the curves are being read
        heat, runs = self._view.heat, self._view.runs
        chart = self.query_one("#chart", Chart)
        if heat is None or not heat.windows:
            chart.empty = "no window has been measured yet: e runs the monitor now"
            chart.put((), "")
        else:
            chart.empty = f"no window has a number of {heat.metric}"
            chart.put(series_of(heat), f"{heat.metric}  m: the next of {len(heat.metrics)}")
        self.query_one("#coverage", Page).put(partial(_coverage, runs))

    def _draw_sheet(self, pane: str) -> None:
        data, now = self._view, self.deck.now()
        sheet = self.query_one("#sheet", Sheet)
        match pane:
            case "distribution":
                sheet.put(partial(panes.distribution_lines, data.distribution))
            case "numbers":
                sheet.put(partial(panes.window_lines, data.window, now))
            case "violations":
                sheet.put(partial(panes.violation_lines, data.window, now))
            case "windows":
                sheet.put(partial(panes.windows_lines, data.runs, now))
            case "baseline":
                sheet.put(partial(panes.baseline_lines, data.baselines, now))
            case _:
                sheet.put(partial(panes.about_lines, data.shown, now))

    def selection(self, session: Context) -> Context:
        monitor = self.monitor
        if monitor is None:
            return session
        return replace(session, monitor=monitor, ref=f"monitor/{monitor.name}")

    def copyable(self) -> str:
        return self.monitor.name if self.monitor is not None else ""

    def status(self) -> Sequence[tuple[str, str]]:
        work = self.work_status()
        if work:
            return work
        if self._wish.pane == "heat" and (self.heat.has_focus or self.has_class("zoomed")):
            return self.heat.beneath()
        return [*self.filter_status(), *totals(self._view.monitors)]

    # events

    def on_row_table_moved(self, _event: RowTable.Moved) -> None:
        monitor = self.monitor
        if monitor is not None and monitor.name != self._wish.name:
            self._wish = Wish(monitor.name, self._wish.pane)
            self.deck.read(self.ask())
        self.foot()

    def on_row_table_chosen(self, _event: RowTable.Chosen) -> None:
        self.deck.perform("monitors.open")

    def on_pane_bar_picked(self, event: PaneBar.Picked) -> None:
        self._show_pane(event.pane)

    def on_heat_view_moved(self, _event: HeatView.Moved) -> None:
        self.foot()

    def on_heat_view_chosen(self, _event: HeatView.Chosen) -> None:
        self._show_pane("distribution")

    def handler(self, action: Action) -> Callable[[], None] | None:
        if action.scope == self.scope and action.group == "panes":
            return partial(self._show_pane, action.id.partition(".")[2])
        return super().handler(action)

    def _show_pane(self, pane: str) -> None:
        before, wish = self._wish.pane, replace(self._wish, pane=pane)
        if before == "heat" and pane in _ABOUT_ONE:
            wish = replace(wish, feature=self.heat.feature, window=self.heat.window_key)
        elif pane not in (*_ABOUT_ONE, "heat"):
            wish = replace(wish, feature="", window="")
        if "curves" in (pane, before) and pane != before:
            wish = replace(wish, metric="")
        if pane == "heat" and wish.feature:
            self.heat.point(wish.feature, wish.window)
            wish = replace(wish, window="")
        self._wish = wish
        self._draw()
        if self.has_class("zoomed"):
            self._focus_pane()
        self.deck.read(self.ask())

    def _focus_pane(self) -> None:
        self.set_focus(self.heat if self._wish.pane == "heat" else self.query_one("#sheet"))

    def back(self) -> bool:
        if super().back():
            return True
        if self._wish.pane in _ABOUT_ONE and self._wish.feature:
            self._show_pane("heat")
            return True
        if self.has_class("zoomed"):
            self.remove_class("zoomed")
            self.set_focus(self.table)
            return True
        return self.refocus(self.table)

    # actions

    def do_monitors_open(self) -> None:
        """The monitor on the whole screen."""
        self.add_class("zoomed")
        self._focus_pane()
        self.foot()

    def do_monitors_metric(self) -> None:
        """The next metric."""
        heat = self._view.heat
        current = heat.metric if heat is not None else ""
        found = next_metric(heat, current, worst=self._wish.pane == "heat")
        self._wish = replace(self._wish, metric=found)
        self.deck.read(self.ask())

    def do_monitors_run(self) -> None:
        """Run it now."""
        if self.monitor is None:
            return
        name = self.monitor.name

        def told(done: Looked) -> str:
            if not done.outcomes:
                return f"{name}: {done.why or 'no new window is full yet'}"
            return f"{name}: {plural(len(done.outcomes), 'window')} measured"

        self.work(
            f"run {name}", "monitors", "run", name, then=told,
            command=REGISTRY["monitors.run"].command_line(self.deck.context),
        )  # fmt: skip

    def do_monitors_pause(self) -> None:
        """No more runs for now."""
        if self.monitor is not None:
            name = self.monitor.name
            self._change("pause", f"{name} is paused", lambda ops: ops.monitors.pause(name))

    def do_monitors_resume(self) -> None:
        """Runs again."""
        if self.monitor is not None:
            name = self.monitor.name
            self._change("resume", f"{name} runs again", lambda ops: ops.monitors.resume(name))

    def _change(self, verb: str, said: str, call: Callable[..., object]) -> None:
        command = REGISTRY[f"monitors.{verb}"].command_line(self.deck.context)
        self.deck.change(Change("monitor", f"{verb} a monitor", call, lambda _: said, command))

    def do_monitors_watched(self) -> None:
        """The endpoint, dataset or feature view that it watches."""
        if self.monitor is not None:
            kind, _, name = self.monitor.watch.partition("/")
            self.deck.go({"endpoint": "deploys", "features": "features"}.get(kind, "data"), name)


def _coverage(runs: Sequence[MonitorRun], width: int) -> Sequence[Line]:
    line = coverage_line(runs, width)
    return [line] if line else []
