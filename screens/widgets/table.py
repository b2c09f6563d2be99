"""A table that draws only the rows in view and holds only a window of them.

It is told how many rows there are and given those of one window; when the view leaves the
window it asks for another (`WindowWanted`). So 100,000 rows cost what 100 cost. The
selection is a key, not a place: it stays on its row when others are added above it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual.binding import BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from screens.moves import TABLE_BINDINGS
from screens.widgets.lines import Line, Piece, crop, fit, strip, width_of

Cell = str | Piece | Line | Callable[[int], Line]
"""A cell: text, text with a style, pieces, or a function of the column's width."""

WINDOW = 240


@dataclass(frozen=True, slots=True)
class Column:
    """A column: at least `width` columns wide, taking `grow` shares of what is left.

    Where the table is too narrow, columns with the highest `drop` go first; 0 never goes.
    """

    title: str
    width: int
    grow: int = 0
    align: str = "left"
    drop: int = 0


class RowTable(ScrollView, can_focus=True):
    """The table. `cells` turns a row into cells, `key` into what identifies it.

    `moving` tells of which rows the cells change by time alone (a duration): `tick` draws
    them again. `pane`: one of several lists on the screen, whose selection is shown while
    it has the focus.
    """

    BINDINGS: ClassVar[list[BindingType]] = TABLE_BINDINGS
    DEFAULT_CSS = "RowTable { scrollbar-size-horizontal: 0; overflow-x: hidden; }"

    class Moved(Message):
        """The selection is on another row."""

        def __init__(self, table: RowTable) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> RowTable:
            """The table that sent it."""
            return self.table

    class Chosen(Moved):
        """Enter (or a second click) on the selected row."""

    class WindowWanted(Moved):
        """Rows are in view that the table does not hold; `offset` is where to read from."""

        def __init__(self, table: RowTable, offset: int) -> None:
            super().__init__(table)
            self.offset = offset

    def __init__(
        self,
        columns: Sequence[Column],
        cells: Callable[[Any], Sequence[Cell]],
        key: Callable[[Any], str],
        *,
        empty: str = "nothing here yet",
        header: bool = True,
        pane: bool = False,
        moving: Callable[[Any], bool] | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._columns = tuple(columns)
        self._cells = cells
        self._key = key
        self._header = header
        self._pane = pane
        self._moving = moving
        self.empty = empty
        self.total = 0
        self.offset_of_window = 0
        self.rows: Sequence[Any] = ()
        self.cursor = 0
        self.selected_key: str | None = None
        self._loaded = False
        self._wanted: int | None = None
        self._layout: tuple[int, list[tuple[int, int]]] = (-1, [])

    def reshape(
        self, columns: Sequence[Column], cells: Callable[[Any], Sequence[Cell]], empty: str
    ) -> None:
        """Be a table of something else, of which nothing is held yet."""
        self._columns, self._cells, self.empty = tuple(columns), cells, empty
        self._layout = (-1, [])
        self.total, self.offset_of_window, self.rows = 0, 0, ()
        self.cursor, self.selected_key, self._loaded, self._wanted = 0, None, False, None
        self.virtual_size = Size(0, int(self._header))
        self.scroll_to(y=0, animate=False, force=True)
        self.refresh()

    # what it holds

    @property
    def selected(self) -> Any | None:
        """The selected row; `None` where there is none, or its window has not come yet."""
        return self._row(self.cursor)

    def put(self, rows: Sequence[Any], *, total: int | None = None, offset: int = 0) -> None:
        """Show these rows (those from `offset` on, of `total`); the selection stays."""
        total = len(rows) if total is None else total
        grown = total - self.total if self._loaded else 0
        unchanged = (
            self._loaded
            and total == self.total
            and offset == self.offset_of_window
            and rows == self.rows
        )
        before = self.selected_key
        self._loaded, self._wanted = True, None
        if unchanged:
            return
        self.total, self.offset_of_window, self.rows = total, offset, rows
        if self.virtual_size.height != total + self._header:
            self.virtual_size = Size(0, total + self._header)
            self.refresh(layout=self.styles.auto_dimensions)
        self._keep_selection(grown)
        self._want_window()
        self.refresh()
        if self.selected_key != before or before is not None:
            self.post_message(self.Moved(self))

    def select(self, key: str) -> None:
        """Put the selection on the row with this key, if it is held."""
        self.selected_key = key
        self._keep_selection(0)
        self._follow()
        self.refresh()

    def select_first(self) -> None:
        """Put the selection on the first row, whatever it will be."""
        self.cursor, self.selected_key = 0, None
        self.scroll_to(y=0, animate=False, force=True)

    def _row(self, index: int) -> Any | None:
        place = index - self.offset_of_window
        return self.rows[place] if 0 <= place < len(self.rows) else None

    def _keep_selection(self, grown: int) -> None:
        """Move the cursor to where the selected key is now; `grown` rows came on top."""
        if self.selected_key is not None:
            for place, row in enumerate(self.rows):
                if self._key(row) == self.selected_key:
                    index = self.offset_of_window + place
                    moved = index - self.cursor
                    self.cursor = index
                    if moved and self.scroll_y:
                        self.scroll_to(y=self.scroll_y + moved, animate=False, force=True)
                    self._follow()
                    return
            if grown and self._row(self.cursor + grown) is None:
                self.cursor += grown  # outside the window: the best guess until it comes
        self.cursor = max(0, min(self.cursor, self.total - 1))
        row = self.selected
        if row is not None:
            self.selected_key = self._key(row)
        elif not self.total:
            self.selected_key = None
        self._follow()

    def tick(self) -> None:
        """A second has passed: draw rows again that change by time alone."""
        if self._moving is not None and any(self._moving(row) for row in self.rows[:200]):
            self.refresh()

    # moving

    def move(self, by: int) -> None:
        """Move the selection by so many rows."""
        self.go(self.cursor + by)

    def go(self, index: int) -> None:
        """Put the selection on the row at this place."""
        index = max(0, min(index, self.total - 1))
        if index == self.cursor:
            return
        left, self.cursor = self.cursor, index
        row = self.selected
        self.selected_key = self._key(row) if row is not None else None
        self._follow()  # draws all rows where it scrolls
        self._redraw(left)
        self._redraw(index)
        self.post_message(self.Moved(self))

    @property
    def page(self) -> int:
        """How many rows are in view."""
        return max(1, self.scrollable_content_region.height - self._header)

    def _redraw(self, index: int) -> None:
        """Draw one row again, if it is in view."""
        y = index - round(self.scroll_y) + self._header
        if self._header <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def _follow(self) -> None:
        top = round(self.scroll_y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + self.page:
            self.scroll_to(y=self.cursor - self.page + 1, animate=False, force=True)
        if self.show_vertical_scrollbar:  # it may have come after the scrolling
            self.vertical_scrollbar.position = self.scroll_y

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._want_window()

    def _want_window(self) -> None:
        first = round(self.scroll_y)
        last = min(first + self.page, self.total) - 1
        held = range(self.offset_of_window, self.offset_of_window + len(self.rows))
        if last < first or (first in held and last in held):
            return
        offset = max(0, min(first - WINDOW // 3, self.total - WINDOW))
        if offset != self._wanted:
            self._wanted = offset
            self.post_message(self.WindowWanted(self, offset))

    def action_move(self, by: int) -> None:
        """Key: move by rows."""
        self.move(by)

    def action_page(self, by: int) -> None:
        """Key: move by pages."""
        self.move(by * self.page)

    def action_edge(self, last: int) -> None:
        """Key: to the first or the last row."""
        self.go(self.total - 1 if last else 0)

    def action_choose(self) -> None:
        """Key: open the selected row."""
        if self.selected is not None:
            self.post_message(self.Chosen(self))

    def on_click(self, event: Click) -> None:
        index = round(self.scroll_y) + event.y - self._header
        if event.y < self._header or not 0 <= index < self.total:
            return
        if index == self.cursor and event.chain > 1:
            self.action_choose()
        else:
            self.go(index)

    def on_resize(self, _event: Resize) -> None:
        self._follow()
        self._want_window()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    # drawing

    def _placed(self, width: int) -> list[tuple[int, int]]:
        """Which columns are shown and how wide: (index, width)."""
        if self._layout[0] == width:
            return self._layout[1]
        shown = list(range(len(self._columns)))

        def needed() -> int:
            return sum(self._columns[i].width for i in shown) + len(shown) - 1

        room = width - 3  # the mark before, a column of air behind
        while needed() > room:
            droppable = [i for i in shown if self._columns[i].drop]
            if not droppable:
                break
            shown.remove(max(droppable, key=lambda i: (self._columns[i].drop, i)))
        spare = max(0, room - needed())
        shares = sum(self._columns[i].grow for i in shown)
        placed = []
        for i in shown:
            column = self._columns[i]
            extra = spare * column.grow // shares if shares else 0
            placed.append((i, column.width + extra))
        self._layout = (width, placed)
        return placed

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if self._header and y == 0:
            return self._header_line(width)
        index = round(self.scroll_y) + y - self._header
        if index >= self.total:
            text = self.empty if index == 0 and self._loaded else ""
            return strip(self, [(f"  {text}", "faint")], width)
        row = self._row(index)
        here = index == self.cursor and (self.has_focus or not self._pane)
        if row is None:
            return strip(self, [("▌ " if here else "  ", "mark"), ("·", "faint")], width)
        line: list[Piece] = [("▌ " if here else "  ", "mark")]
        cells = self._cells(row)
        for number, (i, wide) in enumerate(self._placed(width)):
            if number:
                line.append((" ", "text"))
            line.extend(_cell(cells[i], wide, self._columns[i].align))
        over = ("cursor" if self.has_focus else "cursor_off") if here else ""
        return strip(self, line, width, over=over)

    def _header_line(self, width: int) -> Strip:
        line: list[Piece] = [("  ", "head")]
        for number, (i, wide) in enumerate(self._placed(width)):
            column = self._columns[i]
            line.append((" " * bool(number) + fit(column.title, wide, column.align), "head"))
        return strip(self, line, width)


def _cell(cell: Cell, width: int, align: str) -> list[Piece]:
    if isinstance(cell, str):
        return [(fit(cell, width, align), "text")]
    if callable(cell):
        pieces: list[Piece] = list(cell(width))
    elif len(cell) == 2 and isinstance(cell[0], str) and isinstance(cell[1], str):
        return [(fit(cell[0], width, align), cell[1])]
    else:
        pieces = [piece for piece in cell if isinstance(piece, tuple)]
    pieces = crop(pieces, width)
    space = width - width_of(pieces)
    if space:
        pieces.insert(0 if align == "right" else len(pieces), (" " * space, "text"))
    return pieces
