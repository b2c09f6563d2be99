"""How times, durations, sizes and numbers are written on every screen."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any


def age(seconds: float) -> str:
    """How long ago, in one unit: `2s ago`, `5m ago`, `3d ago`; `now` below a second."""
    return "now" if seconds < 1 else f"{span(seconds)} ago"


def span(seconds: float) -> str:
    """A rough length of time in one unit: `42s`, `5m`, `3h`, `12d`."""
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("m", 60.0)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{int(max(seconds, 0))}s"


def span_rounded(seconds: float) -> str:
    """A rough length of time, to the nearest unit: `14d` also nine seconds short of that."""
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("m", 60.0)):
        if round(seconds / length) >= 1:
            return f"{round(seconds / length)}{unit}"
    return span(seconds)


def duration(seconds: float | None) -> str:
    """A length of time as people say it: `820ms`, `4.2s`, `1m03s`, `2h05m`; `–` for none."""
    if seconds is None:
        return "–"
    seconds = max(seconds, 0.0)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours < 48 else f"{hours // 24}d{hours % 24:02d}h"


def clock_time(at: float | None, now: float) -> str:
    """Local time of day, with the date where it is another day: `14:02:11`, `03-21 14:02`."""
    if at is None:
        return "–"
    moment, today = time.localtime(at), time.localtime(now)
    if moment[:3] == today[:3]:
        return time.strftime("%H:%M:%S", moment)
    if moment.tm_year == today.tm_year:
        return time.strftime("%m-%d %H:%M", moment)
    return time.strftime("%Y-%m-%d", moment)


def full_time(at: float | None) -> str:
    """Local date and time with seconds and zone; `–` for none."""
    return "–" if at is None else time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(at))


def size(count: float) -> str:
    """A number of bytes: `812 B`, `4.1 kB`, `2.3 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def number(value: Any) -> str:
    """A number in at most about eight characters; anything else as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    magnitude = abs(value)
    if magnitude >= 1e7 or magnitude < 1e-4:
        return f"{value:.3g}"
    digits = max(0, 4 - math.floor(math.log10(magnitude)) - 1) if magnitude >= 1 else 4
    return f"{value:.{digits}f}"


def short(value: float) -> str:
    """A measured number in three digits: `41.3`, `8.1`, `1,204`."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if 0 < abs(value) < 0.95 else f"{value:.1f}".removesuffix(".0")


def percent(share: float) -> str:
    """A percentage (already in percent) without needless digits: `10 %`, `9.8 %`."""
    return f"{share:.0f} %" if abs(share - round(share)) < 0.05 else f"{share:.1f} %"


def params(values: Mapping[str, Any]) -> str:
    """Parameters on one line: `month=2011-03 depth=6`."""
    return " ".join(f"{key}={value}" for key, value in values.items())


def differing(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The parameters whose values are not the same in all rows that have them."""
    seen: dict[str, set[str]] = {}
    for values in rows:
        for key, value in values.items():
            seen.setdefault(key, set()).add(str(value))
    return [key for key, values in seen.items() if len(values) > 1]


def first(keys: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values with those of `keys` first."""
    return {**{key: values[key] for key in keys if key in values}, **values}


def one_line(text: str) -> str:
    """Text with its line ends and control characters made harmless."""
    return "".join(
        char if char.isprintable() else " " if char in "\t\n" else "�" for char in text
    ).strip()


def plural(count: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
