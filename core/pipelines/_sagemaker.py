"""The section `sagemaker:` of a pipeline or a step: how it runs in an AWS account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.pipelines._fields import read_fields
from core.pipelines._keys import Key
from core.pipelines._nodes import Node, Scalar, plain
from core.pipelines._report import Report
from core.releases.strategy import read_plan

_LISTS = ("subnets", "security_groups", "alarms")


def read_sagemaker(
    report: Report, path: str, node: Node | None, keys: Mapping[str, Key]
) -> dict[str, Any]:
    """The settings as JSON values; faults go to `report`."""
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return {}
    found = read_fields(report, path, node, keys, "settings of SageMaker")
    for name in _LISTS:
        if name in found:
            found[name] = [text for text, _ in found[name]]
    if "strategy" in found:
        found["strategy"] = plain(found["strategy"])
        for problem in read_plan(found["strategy"])[1]:
            report.add(node.line, f"{path}.strategy", problem.words(), problem.hint)
    return found
