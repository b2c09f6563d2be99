"""Rows of a dataset on a screen of their own, as the actor may see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.widget import Widget

from screens.background import Ask
from screens.base import ModeScreen
from screens.widgets.grid import Grid, text_of
from screens.widgets.lines import Line, Piece
from screens.words import plural

if TYPE_CHECKING:
    from core.domain.dataset import Dataset
    from core.services.explore import Sample
    from screens.working import WorkingScreen

COUNT = 200
"""Rows that a sample has."""


def show_sample(screen: WorkingScreen, dataset: Dataset, number: int | None) -> None:
    """Draw rows by chance and show them on a screen above."""
    at = number if number is not None else dataset.number
    types = {column.name: column.type for column in dataset.columns}

    def drawn(sample: Sample) -> str:
        screen.deck.push_screen(RowsScreen(sample, types))
        return ""

    screen.work(
        f"read rows of {dataset.name} #{at}", "explore", "sample", dataset.name, COUNT,
        at=str(at), then=drawn, command=f"opsdeck data sample {dataset.name}@{at} -n {COUNT}",
    )  # fmt: skip


def record_lines(names: Sequence[str], types: Sequence[str], row: Sequence[object]) -> list[Line]:
    """One row as a page: a line a column."""
    room = max((len(name) for name in names), default=0)
    lines: list[Line] = []
    for place, value in enumerate(row):
        text, style = text_of(value)
        kind = types[place] if place < len(types) else ""
        lines.append([(f"{names[place]:<{room}}  ", "dim"), (text, style), (f"  {kind}", "faint")])
    return lines


def show_record(screen: ModeScreen, grid: Grid, title: str) -> None:
    """The row under the cursor in a dialog, a column a line."""
    from screens.dialogs.notice import TextDialog

    lines = record_lines(grid.names, grid.types, grid.rows[grid.cursor])
    screen.deck.push_screen(TextDialog(title, lines, width=90))


def sideways(grid: Grid) -> list[Piece]:
    """Which columns lie out of view, for the message line."""
    left, right = grid.beyond
    if not left and not right:
        return []
    told = " ".join(filter(None, (f"← {left}" if left else "", f"{right} →" if right else "")))
    return [(f"   more columns: {told}", "warn")]


class RowsScreen(ModeScreen):
    """A sample: 200 rows drawn by chance, the same ones every time."""

    scope = "rows"
    CSS = "RowsScreen Grid { height: 1fr; }"

    def __init__(self, sample: Sample, types: dict[str, str]) -> None:
        super().__init__()
        self._sample = sample
        self._types = types
        self._nothing = Ask(self, lambda _ops: None)

    def body(self) -> ComposeResult:
        yield Grid(empty="no rows", id="grid")

    @property
    def grid(self) -> Grid:
        """The rows."""
        return self.query_one(Grid)

    def first_focus(self) -> Widget | None:
        return self.grid

    def on_mount(self) -> None:
        sample = self._sample
        hidden = [words.partition(" is ")[0] for words in sample.hidden]
        types = [self._types.get(name, "") for name in sample.columns]
        rows = [tuple(row[name] for name in sample.columns) for row in sample.rows]
        self.grid.put(sample.columns, types, rows, hidden)

    def ask(self) -> Ask:
        return self._nothing

    def show(self, data: object) -> None:
        """There is nothing to read: the rows were drawn before."""

    def refilter(self) -> None:
        sample = self._sample
        rows = self.matching(
            [tuple(row[name] for name in sample.columns) for row in sample.rows],
            lambda row: " ".join(str(value) for value in row),
        )
        hidden = [words.partition(" is ")[0] for words in sample.hidden]
        self.grid.put(
            sample.columns, [self._types.get(n, "") for n in sample.columns], rows, hidden
        )

    def copyable(self) -> str:
        grid = self.grid
        row = grid.rows[grid.cursor] if grid.rows else ()
        return "\t".join("" if value is None else str(value) for value in row)

    def status(self) -> Sequence[tuple[str, str]]:
        sample = self._sample
        said = [*self.filter_status()]
        drawn = f"{len(sample.rows):,} of {plural(sample.of, 'row')}"
        said.append((f"{sample.dataset} #{sample.snapshot_number}, {drawn} by chance", "dim"))
        said += sideways(self.grid)
        for words in sample.hidden:
            said.append((f"   ▒ {words}", "wait"))
        return said

    def on_grid_chosen(self, _event: Grid.Chosen) -> None:
        self.do_rows_record()

    def do_rows_record(self) -> None:
        """The selected row, a column a line."""
        if self.grid.rows:
            show_record(self, self.grid, f"{self._sample.dataset}: row {self.grid.cursor + 1}")

    def on_key(self) -> None:
        self.foot()
