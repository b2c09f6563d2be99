"""Where two summaries of baselines differ."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

MOST = 1_000


def differences(
    one: Mapping[str, Any], other: Mapping[str, Any], most: int = MOST
) -> tuple[tuple[str, Any, Any], ...]:
    """Places (dotted) at which two summaries hold different values, with both of them; None
    where one has nothing there. Numbers that agree to nine digits are the same."""
    found: list[tuple[str, Any, Any]] = []
    for each in _walk("", one, other):
        found.append(each)
        if len(found) >= most:
            break
    return tuple(found)


def _walk(place: str, one: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in dict.fromkeys([*one, *other]):
            yield from _walk(f"{place}.{key}" if place else str(key), one.get(key), other.get(key))
        return
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _walk(f"{place}[{number}]", left, right)
        return
    if not _same(one, other):
        yield place, one, other


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)
