"""A look at a monitor: what is due is run, window after window; what came late is run again."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from core.cron import parse_cron
from core.domain.looked import Looked, Outcome
from core.domain.monitor import CAPTURED_TIME, MonitorDefinition, RunStatus
from core.errors import OpsdeckError
from core.ids import new_id
from core.monitors import claims
from core.monitors.captured import SETTLE_SECONDS, CapturedSource, TimeSource
from core.monitors.datasets import DatasetSource
from core.monitors.definition import FEATURES
from core.monitors.errors import MonitorBusy, NothingThere
from core.monitors.featureviews import FeatureSource
from core.monitors.filing import FOLDER
from core.monitors.jobs import Job
from core.monitors.kinds import kind_of
from core.monitors.latecomers import (
    AGAIN_SECONDS,
    failed_runs,
    marks_now,
    plan_again,
    touched,
)
from core.monitors.plan import Due, Source, iso
from core.monitors.recording import one_line
from core.monitors.rights import reader_of
from core.monitors.running import run_window
from core.monitors.standing import BACKOFF_SECONDS, MOST_BACKOFF_SECONDS, looked_well
from core.monitors.syncing import definition_of, set_row
from core.monitors.telling import tell_failed
from core.monitors.windowing import last_closed, time_span
from core.session import Session
from core.state.monitor_tables import monitor_runs, monitors

log = logging.getLogger(__name__)


WAIT_SECONDS = 15.0
"""How soon one is looked at again whose endpoint or dataset is not there yet."""


def source_of(session: Session, definition: MonitorDefinition, actor: str) -> Source:
    """Where a monitor's rows come from."""
    if not kind_of(definition.kind).needs_rows:
        return TimeSource(session, definition)
    if definition.target_kind == "dataset":
        return DatasetSource(session, definition, actor)
    if definition.target_kind == FEATURES:
        return FeatureSource(session, definition, actor)
    return CapturedSource(session, definition)


def look(
    session: Session, name: str, *, cause: str = "schedule", now: float | None = None
) -> Looked:
    """Run what is due of a monitor. What goes wrong with a window, or in finding out what is
    due, is on record and told of; raises `MonitorBusy`, `NotFound`, `MonitorsInvalid`."""
    at = time.time() if now is None else now
    definition, row = definition_of(session, name)
    with claims.claimed(session, name, definition.timeout) as claim:
        job = _job(session, definition, row, claim, cause)
        _sweep(job)
        row = _row(session, name)
        seen = job.source.seen()
        due = _find_due(job, _cursor(row), at)
        if isinstance(due, str):
            return Looked(name, why=due)
        if due.skipped:
            _skip(job, due, at)
        outcomes: list[Outcome] = []
        over = time.monotonic() + definition.timeout
        for plan in due.windows:
            if outcomes and time.monotonic() > over:
                seen = ""  # the rest is for the next look, which is soon
                break
            outcomes.append(run_window(job, plan, at))
            if outcomes[-1].status is RunStatus.FAILED:
                break
        failed = bool(outcomes) and outcomes[-1].status is RunStatus.FAILED
        whole = not failed and len(outcomes) == len(due.windows)
        if whole:
            outcomes += _again(job, at, over)
        _looked(job, due if whole else Due(), at, "" if failed else seen, whole=whole)
    return Looked(name, tuple(outcomes), due.skipped, "" if outcomes else why_nothing(job, at))


def _find_due(job: Job, cursor: Mapping[str, Any], now: float) -> Due | str:
    """What is due, or why that cannot be told, which is on record then."""
    try:
        return job.source.due(cursor, now)
    except NothingThere as error:
        why = error.one_line()
        if not _row(job.session, job.definition.name)["last_run"]:
            _wait_for_it(job, why, now)
            return why
    except OpsdeckError as error:
        why = error.one_line()
    except Exception as error:  # whatever it is, it is this monitor's alone
        log.exception("monitor %s", job.definition.name)
        why = one_line(f"{type(error).__name__}: {error}")
    _cannot_look(job, why, now)
    return why


def replay(
    session: Session, name: str, since: float, until: float, *, now: float | None = None
) -> Looked:
    """Run a monitor over the windows within a time, whether they are on record or not. How it
    stands, and when it looks next, stay as they are; nobody is told."""
    at = time.time() if now is None else now
    definition, row = definition_of(session, name)
    with claims.claimed(session, name, definition.timeout) as claim:
        job = _job(session, definition, row, claim, "replay")
        _sweep(job)
        due = job.source.between(since, until, at)
        outcomes: list[Outcome] = []
        carried: Mapping[str, Any] = {}
        for plan in due.windows:
            outcome = run_window(job, plan, at, carried)
            carried = outcome.memory or carried
            outcomes.append(outcome)
    return Looked(name, tuple(outcomes), why="" if outcomes else "no window lies within that time")


def _job(
    session: Session, definition: MonitorDefinition, row: Mapping[str, Any], claim: str, cause: str
) -> Job:
    actor = reader_of(row)
    raw = json.loads(row["definition"])
    source = source_of(session, definition, actor)
    return Job(session, definition, raw, source, claim, actor, cause)


def _again(job: Job, now: float, over: float) -> list[Outcome]:
    """Windows that labels or rows have come to late; some stay for the next look, all that are
    left when the time is `over`."""
    if not isinstance(job.source, CapturedSource) or not job.definition.recompute:
        return []
    name, reader = job.definition.name, job.session.reader
    marks = _cursor(_row(job.session, name)).get("marks")
    if marks is None:
        _mark(job, marks_now(job.source))
        return []
    kind = kind_of(job.definition.kind)
    pending, fresh = touched(reader, job.source, name, kind, marks)
    if job.cause == "hand":  # somebody has mended something
        failed = [run for run in failed_runs(reader, name) if run not in pending]
        pending = fresh["pending"] = [*failed, *pending]
    outcomes: list[Outcome] = []
    late = replace(job, cause="labels")
    for run in list(pending):
        if len(outcomes) >= job.definition.recompute or time.monotonic() > over:
            break
        row = reader.rows("SELECT * FROM monitor_runs WHERE id = :id", id=run)[0]
        fresh_run = (row["ended_at"] or 0.0) > time.time() - AGAIN_SECONDS
        if fresh_run and not (job.cause == "hand" and row["status"] == RunStatus.FAILED):
            continue
        outcomes.append(run_window(late, plan_again(row), now))
        fresh["pending"].remove(run)
        if outcomes[-1].status is RunStatus.FAILED:
            break
    _mark(job, fresh)
    return outcomes


def _mark(job: Job, marks: Mapping[str, Any]) -> None:
    name = job.definition.name
    cursor = _cursor(_row(job.session, name))
    if cursor.get("marks") == marks:
        return
    with job.session.change(f"monitors run {name}") as tx:
        claims.check(tx, name, job.claim)
        set_row(tx, name, cursor=json.dumps({**cursor, "marks": marks}))


def _looked(job: Job, due: Due, now: float, seen: str, *, whole: bool) -> None:
    """When to look next, and what there was to be seen this time."""
    name = job.definition.name
    row = _row(job.session, name)
    cursor = _cursor(row)
    if due.cursor is not None:
        cursor = {**cursor, **due.cursor}
    pending = (cursor.get("marks") or {}).get("pending")
    with job.session.change(f"monitors run {name}") as tx:
        claims.check(tx, name, job.claim)
        set_row(
            tx,
            name,
            **(looked_well(tx, name) if whole and not due.windows else {}),
            cursor=json.dumps(cursor),
            next_at=next_look(job.definition, now, pending=bool(pending)) if whole else now,
            seen=seen,
        )


def next_look(definition: MonitorDefinition, now: float, *, pending: bool = False) -> float | None:
    """When to look again at the latest; None: as soon as there is something new."""
    every = definition.every
    if every.seconds is not None:
        return now + every.seconds
    if every.cron:
        return parse_cron(every.cron).next_after(now)
    if pending:
        return now + AGAIN_SECONDS
    spec = definition.window
    if spec.seconds is None or definition.time != CAPTURED_TIME:
        return None
    following = time_span(spec, last_closed(spec, now - SETTLE_SECONDS) + 1)
    return following.end + spec.grace + SETTLE_SECONDS


def why_nothing(job: Job, now: float) -> str:
    """Why there was nothing to run, in a few words."""
    spec = job.definition.window
    if isinstance(job.source, CapturedSource) and spec.rows is not None:
        waiting = job.source.waiting(_cursor(_row(job.session, job.definition.name)), now)
        return f"no window is full: {waiting:,} of {spec.rows:,} rows"
    if job.definition.target_kind in ("dataset", FEATURES):
        return "there is no new version"
    return "no window has ended since the last look"


def _skip(job: Job, due: Due, now: float) -> None:
    """State which windows were missed and are not caught up with."""
    name = job.definition.name
    start, end = due.skipped_from or 0.0, due.skipped_until or 0.0
    reason = (
        f"{due.skipped:,} windows were missed and the newest {job.definition.catch_up} are caught"
        f" up with; run them: opsdeck monitors run {name} --from {iso(start)} --to {iso(end)}"
    )
    with job.session.change(f"monitors run {name}") as tx:
        claims.check(tx, name, job.claim)
        table = monitor_runs
        key = f"skipped:{iso(start)}"
        mine = (table.c.monitor == name) & (table.c.window_key == key)
        if tx.row(sa.select(table.c.id).where(mine)) is not None:
            return
        tx.execute(
            table.insert().values(
                id=new_id(), monitor=name, kind=job.definition.kind, window_key=key,
                window_start=start, window_end=end, status=RunStatus.SKIPPED.value,
                cause=job.cause, reason=reason, started_at=now, ended_at=now,
            )
        )  # fmt: skip
        row = tx.row(sa.select(monitors.c.skipped).where(monitors.c.name == name)) or {"skipped": 0}
        set_row(tx, name, skipped=int(row["skipped"]) + due.skipped)
        tx.journal("monitor.skip", f"monitor/{name}", windows=due.skipped, start=start, end=end)


def _wait_for_it(job: Job, why: str, now: float) -> None:
    """What is to be watched has never been there: the monitor waits, and that is no failure."""
    name = job.definition.name
    with job.session.change(f"monitors run {name}") as tx:
        claims.check(tx, name, job.claim)
        set_row(tx, name, state="pending", reason=why, next_at=now + WAIT_SECONDS)


def _cannot_look(job: Job, reason: str, now: float) -> None:
    """What is due cannot be told: the monitor has failed, and waits a while."""
    name = job.definition.name
    with job.session.change(f"monitors run {name}") as tx:
        claims.check(tx, name, job.claim)
        row = tx.row(sa.select(monitors).where(monitors.c.name == name)) or {}
        failures = int(row.get("failures") or 0) + 1
        wait = min(BACKOFF_SECONDS * 2 ** min(failures - 1, 10), MOST_BACKOFF_SECONDS)
        set_row(
            tx, name, state="failed", reason=reason, failures=failures,
            backoff_until=now + wait, last_run_at=now, next_at=now + wait,
        )  # fmt: skip
        tell_failed(tx, job.definition, "", reason)
        if row.get("reason") != reason:
            tx.journal("monitor.failed", f"monitor/{name}", reason=reason, failures=failures)


def abandon(session: Session, name: str, reason: str) -> None:
    """The process that worked on a monitor was ended from outside: say so on its run, and let
    the claim go. Nothing where the claim is a living process's."""
    definition, row = definition_of(session, name)
    if row["claim"] and not claims.dead(row["claim"]):
        raise MonitorBusy(f"monitor {name}: another process is working on it")
    with claims.claimed(session, name, definition.timeout) as claim:
        job = _job(session, definition, row, claim, "schedule")
        _sweep(job, reason)
        _cannot_look(job, reason, time.time())


def _sweep(job: Job, reason: str = "") -> None:
    """Take away what somebody left who died in the middle: rows that say `running`, folders of
    work. With a reason the runs stay, as failed."""
    name, table = job.definition.name, monitor_runs
    work = job.session.workspace.state_dir / FOLDER / ".work"
    if work.is_dir():
        for left in work.glob(f"{name}-*"):
            if len(left.name) == len(name) + 1 + 16:  # not another monitor whose name begins so
                shutil.rmtree(left, ignore_errors=True)
    open_ = (table.c.monitor == name) & (table.c.status == RunStatus.RUNNING.value)
    if not job.session.reader.rows(
        "SELECT id FROM monitor_runs WHERE monitor = :name AND status = 'running'", name=name
    ):
        return
    with job.session.change(f"monitors run {name}") as tx:
        claims.check(tx, name, job.claim)
        if reason:
            values = {"status": RunStatus.FAILED.value, "reason": reason, "ended_at": tx.now}
            tx.execute(table.update().where(open_, table.c.state.is_(None)).values(**values))
        tx.execute(
            table.update()
            .where(open_, table.c.state.is_not(None))
            .values(status=RunStatus.DONE.value)
        )
        tx.execute(table.delete().where(open_))


def _row(session: Session, name: str) -> Mapping[str, Any]:
    return session.reader.rows("SELECT * FROM monitors WHERE name = :name", name=name)[0]


def _cursor(row: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row["cursor"])
    return found
