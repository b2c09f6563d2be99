"""A log drawn line by line: follows its end, finds text, wraps or scrolls sideways."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice
from typing import ClassVar

from rich.cells import cell_len, chop_cells
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from core.domain.run import LogLine
from screens.moves import SHEET_BINDINGS
from screens.widgets.lines import Piece, fit, strip
from screens.words import one_line

KEPT = 50_000
"""Lines held; of a longer log the oldest leave (the file keeps them all)."""

_MARKS = {"out": ("│", "faint"), "err": ("!", "bad"), "sys": ("»", "accent")}


class LogView(ScrollView, can_focus=True):
    """The log. Keys beside those of a sheet: `f` follow, `w` wrap, `n` and `N` matches.

    `bare`: lines that tell their time themselves, without a step or a stream.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *SHEET_BINDINGS,
        Binding("f", "follow", "follow the end", show=False),
        Binding("w", "wrap", "wrap lines", show=False),
        Binding("n", "find(1)", "next match", show=False),
        Binding("N", "find(-1)", "match before", show=False),
        Binding("left", "sideways(-1)", "to the left", show=False),
        Binding("right", "sideways(1)", "to the right", show=False),
    ]
    DEFAULT_CSS = "LogView { scrollbar-size-horizontal: 0; overflow-x: hidden; }"

    class Changed(Message):
        """Follow, wrap or the search changed (for a status line)."""

    def __init__(self, *, bare: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self._bare = bare
        self._lines: deque[LogLine] = deque(maxlen=KEPT)
        self._starts: list[int] = []  # first drawn line of each log line, when wrapping
        self.dropped = 0
        self.follow = True
        self.wrap = False
        self.needle = ""
        self.left = 0
        self.empty = "no output yet"

    # content

    def clear(self) -> None:
        """Forget everything."""
        self._lines.clear()
        self.dropped, self.left = 0, 0
        self._measure()

    def add(self, lines: Iterable[LogLine]) -> None:
        """Add lines at the end; the view goes along when it follows."""
        new = list(lines)
        if not new:
            return
        lost = max(0, len(self._lines) + len(new) - KEPT)
        self._lines.extend(new)
        self.dropped += lost
        self._measure()

    def __len__(self) -> int:
        return len(self._lines)

    def __bool__(self) -> bool:
        return True  # a widget, also when it is empty

    @property
    def matches(self) -> int:
        """How many lines hold the text searched for."""
        return sum(self._hit(line) for line in self._lines) if self.needle else 0

    def search(self, needle: str) -> None:
        """Mark this text (in any case) and go to its last place."""
        self.needle = needle.lower()
        self.refresh()
        if self.needle:
            self.action_find(-1, from_end=True)
        self.post_message(self.Changed())

    def _hit(self, line: LogLine) -> bool:
        return self.needle in line.text.lower()

    # geometry

    @property
    def _gutter(self) -> int:
        if self._bare:
            return 1
        return 10 + 2 + (11 if self.scrollable_content_region.width >= 70 else 0)

    def _measure(self) -> None:
        width = max(1, self.scrollable_content_region.width - self._gutter)
        height = len(self._lines)
        self._starts = []
        if self.wrap:
            height = 0
            for line in self._lines:
                self._starts.append(height)
                height += max(1, -(-cell_len(one_line(line.text)) // width))
        self.virtual_size = Size(0, height)
        if self.follow:
            self._to_end()
            self.call_after_refresh(self._to_end)  # the size may be settled only then
        self.refresh()

    def _to_end(self) -> None:
        if self.follow:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
            if self.show_vertical_scrollbar:  # it may have come after the scrolling
                self.vertical_scrollbar.position = self.scroll_y

    def _place(self, index: int) -> int:
        return self._starts[index] if self.wrap else index

    def on_resize(self, _event: Resize) -> None:
        self._measure()

    # keys

    def _goes(self, y: float) -> None:
        self.scroll_to(y=y, animate=False, force=True)
        self.follow = self.scroll_y >= self.max_scroll_y
        self.post_message(self.Changed())

    def action_scroll_by(self, by: int) -> None:
        """Key: scroll by lines; leaves following unless at the end."""
        self._goes(self.scroll_y + by)

    def action_page(self, by: int) -> None:
        """Key: scroll by pages."""
        self._goes(self.scroll_y + by * max(1, self.scrollable_content_region.height - 1))

    def action_edge(self, last: int) -> None:
        """Key: to the top, or to the end and follow."""
        self._goes(self.max_scroll_y if last else 0)

    def action_follow(self) -> None:
        """Key: follow the end, or stop following."""
        self.follow = not self.follow
        if self.follow:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
        self.post_message(self.Changed())

    def action_wrap(self) -> None:
        """Key: wrap long lines, or cut them."""
        self.wrap, self.left = not self.wrap, 0
        self._measure()
        self.post_message(self.Changed())

    def action_sideways(self, by: int) -> None:
        """Key: see the rest of long lines."""
        self.left = max(0, self.left + by * 20)
        self.refresh()

    def action_find(self, by: int, from_end: bool = False) -> None:
        """Key: to the next or the last line that holds the text searched for."""
        if not self.needle:
            return
        hits = [self._place(i) for i, line in enumerate(self._lines) if self._hit(line)]
        here = len(self._starts or self._lines) + 1 if from_end else round(self.scroll_y)
        ahead = [y for y in hits if (y > here if by > 0 else y < here)]
        if ahead:
            self._goes(ahead[0] if by > 0 else ahead[-1])

    # drawing

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        place = round(self.scroll_y) + y
        index, part = place, 0
        if self.wrap and self._starts:
            index = bisect_right(self._starts, place) - 1
            part = place - self._starts[index]
        if place >= self.virtual_size.height or index >= len(self._lines):
            return strip(self, [(f"  {self.empty}", "faint")] if place == 0 else (), width)
        line = self._lines[index]
        pieces: list[Piece] = []
        if part:
            pieces.append((" " * self._gutter, "text"))
        elif self._bare:
            pieces.append((" ", "text"))
        else:
            pieces.append((f" {_time(int(line.at))} ", "faint"))
            if width >= 70:
                pieces.append((fit(line.step, 10) + " ", "dim"))
            mark, style = _MARKS.get(line.stream, ("│", "faint"))
            pieces.append((mark + " ", style))
        room = max(1, width - self._gutter)
        text = one_line(line.text)
        if self.wrap:
            chopped = chop_cells(text, room)
            text = chopped[part] if part < len(chopped) else ""
        elif self.left:
            text = text[self.left :]
        style = {"err": "bad", "sys": "dim"}.get(line.stream, "text")
        pieces.extend(self._marked(text, style))
        return strip(self, pieces, width)

    def _marked(self, text: str, style: str) -> Sequence[Piece]:
        if not self.needle or self.needle not in text.lower():
            return [(text, style)]
        pieces: list[Piece] = []
        low, start = text.lower(), 0
        while (at := low.find(self.needle, start)) >= 0:
            end = at + len(self.needle)
            pieces += [(text[start:at], style), (text[at:end], "found")]
            start = end
        return [*pieces, (text[start:], style)]

    def tail(self, count: int) -> list[LogLine]:
        """The last lines held."""
        return list(islice(self._lines, max(0, len(self._lines) - count), None))


@lru_cache(4096)
def _time(second: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(second))
