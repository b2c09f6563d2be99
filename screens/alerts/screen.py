"""The Alerts mode: the list above, what was found and what to do beneath."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal

from screens.actions import Action, Context
from screens.alerts import changes, panes
from screens.alerts.opening import open_reference
from screens.alerts.reading import PANES, AlertsReader, AlertsView
from screens.alerts.words import COLUMNS, cells, on_call_names, searched, totals
from screens.background import Ask
from screens.listing import ListScreen
from screens.widgets.lines import Line
from screens.widgets.panebar import PaneBar
from screens.widgets.sheet import Sheet
from screens.widgets.table import RowTable

if TYPE_CHECKING:
    from core.domain.alert import Alert
    from core.domain.alertview import AlertAction, AlertDetail

READ_SECONDS = 1.5


class AlertsScreen(ListScreen):
    """One list, worst first; panes of the selected alert, two side by side where there is room."""

    scope = "alerts"
    CSS = """
    AlertsScreen #list { height: auto; max-height: 40%; min-height: 3; }
    AlertsScreen #panes { height: 1fr; }
    AlertsScreen #sheet { width: 1fr; height: 100%; }
    AlertsScreen #beside { width: 1fr; height: 100%; border-left: solid #2a3643; }
    AlertsScreen #beside:focus { border-left: solid #62b6cb; }
    AlertsScreen.-narrow #beside { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._selected: str | None = None
        self._wished = ""
        self._hidden = False
        self._pane = PANES[0]
        self._view: AlertsView | None = None
        self._drawn = ""
        self._asks: dict[tuple[str | None, bool], Ask] = {}

    def body(self) -> ComposeResult:
        yield RowTable(
            COLUMNS,
            lambda alert: cells(alert, self.deck.now(), self._people),
            lambda alert: alert.id,
            empty="no alert is open: nothing needs you",
            moving=lambda _alert: True,
            id="list",
        )
        yield PaneBar(PANES, id="bar")
        with Horizontal(id="panes"):
            yield Sheet(id="sheet")
            yield Sheet(id="beside")

    @property
    def alert(self) -> Alert | None:
        """The selected alert."""
        found: Alert | None = self.table.selected
        return found

    @property
    def detail(self) -> AlertDetail | None:
        """What stands beside the selected alert, once it has been read."""
        detail = self._view.detail if self._view is not None else None
        alert = self.alert
        return detail if detail is not None and alert and detail.alert.id == alert.id else None

    @property
    def _people(self) -> dict[str, str]:
        return {} if self._view is None else on_call_names(self._view.triage.on_call)

    def ask(self) -> Ask:
        wish = self.deck.wish("alerts")
        if wish:
            self._selected = self._wished = wish
            self.filter_text = ""
        key = (self._selected, self._hidden)
        if key not in self._asks:
            self._asks = {key: Ask(self, AlertsReader(*key), live=True, every=READ_SECONDS)}
        return self._asks[key]

    def show(self, data: AlertsView) -> None:
        self._view = data
        self.refilter()
        known = [each.id for each in data.triage.alerts]
        if self._selected is not None and self._selected not in known:
            self._missing(self._selected, data)
        elif self._selected is not None and self._selected != self.table.selected_key:
            self.table.select(self._selected)
        self._draw()

    def _missing(self, wanted: str, data: AlertsView) -> None:
        """What was selected is over, or hidden: what somebody came for is shown all the same."""
        self._selected = None
        alert = data.detail.alert if data.detail is not None else None
        if alert is not None and alert.id == wanted == self._wished:
            if alert.state == "resolved":
                self.deck.tell(f"✓ {alert.resolved_by} has resolved it: {alert.title}", "ok")
            elif not self._hidden:
                self._hidden, self._selected = True, wanted
        self._wished = ""
        self.deck.read(self.ask())

    def refilter(self) -> None:
        if self._view is not None:
            self.table.put(self.matching(self._view.triage.alerts, searched))
            self._draw()

    def tick(self) -> None:
        super().tick()
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if len(self.query(Sheet)) < 2:
            return  # it is being put together, or taken down
        detail, alert, pane, now = self.detail, self.alert, self._pane, self.deck.now()
        self.query_one("#bar", PaneBar).put(pane, self._marks(detail))
        sheet, beside = self.query_one("#sheet", Sheet), self.query_one("#beside", Sheet)
        if detail is None:
            words = "  reading…" if alert is not None else ""
            waiting: list[Line] = [[(words, "faint")]]
            sheet.put(lambda _width: waiting)
            beside.put(lambda _width: [])
            return
        top = self._drawn != f"{detail.alert.id}/{pane}"
        self._drawn = f"{detail.alert.id}/{pane}"
        sheet.put(lambda width: pane_lines(pane, detail, now, width), top=top)
        beside.put(lambda width: panes.beside_lines(detail, pane, now, width), top=top)

    @staticmethod
    def _marks(detail: AlertDetail | None) -> dict[str, tuple[str, str]]:
        if detail is None:
            return {}
        failing = any(each.state in ("failing", "given up") for each in detail.deliveries)
        marks = {"before": (str(len(detail.related)), "dim")} if detail.related else {}
        return {**marks, "notified": ("▲", "bad")} if failing else marks

    def selection(self, session: Context) -> Context:
        return replace(session, alert=self.alert, ref=self._command("evidence"))

    def copyable(self) -> str:
        return self.alert.id if self.alert is not None else ""

    def status(self) -> Sequence[tuple[str, str]]:
        if self._view is None:
            return self.filter_status()
        return [*self.filter_status(), *totals(self._view.triage, self._hidden)]

    # events

    def on_row_table_moved(self, _event: RowTable.Moved) -> None:
        alert = self.alert
        if alert is not None and alert.id != self._selected:
            self._selected = alert.id
            self._draw()
            self.deck.read(self.ask())
        self.foot()

    def on_row_table_chosen(self, _event: RowTable.Chosen) -> None:
        self.deck.perform("alerts.open")

    def on_pane_bar_picked(self, event: PaneBar.Picked) -> None:
        self._show_pane(event.pane)

    def handler(self, action: Action) -> Callable[[], None] | None:
        if action.scope != self.scope:
            return super().handler(action)
        if action.group == "panes":
            return partial(self._show_pane, action.id.partition(".")[2])
        return super().handler(action)

    def _show_pane(self, pane: str) -> None:
        self._pane = pane
        self._draw()

    # actions

    def _action(self, id_: str) -> AlertAction | None:
        detail = self.detail
        return next((each for each in detail.actions if each.id == id_), None) if detail else None

    def _command(self, id_: str) -> str:
        found = self._action(id_)
        return found.command if found is not None else ""

    def _can(self, id_: str, otherwise: str) -> AlertAction | None:
        """The action, if it can be done for this alert; else it is said why not."""
        found = self._action(id_)
        if self.detail is None and self.alert is not None:
            self.deck.tell("▲ it is still being read: press again", "warn")
            return None
        if found is None or found.reason:
            self.deck.tell(f"▲ {found.reason if found is not None else otherwise}", "warn")
            return None
        return found

    def do_alerts_open(self) -> None:
        """What the alert was raised for."""
        if self.alert is not None:
            open_reference(self.deck, self.alert, self._command("evidence"))

    def do_alerts_ack(self) -> None:
        """Say that one looks after it."""
        if self.alert is not None:
            changes.acknowledge(self.deck, self.alert)

    def do_alerts_assign(self) -> None:
        """Give it to somebody."""
        if self.alert is not None and self._view is not None:
            changes.assign(self.deck, self.alert, self._view.triage.people)

    def do_alerts_snooze(self) -> None:
        """Put it off."""
        if self.alert is not None:
            changes.snooze(self.deck, self.alert)

    def do_alerts_silence(self) -> None:
        """Hide all alerts like it."""
        if self.alert is not None:
            changes.silence(self.deck, self.alert)

    def do_alerts_unsilence(self) -> None:
        """Show again what is silenced."""
        if self.alert is not None and self.alert.silence is not None:
            changes.unsilence(self.deck, self.alert.silence)

    def do_alerts_escalate(self) -> None:
        """Tell the next level."""
        if self.detail is not None:
            changes.escalate(self.deck, self.detail)

    def do_alerts_resolve(self) -> None:
        """Say that it is over."""
        if self.alert is not None:
            changes.resolve(self.deck, self.alert)

    def do_alerts_comment(self) -> None:
        """Leave a remark."""
        if self.alert is not None:
            changes.comment(self.deck, self.alert)

    def do_alerts_rollback(self) -> None:
        """The endpoint, to its last good version."""
        from screens.dialogs.rollback import RollbackSheet

        found = self._can("rollback", "it is not about an endpoint")
        if found is not None:
            name = found.command.rpartition(" ")[2]
            self.deck.push_screen(RollbackSheet(name, f"{found.command} --yes"))

    def do_alerts_retrain(self) -> None:
        """The model, on newer data."""
        found = self._can("retrain", "no pipeline is known to have made a model for it")
        if found is not None:
            changes.retrain(self.deck, found)

    def do_alerts_hold(self) -> None:
        """The rows behind it, the held batch, or the versions to go back to."""
        found = self._can("hold", "it is not about data")
        if found is None:
            return
        if found.command.startswith(changes.HOLD) and self.alert is not None:
            changes.hold(self.deck, self.alert, found)
        else:
            pane = "held" if "quarantine" in found.command else "snapshots"
            self.deck.go("data", f"{found.subject}/{pane}")

    def do_alerts_relabel(self) -> None:
        """Label rows of the endpoint."""
        from screens.labels.screen import LabelsScreen

        found = self._can("relabel", "it is not about an endpoint")
        if found is not None:
            self.deck.push_screen(LabelsScreen(found.command.rpartition(" ")[2]))

    def do_alerts_all(self) -> None:
        """What is hidden too, or not."""
        self._hidden = not self._hidden
        self.reread()


def pane_lines(pane: str, detail: AlertDetail, now: float, width: int) -> list[Line]:
    """The lines of one pane."""
    if pane == "do":
        return panes.do_lines(detail, width)
    if pane == "before":
        return panes.before_lines(detail, now, width)
    if pane == "log":
        return panes.log_lines(detail, now, width)
    if pane == "notified":
        return panes.notified_lines(detail, now, width)
    return panes.what_lines(detail, now, width)
