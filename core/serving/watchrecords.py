"""Plans and their state between processes: JSON to records and back. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from core.domain.analysis import (
    ALARM_METRICS,
    ANALYSIS_METRICS,
    Acted,
    AlarmRule,
    AlarmState,
    AlarmStatus,
    AnalysisPlan,
    AnalysisStatus,
    Comparison,
    Disagreement,
    DisagreementSummary,
    MetricRule,
    MetricStatus,
    MissingData,
    OnBreach,
    SampleRatio,
    SegmentCount,
    ShadowStatus,
    Verdict,
)
from core.errors import BadInput

T = TypeVar("T")

_KINDS = {
    "state": AlarmState,
    "comparison": Comparison,
    "treat_missing_data": MissingData,
    "verdict": Verdict,
}
VARIANTS = ("candidate", "champion", "endpoint")
DIRECTIONS = ("higher", "lower", "both")


@dataclass(frozen=True, slots=True)
class WatchPlan:
    """What a deployment is judged by: the part of its `ReleasePlan` that the watch needs."""

    alarms: tuple[AlarmRule, ...] = ()
    analysis: AnalysisPlan = field(default_factory=AnalysisPlan)
    on_breach: OnBreach = OnBreach.ROLLBACK


def plan_from_json(data: Mapping[str, Any]) -> WatchPlan:
    """The plan from `dataclasses.asdict` of a `ReleasePlan`, or the part of it that matters
    here. Raises `BadInput`."""
    try:
        analysis = dict(data.get("analysis") or {})
        analysis["metrics"] = tuple(_of(MetricRule, row) for row in analysis.get("metrics", ()))
        plan = WatchPlan(
            tuple(_of(AlarmRule, row) for row in data.get("alarms", ())),
            _of(AnalysisPlan, analysis),
            OnBreach(data.get("on_breach", OnBreach.ROLLBACK)),
        )
        _check(plan)
    except (TypeError, ValueError) as error:
        raise BadInput(f"The plan cannot be watched: {error}") from None
    return plan


def _check(plan: WatchPlan) -> None:
    names = [rule.name for rule in plan.alarms]
    if len(set(names)) < len(names):
        raise ValueError("two alarms have the same name")
    for alarm in plan.alarms:
        if alarm.metric not in ALARM_METRICS:
            raise ValueError(f"alarm {alarm.name} has no metric {alarm.metric}")
        if alarm.variant not in VARIANTS:
            raise ValueError(f"alarm {alarm.name} has no variant {alarm.variant}")
        if not alarm.period > 0:
            raise ValueError(f"alarm {alarm.name} has a period of {alarm.period:g} s")
        if not 1 <= alarm.datapoints_to_alarm <= alarm.evaluation_periods:
            raise ValueError(
                f"alarm {alarm.name} wants {alarm.datapoints_to_alarm} "
                f"of {alarm.evaluation_periods} datapoints"
            )
    if not 0 < plan.analysis.alpha <= 0.5:
        raise ValueError(f"alpha is {plan.analysis.alpha:g}")
    for rule in plan.analysis.metrics:
        if rule.metric not in ANALYSIS_METRICS:
            raise ValueError(f"there is no metric {rule.metric}")
        if rule.worse_when not in DIRECTIONS:
            raise ValueError(f"{rule.metric} cannot be worse when {rule.worse_when}")
        if not rule.margin >= 0 or not rule.share >= 0:
            raise ValueError(f"the margin or the share of {rule.metric} is below 0")


def analysis_from_json(data: Mapping[str, Any]) -> AnalysisStatus:
    """The status from what `dataclasses.asdict` makes of it."""
    ratio, shadow, acted = data.get("sample_ratio"), data.get("shadow"), data.get("acted")
    return AnalysisStatus(
        deployment=data["deployment"],
        at=data["at"],
        candidate=data["candidate"],
        champion=data.get("champion"),
        metrics=tuple(_of(MetricStatus, row) for row in data.get("metrics", ())),
        alarms=tuple(_of(AlarmStatus, row) for row in data.get("alarms", ())),
        sample_ratio=_of(SampleRatio, ratio) if ratio else None,
        shadow=_of(ShadowStatus, shadow) if shadow else None,
        acted=_of(Acted, acted) if acted else None,
    )


def disagreements_from_json(data: Mapping[str, Any]) -> DisagreementSummary:
    """The summary from what `dataclasses.asdict` makes of it."""
    return DisagreementSummary(
        data.get("by", ""),
        tuple(_of(SegmentCount, row) for row in data.get("segments", ())),
        tuple(_of(Disagreement, row) for row in data.get("rows", ())),
    )


def _of(kind: type[T], data: Mapping[str, Any]) -> T:
    """A record of JSON; keys that it has not (of a newer version) are ignored."""
    known = {item.name for item in fields(kind)}  # type: ignore[arg-type]
    found = {key: value for key, value in data.items() if key in known}
    for key, value in found.items():
        if key in _KINDS:
            found[key] = _KINDS[key](value)
        elif isinstance(value, list):
            found[key] = tuple(value)
    return kind(**found)
