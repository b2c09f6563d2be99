"""One line above a list: the kinds of the mode as tabs, or the way down to what is in view."""

from __future__ import annotations

from collections.abc import Sequence

from textual.events import Click
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from screens.widgets.lines import Piece, crop, strip, width_of


class KindBar(Widget):
    """Tabs; or breadcrumbs where one has gone down from a resource."""

    DEFAULT_CSS = "KindBar { height: 1; width: 100%; background: $surface; }"

    class Picked(Message):
        """Somebody clicked on a tab."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    def __init__(self, titles: Sequence[str], trail: Sequence[str] = (), *, id: str = "") -> None:
        super().__init__(id=id or None)
        self._titles = tuple(titles)
        self._trail = tuple(trail)
        self._current = 0

    def put(self, current: int, titles: Sequence[str]) -> None:
        """Show these tabs, this one marked."""
        self._current, self._titles = current, tuple(titles)
        self.refresh()

    def _tabs(self) -> list[list[Piece]]:
        return [
            [(f" {title} ", "tab.on" if place == self._current else "tab"), (" ", "tab")]
            for place, title in enumerate(self._titles)
        ]

    def _first(self, tabs: Sequence[Sequence[Piece]], width: int) -> int:
        """The first tab shown, so that the current one is in view."""
        first = 0
        while first < self._current and (
            sum(width_of(tab) for tab in tabs[first : self._current + 1]) > width - 4
        ):
            first += 1
        return first

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self._trail:
            return strip(self, crop(self._way(width), width), width)
        tabs = self._tabs()
        first = self._first(tabs, width)
        pieces: list[Piece] = [("‹ ", "faint")] if first else []
        pieces += [piece for tab in tabs[first:] for piece in tab]
        return strip(self, pieces, width)

    def _way(self, width: int) -> list[Piece]:
        """The way, its beginning left out where it is too long."""
        steps, title = list(self._trail), self._titles[0]
        while len(steps) > 1 and sum(len(step) + 3 for step in steps) + len(title) + 2 > width:
            steps = ["…", *steps[2:]] if steps[0] == "…" else ["…", *steps[1:]]
        pieces: list[Piece] = [(" ", "text")]
        for step in steps:
            pieces += [(step, "dim"), (" › ", "faint")]
        return [*pieces, (title, "title")]

    def on_click(self, event: Click) -> None:
        if self._trail:
            return
        tabs = self._tabs()
        first = self._first(tabs, self.size.width)
        at = 2 if first else 0
        for place in range(first, len(tabs)):
            at += width_of(tabs[place])
            if event.x < at:
                self.post_message(self.Picked(place))
                return
