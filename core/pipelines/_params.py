"""Parameters: how they are declared, and how the values of a run are bound to them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from core.domain.pipeline import Param, ParamType, PipelineSpec
from core.errors import BadInput
from core.pipelines._fields import read_fields
from core.pipelines._keys import IDENTIFIER, PARAM, PARAM_TYPES
from core.pipelines._nodes import Entry, Map, Node, Scalar, describe
from core.pipelines._report import Report, did_you_mean

_TYPE_WORDS = {
    "string": "str",
    "text": "str",
    "integer": "int",
    "number": "float",
    "double": "float",
    "boolean": "bool",
}
_WORDS = {"true": True, "false": False}


def read_params(report: Report, node: Node) -> dict[str, Param]:
    """The parameters declared under `params:`, by name; faults go to `report`."""
    if not isinstance(node, Map):
        report.add(node.line, "params", f"expected a mapping, found {describe(node)}")
        return {}
    found: dict[str, Param] = {}
    for entry in node.entries:
        where = f"params.{entry.key}"
        if not re.fullmatch(IDENTIFIER, entry.key):
            hint = "letters, digits and `_`, as a Python name"
            report.add(entry.line, where, "not a name for a parameter", hint)
        elif isinstance(entry.node, Map):
            found[entry.key] = _declared(report, where, entry)
        else:
            found[entry.key] = _short(report, where, entry)
    return found


def _short(report: Report, where: str, entry: Entry) -> Param:
    """`seed: 7`: the type is that of the default."""
    node = entry.node
    if not isinstance(node, Scalar) or node.value is None:
        hint = "a default such as 7, or {type: int} for one that must be given"
        report.add(entry.line, where, f"expected a default, found {describe(node)}", hint)
        return Param(entry.key, "str")
    return Param(entry.key, _type_of(node.value), node.value)


def _declared(report: Report, where: str, entry: Entry) -> Param:
    """`month: {type: str, …}`."""
    known = len(report)
    values = read_fields(report, where, entry.node, PARAM, "a parameter")
    assert isinstance(entry.node, Map)
    line = {each.key: each.line for each in entry.node.entries}
    default: Scalar | None = values.get("default")
    kind = _type(report, f"{where}.type", line.get("type", 0), values.get("type"), default)
    pattern: str | None = values.get("pattern")
    if pattern is not None:
        pattern = _pattern(report, f"{where}.pattern", line["pattern"], pattern, kind)
    choices: list[Any] = []
    for item in values.get("choices", ()):
        try:
            choices.append(_typed(item.value, kind))
        except ValueError as error:
            report.add(item.line, f"{where}.choices", str(error))
    required = values.get("required", "default" not in values)
    if required and default is not None and values.get("required"):
        hint = "remove one of the two"
        report.add(line["required"], f"{where}.required", "required, yet it has a default", hint)
    param = Param(
        entry.key, kind, None, required, pattern, tuple(choices), values.get("description", "")
    )
    if default is None or len(report) > known:
        return param
    try:
        value = checked(param, default.value)
    except ValueError as error:
        report.add(default.line, f"{where}.default", str(error))
        return param
    return Param(param.name, kind, value, False, pattern, param.choices, param.description)


def _type(
    report: Report, where: str, line: int, word: str | None, default: Scalar | None
) -> ParamType:
    if word is None:
        return _type_of(default.value) if default is not None else "str"
    for known in ("str", "int", "float", "bool"):
        if word == known:
            return known
    meant = _TYPE_WORDS.get(word.lower())
    hint = f"did you mean {meant}?" if meant else did_you_mean(word, PARAM_TYPES)
    report.add(line, where, f"unknown type {word!r}", hint)
    return _type_of(default.value) if default is not None else "str"


def _pattern(report: Report, where: str, line: int, pattern: str, kind: ParamType) -> str | None:
    if kind != "str":
        report.add(line, where, f"a pattern is for text, the type is {kind}", "remove it")
        return None
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        report.add(line, where, f"not a regular expression: {error}")
        return None
    return pattern


def _type_of(value: Any) -> ParamType:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    return "float" if isinstance(value, float) else "str"


def _typed(value: Any, kind: ParamType) -> Any:
    """`value`, as read from YAML, as a `kind`; raises ValueError saying what is expected."""
    found = _type_of(value)
    if found == kind:
        return value
    if kind == "float" and found == "int":
        return float(value)
    hint = ' (quote it: "…")' if kind == "str" else ""
    raise ValueError(f"expected {kind}, found {value!r}{hint}")


def checked(param: Param, value: Any) -> Any:
    """`value` as the parameter's type, within its pattern and choices; raises ValueError."""
    value = _typed(value, param.type)
    if param.pattern is not None and not re.fullmatch(param.pattern, value):
        raise ValueError(f"{value!r} doesn't match the pattern {param.pattern}")
    if param.choices and value not in param.choices:
        choices = ", ".join(map(str, param.choices))
        raise ValueError(f"{value!r} is not one of {choices}")
    return value


def _from_text(param: Param, text: str) -> Any:
    """What `-p name=text` means for the parameter; raises ValueError."""
    if param.type == "str":
        return text
    if param.type == "bool":
        if text.lower() not in _WORDS:
            raise ValueError(f"expected true or false, found {text!r}")
        return _WORDS[text.lower()]
    try:
        number = int(text) if param.type == "int" else float(text)
    except ValueError:
        word = "a whole number" if param.type == "int" else "a number"
        raise ValueError(f"expected {word}, found {text[:40]!r}") from None
    if not math.isfinite(number) or (param.type == "int" and abs(number) >= 2**63):
        raise ValueError(f"{text[:40]!r} is out of range")
    return number


def bind_params(spec: PipelineSpec, given: Mapping[str, str]) -> dict[str, Any]:
    """The values of every parameter of `spec`, from `-p name=value` and the defaults.

    Text is converted to the declared type; a value that already has another type (from an
    earlier run) is checked as it is. Raises `BadInput` that names every parameter at fault:
    unknown, missing, of a wrong type, against its pattern or outside its choices.
    """
    known = {param.name: param for param in spec.params}
    faults: list[str] = []
    hints: list[str] = []
    for name in given:
        if name not in known:
            faults.append(f"{name}: {spec.name} has no such parameter")
            hints.append(did_you_mean(name, known) or f"{spec.name} takes no parameters")
    bound: dict[str, Any] = {}
    for param in spec.params:
        try:
            if param.name in given:
                value: Any = given[param.name]
                value = _from_text(param, value) if isinstance(value, str) else value
                bound[param.name] = checked(param, value)
            elif param.required:
                raise ValueError("a value is required")
            else:
                bound[param.name] = param.default
        except ValueError as error:
            faults.append(f"{param.name}: {error}")
            if param.required and param.name not in given:
                hints.append(f"-p {param.name}=…")
    if faults:
        raise BadInput("; ".join(faults), "; ".join(dict.fromkeys(hints)))
    return bound
