"""Aligned text: tables and blocks of key and value.

No drawing library: importing one costs more CPU time than a whole command may take.
On a terminal a table fits the width (the columns marked flexible give way); in a pipe
nothing is cut and nothing is coloured.
"""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import click

from console.session import Session
from console.words import Cell, harmless, number

GAP = "  "
_LEAST = 6
"""A flexible column is never cut below this."""


class Column(NamedTuple):
    """A column's title, alignment, and whether it gives way when room is short."""

    title: str
    right: bool = False
    flexible: bool = False


def table(session: Session, columns: Sequence[Column], rows: Iterable[Sequence[Cell | str]]) -> str:
    """The rows under their titles, as one text without a final line break."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [
        max([_width(column.title), *(_width(row[i].text) for row in cells)])
        for i, column in enumerate(columns)
    ]
    if session.terminal:
        widths = _fit(columns, widths, shutil.get_terminal_size().columns)
    title = [Cell(column.title.upper(), "bright_black") for column in columns]
    return "\n".join(_line(session, columns, widths, row) for row in [title, *cells])


def block(session: Session, rows: Iterable[tuple[str, Cell | str]]) -> str:
    """Keys and values, one pair a line, values aligned; pairs with an empty value left out."""
    kept = [(key, _cell(value)) for key, value in rows]
    kept = [(key, value) for key, value in kept if value.text]
    room = max((_width(key) for key, _ in kept), default=0)
    return "\n".join(
        f"{_style(session, Cell(key, 'bright_black'))}{' ' * (room - _width(key))}{GAP}"
        f"{_style(session, value)}"
        for key, value in kept
    )


def heading(session: Session, text: str) -> str:
    """A title above a table or block."""
    return click.style(text, bold=True) if session.colour else text


def flat(value: object, prefix: str = "") -> list[tuple[str, Cell | str]]:
    """Nested values as rows for `block`: dotted key and one-line value."""
    rows: list[tuple[str, Cell | str]] = []
    if isinstance(value, Mapping):
        for key, item in value.items():
            rows += flat(item, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, (list, tuple)):
        if any(isinstance(item, (Mapping, list, tuple)) for item in value):
            for index, item in enumerate(value, start=1):
                rows += flat(item, f"{prefix}.{index}" if prefix else str(index))
        else:
            rows.append((prefix or "-", ", ".join(number(item) for item in value)))
    else:
        rows.append((prefix or "-", number(value)))
    return rows


def _cell(value: Cell | str) -> Cell:
    cell = value if isinstance(value, Cell) else Cell(value)
    return Cell(harmless(cell.text.replace("\n", " ").replace("\t", " ")), cell.colour)


def _line(
    session: Session, columns: Sequence[Column], widths: Sequence[int], row: Sequence[Cell]
) -> str:
    parts: list[str] = []
    for column, width, cell in zip(columns, widths, row, strict=True):
        text = _cut(cell.text, width)
        space = " " * (width - _width(text))
        shown = _style(session, Cell(text, cell.colour))
        parts.append(space + shown if column.right else shown + space)
    return GAP.join(parts).rstrip()


def _style(session: Session, cell: Cell) -> str:
    if not (session.colour and cell.colour):
        return cell.text
    return click.style(cell.text, fg=cell.colour)


def _fit(columns: Sequence[Column], widths: list[int], room: int) -> list[int]:
    """Take what is too much from the flexible columns, the widest first."""
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - room
    fitted = list(widths)
    while excess > 0:
        flexible = [i for i, c in enumerate(columns) if c.flexible and fitted[i] > _LEAST]
        if not flexible:
            break
        widest = max(flexible, key=lambda i: fitted[i])
        fitted[widest] -= 1
        excess -= 1
    return fitted


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    kept, used = "", 0
    for character in text:
        used += _width(character)
        if used > width - 1:
            break
        kept += character
    return kept + "…"


def _width(text: str) -> int:
    """Columns that the text takes: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
