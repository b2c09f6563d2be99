"""A page of styled lines that scrolls: details, evidence, trees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.events import Resize
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from screens.moves import SHEET_BINDINGS
from screens.widgets.lines import Line, strip

Lines = Sequence[Line]


class Sheet(ScrollView, can_focus=True):
    """Shows what a function of the width gives, drawn anew when the width changes."""

    BINDINGS: ClassVar[list[BindingType]] = SHEET_BINDINGS
    DEFAULT_CSS = "Sheet { scrollbar-size-horizontal: 0; overflow-x: hidden; }"

    def __init__(
        self, lines: Lines = (), *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._write: Callable[[int], Lines] = lambda _width: lines
        self._lines: Lines = lines
        self._drawn_for = -1

    @property
    def text(self) -> str:
        """What it shows, as plain text."""
        return "\n".join("".join(piece for piece, _ in line).rstrip() for line in self._lines)

    def put(self, write: Callable[[int], Lines], *, top: bool = False) -> None:
        """Show the lines that `write` gives for a width; `top` goes back to the first."""
        self._write = write
        self._draw(force=True)
        if top:
            self.scroll_to(y=0, animate=False, force=True)

    def _draw(self, *, force: bool = False) -> None:
        width = self.scrollable_content_region.width
        if width <= 0 or (width == self._drawn_for and not force):
            return
        lines = self._write(width)
        changed = lines != self._lines or width != self._drawn_for
        self._drawn_for = width
        if changed:
            self._lines = lines
            self.virtual_size = Size(0, len(lines))
            self.refresh()

    def on_resize(self, _event: Resize) -> None:
        self._draw()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        index = round(self.scroll_y) + y
        return strip(self, self._lines[index] if index < len(self._lines) else (), width)

    def action_scroll_by(self, by: int) -> None:
        """Key: scroll by lines."""
        self.scroll_to(y=self.scroll_y + by, animate=False, force=True)

    def action_page(self, by: int) -> None:
        """Key: scroll by pages."""
        height = max(1, self.scrollable_content_region.height - 1)
        self.scroll_to(y=self.scroll_y + by * height, animate=False, force=True)

    def action_edge(self, last: int) -> None:
        """Key: to the top or the end."""
        self.scroll_to(y=len(self._lines) if last else 0, animate=False, force=True)
