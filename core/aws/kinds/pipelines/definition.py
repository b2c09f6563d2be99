"""A pipeline's definition, read: what it asks for, and its steps as people read them.

The format is SageMaker's pipeline definition JSON, version 2020-12-01
(https://aws-sagemaker-mlops.github.io/sagemaker-model-building-pipeline-definition-JSON-schema/).
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.aws.kind import Field
from core.errors import BadInput


@dataclass(frozen=True, slots=True)
class Parameter:
    """What an execution may be given. `kind` is String, Integer, Float or Boolean."""

    name: str
    kind: str
    default: str | None
    choices: tuple[str, ...] = ()

    def field(self) -> Field:
        """What a verb asks for it."""
        asked = self.default if self.default is not None else ""
        needed = self.default is None
        return Field(self.name, f"{self.name} ({self.kind})", asked, needed, self.choices)

    def checked(self, value: str) -> str:
        """The value as SageMaker takes it; raises `BadInput`."""
        if self.choices and value not in self.choices:
            raise BadInput(f"{self.name}={value}: must be one of {', '.join(self.choices)}")
        try:
            if self.kind == "Integer":
                return str(int(value))
            if self.kind == "Float":
                return value if float(value) is not None else ""
        except ValueError as error:
            raise BadInput(f"{self.name}={value}: must be of type {self.kind}") from error
        if self.kind == "Boolean" and value.lower() not in ("true", "false"):
            raise BadInput(f"{self.name}={value}: must be true or false")
        return value.lower() if self.kind == "Boolean" else value


@dataclass(frozen=True, slots=True)
class Step:
    """A step: what it is, what it waits for, and how deep it stands in conditions."""

    name: str
    kind: str
    needs: tuple[str, ...]
    about: str
    depth: int = 0
    branch: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition's parameters and steps, in the order in which they are written."""

    parameters: tuple[Parameter, ...]
    steps: tuple[Step, ...]

    def bound(self, given: Mapping[str, str]) -> list[dict[str, str]]:
        """What is sent for these values: those that differ from the defaults.

        Raises `BadInput` for a name that is no parameter, a value of another type, and a
        parameter that has neither a value nor a default.
        """
        known = {each.name: each for each in self.parameters}
        for name in given:
            if name not in known:
                close = difflib.get_close_matches(name, list(known), n=1)
                hint = f"did you mean {close[0]}?" if close else f"it has {_listed(known)}"
                raise BadInput(f"{name}: is no parameter of the pipeline", hint)
        sent = []
        for each in self.parameters:
            value = given.get(each.name, "")
            if value == "" and each.default is None:
                raise BadInput(f"{each.name}: has no default, so it must be given")
            if value != "" and value != each.default:
                sent.append({"Name": each.name, "Value": each.checked(value)})
        return sent


def parse(text: str) -> Definition:
    """Read a definition; raises `BadInput` where it is none."""
    try:
        read = json.loads(text)
    except ValueError as error:
        raise BadInput(f"the definition is no JSON: {error}") from error
    if not isinstance(read, dict):
        raise BadInput("the definition is no JSON object")
    parameters = tuple(_parameter(each) for each in read.get("Parameters") or ())
    return Definition(parameters, tuple(_steps(read.get("Steps") or (), 0, "")))


def lines(definition: Definition) -> tuple[tuple[str, str], ...]:
    """The steps as lines of a description."""
    told = []
    for each in definition.steps:
        mark = f"{'  ' * each.depth}{each.branch + ' ' if each.branch else ''}"
        after = f"after {', '.join(each.needs)}" if each.needs else ""
        parts = [part for part in (each.kind, each.about, after) if part]
        told.append((f"{mark}{each.name}", " · ".join(parts)))
    return tuple(told)


def _parameter(entry: Mapping[str, Any]) -> Parameter:
    default = entry.get("DefaultValue")
    return Parameter(
        name=str(entry.get("Name", "")),
        kind=str(entry.get("Type", "String")),
        default=None if default is None else _text(default),
        choices=tuple(_text(each) for each in entry.get("EnumValues") or ()),
    )


def _steps(entries: Sequence[Mapping[str, Any]], depth: int, branch: str) -> Iterator[Step]:
    for entry in entries:
        arguments = entry.get("Arguments") or {}
        inner = {"if": "IfSteps", "else": "ElseSteps"}
        if not isinstance(arguments, dict):
            arguments = {}
        outer = {key: value for key, value in arguments.items() if key not in inner.values()}
        needs = dict.fromkeys([*(entry.get("DependsOn") or ()), *_used(outer)])
        yield Step(
            name=str(entry.get("Name", "")),
            kind=str(entry.get("Type", "")),
            needs=tuple(needs),
            about=_about(entry, arguments),
            depth=depth,
            branch=branch,
        )
        for word, key in inner.items():
            yield from _steps(arguments.get(key) or (), depth + 1, word)


def _used(value: Any) -> Iterator[str]:
    """The steps whose outputs a value takes: {"Get": "Steps.NAME.…"}."""
    if isinstance(value, dict):
        place = value.get("Get")
        if isinstance(place, str) and place.startswith("Steps."):
            yield place.split(".")[1].partition("[")[0]
        for inner in value.values():
            yield from _used(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _used(inner)


def _about(entry: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    parts = []
    resources = arguments.get("ResourceConfig") or arguments.get("TransformResources")
    resources = resources or (arguments.get("ProcessingResources") or {}).get("ClusterConfig")
    if isinstance(resources, dict) and resources.get("InstanceType"):
        count = resources.get("InstanceCount", 1)
        parts.append(f"{_text(count)} × {_text(resources['InstanceType'])}")
    if arguments.get("Conditions"):
        parts.append(" and ".join(_condition(each) for each in arguments["Conditions"]))
    if entry.get("Type") == "Fail":
        parts.append(_text(arguments.get("ErrorMessage", "")))
    cache = entry.get("CacheConfig") or {}
    if cache.get("Enabled"):
        parts.append(f"cached for {cache.get('ExpireAfter', 'ever')}")
    if entry.get("RetryPolicies"):
        parts.append(f"{len(entry['RetryPolicies'])} retry policies")
    return " · ".join(part for part in parts if part)


_SIGNS = {
    "Equals": "=", "GreaterThan": ">", "GreaterThanOrEqualTo": "≥", "LessThan": "<",
    "LessThanOrEqualTo": "≤",
}  # fmt: skip


def _condition(entry: Mapping[str, Any]) -> str:
    kind = str(entry.get("Type", ""))
    if kind == "Not":
        return f"not ({_condition(entry.get('Expression') or {})})"
    if kind == "Or":
        return " or ".join(_condition(each) for each in entry.get("Conditions") or ())
    if kind == "In":
        return f"{_text(entry.get('QueryValue'))} in {_text(entry.get('Values'))}"
    sign = _SIGNS.get(kind, kind)
    return f"{_text(entry.get('LeftValue'))} {sign} {_text(entry.get('RightValue'))}"


def _text(value: Any) -> str:
    """A value, or where it comes from, as people read it."""
    if isinstance(value, dict):
        if "Get" in value:
            return str(value["Get"]).removeprefix("Parameters.")
        for function in ("Std:JsonGet", "Std:Join"):
            if function in value:
                inner = value[function]
                if function == "Std:Join":
                    return str(inner.get("On", "")).join(_text(v) for v in inner.get("Values", ()))
                source = inner.get("PropertyFile", {})
                return f"{_text(source).removeprefix('Steps.')}:{inner.get('Path', '')}"
        return json.dumps(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(_text(each) for each in value)
    return str(value)


def _listed(known: Mapping[str, object]) -> str:
    return ", ".join(known) if known else "none"
