"""Release plans as the JSON that a deployment's row holds, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from core.domain.analysis import (
    AlarmRule,
    AnalysisPlan,
    Comparison,
    MetricRule,
    MissingData,
    OnBreach,
)
from core.domain.release import ReleasePlan, StrategyStep


def plan_json(plan: ReleasePlan) -> str:
    """A plan as text; `plan_from_json` gives an equal one."""
    return json.dumps(asdict(plan))


def plan_from_json(text: str) -> ReleasePlan:
    """The plan of a deployment's row. A row from before there were plans has a list of steps."""
    data = json.loads(text)
    if isinstance(data, list):
        return ReleasePlan(steps=_steps(data))
    return ReleasePlan(
        steps=_steps(data["steps"]),
        name=data["name"],
        alarms=tuple(_alarm(row) for row in data["alarms"]),
        analysis=_analysis(data["analysis"]),
        on_breach=OnBreach(data["on_breach"]),
        keep_seconds=data["keep_seconds"],
        workers=_bounds(data.get("workers")),
        rollback_alarms=tuple(data.get("rollback_alarms", ())),
    )


def watched(plan: ReleasePlan) -> dict[str, Any]:
    """What a supervisor is told to watch: the alarms, the comparison, and what a breach does."""
    found = asdict(plan)
    return {key: found[key] for key in ("alarms", "analysis", "on_breach")}


def is_watched(plan: ReleasePlan) -> bool:
    """Whether there is anything to watch."""
    return bool(plan.alarms or plan.analysis.metrics)


def _steps(rows: Sequence[Mapping[str, Any]]) -> tuple[StrategyStep, ...]:
    return tuple(StrategyStep(**row) for row in rows)


def _bounds(data: Sequence[int] | None) -> tuple[int, int] | None:
    return None if data is None else (data[0], data[1])


def _alarm(row: Mapping[str, Any]) -> AlarmRule:
    named = {
        "comparison": Comparison(row["comparison"]),
        "treat_missing_data": MissingData(row["treat_missing_data"]),
    }
    return AlarmRule(**{**row, **named})


def _analysis(row: Mapping[str, Any]) -> AnalysisPlan:
    metrics = tuple(MetricRule(**rule) for rule in row["metrics"])
    return AnalysisPlan(**{**row, "metrics": metrics})
