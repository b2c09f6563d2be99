"""Reading the values of a strategy; what is wrong is collected, each with its place."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import BadInput
from core.workerbounds import MOST_WORKERS, parse_workers

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|[smhdw])")
_DURATION = re.compile(r"\s*(?:\d+(?:\.\d+)?\s*(?:ms|[smhdw])\s*)+")
_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")
LONGEST = 366 * 86400.0


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: the step or key, what of it, and what to write."""

    where: str
    message: str
    hint: str = ""

    def words(self) -> str:
        """On one line: `strategy step 2: …`, or `strategy.alarms[0].metric: …`."""
        return f"{self.where}: {self.message}"


@dataclass(slots=True)
class Problems:
    """All that was found wrong so far."""

    found: list[Problem] = field(default_factory=list)

    def add(self, where: str, message: str, hint: str = "") -> None:
        """Note one more."""
        self.found.append(Problem(where, message, hint))


def shown(value: Any) -> str:
    """A value as an error names it, never longer than a line."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def is_number(value: Any) -> bool:
    """Whether it is a finite number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def number(
    problems: Problems, where: str, value: Any, least: float, most: float, what: str = "a number"
) -> float | None:
    """A number between the bounds; `None`, noted, for anything else."""
    if is_number(value) and least <= value <= most:
        return float(value)
    problems.add(where, f"{what} from {least:g} to {most:g}, not {shown(value)}")
    return None


def whole(problems: Problems, where: str, value: Any, least: int, most: int) -> int | None:
    """A whole number between the bounds; `None`, noted, for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    problems.add(where, f"a whole number from {least} to {most}, not {shown(value)}")
    return None


def percent(problems: Problems, where: str, value: Any) -> float | None:
    """A weight, 0 to 100, with or without a percent sign behind it."""
    sign = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    return number(problems, where, float(sign[1]) if sign else value, 0, 100, "a percentage")


def share(problems: Problems, where: str, value: Any) -> float | None:
    """A share between 0 and 1, also written as a percentage (`5%`)."""
    sign = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    return number(problems, where, float(sign[1]) / 100 if sign else value, 0, 1, "a share")


def margin(problems: Problems, where: str, value: Any) -> tuple[float, bool] | None:
    """A margin and whether it is relative: `0.01`, or `10%` of the champion's value."""
    sign = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    found = number(problems, where, float(sign[1]) / 100 if sign else value, 0, 1e9)
    return None if found is None else (found, sign is not None)


def seconds(problems: Problems, where: str, value: Any, least: float = 0.0) -> float | None:
    """Seconds in `90`, `30s`, `5m` or `1h30m`; `None`, noted, for anything else."""
    total: float | None = None
    if is_number(value):
        total = float(value)
    elif isinstance(value, str) and _DURATION.fullmatch(value):
        total = sum(float(count) * _UNITS[unit] for count, unit in _PART.findall(value))
    if total is None or not 0 <= total <= LONGEST:
        problems.add(where, f"a duration, not {shown(value)}", "for example: 30s, 5m, 1h")
        return None
    if total < least:
        problems.add(where, f"at least {least:g} s, not {shown(value)}")
        return None
    return total


def workers(problems: Problems, where: str, value: Any) -> tuple[int, int] | None:
    """Bounds of a variant's workers: `{min: 1, max: 4}`, `1:4`, or a number for always so
    many; `None`, noted, for anything else."""
    text = value if isinstance(value, str) else ""
    ends = [value.get("min"), value.get("max")] if isinstance(value, Mapping) else [value]
    if all(isinstance(end, int) and not isinstance(end, bool) for end in ends):
        text = ":".join(map(str, ends))
    try:
        if isinstance(value, Mapping) and set(value) != {"min", "max"}:
            text = ""
        return parse_workers(where, text)
    except BadInput:
        problems.add(
            where,
            f"bounds from 1 to {MOST_WORKERS}, not {shown(value)}",
            "for example: {min: 1, max: 4}, or “1:4” in quotation marks",
        )
        return None


def text(problems: Problems, where: str, value: Any) -> str | None:
    """Text that says something."""
    if isinstance(value, str) and value.strip():
        return value.strip()
    problems.add(where, f"text, not {shown(value)}")
    return None


def flag(problems: Problems, where: str, value: Any) -> bool | None:
    """True or false."""
    if isinstance(value, bool):
        return value
    problems.add(where, f"true or false, not {shown(value)}")
    return None


def one_of(problems: Problems, where: str, value: Any, known: Iterable[str]) -> str | None:
    """One of the words known."""
    words = list(known)
    if isinstance(value, str) and value in words:
        return value
    close = difflib.get_close_matches(str(value), words, n=1)
    hint = f"did you mean {close[0]}?" if close else "known: " + ", ".join(words)
    problems.add(where, f"unknown: {shown(value)}", hint)
    return None


def known_keys(
    problems: Problems, where: str, data: Any, keys: Iterable[str]
) -> Mapping[str, Any] | None:
    """The mapping without its unknown keys, which are noted; `None` where it is none."""
    if not isinstance(data, Mapping):
        problems.add(where, f"a mapping, not {shown(data)}")
        return None
    words = list(keys)
    for key in data:
        if key not in words:
            close = difflib.get_close_matches(str(key), words, n=1)
            hint = f"did you mean {close[0]}?" if close else "known: " + ", ".join(words)
            problems.add(f"{where}.{key}", "unknown key", hint)
    return {key: value for key, value in data.items() if key in words}
