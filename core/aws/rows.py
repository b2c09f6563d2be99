"""Rows as aligned lines of text, for what is shown in full: heads of files, answers of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.aws.words import short

CELL = 28


def row_lines(
    rows: Sequence[Mapping[str, Any]], *, cell: int = CELL, most: int | None = None
) -> tuple[str, ...]:
    """Rows under their names, each cell cut at so many letters; says how many more there are."""
    if not rows:
        return ("no rows",)
    names = list(dict.fromkeys(name for row in rows for name in row))
    shown = rows if most is None else rows[:most]
    cells = [[short(_text(row.get(name)), cell) for name in names] for row in shown]
    heads = [short(name, cell) for name in names]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]

    def line(values: Sequence[str]) -> str:
        padded = (value.ljust(wide) for value, wide in zip(values, widths, strict=True))
        return "  ".join(padded).rstrip()

    left = len(rows) - len(shown)
    return (line(heads), *map(line, cells), *((f"… and {left} more",) if left else ()))


def _text(value: Any) -> str:
    return "" if value is None else str(value)
