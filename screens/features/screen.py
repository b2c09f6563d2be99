"""The Features mode: all feature views above, a pane of the selected one beneath."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.widget import Widget

from screens.actions import Action, Context
from screens.background import Ask
from screens.features import panes
from screens.features.reading import PANES, FeatureEntry, FeaturesView, read_features
from screens.features.words import COLUMNS, cells, freshness, searched, totals
from screens.registry import REGISTRY
from screens.widgets.lines import Line
from screens.widgets.page import Page
from screens.widgets.panebar import PaneBar
from screens.widgets.sheet import Sheet
from screens.widgets.table import RowTable
from screens.words import duration, plural
from screens.working import WorkingScreen

if TYPE_CHECKING:
    from core.domain.features import FeatureSkew, Materialized


class FeaturesScreen(WorkingScreen):
    """Keys of the panes show them; enter gives the pane the whole screen."""

    scope = "features"
    CSS = """
    FeaturesScreen #list { height: auto; max-height: 40%; min-height: 3; }
    FeaturesScreen #head { display: none; }
    FeaturesScreen #sheet { height: 1fr; }
    FeaturesScreen.zoomed #list { display: none; }
    FeaturesScreen.zoomed #head { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._name: str | None = None
        self._pane = PANES[0]
        self._view = FeaturesView(None)
        self._asks: dict[str | None, Ask] = {}

    def body(self) -> ComposeResult:
        yield RowTable(
            COLUMNS,
            lambda entry: cells(entry, self.deck.now()),
            lambda entry: entry.view.spec.name,
            empty="no feature view yet: write features/NAME.yaml, then M fills it",
            id="list",
        )
        yield Page(self._headline, id="head")
        yield PaneBar(PANES, id="bar")
        yield Sheet(id="sheet")

    @property
    def table(self) -> RowTable:
        """The list."""
        return self.query_one("#list", RowTable)

    @property
    def entry(self) -> FeatureEntry | None:
        """The selected view."""
        found: FeatureEntry | None = self.table.selected
        return found

    def first_focus(self) -> Widget | None:
        return self.table

    def ask(self) -> Ask:
        wish = self.deck.wish("features")
        if wish:
            self._name, _, pane = wish.partition("/")
            self._pane = pane or self._pane
            self.filter_text = ""
        if self._name not in self._asks:
            self._asks[self._name] = Ask(self, partial(read_features, self._name))
        return self._asks[self._name]

    def show(self, data: FeaturesView) -> None:
        self._view = data
        if self._name != data.name and self._name not in [e.view.spec.name for e in data.entries]:
            if self._name is not None:
                self.deck.tell(f"▲ no feature view is called {self._name}", "warn")
            self._name = data.name
        self.refilter()
        if self._name is not None and self._name != self.table.selected_key:
            self.table.select(self._name)
        self._draw()

    def refilter(self) -> None:
        now = self.deck.now()
        self.table.put(self.matching(self._view.entries, lambda entry: searched(entry, now)))

    def _headline(self, _width: int) -> Sequence[Line]:
        entry = self.entry
        if entry is None:
            return [[]]
        now = self.deck.now()
        return [[(f" {entry.view.ref} ", "title"), *freshness(entry, now),
                 (f"  of {entry.view.spec.source}", "dim")]]  # fmt: skip

    def _draw(self) -> None:
        entry, data, now = self.entry, self._view, self.deck.now()
        self.query_one("#bar", PaneBar).put(self._pane)
        self.query_one("#head", Page).put(self._headline)
        sheet = self.query_one("#sheet", Sheet)
        if entry is None:
            problems = data.problems
            sheet.put(lambda _width: [[(f" ✗ {each.one_line()}", "bad")] for each in problems])
        elif data.name != entry.view.spec.name:
            sheet.put(lambda _width: [[("  reading…", "faint")]])
        else:
            pane = self._pane
            sheet.put(lambda width: pane_lines(pane, entry, data, now, width))
        self.foot()

    def selection(self, session: Context) -> Context:
        entry = self.entry
        if entry is None:
            return session
        name = entry.view.spec.name
        return replace(session, features=entry.view, ref=f"feature_view/{name}")

    def copyable(self) -> str:
        return self.entry.view.ref if self.entry is not None else ""

    def status(self) -> Sequence[tuple[str, str]]:
        work = self.work_status()
        if work:
            return work
        said = [*self.filter_status(), *totals(self._view.entries, self.deck.now())]
        if self._view.problems:
            said.append((f"   ✗ {self._view.problems[0].one_line()}", "bad"))
        return said

    # events

    def on_row_table_moved(self, _event: RowTable.Moved) -> None:
        entry = self.entry
        if entry is not None and entry.view.spec.name != self._name:
            self._name = entry.view.spec.name
            self._draw()
            self.deck.read(self.ask())
        self.foot()

    def on_row_table_chosen(self, _event: RowTable.Chosen) -> None:
        self.deck.perform("features.open")

    def on_pane_bar_picked(self, event: PaneBar.Picked) -> None:
        self._show_pane(event.pane)

    def handler(self, action: Action) -> Callable[[], None] | None:
        if action.scope == self.scope and action.group == "panes":
            return partial(self._show_pane, action.id.partition(".")[2])
        return super().handler(action)

    def _show_pane(self, pane: str) -> None:
        self._pane = pane
        self._draw()

    def back(self) -> bool:
        if super().back():
            return True
        if self.has_class("zoomed"):
            self.remove_class("zoomed")
            self.set_focus(self.table)
            return True
        return self.refocus(self.table)

    # actions

    def do_features_open(self) -> None:
        """The view on the whole screen."""
        self.add_class("zoomed")
        self.set_focus(self.query_one("#sheet"))

    def do_features_get(self) -> None:
        """An entity's values, online beside offline."""
        from screens.features.bykey import look_up

        if self.entry is not None:
            look_up(self, self.entry.view)

    def do_features_materialize(self) -> None:
        """Bring the online rows up to date."""
        if self.entry is None:
            return
        name = self.entry.view.spec.name

        def told(done: Materialized) -> str:
            if done.mode == "unchanged":
                return f"{done.view} is up to date: nothing is new"
            written = plural(done.written, "row")
            return f"{done.view}: {done.mode}, {written} written in {duration(done.seconds)}"

        self.work(
            f"materialise {name}", "features", "materialize", name, then=told,
            command=REGISTRY["features.materialize"].command_line(self.deck.context),
        )  # fmt: skip

    def do_features_measure(self) -> None:
        """Compare some entities, online and offline."""
        if self.entry is None:
            return
        ref = self.entry.view.ref

        def told(skew: FeatureSkew) -> str:
            self._show_pane("skew")
            return f"{ref}: {skew.different:,} of {skew.entities:,} entities differ"

        self.work(
            f"measure the skew of {ref}", "features", "skew", ref, then=told,
            command=REGISTRY["features.measure"].command_line(self.deck.context),
        )  # fmt: skip

    def do_features_tree(self) -> None:
        """The lineage on a screen of its own."""
        from screens.lineage.screen import LineageScreen

        if self.entry is not None:
            self.deck.push_screen(LineageScreen(f"feature_view/{self.entry.view.spec.name}"))

    def do_features_source(self) -> None:
        """The dataset that it is made from."""
        if self.entry is not None:
            self.deck.go("data", self.entry.view.spec.source)


def pane_lines(
    pane: str, entry: FeatureEntry, data: FeaturesView, now: float, width: int
) -> list[Line]:
    """The lines of one pane."""
    if pane == "definition":
        return panes.definition_lines(entry, data, now, width)
    if pane == "materialised":
        return panes.event_lines(data, now, width)
    if pane == "skew":
        return panes.skew_lines(data, now, width)
    return panes.version_lines(data, now, width)
