"""Definitions of objectives as the JSON of their rows."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from core.alarms.stored import action_of
from core.domain.analysis import Comparison
from core.domain.series import SeriesName
from core.domain.slo import SloDefinition, SloKind


def slo_json(slo: SloDefinition) -> str:
    """A definition as text; `slo_from_json` gives an equal one."""
    return json.dumps(asdict(slo), sort_keys=True, ensure_ascii=False)


def slo_from_json(text: str) -> SloDefinition:
    """The definition of a row."""
    data: dict[str, Any] = json.loads(text)
    for key in ("fast", "slow", "trickle"):
        if data[key] is not None:
            data[key] = tuple(action_of(row) for row in data[key])
    metric = data["metric"]
    data["metric"] = None if metric is None else SeriesName(**metric)
    data["kind"] = SloKind(data["kind"])
    data["comparison"] = Comparison(data["comparison"])
    return SloDefinition(**data)
