"""Whether a trigger's conditions are met now, by plain rows: what the worker asks every look.

A schedule and new data go by what was seen before (`seen`, kept in the trigger's row); monitors,
metrics and alarms by how they stand, and since when: what has stood so since one moment is one
cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.cron import parse_cron
from core.domain.trigger import Cause, CauseKind, Condition, TriggerDefinition
from core.series import latest
from core.state.reading import Reader

STREAK = 500
"""How many windows or datapoints back the beginning of a streak is looked for."""
_SLOTS = 10_000
_CHAIN = 20


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a condition came to: the `cause` where it is met, `words` for people,
    and what is `seen` from now on (None: as before)."""

    cause: Cause | None
    words: str
    seen: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What the conditions of one trigger have seen, by their keys."""

    by_condition: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, condition: Condition) -> Mapping[str, Any]:
        """What this one has seen; empty before its first look."""
        return self.by_condition.get(condition.key, {})


def look(
    reader: Reader, definition: TriggerDefinition, condition: Condition, seen: Seen, now: float
) -> Look:
    """Look at one condition."""
    kind = condition.kind
    if kind is CauseKind.SCHEDULE:
        return _schedule(definition, condition, seen.of(condition), now)
    if kind is CauseKind.NEW_DATA:
        return _new_data(reader, definition, condition, seen.of(condition))
    if kind is CauseKind.MONITOR:
        return _monitor(reader, condition)
    return _metric(reader, condition) if kind is CauseKind.METRIC else _alarm(reader, condition)


def next_at(condition: Condition, seen: Seen, now: float) -> float | None:
    """When a schedule comes round next (epoch seconds); None for what is no schedule."""
    if condition.kind is not CauseKind.SCHEDULE:
        return None
    return _after(condition, seen.of(condition).get("last", now))


def _after(condition: Condition, at: float) -> float | None:
    if condition.every is not None:
        return at + condition.every
    return parse_cron(condition.cron).next_after(at, ZoneInfo(condition.zone))


def _schedule(
    definition: TriggerDefinition, condition: Condition, seen: Mapping[str, Any], now: float
) -> Look:
    last = seen.get("last")
    if last is None or last > now + 86_400:  # the first look, or the clock has gone back far
        return Look(None, f"begins {_moment(now)}", {"last": now})
    slot = last
    for _ in range(_SLOTS):  # what was missed while nobody looked counts once
        following = _after(condition, slot)
        if following is None or following > now:
            break
        slot = following
    due = _after(condition, slot)
    words = f"next {_moment(due)}" if due else "never again"
    if slot == last and "slot" not in seen:
        return Look(None, words)
    cause = Cause(
        CauseKind.SCHEDULE,
        f"trigger/{definition.name}",
        f"{condition.words()}, due since {_moment(slot)}",
        key=f"{condition.key}@{slot:.0f}",
        evidence={"slot": slot},
    )
    # The last time it came round stays a cause: an answer that passes may become another one.
    return Look(cause, words, None if slot == last else {"last": slot, "slot": True})


def _new_data(
    reader: Reader, definition: TriggerDefinition, condition: Condition, seen: Mapping[str, Any]
) -> Look:
    name = condition.dataset
    versions = reader.rows(
        "SELECT s.number, s.operation, s.rows, s.added_rows, s.run_id FROM dataset_snapshots s"
        " JOIN datasets d ON d.name = s.dataset AND d.dropped_at IS NULL"
        " WHERE s.dataset = :name ORDER BY s.number",
        name=name,
    )
    newest = versions[-1]["number"] if versions else 0
    base = _used(reader, name, definition.pipeline)
    if base is None and "version" not in seen:
        return Look(None, "begins with this version", {"version": newest})
    base = max(base or 0, int(seen.get("version", 0)), _answered(reader, definition.name, name))
    fresh = [row for row in versions if row["number"] > base]
    fresh = [row for row in fresh if row["operation"] not in ("compact", "create", "delete")]
    fresh = [row for row in fresh if not descends(reader, row["run_id"], definition.name)]
    rows = _rows_of(versions, {row["number"] for row in fresh})
    words = f"{rows:,} rows in {len(fresh)} versions since version {base}"
    enough = (condition.rows is not None and rows >= condition.rows) or (
        condition.snapshots is not None and len(fresh) >= condition.snapshots
    )
    if not fresh or not enough:
        return Look(None, words)
    cause = Cause(
        CauseKind.NEW_DATA,
        f"dataset/{name}@{fresh[-1]['number']}",
        words,
        evidence={
            "rows": rows,
            "versions": len(fresh),
            "since": base,
            "runs": sorted({row["run_id"] for row in fresh if row["run_id"]})[:20],
        },
    )
    return Look(cause, words)


def _used(reader: Reader, dataset: str, pipeline: str) -> int | None:
    """The newest version that a run of the pipeline has read, failed ones left out."""
    found = reader.rows(
        "SELECT max(s.number) AS number FROM runs r JOIN lineage_edges e"
        " ON e.target = CAST(r.number AS TEXT) AND e.target_kind = 'run'"
        " AND e.source_kind = 'dataset' AND e.source = :dataset AND e.source_column = ''"
        " JOIN dataset_snapshots s ON s.dataset = :dataset AND s.snapshot_id = e.snapshot_id"
        " WHERE r.pipeline = :pipeline AND r.status NOT IN ('failed', 'cancelled')",
        dataset=dataset,
        pipeline=pipeline,
    )
    return found[0]["number"] if found else None


def _answered(reader: Reader, trigger: str, dataset: str) -> int:
    """The newest version for which the trigger had a run: it may read the data in a way that
    nobody has noted."""
    begin = f"dataset/{dataset}@"
    found = reader.rows(
        "SELECT f.cause_key FROM trigger_firings f JOIN runs r ON r.id = f.run_id"
        " WHERE f.trigger = :trigger AND f.kind = 'new_data' AND f.decision = 'started'"
        " AND r.status NOT IN ('failed', 'cancelled') ORDER BY f.at DESC LIMIT 50",
        trigger=trigger,
    )
    keys = [row["cause_key"] for row in found if row["cause_key"].startswith(begin)]
    return max((int(key.removeprefix(begin)) for key in keys), default=0)


def _rows_of(versions: Sequence[Mapping[str, Any]], fresh: set[int]) -> int:
    """Rows that came with these versions; of one that replaced all, those it has more."""
    total = before = 0
    for row in versions:
        after = row["rows"] or 0
        if row["number"] in fresh:
            more = after - before
            added = row["added_rows"] or 0
            total += max(0, more) if row["operation"] == "overwrite" else max(added, more, 0)
        before = after
    return total


def descends(reader: Reader, run_id: str | None, trigger: str) -> bool:
    """Whether a run was started by the trigger, or by one that it has made fire."""
    waiting, seen = [run_id], set[str]()
    while waiting and len(seen) < _CHAIN:
        run = waiting.pop()
        if not run or run in seen:
            continue
        seen.add(run)
        for row in reader.rows(
            "SELECT trigger, kind, cause FROM trigger_firings WHERE run_id = :run", run=run
        ):
            if row["trigger"] == trigger:
                return True
            if row["kind"] == CauseKind.NEW_DATA:
                waiting += runs_of(row["cause"])
    return False


def runs_of(cause: str) -> list[str]:
    """The runs that made the data of a cause (JSON, as it is kept)."""
    import json

    found = json.loads(cause).get("evidence", {}).get("runs", [])
    return [str(each) for each in found] if isinstance(found, list) else []


def _monitor(reader: Reader, condition: Condition) -> Look:
    found = reader.rows(
        "SELECT id, status, state, headline, reason, window_end FROM monitor_runs"
        " WHERE monitor = :name AND status IN ('done', 'failed')"
        " ORDER BY window_end DESC, started_at DESC LIMIT :most",
        name=condition.monitor,
        most=STREAK,
    )
    streak = 0
    for row in found:
        state = "failed" if row["status"] == "failed" else row["state"]
        if state != condition.state:
            break
        streak += 1
    words = f"{streak} windows {condition.state}" if found else "no window yet"
    if streak < condition.windows:
        return Look(None, words)
    newest, first = found[0], found[streak - 1]
    said = newest["headline"] or newest["reason"]
    cause = Cause(
        CauseKind.MONITOR,
        f"monitor/{condition.monitor}@{newest['id']}",
        f"{condition.words()}: {said}" if said else condition.words(),
        key=f"monitor/{condition.monitor} {condition.state}@{first['window_end']:.3f}",
        evidence={"windows": streak, "since": first["window_end"]},
    )
    return Look(cause, words)


def _metric(reader: Reader, condition: Condition) -> Look:
    points = [
        (point.at, point.value)
        for point in latest(
            reader, condition.source, condition.metric, condition.dims, count=STREAK
        )
        if point.value is not None
    ]
    bad = [_bad(condition, value) for _, value in points]
    newest = f"now {points[-1][1]:g}" if points else "no datapoint yet"
    first = _streak(bad, condition)
    if first is None:
        return Look(None, newest)
    subject = f"{condition.source}:{condition.metric}"
    dims = ",".join(f"{key}={value}" for key, value in sorted(condition.dims.items()))
    cause = Cause(
        CauseKind.METRIC,
        condition.source,
        f"{condition.words()}: {newest}",
        key=f"{subject}{{{dims}}} {condition.words()}@{points[first][0]:.3f}",
        evidence={"values": [value for _, value in points[-condition.of :]]},
    )
    return Look(cause, newest)


def _bad(condition: Condition, value: float | None) -> bool:
    if value is None:
        return False
    if condition.above is not None:
        return value > condition.above
    return condition.below is not None and value < condition.below


def _streak(bad: Sequence[bool], condition: Condition) -> int | None:
    """Where the datapoints began to be bad often enough; None where now they are not."""
    first = None
    for end in range(len(bad), 0, -1):
        if sum(bad[max(0, end - condition.of) : end]) < condition.datapoints:
            break
        first = end - 1
    return first


def _alarm(reader: Reader, condition: Condition) -> Look:
    found = reader.rows(
        "SELECT state, since, reason, test FROM alarms WHERE name = :name AND gone_at IS NULL",
        name=condition.alarm,
    )
    if not found:
        return Look(None, "not evaluated yet")
    row = found[0]
    if row["test"] is not None:
        return Look(None, "being tested by hand")
    if row["state"] != "ALARM":
        return Look(None, str(row["state"]))
    said = f": {row['reason']}" if row["reason"] else ""
    return Look(alarm_cause(condition.alarm, row["since"], f"ALARM{said}"), "ALARM")


def alarm_cause(name: str, since: float, message: str) -> Cause:
    """The cause that an alarm is since a moment: the same for whoever makes it fire."""
    return Cause(CauseKind.ALARM, f"alarm/{name}", message, key=f"alarm/{name}@{since:.3f}")


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
