"""Definitions of objectives as they stand in `monitors/*.yaml`, section `slos:`.

slos:
  bike-available: {endpoint: bike-demand, objective: 99.5%, window: 30d}
  bike-fast: {endpoint: bike-demand, objective: 99%, latency: 200ms}
  bike-good: {metric: "monitor/demand-quality:mae", good: "<= 60", objective: 95%}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from core.alarms.definitions import read_actions, read_series
from core.domain.analysis import Comparison
from core.domain.slo import SloDefinition, SloKind
from core.releases import values
from core.releases.values import Problems

NAME = re.compile(r"[a-z][a-z0-9_-]{0,49}")
_GOOD = re.compile(r"\s*(<=|<|>=|>)\s*(-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)\s*")
_SIGNS = {
    "<": Comparison.LESS,
    "<=": Comparison.LESS_OR_EQUAL,
    ">": Comparison.GREATER,
    ">=": Comparison.GREATER_OR_EQUAL,
}
_KEYS = (
    "endpoint", "variant", "objective", "window", "latency", "metric", "good", "minimum_events",
    "description", "runbook", "fast", "slow", "trickle",
)  # fmt: skip
LEAST_WINDOW = 3600.0
LONGEST_WINDOW = 90 * 86_400.0


def read_slos(problems: Problems, where: str, data: Any) -> tuple[SloDefinition, ...]:
    """The objectives of a mapping name → definition; what is wrong is noted, and left out."""
    if not isinstance(data, Mapping):
        problems.add(where, f"a mapping of names to objectives, not {values.shown(data)}")
        return ()
    read = [_slo(problems, f"{where}.{name}", str(name), each) for name, each in data.items()]
    return tuple(slo for slo in read if slo is not None)


def _slo(problems: Problems, where: str, name: str, data: Any) -> SloDefinition | None:
    before = len(problems.found)
    if not NAME.fullmatch(name):
        problems.add(where, f"not a name: {values.shown(name)}", "a-z, 0-9, - and _, 50 at most")
    found = values.known_keys(problems, where, data, _KEYS)
    if found is None:
        return None
    kind = (
        SloKind.QUALITY if "metric" in found
        else SloKind.LATENCY if "latency" in found
        else SloKind.AVAILABILITY
    )  # fmt: skip
    read = {"kind": kind, **_objective(problems, where, found)}
    if kind is SloKind.QUALITY:
        read |= {"minimum_events": 1, **_quality(problems, where, found)}
    else:
        read |= _of_requests(problems, where, found, kind)
    if "minimum_events" in found:
        place = f"{where}.minimum_events"
        read["minimum_events"] = values.whole(problems, place, found["minimum_events"], 1, 10**9)
    for key in ("description", "runbook"):
        if key in found:
            read[key] = values.text(problems, f"{where}.{key}", found[key])
    for key in ("fast", "slow", "trickle"):
        if key in found:
            read[key] = read_actions(problems, f"{where}.{key}", found[key])
    return None if len(problems.found) > before else SloDefinition(name, **read)


def _objective(problems: Problems, where: str, data: Mapping[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = {"objective": 0.0}
    if "objective" not in data:
        problems.add(where, "no objective", "such as objective: 99.5%")
    else:
        share = values.share(problems, f"{where}.objective", data["objective"])
        if share is not None and not 0 < share < 1:
            problems.add(f"{where}.objective", "between 0 and 100 %: nothing is always so")
        read["objective"] = share
    if "window" in data:
        length = values.seconds(problems, f"{where}.window", data["window"], least=LEAST_WINDOW)
        if length is not None and length > LONGEST_WINDOW:
            problems.add(f"{where}.window", f"90 days at most, not {values.shown(data['window'])}")
        read["window"] = length
    return read


def _of_requests(
    problems: Problems, where: str, data: Mapping[str, Any], kind: SloKind
) -> dict[str, Any]:
    read: dict[str, Any] = {}
    if "endpoint" not in data:
        problems.add(where, "no endpoint", "endpoint: NAME, or metric: for a monitor's metric")
    else:
        read["endpoint"] = values.text(problems, f"{where}.endpoint", data["endpoint"])
    if "variant" in data:
        read["variant"] = values.text(problems, f"{where}.variant", data["variant"])
    if kind is SloKind.LATENCY:
        length = values.seconds(problems, f"{where}.latency", data["latency"], least=0.001)
        read["latency_ms"] = None if length is None else length * 1000
    if "good" in data:
        problems.add(f"{where}.good", "only beside metric", "remove it")
    return read


def _quality(problems: Problems, where: str, data: Mapping[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = {"metric": read_series(problems, f"{where}.metric", data["metric"])}
    for key in ("latency", "variant"):
        if key in data:
            problems.add(f"{where}.{key}", "not beside metric", "remove it")
    if "endpoint" in data:
        read["endpoint"] = values.text(problems, f"{where}.endpoint", data["endpoint"])
    good = _GOOD.fullmatch(str(data.get("good", "")))
    if good is None:
        problems.add(f"{where}.good", "when the metric is good", 'such as good: "<= 60"')
    else:
        read |= {"comparison": _SIGNS[good[1]], "threshold": float(good[2])}
    return read
