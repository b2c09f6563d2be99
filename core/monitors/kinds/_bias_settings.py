"""What the file says of a monitor of bias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.bias.conditions import Condition, Value, parse
from core.bias.errors import BiasInvalid
from core.bias.names import ALL
from core.monitors.kinds._periods import read_periods
from core.releases import values
from core.releases.values import Problems

KEYS = (
    "facets", "positive", "group", "intersections", "metrics", "confidence", "minimum_group",
    "margin", "false_discoveries", "datapoints_to_alarm", "evaluation_periods", "join",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Join:
    """Where facets are found that rows do not carry: columns of a dataset, by a key that rows
    do carry (`inference_id` is the request's own)."""

    dataset: str
    key: str


@dataclass(frozen=True, slots=True)
class Settings:
    """`positive` is the outcome that counts as positive (values, or above a threshold). A metric
    is breached when it is more than `margin` farther from neutral than at the baseline and this
    is no chance at a rate of `false_discoveries`; it is told of when it is breached in
    `datapoints_to_alarm` of the last `evaluation_periods` windows. Groups of fewer than
    `minimum_group` rows are not judged."""

    facets: tuple[Condition, ...]
    positive: Condition
    group: str = ""
    intersections: bool = False
    metrics: tuple[str, ...] = ()
    confidence: float = 0.95
    minimum_group: int = 30
    margin: float = 0.02
    false_discoveries: float = 0.01
    datapoints_to_alarm: int = 2
    evaluation_periods: int = 3
    join: Join | None = None


def read_settings(problems: Problems, where: str, data: Mapping[str, Any]) -> Settings:
    """The settings; what is wrong is noted, and a default stands in its place."""
    values.known_keys(problems, where, data, KEYS)
    read = _Reader(problems, where, data)
    datapoints, periods = read_periods(problems, where, data, (2, 3))
    return Settings(
        facets=_facets(problems, where, data.get("facets")),
        positive=_positive(problems, where, data.get("positive")),
        group=read.text("group"),
        intersections=read.flag("intersections"),
        metrics=_metrics(problems, where, data.get("metrics", [])),
        confidence=read.number("confidence", 0.95, 0.5, 0.9999),
        minimum_group=int(read.number("minimum_group", 30, 1, 1e9)),
        margin=read.number("margin", 0.02, 0, 1e9),
        false_discoveries=read.number("false_discoveries", 0.01, 1e-9, 0.5),
        datapoints_to_alarm=datapoints,
        evaluation_periods=periods,
        join=_join(problems, where, data.get("join")),
    )


class _Reader:
    """Reads keys of one mapping by their form."""

    def __init__(self, problems: Problems, where: str, data: Mapping[str, Any]) -> None:
        self._problems, self._where, self._data = problems, where, data

    def text(self, key: str) -> str:
        if key not in self._data:
            return ""
        return values.text(self._problems, f"{self._where}.{key}", self._data[key]) or ""

    def flag(self, key: str) -> bool:
        if key not in self._data:
            return False
        return bool(values.flag(self._problems, f"{self._where}.{key}", self._data[key]))

    def number(self, key: str, default: float, least: float, most: float) -> float:
        if key not in self._data:
            return default
        where = f"{self._where}.{key}"
        found = values.number(self._problems, where, self._data[key], least, most)
        return default if found is None else found


def _facets(problems: Problems, where: str, given: Any) -> tuple[Condition, ...]:
    if given is None:
        problems.add(where, "no facets", "such as facets: [sex, age>40]")
        return ()
    listed = given if isinstance(given, list) else [given]
    found = [_facet(problems, f"{where}.facets[{at}]", one) for at, one in enumerate(listed)]
    if not listed:
        problems.add(f"{where}.facets", "none", "such as facets: [sex, age>40]")
    return tuple(facet for facet in found if facet is not None)


def _facet(problems: Problems, where: str, given: Any) -> Condition | None:
    """`sex`, `sex=F`, `age>40`, or a mapping {column, values or above}."""
    if isinstance(given, Mapping):
        values.known_keys(problems, where, given, ("column", "values", "above"))
        column = values.text(problems, f"{where}.column", given.get("column"))
        if column is None:
            return None
        return _condition(problems, where, column, given)
    try:
        return parse(given if isinstance(given, str) else values.shown(given))
    except BiasInvalid as error:
        problems.add(where, error.message, error.hint)
        return None


def _condition(
    problems: Problems, where: str, column: str, given: Mapping[str, Any]
) -> Condition | None:
    if "above" in given:
        above = values.number(problems, f"{where}.above", given["above"], -1e300, 1e300)
        return None if above is None else Condition(column, above=above)
    listed = given.get("values", [])
    return Condition(column, _values(problems, f"{where}.values", listed))


def _positive(problems: Problems, where: str, given: Any) -> Condition:
    """A value, a list of them, or `">0.5"`."""
    if given is None:
        problems.add(where, "no positive outcome", "say which label is the good one: positive: 1")
        return Condition("label")
    if isinstance(given, str) and given.strip().startswith(">"):
        return _facet(problems, f"{where}.positive", f"label{given.strip()}") or Condition("label")
    found = _values(problems, f"{where}.positive", given)
    if not found:
        problems.add(f"{where}.positive", "no value", "such as positive: 1")
    return Condition("label", found)


def _values(problems: Problems, where: str, given: Any) -> tuple[Value, ...]:
    listed = given if isinstance(given, list) else [given]
    good = [one for one in listed if isinstance(one, str | int | float | bool)]
    if len(good) < len(listed):
        problems.add(where, f"values, not {values.shown(given)}", "such as [yes] or 1")
    return tuple(good)


def _metrics(problems: Problems, where: str, given: Any) -> tuple[str, ...]:
    listed = given if isinstance(given, list) else [given]
    read = [
        values.one_of(problems, f"{where}.metrics[{at}]", one, ALL) for at, one in enumerate(listed)
    ]
    return tuple(name for name in read if name is not None)


def _join(problems: Problems, where: str, given: Any) -> Join | None:
    if given is None:
        return None
    read = values.known_keys(problems, f"{where}.join", given, ("dataset", "key"))
    if read is None:
        return None
    dataset = values.text(problems, f"{where}.join.dataset", read.get("dataset"))
    key = values.text(problems, f"{where}.join.key", read.get("key"))
    return None if dataset is None or key is None else Join(dataset, key)
