"""What a column of times covers: the usual step between them, and what is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from core.domain.profile import Gap, TimeStats

MICRO = 1_000_000
DAY = 86_400 * MICRO
REGULAR = 0.6
"""The share of neighbours that must be one step apart for there to be a usual step."""
MOST_GAPS = 1000
_MONTHS = (28 * DAY, 31 * DAY)


def time_stats(moments: npt.NDArray[np.int64], most_gaps: int = MOST_GAPS) -> TimeStats:
    """Coverage of sorted, different moments in microseconds since 1970.

    The step is the most frequent distance of neighbours; a distance of n steps is a gap of
    n - 1 times. Where all fall on one day of their months, a month is the step.
    """
    if not len(moments):
        return TimeStats(None, None, 0)
    first, last = float(moments[0]) / MICRO, float(moments[-1]) / MICRO
    if len(moments) < 3:
        return TimeStats(first, last, len(moments), note="too few to have a step")
    steps = np.diff(moments)
    if _monthly(moments, steps):
        return _by_month(moments, first, last, most_gaps)
    sizes, counts = np.unique(steps, return_counts=True)
    step = int(sizes[np.argmax(counts)])
    regular = float(counts.max() / len(steps))
    if regular < REGULAR:
        return TimeStats(
            first, last, len(moments), regular=regular, note="no usual step: no gaps are told"
        )
    lost = np.rint(steps / step).astype(np.int64) - 1
    wide = np.flatnonzero(lost > 0)
    gaps = [
        Gap(
            float(moments[i] + step) / MICRO,
            float(moments[i] + step * lost[i]) / MICRO,
            int(lost[i]),
        )
        for i in _longest(lost, wide, most_gaps)
    ]
    return TimeStats(
        first=first,
        last=last,
        distinct=len(moments),
        step=step / MICRO,
        regular=regular,
        missing=int(lost[wide].sum()),
        gap_count=len(wide),
        gaps=tuple(gaps),
    )


def _longest(lost: npt.NDArray[np.int64], wide: npt.NDArray[Any], most: int) -> list[int]:
    """The places of the longest gaps, in order of time."""
    if len(wide) > most:
        longest = np.argsort(-lost[wide], kind="stable")[:most]
        wide = np.sort(wide[longest])
    return [int(i) for i in wide]


def _monthly(moments: npt.NDArray[np.int64], steps: npt.NDArray[np.int64]) -> bool:
    """Whether neighbours are mostly a month apart, on the same day and at the same time."""
    near = (steps >= _MONTHS[0]) & (steps <= _MONTHS[1])
    if np.mean(near) < REGULAR:
        return False
    inside = moments - _month_starts(moments)
    return bool(np.all(inside == inside[0]))


def _month_starts(moments: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    months = moments.astype("datetime64[us]").astype("datetime64[M]")
    starts: npt.NDArray[np.int64] = months.astype("datetime64[us]").astype(np.int64)
    return starts


def _by_month(
    moments: npt.NDArray[np.int64], first: float, last: float, most_gaps: int
) -> TimeStats:
    months = moments.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    lost = np.diff(months) - 1
    wide = np.flatnonzero(lost > 0)
    offset = int(moments[0] - _month_starts(moments[:1])[0])

    def at(month: int) -> float:
        start = int(np.datetime64(month, "M").astype("datetime64[us]").astype(np.int64))
        return (start + offset) / MICRO

    gaps = [
        Gap(at(int(months[i]) + 1), at(int(months[i] + lost[i])), int(lost[i]))
        for i in _longest(lost, wide, most_gaps)
    ]
    return TimeStats(
        first=first,
        last=last,
        distinct=len(moments),
        step=None,
        calendar="month",
        regular=float(np.mean(lost == 0)),
        missing=int(lost[wide].sum()),
        gap_count=len(wide),
        gaps=tuple(gaps),
    )
