"""A template with values put in for its parameters, as far as they are known beforehand.

What only AWS knows (the name that a bucket will get) stays as `${Bucket}`, so that two versions
of a template can be set against each other by reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_VARIABLE = re.compile(r"\$\{([^!${}][^{}]*)\}")
_NOTHING = {"Ref": "AWS::NoValue"}
ABSENT = object()
"""Stands for a value that a condition leaves out."""


class Resolver:
    """Puts `values` (parameters, and pseudo parameters such as AWS::Region) into a template."""

    def __init__(self, content: Mapping[str, Any], values: Mapping[str, str]) -> None:
        self._values = values
        self._mappings = content.get("Mappings") or {}
        self._conditions = content.get("Conditions") or {}
        self._resources = content.get("Resources") or {}

    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources that would be made, each with its values put in."""
        return {
            name: self.value(each)
            for name, each in self._resources.items()
            if "Condition" not in each or self.holds({"Condition": each["Condition"]})
        }

    def holds(self, condition: Any) -> bool:
        """Whether a condition holds; one that cannot be decided does."""
        match condition:
            case {"Condition": str(name)}:
                return self.holds(self._conditions.get(name, True))
            case {"Fn::Equals": [left, right]}:
                return bool(self.value(left) == self.value(right))
            case {"Fn::Not": [inner]}:
                return not self.holds(inner)
            case {"Fn::And": inner}:
                return all(self.holds(each) for each in inner)
            case {"Fn::Or": inner}:
                return any(self.holds(each) for each in inner)
        return bool(condition)

    def value(self, given: Any) -> Any:
        """A part of the template with values put in; `ABSENT` for one that is left out."""
        if given == _NOTHING:
            return ABSENT
        match given:
            case {"Ref": str(name), **rest} if not rest:
                return self._values.get(name, f"${{{name}}}")
            case {"Fn::GetAtt": [name, attribute], **rest} if not rest:
                return f"${{{name}.{attribute}}}"
            case {"Fn::If": [condition, yes, no], **rest} if not rest:
                return self.value(yes if self.holds({"Condition": condition}) else no)
            case {"Fn::Sub": text, **rest} if not rest:
                return self._substituted(text)
            case {"Fn::Join": [separator, parts], **rest} if not rest and isinstance(parts, list):
                return str(separator).join(str(self.value(each)) for each in parts)
            case {"Fn::FindInMap": [*keys], **rest} if not rest:
                return self._mapped(keys)
            case Mapping():
                pairs = {key: self.value(each) for key, each in given.items()}
                return {key: each for key, each in pairs.items() if each is not ABSENT}
            case list():
                values = [self.value(each) for each in given]
                return [each for each in values if each is not ABSENT]
        if isinstance(given, bool):
            return str(given).lower()
        return str(given) if isinstance(given, (int, float)) else given

    def _substituted(self, given: Any) -> str:
        text, own = given if isinstance(given, list) else (given, {})

        def put(found: re.Match[str]) -> str:
            name = found[1].strip()
            if name in own:
                return str(self.value(own[name]))
            return self._values.get(name, f"${{{name}}}")

        return _VARIABLE.sub(put, text).replace("${!", "${")

    def _mapped(self, keys: list[Any]) -> Any:
        found: Any = self._mappings
        for key in keys:
            inner = self.value(key)
            if not isinstance(found, Mapping) or inner not in found:
                return f"${{Mappings.{'.'.join(str(self.value(each)) for each in keys)}}}"
            found = found[inner]
        return self.value(found)


def flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every single value with its path: `LifecycleConfiguration.Rules.0.Status`."""
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            yield from flat(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from flat(each, f"{path}.{index}" if path else str(index))
    elif isinstance(value, (Mapping, list)):
        yield path, "(empty)"
    else:
        yield path, str(value)
