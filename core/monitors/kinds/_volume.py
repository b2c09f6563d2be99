"""How many rows a window of time should have, by the windows before it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

RECENT = 20
LEAST_RECENT = 5
PER_SLOT = 6
LEAST_SLOT = 3
STEPS = 5.0
"""Robust standard deviations from which on a count is far from usual."""
_HOUR, _DAY = 3600, 86_400


@dataclass(frozen=True, slots=True)
class Expected:
    """The usual rows, between what bounds they are usual, and of which windows."""

    rows: float
    low: float
    high: float
    of: str


def expected(memory: Mapping[str, Any], start: float) -> Expected | None:
    """By the windows of the same hour of the week, else by the last ones; None with too few."""
    slot = list(memory.get("slots", {}).get(_slot(start), []))
    if len(slot) >= LEAST_SLOT:
        return _bounds(slot, "the same hour of the week")
    recent = list(memory.get("recent", []))
    if len(recent) >= LEAST_RECENT:
        return _bounds(recent, f"the last {len(recent)} windows")
    return None


def _bounds(counts: list[float], of: str) -> Expected:
    middle = float(median(counts))
    # The deviation of a normal distribution from its median's; counts are never surer than
    # those of independent rows.
    spread = 1.4826 * float(median(abs(each - middle) for each in counts))
    spread = max(spread, math.sqrt(middle), 1.0)
    return Expected(middle, max(0.0, middle - STEPS * spread), middle + STEPS * spread, of)


def remembered(memory: Mapping[str, Any], start: float, rows: int) -> dict[str, Any]:
    """The memory with one more window."""
    slots = {str(key): list(kept) for key, kept in memory.get("slots", {}).items()}
    slot = _slot(start)
    slots[slot] = [*slots.get(slot, []), rows][-PER_SLOT:]
    return {"recent": [*memory.get("recent", []), rows][-RECENT:], "slots": slots}


def _slot(start: float) -> str:
    """The hour of the week (UTC, 0 is Monday's first)."""
    hours = int(start // _HOUR)
    return str((hours + 3 * 24) % (7 * 24))  # the epoch began on a Thursday
