"""Whether a value fits a parameter, and what to write instead."""

from __future__ import annotations

import difflib
from typing import Any

from core.domain.recipe import Parameter


def fault(parameter: Parameter, value: Any) -> tuple[str, str] | None:
    """What is wrong with a value and what to write, or None."""
    if not any(_is(kind, value) for kind in parameter.types):
        return f"expected {expected(parameter)}, found {_shown(value)}", _advice(parameter, value)
    if isinstance(value, str) and parameter.choices and value not in parameter.choices:
        close = difflib.get_close_matches(value, parameter.choices, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else "known: " + ", ".join(parameter.choices)
        return f"{value!r} is not allowed", hint
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = parameter.least, parameter.most
        if (low is not None and value < low) or (high is not None and value > high):
            return f"{value:g} is out of bounds", f"expected {expected(parameter)}"
    return None


def expected(parameter: Parameter) -> str:
    """What a parameter takes, in words: `a whole number of 1 to 10, or null`."""
    words = [_WORDS[kind] for kind in parameter.types if kind != "null"]
    if parameter.choices:
        words = [w for w in words if w != "a text"] + ["one of " + ", ".join(parameter.choices)]
    said = " or ".join(words)
    low, high = parameter.least, parameter.most
    if low is not None and high is not None:
        said += f" of {_said(low)} to {_said(high)}"
    elif low is not None:
        said += f" of at least {_said(low)}"
    elif high is not None:
        said += f" of at most {_said(high)}"
    return said + (" or null" if "null" in parameter.types and words else "")


def _said(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


_WORDS = {
    "flag": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "text": "a text",
    "list": "a list",
    "mapping": "a mapping",
    "column": "the name of a column",
    "columns": "a list of columns",
    "any": "any value",
    "null": "null",
}


def _is(kind: str, value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "columns":
        return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)
    return {
        "flag": isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": is_number,
        "text": isinstance(value, str),
        "list": isinstance(value, list),
        "mapping": isinstance(value, dict),
        "column": isinstance(value, str) and value != "",
        "any": value is not None,
        "null": value is None,
    }[kind]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    return f"the text {value!r:.44}" if isinstance(value, str) else f"{value}".lower()


def _advice(parameter: Parameter, value: Any) -> str:
    if isinstance(value, str) and {"integer", "number"} & set(parameter.types):
        try:
            float(value)
        except ValueError:
            return ""
        return f"without quotes: {value}"
    if isinstance(value, str) and "columns" in parameter.types:
        return f"write [{value}]"
    return ""
