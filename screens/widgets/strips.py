"""A small chart as lines of text, for a page: one column a bucket, with a threshold across.

Pure functions, so that any sheet can have one; `screens.widgets.chart` is the large chart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from screens.widgets.lines import Line, Piece
from screens.words import number

_LEVELS = " ▁▂▃▄▅▆▇█"
_LEAST_WIDTH = 12


def small_chart(
    values: Sequence[float | None],
    width: int,
    height: int,
    *,
    threshold: float | None = None,
    above: bool = True,
) -> list[Line]:
    """The values, oldest first, in `height` lines with their axis at the left.

    More values than columns are put together, the worst of each bucket is kept: the highest
    where `above` is bad, the lowest otherwise. What is beyond the threshold is drawn as bad, and
    the threshold itself as a dashed line, named at its end. No line where there is no number.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known or height < 2:
        return []
    bounds = [*known, *([threshold] if threshold is not None else [])]
    low, high = min(bounds), max(bounds)
    if high == low:
        low, high = low - abs(low or 1.0) / 2, high + abs(high or 1.0) / 2
    labels = [number(high), *[""] * (height - 2), number(low)]
    margin = max(len(label) for label in labels) + 1
    name = f" {'>' if above else '<'} {number(threshold)}" if threshold is not None else ""
    room = max(width - margin - len(name) - 1, _LEAST_WIDTH)
    columns = _bucketed(values, room, above)
    at = None if threshold is None else _row_of(threshold, low, high, height)
    rows: list[Line] = []
    for row in range(height):
        pieces: list[Piece] = [(f"{labels[row]:>{margin - 1}} ", "faint")]
        pieces += _cells(columns, row, height, (low, high), (threshold, above, at))
        if row == at:
            pieces.append((name, "warn"))
        rows.append(pieces)
    return rows


def _cells(
    columns: Sequence[float | None],
    row: int,
    height: int,
    scale: tuple[float, float],
    limit: tuple[float | None, bool, int | None],
) -> list[Piece]:
    low, high = scale
    threshold, above, at = limit
    pieces: list[Piece] = []
    for value in columns:
        glyph, style = " ", "groove"
        if value is not None:
            eighths = round((value - low) / (high - low) * (height * 8 - 1)) + 1
            glyph = _LEVELS[min(max(eighths - (height - 1 - row) * 8, 0), 8)]
            bad = threshold is not None and (value > threshold if above else value < threshold)
            style = "bad" if bad else "accent"
        if glyph == " " and row == at:
            glyph, style = "╌", "warn"
        if pieces and pieces[-1][1] == style:
            pieces[-1] = (pieces[-1][0] + glyph, style)
        else:
            pieces.append((glyph, style))
    return pieces


def _row_of(value: float, low: float, high: float, height: int) -> int:
    """The line, counted from the top, in which a value ends."""
    eighths = round((value - low) / (high - low) * (height * 8 - 1))
    return height - 1 - min(eighths // 8, height - 1)


def _bucketed(values: Sequence[float | None], width: int, above: bool) -> list[float | None]:
    if len(values) <= width:
        # Few values are drawn wider, so that each can be seen.
        times = max(1, width // max(len(values), 1))
        return [value for value in values for _ in range(min(times, 3))][:width]
    found: list[float | None] = []
    for place in range(width):
        bucket = values[place * len(values) // width : (place + 1) * len(values) // width]
        known = [value for value in bucket if value is not None and math.isfinite(value)]
        found.append((max(known) if above else min(known)) if known else None)
    return found
