"""Cron lines, as crontab(5) reads them: `minute hour day month weekday`, and `@daily` and such.

Of day and weekday one has to match where both are restricted, as in every cron. Times are those
of a zone's clock: a line in the hour that is skipped in spring comes round right after it, one
in the repeated hour once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_NAMES = {"month": {name: n for n, name in enumerate(_MONTHS, 1)},
          "weekday": {name: n for n, name in enumerate(_DAYS)}}  # fmt: skip
SHORT = {
    "@yearly": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_PART = re.compile(r"(\*|[0-9a-z]+)(?:-([0-9a-z]+))?(?:/([0-9]+))?")
_YEARS = 9
"""How far is looked ahead: a 29th of February may be eight years away."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron line. `text` is as written; the sets are what each field allows."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool
    """Whether a day or a weekday is enough, since both are restricted."""

    def next_after(self, epoch: float, zone: ZoneInfo | None = None) -> float | None:
        """The first moment after `epoch` (Unix seconds) at which it comes round; `None` where
        it never does."""
        where = zone or UTC
        shown = datetime.fromtimestamp(epoch, where)
        day = shown.date()
        for number in range(_YEARS * 366):
            if number:
                day += timedelta(days=1)
            if not self._on(day.month, day.day, day.isoweekday() % 7):
                continue
            for hour in self.hours:
                if not number and hour < shown.hour - 1:
                    continue
                for minute in self.minutes:
                    there = datetime(day.year, day.month, day.day, hour, minute, tzinfo=where)
                    at = there.timestamp()
                    if at > epoch:
                        return at
        return None

    def _on(self, month: int, day: int, weekday: int) -> bool:
        if month not in self.months:
            return False
        if self.either:
            return day in self.days or weekday in self.weekdays
        return day in self.days and weekday in self.weekdays


def parse_cron(text: str) -> Cron:
    """Read a cron line; raises ValueError that says which field is wrong, and how."""
    line = SHORT.get(text.strip().lower(), text)
    words = line.lower().split()
    if len(words) != len(_FIELDS):
        raise ValueError(
            f"{len(words)} fields where cron has five: minute hour day month weekday"
            if not text.strip().startswith("@")
            else f"{text.strip()}: known are {', '.join(SHORT)}"
        )
    allowed = [
        _field(name, low, high, word)
        for (name, low, high), word in zip(_FIELDS, words, strict=True)
    ]
    weekdays = frozenset(day % 7 for day in allowed[4])
    cron = Cron(
        text=" ".join(text.split()),
        minutes=tuple(sorted(allowed[0])),
        hours=tuple(sorted(allowed[1])),
        days=frozenset(allowed[2]),
        months=frozenset(allowed[3]),
        weekdays=weekdays,
        either=not words[2].startswith("*") and not words[4].startswith("*"),
    )
    if cron.next_after(0.0) is None:
        raise ValueError(f"day {words[2]} of month {words[3]} never comes")
    return cron


def _field(name: str, low: int, high: int, text: str) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{name}: {part[:20]!r} is no number, range or step")
        first, last, step = match.groups()
        if first == "*" and last is not None:
            raise ValueError(f"{name}: {part[:20]!r} is no range")
        begin = low if first == "*" else _number(name, low, high, first)
        end = _number(name, low, high, last) if last else (high if first == "*" or step else begin)
        by = int(step) if step else 1
        if begin > end:
            raise ValueError(f"{name}: {part[:20]!r} runs backwards")
        if not 1 <= by <= high:
            raise ValueError(f"{name}: a step of {by}")
        found.update(range(begin, end + 1, by))
    if name == "weekday" and text.startswith("*"):
        found.discard(7)
    return found


def _number(name: str, low: int, high: int, text: str) -> int:
    named = _NAMES.get(name, {}).get(text[:3] if text.isalpha() else text)
    if named is not None:
        return named
    if not text.isdecimal() or not low <= int(text) <= high:
        raise ValueError(f"{name}: {text[:20]!r} is not from {low} to {high}")
    return int(text)
