"""Lines as high as they are many: the text of dialogs, and headings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.strip import Strip
from textual.widget import Widget

from screens.widgets.lines import Line, strip


class Page(Widget):
    """Lines as high as they are many; a function of the width writes them."""

    DEFAULT_CSS = "Page { width: 100%; height: auto; }"

    def __init__(self, write: Callable[[int], Sequence[Line]], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._write = write
        self._width = -1
        self._lines: Sequence[Line] = ()

    def put(self, write: Callable[[int], Sequence[Line]]) -> None:
        """Show these lines instead."""
        self._write, self._width = write, -1
        self.refresh(layout=True)

    @property
    def text(self) -> str:
        """What it shows, as plain text."""
        return "\n".join("".join(piece for piece, _ in line) for line in self._lines)

    def _at(self, width: int) -> Sequence[Line]:
        if width != self._width:
            self._lines, self._width = self._write(width), width
        return self._lines

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return len(self._at(width))

    def render_line(self, y: int) -> Strip:
        lines = self._at(self.size.width)
        return strip(self, lines[y] if y < len(lines) else (), self.size.width)
