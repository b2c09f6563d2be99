"""Definitions of alarms as the JSON of their rows, and as the lines of a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from core.domain.alarm import ActionKind, AlarmAction, AlarmDefinition, AlarmPoint, BandComparison
from core.domain.alert import Severity
from core.domain.analysis import Comparison, MissingData
from core.domain.series import SeriesName

_ACTIONS = ("actions", "ok_actions", "insufficient_data_actions")
_BANDS = {each.value for each in BandComparison}


def definition_json(alarm: AlarmDefinition) -> str:
    """A definition as text; `definition_from_json` gives an equal one."""
    return json.dumps(asdict(alarm), sort_keys=True, ensure_ascii=False)


def definition_from_json(text: str) -> AlarmDefinition:
    """The definition of a row."""
    data: dict[str, Any] = json.loads(text)
    for key in _ACTIONS:
        data[key] = tuple(action_of(row) for row in data[key])
    metric, word = data["metric"], data["comparison"]
    data["metric"] = None if metric is None else SeriesName(**metric)
    data["comparison"] = BandComparison(word) if word in _BANDS else Comparison(word)
    data["treat_missing_data"] = MissingData(data["treat_missing_data"])
    return AlarmDefinition(**data)


def action_of(row: Mapping[str, Any]) -> AlarmAction:
    """An action of a row."""
    return AlarmAction(ActionKind(row["kind"]), Severity(row["severity"]), row["name"])


def points_json(points: tuple[AlarmPoint, ...]) -> str:
    """Datapoints as text; `points_from_json` gives equal ones."""
    return json.dumps([[p.at, p.value, p.breaching, p.low, p.high] for p in points])


def points_from_json(text: str) -> tuple[AlarmPoint, ...]:
    """The datapoints of a row."""
    return tuple(AlarmPoint(*row) for row in json.loads(text))


def written(alarm: AlarmDefinition) -> dict[str, Any]:
    """The definition as a file has it: what differs from the defaults."""
    plain = AlarmDefinition(alarm.name)
    found: dict[str, Any] = {}
    if alarm.metric is not None:
        found["metric"] = alarm.metric.words()
        found["threshold"] = "band" if alarm.threshold is None else alarm.threshold
        found["comparison"] = str(alarm.comparison)
        found["period"] = "window" if alarm.period is None else alarm.period
    for key, value in asdict(alarm).items():
        if key in ("name", "metric", "threshold", "comparison", "period", "derived_from"):
            continue
        if getattr(alarm, key) != getattr(plain, key):
            found[key] = value
    for key in _ACTIONS:
        actions: tuple[AlarmAction, ...] = getattr(alarm, key)
        if actions != getattr(plain, key):
            found[key] = [_written(action) for action in actions]
    if found.get("treat_missing_data") is not None:
        found["treat_missing_data"] = str(alarm.treat_missing_data)
    many, enough = alarm.evaluation_periods, alarm.datapoints_to_alarm
    if many != enough:
        found |= {"evaluation_periods": many, "datapoints_to_alarm": enough}
    elif many != 1:
        found.pop("datapoints_to_alarm", None)
    return found


def _written(action: AlarmAction) -> Any:
    match action.kind:
        case ActionKind.ALERT:
            return {"alert": str(action.severity)}
        case ActionKind.TRIGGER:
            return {"trigger": action.name}
    return str(action.kind)
