"""Pieces of text with a style each, and how they become strips of a line widget."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.strip import Strip
from textual.widget import Widget

from screens.look import LOOK
from screens.words import one_line

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
    for word in one_line(text).split():
        parts = chop_cells(word, width) if cell_len(word) > width else [word]
        for number, part in enumerate(parts):
            joined = f"{current} {part}" if current and not number else part
            if current and (number or cell_len(joined) > width):
                lines.append(current)
                joined = part
            current = joined
    if current or not lines:
        lines.append(current)
    return lines


def wrapped(line: Line, width: int, indent: int = 2) -> list[Line]:
    """The pieces broken at blanks into lines of at most `width` columns.

    Lines after the first begin with `indent` blanks; what is longer than a line is broken.
    """
    if width_of(line) <= width:
        return [line]
    lines: list[list[Piece]] = [[]]
    used = 0
    for word in _words(line):
        if used and used + width_of(word) > width and used > indent:
            word = [(word[0][0].lstrip(" "), word[0][1]), *word[1:]]
            lines.append([(" " * indent, "text")])
            used = indent
        for text, style in word:
            while used + cell_len(text) > width:
                head = chop_cells(text, width - used)[0] if used < width else ""
                lines[-1].append((head, style))
                lines.append([(" " * indent, "text")])
                text, used = text[len(head) :], indent
            lines[-1].append((text, style))
            used += cell_len(text)
    return list(lines)


def _words(line: Line) -> list[list[Piece]]:
    """Pieces cut at blanks: each word with the blanks before it, in one style or several."""
    words: list[list[Piece]] = []
    for text, style in line:
        for part in re.findall(r" *[^ ]+| +$", text):
            if part.startswith(" ") or not words or words[-1][-1][0].endswith(" "):
                words.append([(part, style)])
            else:
                words[-1].append((part, style))
    return words


def beside(left: Sequence[Line], right: Sequence[Line], at: int) -> list[Line]:
    """Two columns of lines as one; the right one begins at column `at`."""
    rows: list[Line] = []
    for number in range(max(len(left), len(right))):
        one = crop(left[number], at - 1) if number < len(left) else []
        other = right[number] if number < len(right) else []
        gap = " " * (at - width_of(one))
        rows.append([*one, (gap, "text"), *other] if other else one)
    return rows


def strip(widget: Widget, line: Line, width: int, *, over: str = "") -> Strip:
    """A strip of exactly `width` columns on the widget's background.

    `over` names a style that is laid under the text in place of the background: a cursor.
    """
    ground, mono = widget.background_colors[1], LOOK.mono
    used = 0
    segments = []
    for text, name in line:
        used += cell_len(text)
        segments.append(Segment(text, _style(name, ground, over, mono)))
    if used > width:
        cut = crop(line, width)
        segments = [Segment(text, _style(name, ground, over, mono)) for text, name in cut]
        used = width_of(cut)
    if used < width:
        segments.append(Segment(" " * (width - used), _style("text", ground, over, mono)))
    return Strip(segments, width)


@lru_cache(512)
def _style(name: str, ground: Color, over: str, mono: bool) -> Style:
    """A named style on a background; `mono` is here so that a change of looks is seen."""
    base = Style(bgcolor=ground.rich_color)
    return (base + LOOK.style(over) if over else base) + LOOK.style(name)


def ground_of(widget: Widget) -> Style:
    """The background that a widget is drawn on."""
    return Style(bgcolor=widget.background_colors[1].rich_color)
