"""The settings of the built-in steps: register, gate and deploy."""

from __future__ import annotations

from typing import Any

from core.pipelines._fields import read_fields
from core.pipelines._keys import BUILT_IN, STAGE
from core.pipelines._nodes import Map, Node, Scalar, Seq, describe
from core.pipelines._report import Report

_DEFAULTS: dict[str, dict[str, Any]] = {
    "register": {},
    "gate": {
        "environment": "production",
        "approvals": 1,
        "requester_may_decide": True,
        "expires": None,
        "evidence": [],
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
    if kind == "deploy":
        stages = values.get("strategy")
        options["strategy"] = (
            [{"set_weight": 100}] if stages is None else _strategy(report, where, stages)
        )
    return options


def _strategy(report: Report, path: str, node: Node) -> list[dict[str, Any]]:
    """The stages of a deployment, in order: `{"set_weight": percent}` or `{"pause": seconds}`.

    A pause of None holds until somebody promotes. Weights rise and end at 100.
    """
    where = f"{path}.strategy"
    if not isinstance(node, Seq) or not node.items:
        hint = "such as [{set_weight: 10}, {pause: 10m}, {set_weight: 100}]"
        report.add(node.line, where, f"expected a list of stages, found {describe(node)}", hint)
        return []
    stages: list[dict[str, Any]] = []
    known, weight = len(report), 0
    for index, item in enumerate(node.items):
        place = f"{where}[{index}]"
        values = read_fields(report, place, item, STAGE, "a stage")
        if isinstance(item, Map) and len(item.entries) != 1:
            report.add(item.line, place, "a stage is one of set_weight and pause")
            continue
        reached = values.get("set_weight")
        if reached is not None and reached <= weight:
            message = f"the weight goes from {weight} to {reached}"
            report.add(item.line, place, message, "weights rise from stage to stage")
        weight = reached if reached is not None else weight
        stages.append(values)
    if len(report) == known and "set_weight" not in stages[-1]:
        report.add(node.items[-1].line, where, "a pause ends it", "end with {set_weight: 100}")
    elif len(report) == known and weight != 100:
        line = node.items[-1].line
        report.add(line, where, f"the last weight is {weight}", "end with {set_weight: 100}")
    return stages
