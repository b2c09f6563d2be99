"""The values that a hyperparameter may have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers from `low` to `high`, both included. `whole`: integers only. `log`: as likely
    between 0.01 and 0.1 as between 0.1 and 1. `step`: only `low`, `low + step`, …"""

    name: str
    low: float
    high: float
    whole: bool = False
    log: bool = False
    step: float | None = None

    def holds(self, value: Any) -> bool:
        """Whether a trial of this range could have had this value."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.whole and value != int(value):
            return False
        if not math.isfinite(value) or not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        steps = (value - self.low) / self.step
        return math.isclose(steps, round(steps), abs_tol=1e-9)


@dataclass(frozen=True, slots=True)
class Choices:
    """One of some values, without an order."""

    name: str
    values: tuple[Value, ...]

    def holds(self, value: Any) -> bool:
        """Whether it is one of them, of the same type."""
        return any(value == each and type(value) is type(each) for each in self.values)


Range = Numbers | Choices


def faults(given: Numbers | Choices) -> list[tuple[str, str, str]]:
    """What is wrong with a range: key ("" for all of it), message, hint."""
    if isinstance(given, Choices):
        return _faults_of_choices(given)
    found = []
    if given.low >= given.high:
        found.append(("max", f"{_shown(given.high)} is not above min, {_shown(given.low)}", ""))
    if given.log and given.low <= 0:
        hint = "above 0, or scale: linear"
        found.append(("min", f"{_shown(given.low)} with scale: log", hint))
    if given.log and given.step is not None:
        found.append(("step", "a step with scale: log", "leave one of them out"))
    if given.step is not None and not 0 < given.step <= given.high - given.low:
        found.append(("step", f"{_shown(given.step)} is not within the range", ""))
    if given.whole:
        for key, value in (("min", given.low), ("max", given.high), ("step", given.step)):
            if value is not None and value != int(value):
                found.append((key, f"{value} is no whole number", "leave type: int out"))
    return found


def _faults_of_choices(given: Choices) -> list[tuple[str, str, str]]:
    if len(given.values) < 2:
        return [("", "a choice of one", "name two values at least, or give it as an input")]
    seen: list[Value] = []
    for value in given.values:
        if any(value == each and type(value) is type(each) for each in seen):
            return [("", f"{value!r} stands there twice", "")]
        seen.append(value)
    return []


def range_to(given: Range) -> dict[str, Any]:
    """The range as JSON values."""
    if isinstance(given, Choices):
        return {"values": list(given.values)}
    return {
        "min": given.low,
        "max": given.high,
        "type": "int" if given.whole else "float",
        "scale": "log" if given.log else "linear",
        "step": given.step,
    }


def range_from(name: str, data: Mapping[str, Any]) -> Range:
    """The range that `range_to` gave."""
    if "values" in data:
        return Choices(name, tuple(data["values"]))
    return Numbers(
        name,
        data["min"],
        data["max"],
        data["type"] == "int",
        data["scale"] == "log",
        data["step"],
    )


def _shown(value: float) -> str:
    return f"{value:g}"
