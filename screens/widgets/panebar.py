"""One line that names the panes beneath it, each with the key that shows it."""

from __future__ import annotations

from collections.abc import Sequence

from textual.events import Click
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from screens.widgets.lines import Piece, strip, width_of


class PaneBar(Widget):
    """`panes` are names; the key of each is its first letter. `marks` stand behind some."""

    DEFAULT_CSS = "PaneBar { height: 1; width: 100%; background: $surface; }"

    class Picked(Message):
        """Somebody clicked on a pane."""

        def __init__(self, pane: str) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, panes: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._panes = tuple(panes)
        self._current = self._panes[0]
        self._marks: dict[str, Piece] = {}

    def put(self, current: str, marks: dict[str, Piece] | None = None) -> None:
        """Show which pane is in view, and marks behind the names of some."""
        self._current, self._marks = current, marks or {}
        self.refresh()

    def _tabs(self, gap: int) -> list[tuple[str, list[Piece]]]:
        shown = []
        for pane in self._panes:
            on = pane == self._current
            pieces: list[Piece] = [(" ", "tab.on" if on else "tab")]
            pieces += [(pane[0], "tab.on" if on else "key"), (pane[1:], "tab.on" if on else "tab")]
            mark = self._marks.get(pane)
            if mark:
                pieces.append((f" {mark[0]}", "tab.on" if on else mark[1]))
            pieces.append((" ", "tab.on" if on else "tab"))
            pieces.append((" " * gap, "tab"))
            shown.append((pane, pieces))
        return shown

    def _fitting(self) -> list[tuple[str, list[Piece]]]:
        wide = self._tabs(1)
        if sum(width_of(pieces) for _, pieces in wide) <= self.size.width:
            return wide
        return self._tabs(0)

    def render_line(self, y: int) -> Strip:
        return strip(self, [p for _, pieces in self._fitting() for p in pieces], self.size.width)

    def on_click(self, event: Click) -> None:
        at = 0
        for pane, pieces in self._fitting():
            at += width_of(pieces)
            if event.x < at:
                self.post_message(self.Picked(pane))
                return
