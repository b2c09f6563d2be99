"""Strategies as people write them: a list of `set_weight` and `pause` steps."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.domain.release import StrategyStep
from core.errors import BadInput

DEFAULT_STRATEGY = (
    StrategyStep("set_weight", weight=10.0),
    StrategyStep("pause", seconds=30.0),
    StrategyStep("set_weight", weight=50.0),
    StrategyStep("pause", seconds=30.0),
    StrategyStep("set_weight", weight=100.0),
)
"""A canary of 10 %, then half, each for half a minute."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_strategy(items: Sequence[Mapping[str, Any]]) -> tuple[StrategyStep, ...]:
    """Steps from `[{set_weight: 10}, {pause: 30s}, …]`; `pause: null` waits for a person.

    Weights must rise, and the last one is 100 (added where it is missing). Raises `BadInput`.
    """
    steps = [_step(item, number) for number, item in enumerate(items, start=1)]
    weights = [s.weight for s in steps if s.weight is not None]
    if sorted(weights) != weights:
        raise BadInput(f"strategy: weights must rise, not {weights}")
    if not weights or weights[-1] != 100.0:
        steps.append(StrategyStep("set_weight", weight=100.0))
    return tuple(steps)


def _step(item: Mapping[str, Any], number: int) -> StrategyStep:
    if not isinstance(item, Mapping) or len(item) != 1:
        raise BadInput(f"strategy step {number}: one of set_weight or pause, not {item!r}")
    ((kind, value),) = item.items()
    if kind == "set_weight":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            raise BadInput(f"strategy step {number}: set_weight is 0 to 100, not {value!r}")
        return StrategyStep("set_weight", weight=float(value))
    if kind == "pause":
        return StrategyStep("pause", seconds=None if value is None else _seconds(value, number))
    raise BadInput(f"strategy step {number}: unknown {kind}", "use set_weight or pause")


def _seconds(value: Any, number: int) -> float:
    number_given = isinstance(value, int | float) and not isinstance(value, bool)
    if number_given and 0 <= value < math.inf:
        return float(value)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", str(value))
    if found is None:
        raise BadInput(f"strategy step {number}: pause {value!r}", "for example: 30s, 5m, 1h")
    return float(found[1]) * _UNITS[found[2]]
