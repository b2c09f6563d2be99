"""Tune steps: many trials of a function or script, with values from ranges, judged by a metric."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from core.domain.pipeline import Param
from core.pipelines._fields import read_fields
from core.pipelines._keys import IDENTIFIER, METRIC_OF_TRIALS, RANGE, TUNE
from core.pipelines._nodes import Entry, Map, Node, Scalar, Seq, describe, plain
from core.pipelines._report import Report, did_you_mean
from core.tuning.ranges import Choices, Numbers, Range, faults, range_to
from core.tuning.spec import GOALS, MOST_AT_ONCE, MOST_TRIALS, STOPPING, STRATEGIES

BEST = "best"
"""What every tune step puts out: the values of its best trial, as JSON."""

_PARAM = re.compile(r"\$\{\s*params\.([^}\s]*)\s*\}")
_RUN = re.compile(r"run/[1-9][0-9]{0,9}|last")
_LIMITS: Mapping[str, tuple[int, int]] = {
    "max_trials": (1, MOST_TRIALS),
    "max_parallel": (1, MOST_AT_ONCE),
    "max_failed": (0, MOST_TRIALS),
    "seed": (0, 2**31 - 1),
}
_DEFAULTS: Mapping[str, Any] = {
    "strategy": STRATEGIES[0],
    "max_trials": 20,
    "max_parallel": 1,
    "max_failed": 5,
    "early_stopping": STOPPING[0],
    "seed": None,
    "warm_start": "",
}


def read_tune(report: Report, path: str, node: Node) -> dict[str, Any] | None:
    """The settings of a tune step, defaults filled in, with `runs` ("function" or "script") and
    its `target`; None where there is nothing to run. Faults go to `report`."""
    where = f"{path}.tune"
    given = read_fields(report, where, node, TUNE, "a tune step")
    if not isinstance(node, Map):
        return None
    kinds = [kind for kind in ("function", "script") if kind in given]
    if len(kinds) != 1:
        known = ", ".join(kinds) or "nothing"
        hint = "function: module:function, or script: path"
        report.add(node.line, where, f"expected one thing to try out, found {known}", hint)
    options = {
        **_DEFAULTS,
        "runs": kinds[0] if kinds else "function",
        "metric": _metric(report, where, node, given.get("metric")),
        "ranges": _ranges(report, f"{where}.ranges", node, given.get("ranges")),
    }
    for key, allowed in (("strategy", STRATEGIES), ("early_stopping", STOPPING)):
        if key in given:
            options[key] = _word(report, where, node, key, given[key], allowed)
    for key, (least, most) in _LIMITS.items():
        if key in given:
            options[key] = _number(report, f"{where}.{key}", given[key], least, most)
    if "warm_start" in given:
        options["warm_start"] = given["warm_start"]
        if not _RUN.fullmatch(given["warm_start"]):
            message = f"{given['warm_start']!r} names no run"
            report.add(_line(node, "warm_start"), f"{where}.warm_start", message, "run/12, or last")
    options["target"] = given[kinds[0]] if len(kinds) == 1 else ""
    return options


def tie_tune(
    report: Report, path: str, options: dict[str, Any], params: Mapping[str, Param]
) -> dict[str, Any]:
    """The settings with every parameter that they name found among the pipeline's."""
    tied = dict(options)
    for key in _LIMITS:
        value = options.get(key)
        if not isinstance(value, tuple):
            continue
        name, line = value
        where = f"{path}.tune.{key}"
        if name not in params:
            hint = did_you_mean(name, params) or "declare it under params:"
            report.add(line, where, f"no parameter {name}", hint)
        elif params[name].type != "int":
            message = f"parameter {name} is of type {params[name].type}"
            report.add(line, where, message, "a whole number is needed: type: int")
        tied[key] = {"param": name}
    return tied


def check_names(
    report: Report,
    path: str,
    node: Node,
    options: Mapping[str, Any],
    inputs: Map | None,
    outputs: tuple[str, ...],
    takes: tuple[str, ...] | None,
) -> None:
    """That ranges, inputs and outputs keep apart; `takes` are the names that the function has,
    None where it takes any."""
    given = {entry.key for entry in inputs.entries} if inputs is not None else set()
    ranges = node.get("ranges") if isinstance(node, Map) else None
    entries = ranges.node.entries if ranges and isinstance(ranges.node, Map) else ()
    for entry in entries:
        where = f"{path}.tune.ranges.{entry.key}"
        if entry.key in given:
            report.add(entry.line, where, f"{entry.key} is an input, too", "leave one out")
        elif takes is not None and entry.key not in takes:
            hint = did_you_mean(entry.key, takes)
            report.add(entry.line, where, f"{options['target']} takes no {entry.key}", hint)
    for name in outputs:
        if name == BEST or name in options["ranges"]:
            line = node.line
            message = f"a tune step puts out {name} by itself"
            report.add(line, f"{path}.outputs", message, "give it another name")
    output = options["metric"].get("output")
    if output and output not in outputs:
        hint = did_you_mean(output, outputs) or f"outputs: [{output}]"
        message = f"the trials put out no {output}"
        report.add(_line(node, "metric"), f"{path}.tune.metric.output", message, hint)


def _metric(report: Report, where: str, node: Map, given: Node | None) -> dict[str, Any]:
    hint = "metric: {name: valid_mae, goal: minimize}"
    place = f"{where}.metric"
    if given is None:
        report.add(node.line, where, "no metric", hint)
        return {}
    found = read_fields(report, place, given, METRIC_OF_TRIALS, "a metric")
    if not isinstance(given, Map):
        return {}
    for key in ("name", "goal"):
        if given.get(key) is None:
            report.add(given.line, place, f"no {key}", hint)
    if "goal" in found:
        found["goal"] = _word(report, place, given, "goal", found["goal"], GOALS)
    return found


def _ranges(report: Report, where: str, node: Map, given: Node | None) -> dict[str, Any]:
    hint = "ranges: {learning_rate: {min: 0.01, max: 0.3, scale: log}, loss: [a, b]}"
    if given is None or (isinstance(given, Map) and not given.entries):
        report.add(node.line, where, "no ranges: there is nothing to search", hint)
        return {}
    if not isinstance(given, Map):
        report.add(given.line, where, f"expected a mapping, found {describe(given)}", hint)
        return {}
    found: dict[str, Any] = {}
    for entry in given.entries:
        place = f"{where}.{entry.key}"
        if not re.fullmatch(IDENTIFIER, entry.key):
            report.add(entry.line, place, "not a name", "letters, digits and `_`")
            continue
        read = _range(report, place, entry)
        if read is None:
            found[entry.key] = {}  # faulty, and named all the same
            continue
        for key, message, advice in faults(read):
            line = _line(entry.node, key) if isinstance(entry.node, Map) else entry.line
            report.add(line, f"{place}.{key}" if key else place, message, advice)
        found[entry.key] = range_to(read)
    return found


def _range(report: Report, place: str, entry: Entry) -> Range | None:
    node = entry.node
    if isinstance(node, Seq):
        values = [item.value for item in node.items if isinstance(item, Scalar)]
        if len(values) != len(node.items) or None in values:
            report.add(entry.line, place, "expected texts, numbers or flags", "such as [a, b]")
            return None
        return Choices(entry.key, tuple(value for value in values if value is not None))
    if not isinstance(node, Map):
        message = f"expected a range, found {describe(node)}"
        report.add(entry.line, place, message, "{min: 0.01, max: 0.3}, or a list of choices")
        return None
    known = len(report)
    given = read_fields(report, place, node, RANGE, "a range")
    numbers: dict[str, float | None] = {"step": None}
    for key in ("min", "max", "step"):
        if key in given:
            numbers[key] = _real(report, f"{place}.{key}", given[key])
        elif key != "step":
            report.add(node.line, place, f"no {key}", "such as {min: 0.01, max: 0.3}")
    scale = _word(report, place, node, "scale", given.get("scale", "linear"), ("linear", "log"))
    kind = given.get("type")
    if kind is None and all(
        isinstance(each, int) for each in (numbers.get("min"), numbers.get("max"))
    ):
        message = "whole numbers only, or those between them too?"
        report.add(entry.line, place, message, "say type: int or type: float")
    elif kind is not None:
        kind = _word(report, place, node, "type", kind, ("int", "float"))
    low, high = numbers.get("min"), numbers.get("max")
    if len(report) > known or low is None or high is None:
        return None
    return Numbers(entry.key, low, high, kind == "int", scale == "log", numbers["step"])


def _real(report: Report, where: str, node: Node) -> float | None:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        report.add(node.line, where, f"expected a number, found {describe(node)}")
        return None
    return value


def _number(report: Report, where: str, node: Node, least: int, most: int) -> Any:
    """A whole number, or the name of a parameter with its line."""
    value = plain(node)
    if isinstance(value, str) and (match := _PARAM.fullmatch(value)) is not None:
        return match[1], node.line
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        message = f"expected a whole number from {least} to {most}, found {describe(node)}"
        report.add(node.line, where, message, "or a parameter: ${params.name}")
    return value


def _word(
    report: Report, where: str, node: Map, key: str, value: str, allowed: tuple[str, ...]
) -> str:
    if value not in allowed:
        hint = did_you_mean(value, allowed)
        report.add(_line(node, key), f"{where}.{key}", f"{value!r} is none", hint)
        return allowed[0]
    return value


def _line(node: Node, key: str) -> int:
    entry = node.get(key) if isinstance(node, Map) else None
    return entry.line if entry is not None else node.line
