"""Windows of the week, as a clock on the wall shows them: `Mon-Fri 08:00-18:00 Europe/Berlin`.

A moment is in a window exactly when the clock of its zone shows a day and a time in it. So
where summer time begins, a window that starts in the skipped hour opens at the end of that;
where it ends, a window in the repeated hour opens twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.errors import BadInput

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EXAMPLE = "Mon-Fri 08:00-18:00 Europe/Berlin"
_SHAPE = re.compile(
    r"(?:(?P<days>[a-z]{3}(?:\s*[-,]\s*[a-z]{3})*)\s+)?"
    r"(?P<from>\d{1,2}:\d\d)\s*-\s*(?P<to>\d{1,2}:\d\d)"
    r"(?:\s+(?P<zone>\S+))?",
    re.IGNORECASE,
)
_DAY = 24 * 60
_STEP = 3 * 3600  # seconds; no zone changes its offset twice within it


@dataclass(frozen=True, slots=True)
class Window:
    """The days (0 is Monday) on which it opens, and the minutes of the day from which and up
    to which it is open. One that ends before it starts ends on the next day."""

    text: str
    days: frozenset[int]
    start: int
    end: int
    zone: ZoneInfo

    def contains(self, epoch: float) -> bool:
        """Whether the window is open at this moment (Unix seconds)."""
        shown = datetime.fromtimestamp(epoch, self.zone)
        today, minute = shown.weekday(), shown.hour * 60 + shown.minute
        if self.start < self.end:
            return today in self.days and self.start <= minute < self.end
        late = today in self.days and minute >= self.start
        return late or ((today - 1) % 7 in self.days and minute < self.end)

    def next_start(self, epoch: float) -> float:
        """The first moment from `epoch` on at which it is open (Unix seconds): `epoch` itself
        while it is. Raises `BadInput` near the end of the calendar."""
        if self.contains(epoch):
            return epoch
        begun = epoch
        try:
            while True:
                openings = [at for at in self._openings(begun) if at > epoch and self.contains(at)]
                if openings:
                    return min(openings)
                begun += 7 * 86_400  # its one day of the week may have lost the hour
        except OverflowError:
            raise BadInput(f"The window {self.text!r} never opens again") from None

    def _openings(self, epoch: float) -> Iterator[float]:
        """All moments of about a week at which the window can open: its start by the clock,
        and wherever the clock is put forward or back."""
        first = datetime.fromtimestamp(epoch, self.zone).date()
        for number in range(-1, 9):
            yield from self._starts(first + timedelta(days=number))
        begin = epoch - 86_400
        for number in range(9 * 86_400 // _STEP):
            yield from self._change(begin + number * _STEP, begin + (number + 1) * _STEP)

    def _starts(self, day: date) -> Iterator[float]:
        """When the clock shows the start on that day: once, twice, or (put forward) hardly."""
        shown = datetime(day.year, day.month, day.day, self.start // 60, self.start % 60)
        for fold in (0, 1):
            yield shown.replace(tzinfo=self.zone, fold=fold).timestamp()

    def _change(self, low: float, high: float) -> Iterator[float]:
        """The moment between two at which the offset changes, if it does: a whole second."""
        before = self._offset(low)
        if before == self._offset(high):
            return
        first, last = int(low), int(high) + 1
        while last - first > 1:
            middle = (first + last) // 2
            if self._offset(middle) == before:
                first = middle
            else:
                last = middle
        yield float(last)

    def _offset(self, epoch: float) -> timedelta | None:
        return datetime.fromtimestamp(epoch, UTC).astimezone(self.zone).utcoffset()


def parse_window(text: str) -> Window:
    """The window that a text like `Mon-Fri 08:00-18:00 Europe/Berlin` describes.

    Days are Mon to Sun, as ranges (also over the week's end) and lists, every day when none is
    named; the zone is UTC when none is named; `00:00-24:00` is the whole day. Raises
    `BadInput`.
    """
    found = _SHAPE.fullmatch(text.strip())
    if found is None:
        raise BadInput(f"{text!r} is not a time window", f"write it like: {EXAMPLE}")
    start = _minute(text, found["from"], _DAY - 1)
    end = _minute(text, found["to"], _DAY)
    if start == end:
        raise BadInput(f"The window {text!r} is empty", "a whole day is 00:00-24:00")
    # 22:00-00:00 ends with its own day.
    return Window(text.strip(), _days(text, found["days"]), start, end or _DAY, _zone(text, found))


def _minute(text: str, clock: str, most: int) -> int:
    hours, minutes = (int(part) for part in clock.split(":"))
    if minutes > 59 or hours * 60 + minutes > most:
        raise BadInput(f"{clock} in the window {text!r} is no time of the day")
    return hours * 60 + minutes


def _days(text: str, names: str | None) -> frozenset[int]:
    if not names:
        return frozenset(range(7))
    found: set[int] = set()
    for part in names.lower().split(","):
        ends = [name.strip() for name in part.split("-")]
        for name in ends:
            if name not in DAYS:
                raise BadInput(f"{name!r} in the window {text!r} is no day", "Mon to Sun are")
        if len(ends) > 2:
            raise BadInput(f"{part!r} in the window {text!r} is no range of days")
        first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
        found |= {(first + number) % 7 for number in range((last - first) % 7 + 1)}
    return frozenset(found)


def _zone(text: str, found: re.Match[str]) -> ZoneInfo:
    name = found["zone"] or "UTC"
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput(
            f"{name!r} in the window {text!r} is no time zone", "name one like Europe/Berlin"
        ) from None
