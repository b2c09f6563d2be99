"""The section `sagemaker:` of a pipeline or a step: how it runs in an AWS account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.pipelines._builtins import strategy_faults
from core.pipelines._fields import read_fields
from core.pipelines._keys import Key
from core.pipelines._nodes import Node, Scalar, plain
from core.pipelines._report import Report

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
        for message, hint in strategy_faults(found["strategy"]):
            report.add(node.line, f"{path}.strategy", message, hint)
    return found
