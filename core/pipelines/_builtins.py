"""The settings of the built-in steps: register, gate and deploy."""

from __future__ import annotations

import re
from typing import Any

from core.pipelines._auto import read_auto
from core.pipelines._fields import read_fields
from core.pipelines._keys import BUILT_IN, STAGE
from core.pipelines._nodes import Map, Node, Scalar, Seq, describe, plain
from core.pipelines._report import Report
from core.releases.strategy import read_plan

_DEFAULTS: dict[str, dict[str, Any]] = {
    "register": {},
    "gate": {
        "environment": "production",
        "approvals": 1,
        "requester_may_decide": True,
        "expires": None,
        "evidence": [],
        "auto": None,
    },
    "deploy": {},
}


def read_built_in(report: Report, path: str, kind: str, node: Node) -> dict[str, Any]:
    """The settings of a built-in step, defaults filled in; faults go to `report`.

    References stay `(text, line)` pairs: they are tied when all steps are known.
    """
    where = f"{path}.{kind}"
    if isinstance(node, Scalar) and node.value is None:
        node = Map(node.line, ())
    values = read_fields(report, where, node, BUILT_IN[kind], f"a {kind} step")
    if kind == "register" and "model" not in values:
        given = isinstance(node, Map) and node.get("model") is not None
        if not given:
            report.add(node.line, where, "no model", "add `model: step.output`")
    options = {**_DEFAULTS[kind], **values}
    if kind == "gate" and "auto" in values:
        options["auto"] = read_auto(report, f"{where}.auto", values["auto"])
    if kind == "deploy":
        stages = values.get("strategy")
        options["strategy"] = (
            [{"set_weight": 100}] if stages is None else _strategy(report, where, stages)
        )
    return options


def strategy_faults(written: Any) -> list[tuple[str, str]]:
    """What is wrong with a strategy as it is written, each with a hint."""
    return [(problem.words(), problem.hint) for problem in read_plan(written)[1]]


def _strategy(report: Report, path: str, node: Node) -> Any:
    """The strategy as it is written, checked: a preset's name, a list of stages, or a mapping.

    In a list a duration is seconds, and a pause of None holds until somebody promotes. Weights
    rise and end at 100.
    """
    where = f"{path}.strategy"
    if isinstance(node, Seq):
        return _stages(report, where, node)
    written = plain(node)
    if not isinstance(node, Map) and not isinstance(written, str):
        hint = "such as [{set_weight: 10}, {pause: 10m}, {set_weight: 100}], or canary"
        report.add(node.line, where, f"expected a list of stages, found {describe(node)}", hint)
        return []
    for problem in read_plan(written)[1]:
        place = problem.where.removeprefix("strategy")
        report.add(_line_of(node, place), f"{where}{place}", problem.message, problem.hint)
    return written


def _line_of(node: Node, place: str) -> int:
    """The line of the key or step that a problem names; the strategy's own where unsure."""
    found: Node = node
    line = node.line
    for word in re.findall(r"step (\d+)|\[(\d+)\]|\.(\w+)", place):
        number, index, key = word
        if number and isinstance(found, Map) and (entry := found.get("steps")) is not None:
            found, index = entry.node, str(int(number) - 1)
        if key and isinstance(found, Map) and (entry := found.get(key)) is not None:
            found, line = entry.node, entry.line
        elif index and isinstance(found, Seq) and int(index) < len(found.items):
            found = found.items[int(index)]
            line = found.line
    return line


def _stages(report: Report, where: str, node: Seq) -> list[dict[str, Any]]:
    if not node.items:
        hint = "such as [{set_weight: 10}, {pause: 10m}, {set_weight: 100}]"
        report.add(node.line, where, f"expected a list of stages, found {describe(node)}", hint)
        return []
    stages: list[dict[str, Any]] = []
    known, weight = len(report), 0
    for index, item in enumerate(node.items):
        place = f"{where}[{index}]"
        values = read_fields(report, place, item, STAGE, "a stage")
        if isinstance(item, Map) and len(item.entries) != 1:
            report.add(item.line, place, f"a stage is one of {', '.join(STAGE)}")
            continue
        if isinstance(values.get("shadow"), Scalar | Seq | Map):
            values["shadow"] = plain(values["shadow"])
        reached = values.get("set_weight")
        if reached is not None and reached <= weight:
            message = f"the weight goes from {weight} to {reached}"
            report.add(item.line, place, message, "weights rise from stage to stage")
        weight = reached if reached is not None else weight
        stages.append(values)
    if len(report) == known:
        _check_end(report, where, node, stages, weight)
    if len(report) == known:
        for problem in read_plan(stages)[1]:
            number = re.search(r"step (\d+)", problem.where)
            item = node.items[int(number[1]) - 1] if number else node
            report.add(item.line, where, problem.words(), problem.hint)
    return stages


def _check_end(
    report: Report, where: str, node: Seq, stages: list[dict[str, Any]], weight: int
) -> None:
    """All of the traffic comes last, and after it at most a bake."""
    line = node.items[-1].line
    if "pause" in stages[-1]:
        report.add(line, where, "a pause ends it", "end with {set_weight: 100}")
    elif weight != 100:
        report.add(line, where, f"the last weight is {weight}", "end with {set_weight: 100}")
    elif not {"set_weight", "bake"} & stages[-1].keys():
        report.add(line, where, f"{next(iter(stages[-1]))} ends it", "end with {set_weight: 100}")
