"""The Data mode: the catalogue above, a pane of the selected dataset beneath."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.widget import Widget

from screens.actions import Action, Context
from screens.background import Ask
from screens.data import access, checks, diff, held, overview, profile, snapshots, way
from screens.data.keys import DatasetKeys
from screens.data.reading import PANES, DataQuery, DataView, Detail, read_data
from screens.data.words import CATALOGUE, catalogue_cells, headline, searched, totals
from screens.widgets.lines import Line
from screens.widgets.page import Page
from screens.widgets.panebar import PaneBar
from screens.widgets.sheet import Sheet
from screens.widgets.table import RowTable

if TYPE_CHECKING:
    from core.domain.catalogue import CatalogueEntry
    from core.domain.dataset import Snapshot
    from core.domain.profile import ColumnProfile, DatasetProfile, ProfileDiff
    from core.domain.quality import QuarantinedBatch

_FIRST = {
    "snapshots": ("data.open", "data.mark", "data.tag", "data.rollback"),
    "profile": ("data.open", "data.now"),
    "diff": ("data.open", "data.now"),
    "checks": ("data.open", "data.validate"),
    "held": ("data.open", "data.rows", "data.replay", "data.export", "data.discard"),
    "lineage": ("data.open", "data.tree"),
}
"""Actions that the footer shows first while a pane is in view."""

_TABLES = {"snapshots": "snapshots", "profile": "columns", "held": "batches"}
"""Panes that have a list of their own, and its id."""


class DataScreen(DatasetKeys):
    """Keys of the panes show them; enter gives the pane the whole screen, escape takes it back."""

    scope = "data"
    CSS = """
    DataScreen #list { height: auto; max-height: 40%; min-height: 3; }
    DataScreen #head { display: none; }
    DataScreen #pane { height: 1fr; }
    DataScreen #pane > * { height: 100%; display: none; }
    DataScreen #pane > .shown { display: block; }
    DataScreen #columns, DataScreen #batches { height: auto; max-height: 50%; min-height: 3; }
    DataScreen #column, DataScreen #batch { height: 1fr; }
    DataScreen.zoomed #list { display: none; }
    DataScreen.zoomed #head { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._ask: Ask | None = None
        self._entries: tuple[CatalogueEntry, ...] = ()
        self._detail: Detail | None = None

    def body(self) -> ComposeResult:
        now = self.deck.now
        yield RowTable(
            CATALOGUE,
            lambda entry: catalogue_cells(entry, now()),
            lambda entry: entry.dataset.name,
            empty="no dataset yet: opsdeck data ingest NAME FILE… makes one",
            id="list",
        )
        yield Page(self._headline, id="head")
        yield PaneBar(PANES, id="bar")
        with Container(id="pane"):
            yield Sheet(id="sheet")
            yield _table(
                "snapshots", snapshots.COLUMNS, self._snapshot_cells, _number, "no version"
            )
            with Vertical(id="profile"):
                yield _table("columns", profile.COLUMNS, profile.cells, _name, "")
                yield Sheet(id="column", classes="pane")
            with Vertical(id="held"):
                yield _table("batches", held.COLUMNS, self._batch_cells, _id, "nothing is held")
                yield Sheet(id="batch", classes="pane")

    def _snapshot_cells(self, snapshot: Snapshot) -> Sequence[Any]:
        return snapshots.cells(lambda: self.asked.mark, snapshot, self.deck.now())

    def _batch_cells(self, batch: QuarantinedBatch) -> Sequence[Any]:
        return held.cells(batch, self.deck.now())

    # what is selected

    @property
    def table(self) -> RowTable:
        """The catalogue."""
        return self.query_one("#list", RowTable)

    @property
    def entry(self) -> CatalogueEntry | None:
        """The selected dataset as the catalogue has it."""
        found: CatalogueEntry | None = self.table.selected
        return found

    @property
    def detail(self) -> Detail | None:
        """What was read of the selected dataset; `None` until it has been."""
        entry, detail = self.entry, self._detail
        same = entry is not None and detail is not None
        return detail if same and detail.entry.dataset.name == entry.dataset.name else None  # type: ignore[union-attr]

    @property
    def snapshot(self) -> Snapshot | None:
        """The snapshot that is selected, or looked at."""
        if self.asked.pane == "snapshots":
            found: Snapshot | None = self.query_one("#snapshots", RowTable).selected
            return found
        return self.detail.snapshot if self.detail is not None else None

    @property
    def held_batch(self) -> QuarantinedBatch | None:
        """The selected batch of the held pane."""
        if self.asked.pane != "held":
            return None
        found: QuarantinedBatch | None = self.query_one("#batches", RowTable).selected
        return found

    def selection(self, session: Context) -> Context:
        entry = self.entry
        if entry is None:
            return session
        return replace(
            session, dataset=entry.dataset, snapshot=self.snapshot, batch=self.held_batch,
            ref=f"dataset/{entry.dataset.name}",
        )  # fmt: skip

    def copyable(self) -> str:
        if self.focused is not self.table and self.held_batch is not None:
            return self.held_batch.id
        if self.focused is not self.table and self.snapshot is not None:
            return self.snapshot.id
        return self.entry.dataset.name if self.entry is not None else ""

    # reading and showing

    def keys_first(self) -> Sequence[str]:
        return _FIRST.get(self.asked.pane, ())

    def first_focus(self) -> Widget | None:
        return self.table

    def ask(self) -> Ask:
        wish = self.deck.wish("data")
        if wish:
            name, _, pane = wish.partition("/")
            self.filter_text = ""
            self.asked = DataQuery(name, pane or self.asked.pane)
            self._lay_out()
        if self._ask is None or self._ask.read.args[0] != self.asked:  # type: ignore[attr-defined]
            self._ask = Ask(self, partial(read_data, self.asked))
        return self._ask

    def show(self, data: DataView) -> None:
        self._entries = data.entries
        if data.query == self.asked:
            self._detail = data.detail
            if data.detail is not None:
                self._settle_on(data.detail.entry.dataset.name)
        self.refilter()
        if self.asked.name is not None and self.asked.name != self.table.selected_key:
            self.table.select(self.asked.name)
        self.draw()

    def _settle_on(self, name: str) -> None:
        """What was read is of this dataset: the first one, where there is none of that name."""
        if self.asked.name not in (None, name):
            self.deck.tell(f"▲ no dataset is called {self.asked.name}", "warn")
        self.asked = replace(self.asked, name=name)

    def refilter(self) -> None:
        self.table.put(self.matching(self._entries, searched))

    def on_mount(self) -> None:
        self._lay_out()

    def _headline(self, _width: int) -> Sequence[Line]:
        return [headline(self.entry, self.deck.now())] if self.entry is not None else [[]]

    def _lay_out(self) -> None:
        pane = self.asked.pane
        shown = pane if pane in _TABLES else "sheet"
        for widget in self.query_one("#pane").children:
            widget.set_class(widget.id == shown, "shown")
        self.query_one("#bar", PaneBar).put(pane)

    def draw(self) -> None:
        """Draw the pane in view from what was read."""
        detail, pane = self.detail, self.asked.pane
        self.query_one("#head", Page).put(self._headline)
        marks = {}
        if self.entry is not None and self.entry.held:
            marks["held"] = (f"‖{self.entry.held}", "wait")
        self.query_one("#bar", PaneBar).put(pane, marks)
        if pane == "snapshots":
            self.query_one("#snapshots", RowTable).put(detail.snapshots if detail else ())
        elif pane == "profile":
            self._draw_profile(detail)
        elif pane == "held":
            self.query_one("#batches", RowTable).put(detail.batches if detail else ())
            self._draw_batch()
        else:
            self._draw_sheet(detail)
        self.foot()

    def _draw_sheet(self, detail: Detail | None) -> None:
        sheet = self.query_one("#sheet", Sheet)
        if detail is None:
            sheet.put(lambda _width: [[("  reading…", "faint")]] if self.entry else [])
            return
        now, pane = self.deck.now(), self.asked.pane
        if detail.trouble:
            sheet.put(lambda _width: [[(f"  ▲ {detail.trouble}", "warn")]])
        elif pane == "diff":
            sheet.put(lambda width: diff.diff_lines(detail, self._diff_of(detail), width))
        else:
            sheet.put(partial(_SHEETS[pane], detail, now))

    def _draw_profile(self, detail: Detail | None) -> None:
        table, found = self.query_one("#columns", RowTable), None
        if detail is not None:
            found = self._profile_of(detail)
            table.empty = detail.trouble or profile.why_none(detail)
            table.refresh()
        table.put(found.columns if found is not None else ())
        sheet = self.query_one("#column", Sheet)
        sheet.display = found is not None
        column: ColumnProfile | None = table.selected
        if detail is None or found is None or column is None:
            return
        sheet.border_title = f"{column.name} · {profile.about(replace(detail, profile=found))}"
        sheet.put(lambda width: profile.column_lines(found, column, width))

    def _draw_batch(self) -> None:
        batch = self.held_batch
        sheet = self.query_one("#batch", Sheet)
        sheet.display = batch is not None
        if batch is not None:
            now, rows = self.deck.now(), self.bad_rows.get(batch.id)
            sheet.border_title = f"batch {batch.id[:8]}"
            in_part = self.detail is not None and not self.detail.glance.all
            sheet.put(lambda width: held.batch_lines(batch, rows, now, width, in_part=in_part))

    def _profile_of(self, detail: Detail) -> DatasetProfile | None:
        """The kept profile, or the one that was made here and could not be kept."""
        if detail.profile is not None or detail.snapshot is None:
            return detail.profile
        return self.made.get((detail.snapshot.dataset, detail.snapshot.number))

    def _diff_of(self, detail: Detail) -> ProfileDiff | None:
        before, after = detail.before, detail.snapshot
        if detail.diff is not None or before is None or after is None:
            return detail.diff
        return self.compared.get((after.dataset, before.number, after.number))

    # events

    def on_row_table_moved(self, event: RowTable.Moved) -> None:
        if event.table.id == "list":
            entry = self.entry
            if entry is not None and entry.dataset.name != self.asked.name:
                self.asked = DataQuery(entry.dataset.name, self.asked.pane)
                self.draw()
                self.deck.read(self.ask())
        elif event.table.id == "columns":
            self._draw_profile(self.detail)
        elif event.table.id == "batches":
            self._draw_batch()
        self.foot()

    def on_row_table_chosen(self, event: RowTable.Chosen) -> None:
        if event.table.id == "list":
            self.deck.perform("data.open")
        elif event.table.id == "snapshots" and self.snapshot is not None:
            self._look(self.snapshot.number, "profile")
        elif event.table.id == "columns":
            self.set_focus(self.query_one("#column"))
        elif event.table.id == "batches":
            self.deck.perform("data.rows")

    def on_pane_bar_picked(self, event: PaneBar.Picked) -> None:
        self.show_pane(event.pane)

    def on_descendant_focus(self) -> None:
        self.foot()

    # panes

    def handler(self, action: Action) -> Callable[[], None] | None:
        if action.scope == self.scope and action.group == "panes":
            return partial(self.show_pane, action.id.partition(".")[2])
        return super().handler(action)

    def show_pane(self, pane: str) -> None:
        at = self.asked.at
        if self.asked.pane == "snapshots" and self.snapshot is not None:
            at = None if self.snapshot.current else self.snapshot.number
        inside = self.focused is not self.table
        self.asked = replace(self.asked, pane=pane, at=at)
        self._lay_out()
        if inside:
            self.set_focus(self._pane_focus)
        self.draw()
        self.reread()

    def _look(self, number: int, pane: str) -> None:
        """Show a pane of one snapshot."""
        self.asked = replace(self.asked, pane=pane, at=number)
        self._lay_out()
        self.set_focus(self._pane_focus)
        self.draw()
        self.reread()

    @property
    def _pane_focus(self) -> Widget:
        return self.query_one(f"#{_TABLES.get(self.asked.pane, 'sheet')}")

    def back(self) -> bool:
        if super().back():
            return True
        if self.has_class("zoomed"):
            self.remove_class("zoomed")
            self.set_focus(self.table)
            return True
        return self.refocus(self.table)

    def status(self) -> Sequence[tuple[str, str]]:
        work = self.work_status()
        if work:
            return work
        said = [*self.filter_status(), *totals(self._entries)]
        query = self.asked
        if query.mark is not None:
            said.append((f"   ◇ #{query.mark} is marked: d compares with it", "wait"))
        if query.at is not None and query.pane != "snapshots":
            said.append((f"   looking at #{query.at}: s picks another", "warn"))
        return said

    # actions

    def do_data_open(self) -> None:
        """The selected dataset on the whole screen."""
        self.add_class("zoomed")
        self.set_focus(self._pane_focus)

    def do_data_mark(self) -> None:
        """Compare with this snapshot from now on, or no longer."""
        if self.snapshot is not None:
            number = self.snapshot.number
            mark = None if self.asked.mark == number else number
            self.asked = replace(self.asked, mark=mark)
            self.query_one("#snapshots", RowTable).refresh()
            self.reread()


_SHEETS: dict[str, Callable[[Detail, float, int], Sequence[Line]]] = {
    "overview": overview.overview_lines,
    "checks": checks.check_lines,
    "access": access.access_lines,
    "lineage": way.way_lines,
}


def _table(
    id_: str, columns: Any, cells: Callable[[Any], Any], key: Callable[[Any], str], empty: str
) -> RowTable:
    return RowTable(columns, cells, key, empty=empty, pane=True, id=id_)


def _number(snapshot: Snapshot) -> str:
    return str(snapshot.number)


def _name(column: ColumnProfile) -> str:
    return column.name


def _id(batch: QuarantinedBatch) -> str:
    return batch.id
