"""Pieces of text with a style each, and how they become strips of a line widget."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.strip import Strip
from textual.widget import Widget

from screens.look import LOOK

Piece = tuple[str, str]
"""Text and the name of its style (see `screens.look`)."""

Line = Sequence[Piece]
"""One line of pieces, left to right."""


def width_of(line: Iterable[Piece]) -> int:
    """How many columns the pieces take."""
    return sum(cell_len(text) for text, _ in line)


def fit(text: str, width: int, align: str = "left") -> str:
    """Text in exactly `width` columns; what does not fit ends in `…`."""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…" if width > 1 else set_cell_size(text, width)
    space = " " * (width - length)
    return space + text if align == "right" else text + space


def crop(line: Line, width: int) -> list[Piece]:
    """The pieces cut to at most `width` columns, with `…` where something was cut."""
    if width_of(line) <= width:
        return list(line)
    kept: list[Piece] = []
    room = width - 1
    for text, style in line:
        length = cell_len(text)
        if length > room:
            kept.append((set_cell_size(text, max(room, 0)) + "…", style))
            break
        kept.append((text, style))
        room -= length
    return kept


def wrap(text: str, width: int) -> list[str]:
    """Plain text broken at blanks into lines of at most `width` columns."""
    lines: list[str] = []
    current = ""
    for word in text.split():
        while cell_len(word) > width:
            if current:
                lines.append(current)
                current = ""
            lines.append(word[:width])
            word = word[width:]
        joined = f"{current} {word}" if current else word
        if cell_len(joined) > width:
            lines.append(current)
            current = word
        else:
            current = joined
    if current or not lines:
        lines.append(current)
    return lines


def strip(widget: Widget, line: Line, width: int, *, over: Style | None = None) -> Strip:
    """A strip of exactly `width` columns on the widget's background.

    `over` (the cursor's background, say) is laid under the text in place of it.
    """
    style = LOOK.style
    segments = [Segment(text, style(name)) for text, name in crop(line, width)]
    used = sum(cell_len(segment.text) for segment in segments)
    if used < width:
        segments.append(Segment(" " * (width - used), style("text")))
    ground = ground_of(widget)
    return Strip(segments, width).apply_style(ground + over if over is not None else ground)


@lru_cache(64)
def _ground(colour: Color) -> Style:
    return Style(bgcolor=colour.rich_color)


def ground_of(widget: Widget) -> Style:
    """The background that a widget is drawn on."""
    return _ground(widget.background_colors[1])
