"""What an alarm is about: the endpoint that it may roll back, and its kind of alert."""

from __future__ import annotations

from collections.abc import Mapping

from core.alarms.order import children
from core.domain.alarm import AlarmDefinition
from core.state.reading import Reader

_KINDS = {"endpoint": "service", "slo": "slo", "dataset": "freshness", "run": "metric"}
_DEPTH = 20


def endpoint_of(
    reader: Reader, alarm: AlarmDefinition, others: Mapping[str, AlarmDefinition], depth: int = 0
) -> str:
    """The endpoint that an alarm is about: named, or that of its metric's source, or the one
    that all the alarms of its rule are about; "" where there is none, or several."""
    if alarm.endpoint or depth > _DEPTH:
        return alarm.endpoint
    if alarm.metric is not None:
        kind, _, name = alarm.metric.source.partition("/")
        if kind == "endpoint":
            return name
        if kind == "monitor":
            rows = reader.rows("SELECT watch FROM monitors WHERE name = :name", name=name)
            watch = rows[0]["watch"] if rows else ""
            return str(watch).removeprefix("endpoint/") if watch.startswith("endpoint/") else ""
        return ""
    found = {
        endpoint_of(reader, others[name], others, depth + 1)
        for name in children(alarm)
        if name in others and name != alarm.suppress_with
    }
    return found.pop() if len(found) == 1 else ""


def alert_target(alarm: AlarmDefinition, endpoint: str) -> str:
    """What its alerts are about, as alerts name it."""
    if endpoint:
        return f"endpoint/{endpoint}"
    return alarm.metric.source if alarm.metric is not None else f"alarm/{alarm.name}"


def alert_kind(reader: Reader, alarm: AlarmDefinition) -> str:
    """The kind of its alerts, which says what they are grouped with: of a monitor's metric the
    monitor's own."""
    if alarm.derived_from.startswith("slo/"):
        return "slo"
    if alarm.metric is None:
        return "alarm"
    source, _, name = alarm.metric.source.partition("/")
    if source == "monitor":
        rows = reader.rows("SELECT kind FROM monitors WHERE name = :name", name=name)
        return str(rows[0]["kind"]) if rows else "alarm"
    return _KINDS.get(source, "alarm")


def opens(alarm: AlarmDefinition, endpoint: str) -> list[str]:
    """What the console can open as evidence."""
    found = [f"alarm/{alarm.name}"]
    if alarm.metric is not None and not alarm.metric.source.startswith("slo/"):
        found.append(alarm.metric.source)
    if endpoint and f"endpoint/{endpoint}" not in found:
        found.append(f"endpoint/{endpoint}")
    return found
