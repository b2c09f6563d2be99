"""Alarms, their history and objectives, as read from the state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.alarms.stored import definition_from_json, points_from_json
from core.domain.alarm import Alarm, AlarmEvent
from core.domain.analysis import AlarmState
from core.domain.slo import SloDefinition, SloStatus
from core.errors import NotFound
from core.slo.stored import slo_from_json
from core.state.reading import Reader

STALE_SECONDS = 30.0
"""Alarms that nobody has evaluated for so long are shown as stale."""
TREND = 60


def list_alarms(
    reader: Reader, *, state: str | None = None, about: str | None = None
) -> tuple[Alarm, ...]:
    """The alarms that are defined: in ALARM first, then without data, then by name. `about`
    is a source of metrics, such as `endpoint/bike-demand`."""
    rows = reader.rows("SELECT * FROM alarms WHERE gone_at IS NULL ORDER BY name")
    age = _age(reader)
    found = [alarm_of(row, age) for row in rows if state in (None, row["state"])]
    if about is not None:
        found = [each for each in found if _is_about(each, about)]
    order = [AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA, AlarmState.OK]
    return tuple(sorted(found, key=lambda each: (order.index(each.state), each.name)))


def find_alarm(reader: Reader, name: str) -> Alarm:
    """An alarm; raises `NotFound`."""
    rows = reader.rows("SELECT * FROM alarms WHERE name = :name AND gone_at IS NULL", name=name)
    if not rows:
        raise NotFound(f"alarm {name}: no such alarm", "see: opsdeck alarms list")
    return alarm_of(rows[0], _age(reader))


def list_history(
    reader: Reader, name: str | None = None, *, kind: str | None = None, limit: int = 100
) -> tuple[AlarmEvent, ...]:
    """What happened to an alarm (or to all), newest first; it stays when the alarm goes."""
    given = {key: v for key, v in (("alarm", name), ("kind", kind)) if v is not None}
    where = " AND ".join(f"{key} = :{key}" for key in given)
    rows = reader.rows(
        f"SELECT * FROM alarm_history {'WHERE ' + where if where else ''}"
        " ORDER BY id DESC LIMIT :limit",
        limit=limit,
        **given,
    )
    return tuple(
        AlarmEvent(
            alarm=row["alarm"],
            at=row["at"],
            kind=row["kind"],
            reason=row["reason"],
            actor=row["actor"],
            from_state=row["from_state"],
            to_state=row["to_state"],
            datapoints=points_from_json(row["datapoints"]),
        )
        for row in rows
    )


def alarm_of(row: Mapping[str, Any], age: float | None) -> Alarm:
    """A row of `alarms` as a record; `age` is how long ago all of them were looked at."""
    held = json.loads(row["held"]) if row["held"] else {}
    return Alarm(
        definition=definition_from_json(row["definition"]),
        state=AlarmState(row["state"]),
        since=row["since"],
        reason=row["reason"],
        datapoints=points_from_json(row["datapoints"]),
        evaluated_at=row["evaluated_at"],
        age=age,
        stale=age is None or age > STALE_SECONDS,
        actions_enabled=bool(row["actions_enabled"]),
        switched_by=row["switched_by"] or "",
        switched_at=row["switched_at"],
        switched_why=row["switched_why"],
        held=held.get("why", ""),
        test=row["test"] is not None,
        problem=row["problem"],
    )


def _age(reader: Reader) -> float | None:
    """How long ago a worker looked at the alarms, None where none ever did."""
    rows = reader.rows("SELECT at FROM watch_beats WHERE name = 'alarms'")
    return max(0.0, reader.clock() - rows[0]["at"]) if rows else None


def _is_about(alarm: Alarm, about: str) -> bool:
    of = alarm.definition
    source = of.metric.source if of.metric is not None else ""
    return about in (source, of.derived_from, f"endpoint/{of.endpoint}")


def list_slos(reader: Reader) -> tuple[SloStatus, ...]:
    """The objectives and how they stand, the least budget left first."""
    rows = reader.rows("SELECT name, definition, problem FROM slos ORDER BY name")
    found = [_status(reader, slo_from_json(row["definition"]), row["problem"]) for row in rows]
    return tuple(
        sorted(found, key=lambda each: (each.budget_left is None, each.budget_left or 0.0))
    )


def find_slo(reader: Reader, name: str) -> SloStatus:
    """An objective; raises `NotFound`."""
    found = next((each for each in list_slos(reader) if each.name == name), None)
    if found is None:
        raise NotFound(f"objective {name}: no such objective", "see: opsdeck slos list")
    return found


def _status(reader: Reader, slo: SloDefinition, problem: str) -> SloStatus:
    from core.series.reading import latest
    from core.slo.burning import exhausted_in, tiers

    def newest(metric: str, dims: Mapping[str, str] | None = None) -> float | None:
        points = latest(reader, f"slo/{slo.name}", metric, dims)
        return points[0].value if points else None

    trend = latest(reader, f"slo/{slo.name}", "budget_left", count=TREND)
    burn = {
        length: newest("burn", {"window": f"{length:g}"})
        for tier in tiers(slo)
        for length in (tier.long, tier.short)
    }
    states = reader.rows(
        "SELECT name, state FROM alarms WHERE gone_at IS NULL AND name LIKE :like",
        like=f"{slo.name}-%-burn",
    )
    left = trend[-1].value if trend else None
    return SloStatus(
        definition=slo,
        at=trend[-1].at if trend else None,
        sli=newest("sli"),
        budget_left=left,
        events=newest("events") or 0.0,
        bad=newest("bad") or 0.0,
        burn=burn,
        exhausted_in=exhausted_in(slo, left, burn.get(tiers(slo)[1].long)),
        alarms={row["name"]: row["state"] for row in states},
        trend=tuple(point.value for point in trend),
        problem=problem,
    )
