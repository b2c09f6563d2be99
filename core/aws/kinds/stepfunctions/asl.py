"""A state machine's definition (Amazon States Language), as people read it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import BadInput

_SIGNS = {
    "Equals": "=", "LessThan": "<", "LessThanEquals": "≤", "GreaterThan": ">",
    "GreaterThanEquals": "≥", "Matches": "like",
}  # fmt: skip
_PLAIN = ("And", "Or", "Not")
TOKEN_PATHS = ("$$.Task.Token", "$states.context.Task.Token")
"""How a definition says that a task is given its token: by JSONPath, and by JSONata."""


@dataclass(frozen=True, slots=True)
class State:
    """A state: its type, what it does, where it goes; `depth` in Parallel and Map states."""

    name: str
    kind: str
    about: str
    goes: str
    depth: int


def parse(text: str) -> Mapping[str, Any]:
    """A definition as JSON; raises `BadInput`."""
    try:
        read = json.loads(text)
    except ValueError as error:
        raise BadInput(f"the definition is no JSON: {error}") from error
    if not isinstance(read, dict) or not isinstance(read.get("States"), dict):
        raise BadInput("the definition has no States")
    return read


def states(machine: Mapping[str, Any], depth: int = 0) -> Iterator[State]:
    """Its states in the order in which they are come upon, from where it starts."""
    found: Mapping[str, Any] = machine.get("States") or {}
    seen: dict[str, None] = {}
    ahead = [str(machine.get("StartAt", ""))]
    while ahead:
        name = ahead.pop(0)
        if name in seen or name not in found:
            continue
        seen[name] = None
        ahead = [*_after(found[name]), *ahead]
    for name in [*seen, *(name for name in found if name not in seen)]:
        state = found[name]
        unreached = "" if name in seen else "never reached"
        yield State(
            name, str(state.get("Type", "")), _about(state) or unreached, _goes(state), depth
        )
        for inner in _inner(state):
            yield from states(inner, depth + 1)


def lines(machine: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The states as lines of a description."""
    return tuple(
        (
            f"{'  ' * each.depth}{each.name}",
            " · ".join(part for part in (each.kind, each.about, each.goes) if part),
        )
        for each in states(machine)
    )


def token_keys(machine: Mapping[str, Any]) -> frozenset[str]:
    """The names under which tasks are given their tokens."""
    return frozenset(_token_keys(machine))


def _token_keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str) and any(path in inner for path in TOKEN_PATHS):
                yield str(key).removesuffix(".$")
            else:
                yield from _token_keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _token_keys(inner)


def _inner(state: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from state.get("Branches") or ()
    each = state.get("ItemProcessor") or state.get("Iterator")
    if each:
        yield each


def _after(state: Mapping[str, Any]) -> list[str]:
    """The states that may follow, the usual one first."""
    found = [state.get("Next")]
    found += [choice.get("Next") for choice in state.get("Choices") or ()]
    found += [state.get("Default")]
    found += [catch.get("Next") for catch in state.get("Catch") or ()]
    return [str(name) for name in found if name]


def _goes(state: Mapping[str, Any]) -> str:
    parts = []
    if state.get("Next"):
        parts.append(f"→ {state['Next']}")
    if state.get("End"):
        parts.append("ends")
    for choice in state.get("Choices") or ():
        parts.append(f"{_test(choice)} → {choice.get('Next')}")
    if state.get("Default"):
        parts.append(f"else → {state['Default']}")
    for catch in state.get("Catch") or ():
        parts.append(f"on {', '.join(catch.get('ErrorEquals') or ())} → {catch.get('Next')}")
    return ", ".join(parts)


def _about(state: Mapping[str, Any]) -> str:
    parts = []
    kind = state.get("Type")
    if state.get("Resource"):
        parts.append(_resource(str(state["Resource"])))
    if kind == "Wait":
        parts.append(_wait(state))
    if kind == "Fail":
        parts.append(": ".join(str(state[k]) for k in ("Error", "Cause") if state.get(k)))
    if kind == "Parallel":
        parts.append(f"{len(state.get('Branches') or ())} branches")
    if kind == "Map":
        most = state.get("MaxConcurrency")
        parts.append(f"for each of {state.get('ItemsPath') or state.get('Items') or 'its items'}")
        parts += [f"{most} at once"] if most else []
    if state.get("TimeoutSeconds"):
        parts.append(f"within {state['TimeoutSeconds']} s")
    for retry in state.get("Retry") or ():
        parts.append(f"tried {retry.get('MaxAttempts', 3)} times more")
    return ", ".join(part for part in parts if part)


def _resource(arn: str) -> str:
    """What a task calls: the service and its operation, or the function."""
    if arn.startswith("arn:aws:states:::"):
        name = arn.removeprefix("arn:aws:states:::").removeprefix("aws-sdk:")
        for tail, words in (
            (".waitForTaskToken", ", waits for an answer"),
            (".sync:2", ", waits for its end"),
            (".sync", ", waits for its end"),
        ):
            if name.endswith(tail):
                return name.removesuffix(tail) + words
        return name
    return arn.rpartition(":")[2] if arn.startswith("arn:") else arn


def _wait(state: Mapping[str, Any]) -> str:
    if "Seconds" in state:
        return f"{state['Seconds']} s"
    until = state.get("Timestamp") or state.get("TimestampPath")
    return f"until {until}" if until else str(state.get("SecondsPath", ""))


def _test(choice: Mapping[str, Any]) -> str:
    """A rule of a choice: the variable, how it is compared, with what."""
    if "Condition" in choice:
        return f"if {choice['Condition']}"
    if "Not" in choice:
        return f"not ({_test(choice['Not'])})"
    for word in ("And", "Or"):
        if word in choice:
            inner = f" {word.lower()} ".join(
                _test(each).removeprefix("if ") for each in choice[word]
            )
            return f"if {inner}"
    skipped = ("Variable", "Next", "Comment", "Assign", "Output", *_PLAIN)
    rest = [_compared(key, value) for key, value in choice.items() if key not in skipped]
    return f"if {choice.get('Variable', '')} {' '.join(rest)}"


def _compared(key: str, value: Any) -> str:
    """How a variable is compared, and with what: NumericLessThan 60 is < 60."""
    if key.startswith("Is"):
        word = {"IsPresent": "present", "IsNull": "null"}.get(key, f"a {key[2:].lower()}")
        return f"is {word}" if value else f"is not {word}"
    operator = key.removesuffix("Path")
    for kind in ("Numeric", "String", "Boolean", "Timestamp"):
        operator = operator.removeprefix(kind)
    sign = _SIGNS.get(operator)
    told = value if key.endswith("Path") else json.dumps(value)
    return f"{sign} {told}" if sign else f"{key} {told}"
