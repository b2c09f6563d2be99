"""The expressions of a pipeline's definition: parameters, steps' properties, joins, conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

_PART = re.compile(r"\.([A-Za-z0-9_-]+)|\['([^']+)'\]|\[\"([^\"]+)\"\]|\[(\d+)\]")


class Unresolvable(Exception):
    """An expression that has no value: what it asks for is not there."""


class Look(Protocol):
    """What expressions are looked up in: an execution as far as it has come."""

    def reference(self, root: str, path: list[str | int]) -> Any:
        """What stands at `Parameters.X`, `Execution.Y` or `Steps.Z.…`; raises Unresolvable."""

    def json_get(self, spec: Mapping[str, Any]) -> Any:
        """A value of a JSON file in S3, by the members of a Std:JsonGet."""


def parts(path: str) -> list[str | int]:
    """`Steps.A.Outputs['x'][0].Uri` as its parts."""
    first = re.match(r"[A-Za-z0-9_-]+", path)
    if first is None:
        raise Unresolvable(f"{path} is no reference")
    found: list[str | int] = [first[0]]
    at = first.end()
    while at < len(path):
        part = _PART.match(path, at)
        if part is None:
            raise Unresolvable(f"{path} is no reference")
        found.append(int(part[4]) if part[4] is not None else part[1] or part[2] or part[3])
        at = part.end()
    return found


def dig(value: Any, path: list[str | int]) -> Any:
    """What stands at a path; in a list, a name finds the item whose …Name it is."""
    for part in path:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int):
            if part >= len(value):
                raise Unresolvable(f"the list has no item {part}")
            value = value[part]
        elif isinstance(value, list):
            value = next((each for each in value if _named(each, part)), None)
            if value is None:
                raise Unresolvable(f"{part} is not in the list")
        else:
            raise Unresolvable(f"there is no {part}")
    return value


def _named(item: Any, name: str | int) -> bool:
    return isinstance(item, Mapping) and any(
        key.endswith("Name") and value == name for key, value in item.items()
    )


def resolve(value: Any, look: Look) -> Any:
    """`value` with every expression in it replaced by what it comes to."""
    if isinstance(value, list):
        return [resolve(each, look) for each in value]
    if not isinstance(value, Mapping):
        return value
    if set(value) == {"Get"}:
        path = parts(str(value["Get"]))
        return look.reference(str(path[0]), path[1:])
    if set(value) == {"Std:Join"}:
        inner = value["Std:Join"]
        return str(inner.get("On", "")).join(str(resolve(v, look)) for v in inner["Values"])
    if set(value) == {"Std:JsonGet"}:
        return look.json_get(value["Std:JsonGet"])
    return {key: resolve(each, look) for key, each in value.items()}


def references(value: Any) -> Iterator[str]:
    """The names of the steps that expressions within `value` ask of."""
    if isinstance(value, list):
        for each in value:
            yield from references(each)
    elif isinstance(value, Mapping):
        got = value.get("Get")
        if isinstance(got, str) and got.startswith("Steps."):
            yield str(parts(got)[1])
        for each in value.values():
            yield from references(each)


def holds(condition: Mapping[str, Any], look: Look) -> bool:
    """Whether a condition of a Condition step holds."""
    kind = condition["Type"]
    if kind == "Not":
        return not holds(condition["Expression"], look)
    if kind == "Or":
        return any(holds(each, look) for each in condition["Conditions"])
    if kind == "In":
        wanted = resolve(condition["QueryValue"], look)
        return any(str(wanted) == str(resolve(each, look)) for each in condition["Values"])
    left = resolve(condition["LeftValue"], look)
    right = resolve(condition["RightValue"], look)
    if kind == "Equals":
        return left == right or str(left) == str(right)
    try:
        a, b = float(left), float(right)
    except (TypeError, ValueError) as error:
        raise Unresolvable(f"{left!r} and {right!r} cannot be compared") from error
    compared = {
        "GreaterThan": a > b,
        "GreaterThanOrEqualTo": a >= b,
        "LessThan": a < b,
        "LessThanOrEqualTo": a <= b,
    }
    if kind not in compared:
        raise Unresolvable(f"{kind} is no condition")
    return compared[kind]
