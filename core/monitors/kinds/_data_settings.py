"""The settings of a monitor of kind `data_quality`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.releases import values
from core.releases.values import Problems

PROFILES = ("default", "sagemaker")


@dataclass(frozen=True, slots=True)
class Volume:
    """How many rows a window may have: bounds, and (windows of time) the relative `change` from
    what windows of the same hour of the week had, None for no look at it."""

    min_rows: int | None = None
    max_rows: int | None = None
    change: float | None = 0.5


@dataclass(frozen=True, slots=True)
class DataQualitySettings:
    """What is tolerated of rows before it is a violation.

    Shares are of rows, or of values. `missing_tolerance` is on top of the baseline's missing
    share, `type_tolerance` and `domain_tolerance` of values of another type or not known.
    `range_room` is by how much of the baseline's range a number may lie outside it (None:
    ranges are not looked at). `domains` and `ranges` set what the baseline does not know or has
    wrong. `unique`: columns in which no value may come twice. `freshness`: the greatest age of
    the newest row, in seconds. `duplicate_tolerance`: share of rows with an inference id that
    was there before.
    """

    missing_tolerance: float = 0.01
    type_tolerance: float = 0.0
    domain_tolerance: float = 0.0
    duplicate_tolerance: float = 0.01
    range_room: float | None = 0.5
    domains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    unique: tuple[str, ...] = ()
    freshness: float | None = None
    volume: Volume = Volume()


KEYS = (
    "profile", "missing_tolerance", "type_tolerance", "domain_tolerance", "duplicate_tolerance",
    "range_room", "domains", "ranges", "unique", "freshness", "volume",
)  # fmt: skip


def read_data_quality(
    problems: Problems, where: str, data: Mapping[str, Any]
) -> DataQualitySettings:
    """The settings under `where`; what is wrong is noted and left at its default."""
    known = dict(values.known_keys(problems, where, data, KEYS) or {})
    found: dict[str, Any] = {}
    if "profile" in known:
        profile = values.one_of(problems, f"{where}.profile", known.pop("profile"), PROFILES)
        found |= {"missing_tolerance": 0.0} if profile == "sagemaker" else {}
    if known.get("range_room", 0) is None or known.get("range_room") is False:
        found["range_room"] = None
        del known["range_room"]
    for key, given in known.items():
        value = _READ[key](problems, f"{where}.{key}", given)
        if value is not None:
            found[key] = value
    return DataQualitySettings(**found)


def _room(problems: Problems, where: str, given: Any) -> float | None:
    return values.number(problems, where, given, 0, 1e9)


def _domains(problems: Problems, where: str, given: Any) -> dict[str, tuple[str, ...]] | None:
    if not isinstance(given, Mapping):
        problems.add(where, f"columns with their values, not {values.shown(given)}", "{c: [x, y]}")
        return None
    found = {}
    for column, known in given.items():
        if not isinstance(known, list) or not known:
            problems.add(f"{where}.{column}", f"a list of values, not {values.shown(known)}")
            continue
        found[str(column)] = tuple(_value(each) for each in known)
    return found


def _value(given: Any) -> str:
    """A value as columns are read: flags as `true` and `false`, `1.0` as `1`."""
    if isinstance(given, bool):
        return str(given).lower()
    return f"{given:g}" if isinstance(given, float) else str(given)


def _ranges(problems: Problems, where: str, given: Any) -> dict[str, tuple[float, float]] | None:
    if not isinstance(given, Mapping):
        problems.add(where, f"columns with their bounds, not {values.shown(given)}", "{c: [0, 1]}")
        return None
    found = {}
    for column, bounds in given.items():
        pair = bounds if isinstance(bounds, list) else []
        if len(pair) != 2 or not all(values.is_number(each) for each in pair) or pair[0] > pair[1]:
            message = f"the least and the greatest value, not {values.shown(bounds)}"
            problems.add(f"{where}.{column}", message, "such as [0, 100]")
            continue
        found[str(column)] = (float(pair[0]), float(pair[1]))
    return found


def _names(problems: Problems, where: str, given: Any) -> tuple[str, ...] | None:
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        problems.add(where, f"a list of columns, not {values.shown(given)}")
        return None
    return tuple(listed)


def _volume(problems: Problems, where: str, given: Any) -> Volume | None:
    known = values.known_keys(problems, where, given, ("min_rows", "max_rows", "change"))
    if known is None:
        return None
    found: dict[str, Any] = {}
    for key in ("min_rows", "max_rows"):
        if key in known:
            found[key] = values.whole(problems, f"{where}.{key}", known[key], 0, 10**12)
    if "change" in known:
        off = known["change"] is False
        found["change"] = (
            None if off else values.share(problems, f"{where}.change", known["change"])
        )
    return Volume(**found)


_READ: dict[str, Any] = {
    "missing_tolerance": values.share,
    "type_tolerance": values.share,
    "domain_tolerance": values.share,
    "duplicate_tolerance": values.share,
    "range_room": _room,
    "domains": _domains,
    "ranges": _ranges,
    "unique": _names,
    "freshness": values.seconds,
    "volume": _volume,
}
