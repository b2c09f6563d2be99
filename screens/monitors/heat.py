"""Features over windows as a map of heat, with a cursor that says what is beneath it.

A place is as hot as its number is near its threshold; a violation is a block of its own form,
so that the map reads without colours.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from screens.monitors.words import sign_of
from screens.widgets.lines import Piece, fit, strip
from screens.words import clock_time, number

if TYPE_CHECKING:
    from core.domain.monitor import Cell, HeatMap

NAMES = 22
"""Columns for the names of features, at most."""
_LEGEND: tuple[Piece, ...] = (
    ("   ██", "bad"), (" violated  ", "dim"),
    ("▓▓▒▒", "warn"), (" near its threshold  ", "dim"),
    ("░░··", "ok"), (" far from it  ", "dim"),
    ("▁▁▇▇", "accent"), (" has none: its size  ", "dim"),
    ("??", "dim"), (" too few rows", "dim"),
)  # fmt: skip
_STEPS = ((0.9, "▓▓", "warn"), (0.7, "▒▒", "warn"), (0.4, "░░", "ok"))
_SIZES = "▁▂▃▄▅▆▇"


def block(cell: Cell | None, largest: float = 0.0) -> Piece:
    """A place of the map, two columns wide. `largest`: of the numbers that it stands among."""
    if cell is None:
        return ("  ", "faint")
    match str(cell.state):
        case "violated":
            return ("██", "bad")
        case "insufficient":
            return ("??", "dim")
    if cell.value is None:
        return ("  ", "faint")
    if cell.threshold is None:
        size = abs(cell.value) / largest if largest else 0.0
        return (_SIZES[round(min(size, 1.0) * (len(_SIZES) - 1))] * 2, "accent")
    heat = _heat(cell)
    for least, form, style in _STEPS:
        if heat >= least:
            return (form, style)
    return ("··", "ok" if cell.state == "ok" else "faint")


def _heat(cell: Cell) -> float:
    """How near a number that is no violation is to its threshold: 1 at it, and beyond it, where
    one window more is waited for.

    Numbers that must not fall below theirs (an accuracy) lie close to their bounds: a fifth of
    the threshold counts as far. A bound below zero (a difference between groups) is as far from
    zero as one above it.
    """
    if cell.value is None or not cell.threshold:
        return 0.0
    ratio = cell.value / cell.threshold
    if cell.comparison.startswith("Less") and cell.threshold > 0:
        return 1.0 - 5.0 * (ratio - 1.0)
    return ratio


class HeatView(ScrollView, can_focus=True):
    """The map. The newest window is at the right; the cursor stays on its feature and window."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "next feature", show=False),
        Binding("up,k", "move(-1)", "feature before", show=False),
        Binding("left", "sideways(-1)", "an older window", show=False),
        Binding("right", "sideways(1)", "a newer window", show=False),
        Binding("home,g", "edge(0)", "first feature", show=False),
        Binding("end,G", "edge(1)", "last feature", show=False),
        Binding("enter", "choose", "its distribution", show=False),
    ]
    DEFAULT_CSS = "HeatView { scrollbar-size-horizontal: 0; overflow-x: hidden; }"

    class Moved(Message):
        """The cursor is on another place."""

    class Chosen(Message):
        """Enter on a place."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._map: HeatMap | None = None
        self._now = 0.0
        self._largest = 0.0
        self.row = 0
        self.window_key = ""

    # what it holds

    def put(self, heat: HeatMap | None, now: float) -> None:
        """Show this map."""
        followed = self._map is None or self._at_newest
        before = self.feature
        if heat is not None and "" in heat.features:  # the whole before its parts
            names = ("", *(name for name in heat.features if name))
            heat = replace(heat, features=names)
        self._map, self._now = heat, now
        free = [c for c in heat.cells.values() if c.threshold is None] if heat else []
        self._largest = max((abs(c.value) for c in free if c.value is not None), default=0.0)
        if heat is None or not heat.windows:
            self.row, self.window_key = 0, ""
        else:
            keys = [key for key, *_ in heat.windows]
            if followed or self.window_key not in keys:
                self.window_key = keys[-1]
            if before in heat.features:
                self.row = heat.features.index(before)
            self.row = min(self.row, max(len(heat.features) - 1, 0))
        self.virtual_size = Size(0, 2 + (len(heat.features) if heat else 0))
        self.refresh()

    @property
    def _at_newest(self) -> bool:
        return bool(self._map and self._map.windows and self._map.windows[-1][0] == self.window_key)

    @property
    def feature(self) -> str:
        """The feature beneath the cursor; empty where there is none."""
        heat = self._map
        return heat.features[self.row] if heat and self.row < len(heat.features) else ""

    def point(self, feature: str, window: str) -> None:
        """Put the cursor there, where the map has such a place."""
        heat = self._map
        if heat is None:
            return
        if feature in heat.features:
            self.row = heat.features.index(feature)
        if window in [key for key, *_ in heat.windows]:
            self.window_key = window
        self.refresh()

    def beneath(self) -> list[Piece]:
        """What is beneath the cursor, in words."""
        heat = self._map
        if heat is None or not heat.windows:
            return []
        window = next((w for w in heat.windows if w[0] == self.window_key), heat.windows[-1])
        cell = heat.cells.get((self.feature, window[0]))
        said: list[Piece] = [
            (f"  {self.feature or '–'}  ", "bold"),
            (f"{clock_time(window[1], self._now)} – {clock_time(window[2], self._now)}  ", "dim"),
        ]
        if cell is None:
            return [*said, ("not measured", "faint")]
        state = sign_of(cell.state)
        value = "–" if cell.value is None else number(cell.value)
        limit = "" if cell.threshold is None else f" (threshold {number(cell.threshold)})"
        return [*said, (f"{cell.metric} {value}{limit}  ", "text"), (state.text, state.style)]

    # moving

    def action_move(self, by: int) -> None:
        """Key: another feature."""
        self._go(self.row + by)

    def action_edge(self, last: int) -> None:
        """Key: the first or the last feature."""
        self._go(len(self._map.features) - 1 if last and self._map else 0)

    def action_sideways(self, by: int) -> None:
        """Key: another window."""
        if self._map is None or not self._map.windows:
            return
        keys = [key for key, *_ in self._map.windows]
        at = keys.index(self.window_key) if self.window_key in keys else len(keys) - 1
        self.window_key = keys[max(0, min(at + by, len(keys) - 1))]
        self.refresh()
        self.post_message(self.Moved())

    def action_choose(self) -> None:
        """Key: open the place."""
        if self.feature:
            self.post_message(self.Chosen())

    def _go(self, row: int) -> None:
        count = len(self._map.features) if self._map else 0
        self.row = max(0, min(row, count - 1))
        top, page = round(self.scroll_y), max(1, self.scrollable_content_region.height - 2)
        if self.row < top:
            self.scroll_to(y=self.row, animate=False, force=True)
        elif self.row >= top + page:
            self.scroll_to(y=self.row - page + 1, animate=False, force=True)
        self.refresh()
        self.post_message(self.Moved())

    def on_click(self, event: Click) -> None:
        heat = self._map
        index = round(self.scroll_y) + event.y - 1
        if heat is None or not 0 <= index < len(heat.features):
            return
        windows, left = self._shown()
        place = (event.x - left) // 2
        if 0 <= place < len(windows):
            self.window_key = windows[place][0]
        self._go(index)

    def on_resize(self, _event: Resize) -> None:
        self.refresh()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    # drawing

    def _shown(self) -> tuple[list[tuple[str, float, float, str]], int]:
        """The windows in view, oldest first, and the column that they begin at."""
        heat = self._map
        if heat is None:
            return [], 0
        left = 3 + self._room() + 9
        fitting = max((self.scrollable_content_region.width - left - 1) // 2, 1)
        windows = list(heat.windows)
        keys = [key for key, *_ in windows]
        at = keys.index(self.window_key) if self.window_key in keys else len(keys) - 1
        last = max(len(windows), 0) if at >= len(windows) - fitting else at + 1
        return windows[max(last - fitting, 0) : last], left

    def _room(self) -> int:
        assert self._map is not None
        return min(max((len(name) for name in self._map.features), default=7), NAMES)

    def render_line(self, y: int) -> Strip:
        width, heat = self.scrollable_content_region.width, self._map
        if heat is None or not heat.features:
            told = "  no window has been measured yet: e runs the monitor now" if y == 0 else ""
            return strip(self, [(told, "faint")], width)
        windows, _ = self._shown()
        if y == 0:
            return self._head(windows, width)
        index = round(self.scroll_y) + y - 1
        if index == len(heat.features):
            return strip(self, _LEGEND, width)
        if index > len(heat.features):
            return strip(self, (), width)
        return self._row(index, windows, width)

    def _head(self, windows: list[tuple[str, float, float, str]], width: int) -> Strip:
        assert self._map is not None
        metric = self._map.metric or "worst metric"
        name = fit("FEATURE", self._room())
        first = clock_time(windows[0][1], self._now) if windows else ""
        last = clock_time(windows[-1][2], self._now) if windows else ""
        room = len(windows) * 2
        over = (
            f"{first}{last:>{room - len(first)}}"
            if room > len(first) + len(last)
            else f"{last:>{room}}"
        )
        told = f"   {name} {fit(metric, 7, 'right')} "
        return strip(self, [(told, "head"), (over, "faint")], width)

    def _row(self, index: int, windows: list[tuple[str, float, float, str]], width: int) -> Strip:
        heat = self._map
        assert heat is not None
        feature, here = heat.features[index], index == self.row
        newest = next(
            (heat.cells[feature, key] for key, *_ in reversed(heat.windows)
             if (feature, key) in heat.cells and heat.cells[feature, key].value is not None),
            None,
        )  # fmt: skip
        value = "–" if newest is None or newest.value is None else number(newest.value)
        style = "bad" if newest is not None and newest.state == "violated" else "text"
        line: list[Piece] = [
            (" ▌ " if here else "   ", "mark"),
            (fit(feature or "(all)", self._room()), "bold" if here else "text"),
            (f" {fit(value, 7, 'right')} ", style),
        ]
        for key, *_ in windows:
            form, ink = block(heat.cells.get((feature, key)), self._largest)
            marked = here and key == self.window_key and self.has_focus
            line.append((f"{form[0]}◂" if marked else form, ink if not marked else "mark"))
        over = ("cursor" if self.has_focus else "cursor_off") if here else ""
        return strip(self, line, width, over=over)
