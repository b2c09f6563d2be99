"""What a window came to, told onwards: points of its numbers, and one alert a monitor and cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.domain.monitor import Findings, Measurement, MonitorDefinition, State
from core.state.store import Transaction

_RANK = {"critical": 3, "warning": 2, "info": 1}
POINT_SPAN = 3600.0
"""The longest stretch of time that a point stands for."""
OLD_SECONDS = 86_400.0


def told_at(place: Mapping[str, Any], end: float, begun: float) -> float:
    """Where a window's points stand: at its end; of events that were long ago when the window
    was first looked at, at that look. An alarm looks at what was learned lately, and points of
    years ago are not kept."""
    return begun if place.get("by") == "event" and begun - end > OLD_SECONDS else end


def record_points(
    tx: Transaction,
    monitor: str,
    at: float,
    length: float,
    findings: Findings,
    coverage: float | None,
    rows: int,
) -> int:
    """The numbers of a window of some length (seconds) as points at one moment: each
    measurement under its metric, and the monitor's own `violations`, `rows`, `label_coverage`,
    `violated` (0 or 1; a gap where the window was insufficient)."""
    from core.series import Point, record

    points = [_point(each, at) for each in _without_twins(findings.measurements)]
    state = findings.state
    own: dict[str, float | None] = {
        "violations": float(len(findings.violations)),
        "rows": float(rows),
        "violated": None if state is State.INSUFFICIENT else float(state is State.VIOLATED),
    }
    if coverage is not None:
        own["label_coverage"] = coverage
    taken = {point.metric for point in points if not point.dims}
    points += [Point(name, at, value) for name, value in own.items() if name not in taken]
    span = min(max(length, 60.0), POINT_SPAN)
    return record(tx, f"monitor/{monitor}", points, span)


def _point(each: Measurement, at: float) -> Any:
    from core.series import Point

    return Point(each.metric, at, each.value, {"feature": each.feature, "segment": each.segment})


def _without_twins(measurements: Sequence[Measurement]) -> Iterable[Measurement]:
    """One measurement of each metric, feature and segment."""
    return {(m.metric, m.feature, m.segment): m for m in measurements}.values()


def severity_of(definition: MonitorDefinition, findings: Findings) -> str:
    """How severe the alert of a violated window is: what the definition says, else the worst of
    its violations; `off` for none at all."""
    if findings.state is not State.VIOLATED:
        return "off"
    if definition.alert:
        return definition.alert
    found = [each.severity for each in findings.violations if each.severity in _RANK]
    return max(found, key=_RANK.__getitem__, default="info")


def tell_state(
    tx: Transaction, definition: MonitorDefinition, window: str, findings: Findings
) -> None:
    """Raise the monitor's alert where its window is violated, end it where it is well again.
    A window that is insufficient says nothing of either."""
    cause = f"monitor/{definition.name}"
    if findings.state is State.INSUFFICIENT:
        return
    severity = severity_of(definition, findings)
    if severity == "off":
        _over(tx, cause, f"monitor {definition.name}: {findings.state.value}")
        return
    _raise(
        tx,
        cause=cause,
        kind=definition.kind,
        target=definition.watch,
        title=f"{definition.name}: {findings.headline or 'violated'}",
        message=_listed(findings),
        severity=severity,
        evidence={
            "open": f"monitor/{definition.name}@{window}",
            "monitor": definition.name,
            "window": window,
            "violations": len(findings.violations),
            "features": sorted({v.feature for v in findings.violations if v.feature})[:20],
        },
        owner=definition.owner,
        runbook=definition.runbook,
    )


def tell_failed(tx: Transaction, definition: MonitorDefinition, window: str, reason: str) -> None:
    """A run that failed: one alert for as long as the monitor fails."""
    _raise(
        tx,
        cause=f"monitor/{definition.name}:failed",
        kind="monitor_failed",
        target=f"monitor/{definition.name}",
        title=f"monitor {definition.name} fails: {reason}"[:300],
        message="nobody looks at what it watches until it runs again",
        severity="warning",
        evidence={"open": f"monitor/{definition.name}@{window}", "monitor": definition.name},
        owner=definition.owner,
    )


def tell_working(tx: Transaction, name: str) -> None:
    """A monitor runs again after it failed."""
    _over(tx, f"monitor/{name}:failed", f"monitor {name} runs again")


def tell_gone(tx: Transaction, name: str) -> None:
    """Nobody looks any more: what the monitor had raised is over."""
    for cause in (f"monitor/{name}", f"monitor/{name}:failed"):
        _over(tx, cause, f"monitor {name} is no more")


def _listed(findings: Findings, most: int = 5) -> str:
    shown = [each.description for each in findings.violations[:most]]
    more = len(findings.violations) - most
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")


def _raise(
    tx: Transaction,
    *,
    cause: str,
    kind: str,
    target: str,
    title: str,
    message: str,
    severity: str,
    evidence: dict[str, Any],
    owner: str,
    runbook: str = "",
) -> None:
    from core.alerting import raise_incident

    raise_incident(
        tx,
        cause_key=cause,
        kind=kind,
        target=target,
        title=title,
        message=message,
        severity=severity,
        evidence=evidence,
        runbook=runbook,
        labels={"owner": owner} if owner else {},
    )


def _over(tx: Transaction, cause: str, message: str) -> None:
    from core.alerting import resolve_incident

    resolve_incident(tx, cause, message)
