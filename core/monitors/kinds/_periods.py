"""M of N windows: what has been breached in this window, and often enough lately to be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.releases import values
from core.releases.values import Problems


def recall(memory: Mapping[str, Any], seen: Mapping[str, bool], periods: int) -> dict[str, Any]:
    """The memory with this window's breaches: of each name the last `periods` windows in which
    it could be judged. A name that could not be judged now keeps what it had."""
    before = memory.get("breaches", {})
    found = {name: list(flags) for name, flags in before.items()}
    for name, breached in seen.items():
        found[name] = [*found.get(name, []), int(breached)][-periods:]
    return {"breaches": found}


def often(memory: Mapping[str, Any], name: str) -> int:
    """In how many of the remembered windows it was breached."""
    return sum(memory.get("breaches", {}).get(name, []))


def read_periods(
    problems: Problems, where: str, data: Mapping[str, Any], default: tuple[int, int]
) -> tuple[int, int]:
    """M of N: `datapoints_to_alarm` of `evaluation_periods`."""
    found = []
    for key, usual in zip(("datapoints_to_alarm", "evaluation_periods"), default, strict=True):
        given = data.get(key, usual)
        read = values.whole(problems, f"{where}.{key}", given, 1, 100)
        found.append(usual if read is None else read)
    if "evaluation_periods" not in data:
        found[1] = max(found)
    if found[0] > found[1]:
        problems.add(f"{where}.datapoints_to_alarm", f"{found[0]} of {found[1]} windows cannot be")
    return found[0], found[1]
