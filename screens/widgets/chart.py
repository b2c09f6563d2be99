"""Line charts in braille by plotext, loaded when the first chart is drawn.

Series are cut to buckets of which the lowest and the highest value are kept, so that no
spike is lost; a chart is drawn at most twice a second, and only while it is seen.
"""

from __future__ import annotations

import math
import re
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.segment import Segment
from textual.events import Resize, Show
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from screens.look import LOOK
from screens.widgets.lines import Piece, ground_of, strip
from screens.words import number

REDRAW_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Series:
    """One line: what it is called, its steps and its values at them."""

    name: str
    steps: Sequence[float]
    values: Sequence[float]


def bucketed(
    steps: Sequence[float], values: Sequence[float], count: int
) -> tuple[list[float], list[float]]:
    """At most `2 * count` points: the lowest and the highest of each of `count` buckets.

    Values that are no finite numbers are left out; the first and last point stay.
    """
    points = [(s, v) for s, v in zip(steps, values, strict=True) if math.isfinite(v)]
    if len(points) <= 2 * count:
        return [s for s, _ in points], [v for _, v in points]
    kept: list[tuple[float, float]] = []
    for i in range(count):
        bucket = points[i * len(points) // count : (i + 1) * len(points) // count]
        low, high = min(bucket, key=lambda p: p[1]), max(bucket, key=lambda p: p[1])
        kept.extend(sorted({low, high}))
    if kept[-1] != points[-1]:
        kept.append(points[-1])
    if kept[0] != points[0]:
        kept.insert(0, points[0])
    return [s for s, _ in kept], [v for _, v in kept]


class Chart(Widget):
    """A chart of a few series over their steps, with a legend that tells the last values."""

    def __init__(self, title: str = "", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.title = title
        self.series: tuple[Series, ...] = ()
        self._strips: list[Strip] = []
        self._drawn: tuple[Any, ...] = ()
        self._drawn_at = -1e9
        self._due: Timer | None = None
        self.draws = 0
        self.empty = "no metrics yet"

    def put(self, series: Sequence[Series], title: str | None = None) -> None:
        """Show these series; drawn soon if seen."""
        titled = title is not None and title != self.title
        if title is not None:
            self.title = title
        if tuple(series) != self.series or titled or not self._strips:
            self.series = tuple(series)
            self._soon()

    @property
    def shows_all(self) -> bool:
        """Whether what it was given last has been drawn."""
        return bool(self._drawn) and (self._drawn[0], self._drawn[3]) == (self.series, self.title)

    def _soon(self) -> None:
        if self._due is not None:
            return
        wait = self._drawn_at + REDRAW_SECONDS - time.monotonic()
        if wait <= 0:
            self._draw()
        else:
            self._due = self.set_timer(wait, self._draw_due)

    def _draw_due(self) -> None:
        self._due = None
        self._draw()

    def on_resize(self, _event: Resize) -> None:
        self._draw()

    def on_show(self, _event: Show) -> None:
        self._draw()

    def _draw(self) -> None:
        width, height = self.size
        if width < 12 or height < 4 or not self.is_on_screen:
            return
        if self.series and "plotext" not in sys.modules:
            self._load()
            return
        state = (self.series, width, height, self.title, LOOK.mono)
        if state == self._drawn:
            return
        self._drawn, self._drawn_at = state, time.monotonic()
        self.draws += 1
        self._strips = self._paint(width, height)
        self.refresh()

    def _load(self) -> None:
        """Import plotext off the event loop (a third of a second), then draw."""

        def load() -> None:
            import plotext  # noqa: F401

            self.app.call_later(self._draw)

        threading.Thread(target=load, name="opsdeck-plotext", daemon=True).start()

    def _paint(self, width: int, height: int) -> list[Strip]:
        shown = [s for s in self.series if any(math.isfinite(v) for v in s.values)]
        heading: list[Piece] = [(f" {self.title} " if self.title else " ", "head")]
        if not shown:
            return [strip(self, heading, width), strip(self, [(f"  {self.empty}", "faint")], width)]
        for index, series in enumerate(shown):
            style = f"series.{index % 4}"
            last = next(v for v in reversed(series.values) if math.isfinite(v))
            mark = "━━" if index == 0 or not LOOK.mono else "··"
            heading += [(f" {mark} ", style), (series.name, "text"), (f" {number(last)}", "bold")]
        rows = _plot(shown, width, height - 1)
        ground = ground_of(self)
        return [strip(self, heading, width), *(row.apply_style(ground) for row in rows)]

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y < len(self._strips):
            return self._strips[y].adjust_cell_length(width)
        return strip(self, (), width)


def _plot(series: Sequence[Series], width: int, height: int) -> list[Strip]:
    """Axes and lines as strips, in the colours of the theme."""
    import plotext

    plotext.terminal.limit(False, False)  # our widget knows its size
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(width, height)
    figure.legend(False)
    for axis in (0, 1):
        figure.axes(False, axis=axis, side=1)
    ends: list[float] = []
    for index, one in enumerate(series):
        steps, values = bucketed(one.steps, one.values, max(width - 8, 4))
        ends += [steps[0], steps[-1]]
        signal = figure.signal(steps, values, marker=plotext.marker("braille", _KEYS[index % 4]))
        signal.lines(index == 0 or not LOOK.mono)  # without colours a second series is dots
        figure.draw(signal)
    ticks = _step_ticks(min(ends), max(ends), max(2, width // 14))
    figure.ruler(0, 0).ticks(ticks, [f"{tick:g}" for tick in ticks])
    low, high = _value_range(series)
    if high > low:
        parts = 4 if height >= 14 else 2 if height >= 7 else 1
        levels = [low + (high - low) * i / parts for i in range(parts + 1)]
        figure.ruler(1, 0).ticks(levels, [number(level) for level in levels])
    text: str = figure.build().string()
    return [_styled(row, width) for row in text.splitlines()[:height]]


_KEYS = ((1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0))
"""The colours that plotext is given: keys to our own styles, never seen."""

_SGR = re.compile("\x1b\\[([0-9;]*)m")


def _styled(row: str, width: int) -> Strip:
    """A row of plotext's output, its escape codes turned into our styles."""
    style, segments = "faint", []
    for number_, part in enumerate(_SGR.split(row)):
        if number_ % 2:
            key = re.search(r"38;2;(\d);0;0", part)
            style = f"series.{int(key.group(1)) - 1}" if key else "faint"
        elif part:
            segments.append(Segment(part, LOOK.style(style)))
    return Strip(segments).adjust_cell_length(width)


def _value_range(series: Sequence[Series]) -> tuple[float, float]:
    values = [value for one in series for value in one.values if math.isfinite(value)]
    return min(values), max(values)


def _step_ticks(low: float, high: float, count: int) -> list[float]:
    """Round places on the step axis, at most about `count`."""
    if high <= low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    size = next((m * power for m in (1, 2, 5, 10) if m * power >= rough), 10 * power)
    size = max(size, 1.0)
    first = math.ceil(low / size) * size
    return [first + i * size for i in range(int((high - first) / size) + 1)] or [low]
