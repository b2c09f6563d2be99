"""What state machines are put together from: chains of states, and expressions of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

States = dict[str, dict[str, Any]]

FAILED = "opsdeck failed"
ROOT = "$.base"
"""Where in the state the folder of all outputs stands."""

_OPEN = ("Pass", "Task", "Wait", "Parallel", "Map")


def failure() -> dict[str, Any]:
    """The state in which whatever was not foreseen ends."""
    return {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"}


def chained(states: States, parts: Sequence[tuple[str, States]], last: Mapping[str, Any]) -> None:
    """Put the parts into `states`, each going on to the next one, and the last as told.

    Of a part the states without a transition go on: those that end its step well.
    """
    for index, (_, part) in enumerate(parts):
        on = {"Next": parts[index + 1][0]} if index + 1 < len(parts) else last
        for name, state in part.items():
            states[name] = {**state, **on} if open_ended(state) else state


def open_ended(state: Mapping[str, Any]) -> bool:
    """Whether nothing is said of what comes after a state."""
    return state["Type"] in _OPEN and not {"Next", "End"} & state.keys()


def end(states: States, path: str, name: str) -> None:
    """End a branch with what stands at `path` as its result."""
    for state in states.values():
        if open_ended(state):
            state["Next"] = name
    states[name] = {"Type": "Pass", "OutputPath": path, "End": True}


def joined(parts: Sequence[tuple[str, str]]) -> str:
    """Texts and paths in one text: `States.Format('{}/a', $.b)`, or the text as a literal."""
    if all(kind == "text" for kind, _ in parts):
        return "'" + "".join(_literal(text) for _, text in parts) + "'"
    form = "".join(_braced(text) if kind == "text" else "{}" for kind, text in parts)
    paths = ", ".join(text for kind, text in parts if kind != "text")
    return f"States.Format('{form}', {paths})"


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _braced(text: str) -> str:
    return _literal(text).replace("{", "\\{").replace("}", "\\}")
