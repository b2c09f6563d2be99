"""Quiet hours, and the time of the day at which a digest is made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from core.windows import Window

_MINUTE = 60.0
_LONGEST = 8 * 24 * 60
"""Minutes: windows that never close within a week are no reason to keep silent for ever."""


def end_of_quiet(windows: Sequence[Window], now: float) -> float:
    """`now`, or the moment at which the last of the windows that are open has closed; after eight
    days without a gap it is `now` after all."""
    if not any(window.contains(now) for window in windows):
        return now
    moment = math.ceil(now / _MINUTE) * _MINUTE
    for _ in range(_LONGEST):
        if not any(window.contains(moment) for window in windows):
            return moment
        moment += _MINUTE
    return now


def next_at(minute: int, zone: ZoneInfo, after: float) -> float:
    """The first moment after another at which the clock of a zone shows that minute of the day."""
    day = datetime.fromtimestamp(after, zone).date()
    for number in range(3):
        on = day + timedelta(days=number)
        shown = datetime(on.year, on.month, on.day, minute // 60, minute % 60, tzinfo=zone)
        if shown.timestamp() > after:
            return shown.timestamp()
    raise AssertionError("a day has less than three days")
