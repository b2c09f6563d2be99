"""Cutting time and rows into windows: pure arithmetic, held to its rules by property tests.

Windows of time number k = …, -1, 0, 1, … and hold [start(k), start(k) + length), with start(k) =
k·step + offset. Tumbling windows (step = length) divide time: each moment is in exactly one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.domain.monitor import WindowSpec


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """One window of time: [start, end)."""

    number: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class RowSpan:
    """One window by count: numbers of its first and last request, how many rows; `after` is the
    number behind which the next window begins."""

    first: int
    last: int
    rows: int
    after: int


def time_span(spec: WindowSpec, number: int) -> TimeSpan:
    """The window of time with this number."""
    assert spec.seconds is not None
    start = number * spec.step + spec.offset
    return TimeSpan(number, start, start + spec.seconds)


def spans_at(spec: WindowSpec, at: float) -> tuple[TimeSpan, ...]:
    """Every window that holds a moment, oldest first."""
    assert spec.seconds is not None
    newest = math.floor((at - spec.offset) / spec.step)
    oldest = math.floor((at - spec.offset - spec.seconds) / spec.step)
    found = (time_span(spec, number) for number in range(oldest - 1, newest + 2))
    return tuple(span for span in found if span.start <= at < span.end)


def last_closed(spec: WindowSpec, clock: float) -> int:
    """The number of the newest window that is over, its grace included."""
    assert spec.seconds is not None
    guess = math.floor((clock - spec.grace - spec.seconds - spec.offset) / spec.step) + 1
    while time_span(spec, guess).end + spec.grace > clock:
        guess -= 1
    return guess


def closed_after(spec: WindowSpec, number: int, clock: float) -> range:
    """The numbers of the windows behind this one that are over."""
    return range(number + 1, last_closed(spec, clock) + 1)


def first_at_or_after(spec: WindowSpec, at: float) -> int:
    """The number of the oldest window that holds this moment."""
    return spans_at(spec, at)[0].number


def row_spans(
    spec: WindowSpec, requests: Iterable[tuple[int, int]], flush: bool = False
) -> Iterator[RowSpan]:
    """Full windows of `spec.rows` rows over (number, rows) of requests, in order of number.

    A request is never cut: a window ends with the request that fills it, and may be larger by
    the rest of that one. The next begins behind it or, sliding, at the first request that
    begins `slide` rows or more behind this window's first; at least one request further.
    `flush` answers what is left at the end as a window, too.
    """
    assert spec.rows is not None
    held: deque[tuple[int, int]] = deque()
    total = fresh = 0  # fresh: requests that have been in no window yet
    for number, rows in requests:
        held.append((number, rows))
        total += rows
        fresh += 1
        while total >= spec.rows:
            window = _full(held, spec.rows)
            if window is None:
                break
            last, size = window
            gone = 0
            step = size if spec.slide is None else min(spec.slide, size)
            first = held[0][0]
            after = first - 1
            while held and gone < step:
                after = held[0][0]
                gone += held.popleft()[1]
            total -= gone
            fresh = sum(1 for each, _ in held if each > last)
            yield RowSpan(first, last, size, after)
    if flush and fresh and held:
        yield RowSpan(held[0][0], held[-1][0], total, held[-1][0])


def _full(held: deque[tuple[int, int]], rows: int) -> tuple[int, int] | None:
    """The last request of the window that the held ones begin with, and its rows."""
    size = 0
    for number, each in held:
        size += each
        if size >= rows:
            return number, size
    return None
