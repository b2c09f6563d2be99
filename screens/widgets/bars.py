"""Bars, sparklines and gauges out of block characters; pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from screens.widgets.lines import Piece

_LEVELS = "▁▂▃▄▅▆▇█"


def gauge(share: float, width: int, style: str = "bar") -> list[Piece]:
    """A bar filled to `share` (0 to 1) of `width` columns, on a visible groove."""
    halves = round(min(max(share, 0.0), 1.0) * width * 2)
    filled = "━" * (halves // 2) + "╸" * (halves % 2)
    return [(filled, style), ("─" * (width - len(filled)), "groove")]


def sparkline(values: Sequence[float], width: int) -> str:
    """The last `width` values as levels from their lowest to their highest."""
    shown = [value for value in values[-width:] if value == value]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    scale = (len(_LEVELS) - 1) / (high - low) if high > low else 0.0
    return "".join(_LEVELS[round((value - low) * scale)] for value in shown)


def span_bar(
    start: float, end: float, low: float, high: float, width: int, style: str
) -> list[Piece]:
    """A Gantt bar: from `start` to `end` on an axis that runs from `low` to `high`.

    A bar is at least one column, so that a short step is seen.
    """
    length = max(high - low, 1e-9)
    first = min(max(int((start - low) / length * width), 0), width - 1)
    last = min(max(round((end - low) / length * width), first + 1), width)
    return [
        ("·" * first, "groove"),
        ("━" * (last - first), style),
        ("·" * (width - last), "groove"),
    ]
