"""A grid of values: rows of a query or a sample, as wide as they are, scrolled both ways.

Draws only the rows in view. What is missing is drawn as `∅` and an empty text as `''`: neither
is mistaken for a text that says so.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from screens.moves import TABLE_BINDINGS
from screens.widgets.lines import Piece, fit, strip
from screens.words import number, one_line

WIDEST = 40
MEASURED = 200
"""Rows that a column's width is measured on."""

MISSING = "∅"


class Grid(ScrollView, can_focus=True):
    """Rows of values beneath names and types. `hidden` are columns that are shown masked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *TABLE_BINDINGS,
        Binding("left", "sideways(-1)", "a column to the left", show=False),
        Binding("right", "sideways(1)", "a column to the right", show=False),
    ]
    DEFAULT_CSS = "Grid { scrollbar-size-horizontal: 0; overflow-x: hidden; }"

    class Chosen(Message):
        """Enter on a row."""

    def __init__(
        self, *, empty: str = "", id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.empty = empty
        self.names: tuple[str, ...] = ()
        self.types: tuple[str, ...] = ()
        self.rows: Sequence[Sequence[Any]] = ()
        self.hidden: Collection[str] = ()
        self.cursor = 0
        self.left = 0
        self._widths: list[int] = []
        self._right: list[bool] = []

    def put(
        self,
        names: Sequence[str],
        types: Sequence[str],
        rows: Sequence[Sequence[Any]],
        hidden: Collection[str] = (),
    ) -> None:
        """Show these rows from the first on."""
        self.names, self.types, self.rows = tuple(names), tuple(types), rows
        self.hidden = frozenset(hidden)
        self.cursor = self.left = 0
        self._measure()
        self.virtual_size = Size(0, len(rows) + 2)
        self.scroll_to(y=0, animate=False, force=True)
        self.refresh()

    def _measure(self) -> None:
        sample = self.rows[:MEASURED]
        self._widths, self._right = [], []
        for place, name in enumerate(self.names):
            values = [row[place] for row in sample]
            texts = [cell_len(text_of(value)[0]) for value in values]
            head = max(cell_len(name) + (name in self.hidden) * 2, cell_len(self._type(place)))
            self._widths.append(min(max([head, *texts]), WIDEST))
            present = [value for value in values if value is not None]
            self._right.append(
                bool(present)
                and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in present)
            )

    def _type(self, place: int) -> str:
        return self.types[place].lower() if place < len(self.types) else ""

    # moving

    @property
    def page(self) -> int:
        """How many rows are in view."""
        return max(1, self.scrollable_content_region.height - 2)

    def action_move(self, by: int) -> None:
        """Key: move by rows."""
        self._go(self.cursor + by)

    def action_page(self, by: int) -> None:
        """Key: move by pages."""
        self._go(self.cursor + by * self.page)

    def action_edge(self, last: int) -> None:
        """Key: to the first or the last row."""
        self._go(len(self.rows) - 1 if last else 0)

    def action_choose(self) -> None:
        """Key: open the row."""
        if self.rows:
            self.post_message(self.Chosen())

    def action_sideways(self, by: int) -> None:
        """Key: a column to the left or to the right."""
        last = self._last_left()
        self.left = max(0, min(self.left + by, last))
        self.refresh()

    def _last_left(self) -> int:
        """The furthest column to begin with: the last one is in view from there."""
        room = self.scrollable_content_region.width - 2
        used = 0
        for place in reversed(range(len(self._widths))):
            used += self._widths[place] + 1
            if used > room:
                return min(place + 1, len(self._widths) - 1)
        return 0

    def _go(self, index: int) -> None:
        self.cursor = max(0, min(index, len(self.rows) - 1))
        top = round(self.scroll_y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + self.page:
            self.scroll_to(y=self.cursor - self.page + 1, animate=False, force=True)
        self.refresh()

    def on_click(self, event: Click) -> None:
        index = round(self.scroll_y) + event.y - 2
        if event.y >= 2 and 0 <= index < len(self.rows):
            self._go(index)

    def on_resize(self, _event: Resize) -> None:
        self.left = min(self.left, self._last_left())
        self.refresh()

    def on_focus(self) -> None:
        self.refresh(Region(0, 0, *self.size))

    def on_blur(self) -> None:
        self.refresh(Region(0, 0, *self.size))

    # drawing

    @property
    def beyond(self) -> tuple[int, int]:
        """How many columns lie out of view to the left and to the right."""
        room, shown = self.scrollable_content_region.width - 2, 0
        for place in range(self.left, len(self._widths)):
            room -= self._widths[place] + 1
            if room < -1 and shown:
                break
            shown += 1
        return self.left, len(self._widths) - self.left - shown

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if not self.names:
            return strip(self, [(f"  {self.empty}" if y == 0 else "", "faint")], width)
        if y < 2:
            return self._head(y, width)
        index = round(self.scroll_y) + y - 2
        if index >= len(self.rows):
            told = "  no rows" if index == 0 else ""
            return strip(self, [(told, "faint")], width)
        here = index == self.cursor
        line: list[Piece] = [("▌ " if here else "  ", "mark")]
        row = self.rows[index]
        for place in range(self.left, len(self.names)):
            text, style = text_of(row[place])
            if self.names[place] in self.hidden:
                style = "wait"
            align = "right" if self._right[place] else "left"
            line += [(fit(text, self._widths[place], align), style), (" ", "text")]
        over = ("cursor" if self.has_focus else "cursor_off") if here else ""
        return strip(self, line, width, over=over)

    def _head(self, y: int, width: int) -> Strip:
        line: list[Piece] = [("  ", "head")]
        for place in range(self.left, len(self.names)):
            masked = self.names[place] in self.hidden
            name = f"▒ {self.names[place]}" if masked else self.names[place]
            text = name if y == 0 else self._type(place)
            align = "right" if self._right[place] else "left"
            style = ("wait" if masked else "head") if y == 0 else "faint"
            line += [(fit(text, self._widths[place], align), style), (" ", "text")]
        return strip(self, line, width)


def text_of(value: Any) -> tuple[str, str]:
    """A value as text, and the style that it is drawn in."""
    if value is None:
        return MISSING, "faint"
    if isinstance(value, str):
        return (one_line(value), "text") if value else ("''", "faint")
    if isinstance(value, (bytes, bytearray)):
        return f"{len(value)} bytes", "dim"
    if isinstance(value, bool):
        return ("true" if value else "false"), "accent"
    if isinstance(value, (int, float)):
        return number(value), "text"
    return one_line(str(value)), "text"
