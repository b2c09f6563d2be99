"""Monitors, their runs, measurements and baselines, as read from the state: plain SQL only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from core.domain.monitor import (
    NOBODY,
    Measurement,
    Monitor,
    MonitorRun,
    MonitorRunDetail,
    MonitorState,
    RunStatus,
    State,
    Violation,
)
from core.errors import NotFound
from core.state.reading import Reader, by_id

TREND = 24


class NoMonitorRow(NotFound):
    """There is no monitor, run or baseline of that name."""

    code = "E601"


def list_monitors(reader: Reader, *, gone: bool = False) -> tuple[Monitor, ...]:
    """Every monitor, by name; with `gone` also those that no file defines any more."""
    narrowed = "" if gone else " WHERE m.gone_at IS NULL"
    rows = reader.rows(f"{_MONITORS}{narrowed} ORDER BY m.name")
    trends = _trends(reader, [row["name"] for row in rows])
    closed = _closed(reader)
    return tuple(_monitor(reader, row, trends.get(row["name"], ()), closed) for row in rows)


def find_monitor(reader: Reader, name: str) -> Monitor:
    """One monitor; raises `NotFound`."""
    rows = reader.rows(f"{_MONITORS} WHERE m.name = :name", name=name)
    if not rows:
        known = ", ".join(each["name"] for each in reader.rows("SELECT name FROM monitors"))
        hint = f"known: {known}" if known else "see: opsdeck monitors suggest ENDPOINT"
        raise NoMonitorRow(f"monitor {name}: no such monitor", hint)
    return _monitor(reader, rows[0], _trends(reader, [name]).get(name, ()), _closed(reader))


_MONITORS = (
    "SELECT m.*, r.window_end AS run_end, r.rows AS run_rows, r.label_coverage AS run_coverage,"
    " r.violations AS run_violations FROM monitors m"
    " LEFT JOIN monitor_runs r ON r.id = m.last_run"
)


def _trends(reader: Reader, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The newest states of each monitor, oldest first."""
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        rows = reader.rows(
            "SELECT status, state FROM monitor_runs WHERE monitor = :name"
            " AND status <> 'running' AND cause <> 'replay'"
            " ORDER BY window_end DESC, started_at DESC LIMIT :most",
            name=name,
            most=TREND,
        )
        found[name] = tuple(row["state"] or row["status"] for row in reversed(rows))
    return found


def _closed(reader: Reader) -> frozenset[str]:
    """The datasets that are not open to all."""
    return frozenset(row["dataset"] for row in reader.rows("SELECT DISTINCT dataset FROM grants"))


def _needs(reader: Reader, row: Mapping[str, Any], closed: frozenset[str]) -> str:
    """What somebody has to do before it can read what it wants; empty where it can."""
    if row["created_by"] != NOBODY or not closed:
        return ""
    definition = json.loads(row["definition"])
    kind, _, watched = row["watch"].partition("/")
    wanted = {watched} if kind == "dataset" else set[str]()
    if kind == "features":
        wanted |= _sources(reader, watched)
    source, _, rest = str(definition.get("baseline", "")).partition(":")
    if source == "dataset":
        wanted.add(rest.partition("@")[0])
    if source == "features":
        wanted |= _sources(reader, rest.partition("@")[0])
    join = definition.get("join")
    if isinstance(join, Mapping):
        wanted.add(str(join.get("dataset", "")))
    return f"opsdeck monitors run {row['name']}" if wanted & closed else ""


def _sources(reader: Reader, view: str) -> set[str]:
    """The datasets that a feature view's versions are made from."""
    rows = reader.rows("SELECT spec FROM feature_views WHERE name = :name", name=view)
    return {str(json.loads(row["spec"])["source"]) for row in rows}


def _monitor(
    reader: Reader, row: Mapping[str, Any], trend: tuple[str, ...], closed: frozenset[str]
) -> Monitor:
    shown = json.loads(row["shown"])
    problems = tuple(json.loads(row["problems"]))
    state = MonitorState(row["state"])
    if row["gone_at"] is not None:
        state = MonitorState.GONE
    elif problems:
        state = MonitorState.BROKEN
    elif row["paused_at"] is not None:
        state = MonitorState.PAUSED
    idle = state in (MonitorState.GONE, MonitorState.BROKEN)
    return Monitor(
        name=row["name"],
        kind=row["kind"],
        watch=row["watch"],
        state=state,
        every=shown.get("every", ""),
        window=shown.get("window", ""),
        baseline=shown.get("baseline", ""),
        file=row["file"],
        line=row["line"],
        owner=shown.get("owner", ""),
        description=shown.get("description", ""),
        headline=row["headline"],
        reason=row["reason"],
        last_run=row["last_run"] or "",
        last_window_end=row["run_end"],
        last_run_at=row["last_run_at"],
        next_at=row["next_at"],
        rows=row["run_rows"],
        label_coverage=row["run_coverage"],
        violations=row["run_violations"] or 0,
        failures=row["failures"],
        backoff_until=row["backoff_until"],
        paused_by=row["paused_by"] or "",
        paused_at=row["paused_at"],
        pause_reason=row["pause_reason"],
        skipped=row["skipped"],
        trend=trend,
        problems=problems,
        needs="" if idle else _needs(reader, row, closed),
    )


def list_runs(
    reader: Reader,
    monitor: str | None = None,
    *,
    limit: int = 50,
    since: float | None = None,
    until: float | None = None,
    state: str | None = None,
) -> tuple[MonitorRun, ...]:
    """Runs, those of the newest windows first; of one monitor, of windows that end within a
    time, of one state (or status)."""
    asked = {"name": monitor, "since": since, "until": until, "state": state}
    narrowed = [
        sql
        for key, sql in (
            ("name", "monitor = :name"),
            ("since", "window_end >= :since"),
            ("until", "window_end < :until"),
            ("state", "(state = :state OR status = :state)"),
        )
        if asked[key] is not None
    ]
    where = f" WHERE {' AND '.join(narrowed)}" if narrowed else ""
    rows = reader.rows(
        f"SELECT * FROM monitor_runs{where} ORDER BY window_end DESC, started_at DESC LIMIT :most",
        most=limit,
        **{key: value for key, value in asked.items() if value is not None},
    )
    return tuple(run_of(row) for row in rows)


def find_run(reader: Reader, ref: str) -> MonitorRunDetail:
    """A run by its id or the beginning of it, or the newest of a monitor by its name; or
    `NAME@WINDOW`. Raises `NotFound`."""
    row = _run_row(reader, ref)
    run = run_of(row)
    return MonitorRunDetail(
        run,
        tuple(
            measurement_of(each)
            for each in reader.rows(
                "SELECT * FROM monitor_measurements WHERE run = :run ORDER BY place", run=run.id
            )
        ),
        tuple(
            violation_of(each)
            for each in reader.rows(
                "SELECT * FROM monitor_violations WHERE run = :run ORDER BY place", run=run.id
            )
        ),
        tuple(json.loads(row["history"])),
    )


def _run_row(reader: Reader, ref: str) -> Mapping[str, Any]:
    name, at, window = ref.partition("@")
    if at:
        rows = reader.rows(
            "SELECT * FROM monitor_runs WHERE monitor = :name AND window_key = :key",
            name=name,
            key=window,
        )
    else:
        rows = reader.rows(
            "SELECT * FROM monitor_runs WHERE monitor = :name AND status <> 'running'"
            " ORDER BY window_end DESC, started_at DESC LIMIT 1",
            name=ref,
        ) or by_id(reader, "SELECT * FROM monitor_runs", "id", ref)
    if len(rows) != 1:
        said = "no such run" if not rows else "several runs begin so"
        raise NoMonitorRow(f"monitor run {ref}: {said}", "see: opsdeck monitors runs")
    return rows[0]


def run_of(row: Mapping[str, Any]) -> MonitorRun:
    """A row of `monitor_runs` as a record."""
    return MonitorRun(
        id=row["id"],
        monitor=row["monitor"],
        kind=row["kind"],
        window=row["window_key"],
        start=row["window_start"],
        end=row["window_end"],
        status=RunStatus(row["status"]),
        state=None if row["state"] is None else State(row["state"]),
        generation=row["generation"],
        trigger=row["cause"],
        rows=row["rows"],
        duplicates=row["duplicates"],
        late=row["late"],
        label_coverage=row["label_coverage"],
        model=row["model"],
        version=row["version"],
        baseline=row["baseline"],
        snapshot=row["snapshot"],
        headline=row["headline"],
        reason=row["reason"],
        violations=row["violations"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        worker=row["worker"],
        folder=row["folder"],
    )


def measurement_of(row: Mapping[str, Any]) -> Measurement:
    """A row of `monitor_measurements` as a record."""
    return Measurement(
        metric=row["metric"],
        value=row["value"],
        feature=row["feature"],
        segment=row["segment"],
        low=row["low"],
        high=row["high"],
        p_value=row["p_value"],
        threshold=row["threshold"],
        comparison=row["comparison"],
        state=State(row["state"]),
        definition=row["definition"],
        detail=json.loads(row["detail"]),
    )


def violation_of(row: Mapping[str, Any]) -> Violation:
    """A row of `monitor_violations` as a record."""
    return Violation(
        feature=row["feature"],
        check=row["check_type"],
        description=row["description"],
        metric=row["metric"],
        value=row["value"],
        threshold=row["threshold"],
        severity=row["severity"],
        segment=row["segment"],
    )


def previous_measurements(
    reader: Reader, monitor: str, before: float, count: int
) -> tuple[tuple[Measurement, ...], ...]:
    """The measurements of the last windows that end before a moment, newest first."""
    runs = reader.rows(
        "SELECT id FROM monitor_runs WHERE monitor = :name AND status = 'done'"
        " AND window_end < :before ORDER BY window_end DESC LIMIT :count",
        name=monitor,
        before=before,
        count=count,
    )
    return tuple(find_run(reader, row["id"]).measurements for row in runs)
