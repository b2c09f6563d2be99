"""One window: read, evaluated, and put on record in one transaction, or not at all.

Whoever dies before the commit leaves a row that says `running` and a folder of work: the next
one to claim the monitor takes both away and begins again. Files are written before the commit,
under a name of their own generation; a folder that no row names is swept.
"""

from __future__ import annotations

import json
import logging
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.domain.monitor import (
    Baseline,
    Findings,
    Measurement,
    MonitorDefinition,
    RunStatus,
    State,
    Violation,
)
from core.errors import OpsdeckError
from core.ids import new_id
from core.monitors import claims
from core.monitors.baselines import Asked, active_baseline
from core.monitors.definition import baseline_fingerprint
from core.monitors.filing import file_findings, run_folder, work_folder
from core.monitors.kind import KindContext
from core.monitors.kinds import kind_of
from core.monitors.limit import time_limit
from core.monitors.lineage import model_inputs
from core.monitors.model import loader, task_of
from core.monitors.plan import Source, WindowPlan
from core.monitors.store import finite
from core.monitors.syncing import set_row
from core.monitors.telling import record_points, tell_failed, tell_state, tell_working
from core.reads import models as _models
from core.reads import monitors as _monitors
from core.session import Session
from core.state.monitor_tables import monitor_measurements, monitor_runs, monitor_violations
from core.state.store import Transaction

log = logging.getLogger(__name__)

ATTEMPTS = 3
"""How often a window that fails is tried before the next one is."""
BACKOFF_SECONDS = 30.0
MOST_BACKOFF_SECONDS = 3600.0
MOST_MEASUREMENTS = 20_000
KEPT_GENERATIONS = 20


@dataclass(frozen=True, slots=True)
class Job:
    """A monitor that is claimed, with all that running it takes."""

    session: Session
    definition: MonitorDefinition
    raw: Mapping[str, Any]
    source: Source
    claim: str
    actor: str
    cause: str = "schedule"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a window came out: its run, and whether it came to an end."""

    run: str
    status: RunStatus
    state: State | None
    headline: str
    reason: str = ""
    memory: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Result:
    findings: Findings
    baseline: Baseline | None
    rows: int
    start: float
    end: float
    coverage: float | None
    duplicates: int
    late: int


def run_window(
    job: Job, plan: WindowPlan, now: float, carried: Mapping[str, Any] | None = None
) -> Outcome:
    """Evaluate a window and record it; what its kind raises becomes a failed run. A window that
    is on record as done is only done again for late labels or rows, or in a replay, which hands
    the memory of one window to the next by `carried`. Raises `MonitorBusy` where the claim was
    lost."""
    run, memory, before = _begin(job, plan, now)
    if carried is not None:
        memory = carried
    if before is not None and before["status"] == RunStatus.DONE and not _again(job, before):
        _pass_over(job, plan)
        return Outcome(before["id"], RunStatus.DONE, State(before["state"]), before["headline"])
    generation = 1 if before is None else int(before["generation"]) + 1
    work = work_folder(job.session.workspace.state_dir, job.definition.name, run)
    try:
        with time_limit(job.definition.name, job.definition.timeout):
            result = _evaluate(job, plan, memory, work, now)
        folder = run_folder(job.session.workspace.state_dir, job.definition.name, run, generation)
        file_findings(folder, result.findings)
    except OpsdeckError as error:
        return _failed(job, plan, run, _one_line(error.one_line()))
    except Exception as error:  # a kind's own fault costs its monitor one run
        log.exception("monitor %s, window %s", job.definition.name, plan.key)
        return _failed(job, plan, run, _one_line(f"{type(error).__name__}: {error}"))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return _commit(job, plan, run, generation, memory, result, folder)


def _again(job: Job, before: Mapping[str, Any]) -> bool:
    return job.cause in ("labels", "replay") or before["cause"] == "replay"


def _pass_over(job: Job, plan: WindowPlan) -> None:
    """The window is on record: the next one begins behind it."""
    from core.state.monitor_tables import monitors

    with job.session.change(f"monitors run {job.definition.name}") as tx:
        claims.check(tx, job.definition.name, job.claim)
        row = tx.row(
            sa.select(monitors.c.cursor).where(monitors.c.name == job.definition.name)
        ) or {"cursor": "{}"}
        cursor = {**json.loads(row["cursor"]), **plan.cursor}
        set_row(tx, job.definition.name, cursor=json.dumps(cursor))


def context_of(
    session: Session, definition: MonitorDefinition, plan: WindowPlan, now: float, workdir: Path
) -> KindContext:
    """What a kind gets to know beside the rows."""
    path = Path()
    inputs: tuple[str, ...] = ()
    task = ""
    if plan.model and plan.version is not None:
        version = _models.find_version(session.reader, plan.model, str(plan.version))
        path = session.workspace.state_dir / version.path
        inputs, task = model_inputs(session, version), task_of(path)
    reader, name = session.reader, definition.name
    made = KindContext(
        monitor=name,
        now=now,
        workdir=workdir,
        model=plan.model,
        version=plan.version,
        inputs=inputs,
        task=task,
        previous=lambda count: _monitors.previous_measurements(reader, name, plan.end, count),
        session=session,
    )
    return replace(made, load_model=loader(path, inputs)) if plan.model else made


def asked_for(job: Job, context: KindContext) -> Asked:
    """For which monitor a baseline is wanted."""
    kind = kind_of(job.definition.kind)
    learnt = baseline_fingerprint(job.raw)
    return Asked(job.session, job.definition, kind, context, learnt, job.actor)


def _evaluate(
    job: Job, plan: WindowPlan, memory: Mapping[str, Any], work: Path, now: float
) -> _Result:
    kind = kind_of(job.definition.kind)
    work.mkdir(parents=True, exist_ok=True)
    context = context_of(job.session, job.definition, plan, now, work)
    window = job.source.read(plan.place, work / "window")
    baseline = stored = None
    minimum = job.definition.window.minimum_rows
    if kind.needs_rows and window.rows < minimum:
        findings = _too_few(window.rows, minimum)
    else:
        if kind.needs_baseline:
            baseline, stored = active_baseline(asked_for(job, context))
        findings = kind.evaluate(job.definition, stored, window, memory, context)
    return _Result(
        clean(findings),
        baseline,
        window.rows,
        window.start,
        window.end,
        window.label_coverage,
        getattr(window, "duplicates", 0),
        getattr(window, "late", 0),
    )


def _too_few(rows: int, minimum: int) -> Findings:
    words = "no rows" if not rows else f"{rows:,} rows"
    return Findings(State.INSUFFICIENT, headline=f"{words}, {minimum:,} are needed")


def clean(findings: Findings) -> Findings:
    """The same with nothing in it that JSON or a database would not take."""
    measured = tuple(
        replace(
            each,
            value=_number(each.value),
            low=_number(each.low),
            high=_number(each.high),
            p_value=_number(each.p_value),
            threshold=_number(each.threshold),
            detail=finite(each.detail),
        )
        for each in findings.measurements[:MOST_MEASUREMENTS]
    )
    violations = tuple(
        replace(each, value=_number(each.value), threshold=_number(each.threshold))
        for each in findings.violations
    )
    memory = None if findings.memory is None else finite(findings.memory)
    headline = _one_line(findings.headline)
    return replace(
        findings, measurements=measured, violations=violations, memory=memory, headline=headline
    )


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]


def _begin(
    job: Job, plan: WindowPlan, now: float
) -> tuple[str, Mapping[str, Any], Mapping[str, Any] | None]:
    """The run's id, the memory that its evaluation gets, and its row where the window is on
    record already. Says `running` in a row of its own, or in that one."""
    table, name = monitor_runs, job.definition.name
    with job.session.change(f"monitors run {name}") as tx:
        claims.extend(tx, name, job.claim, job.definition.timeout)
        mine = (table.c.monitor == name) & (table.c.window_key == plan.key)
        before = tx.row(sa.select(table).where(mine))
        if before is not None:
            if before["status"] == RunStatus.DONE:
                return str(before["id"]), json.loads(before["memory"]), before
            if before["status"] != RunStatus.RUNNING:
                memory = json.loads(before["memory"])
                tx.execute(
                    table.update()
                    .where(mine)
                    .values(status=RunStatus.RUNNING, started_at=now, worker=job.claim)
                )
                return str(before["id"]), memory, before
            tx.execute(table.delete().where(mine))  # whoever began it has died
        memory = _memory(tx, name) if job.cause != "replay" else {}
        run = new_id()
        tx.execute(
            table.insert().values(
                id=run,
                monitor=name,
                kind=job.definition.kind,
                window_key=plan.key,
                window_start=plan.start,
                window_end=plan.end,
                place=json.dumps(plan.place),
                status=RunStatus.RUNNING,
                cause=job.cause,
                model=plan.model,
                version=plan.version,
                snapshot=plan.snapshot,
                memory=json.dumps(memory),
                started_at=now,
                worker=job.claim.rsplit(":", 1)[0],
            )
        )
    return run, memory, None


def _memory(tx: Transaction, name: str) -> Mapping[str, Any]:
    from core.state.monitor_tables import monitors

    row = tx.row(sa.select(monitors.c.memory).where(monitors.c.name == name))
    found: Mapping[str, Any] = json.loads(row["memory"]) if row else {}
    return found


def _commit(
    job: Job,
    plan: WindowPlan,
    run: str,
    generation: int,
    memory: Mapping[str, Any],
    result: _Result,
    folder: Path,
) -> Outcome:
    """All of it in one transaction, with the place where the next window begins."""
    found, name = result.findings, job.definition.name
    state_dir = job.session.workspace.state_dir
    with job.session.change(f"monitors run {name}") as tx:
        claims.check(tx, name, job.claim)
        row = tx.row(sa.select(monitor_runs).where(monitor_runs.c.id == run)) or {}
        values = {
            "status": RunStatus.DONE.value,
            "state": found.state.value,
            "generation": generation,
            "cause": _cause(job, row),
            "memory": json.dumps(memory),
            "rows": result.rows,
            "duplicates": result.duplicates,
            "late": result.late,
            "label_coverage": result.coverage,
            "baseline": result.baseline.id if result.baseline else "",
            "headline": found.headline,
            "reason": "",
            "violations": len(found.violations),
            "history": _history(row),
            "ended_at": tx.now,
            "folder": folder.relative_to(state_dir).as_posix(),
        }
        if plan.place.get("by") != "time" and result.end:
            values |= {"window_start": result.start, "window_end": result.end}
        tx.execute(monitor_runs.update().where(monitor_runs.c.id == run).values(**values))
        _put(tx, run, name, found.measurements, found.violations)
        record_points(
            tx, name, result.start, result.end or plan.end, found, result.coverage, result.rows
        )
        _stands(tx, job, plan, run, found)
    carried = memory if found.memory is None else found.memory
    return Outcome(run, RunStatus.DONE, found.state, found.headline, memory=carried)


def _cause(job: Job, row: Mapping[str, Any]) -> str:
    """Why the window is on record; that it was computed again later does not change it."""
    kept = str(row.get("cause") or job.cause)
    return job.cause if kept == "replay" and job.cause != "labels" else kept


def _history(row: Mapping[str, Any]) -> str:
    """How earlier generations of the window came out, the newest last."""
    kept: list[Any] = json.loads(row.get("history") or "[]")
    if row.get("state"):
        keys = ("generation", "state", "headline", "rows", "label_coverage", "violations",
                "ended_at", "folder")  # fmt: skip
        kept.append({key: row[key] for key in keys})
    return json.dumps(kept[-KEPT_GENERATIONS:])


def _put(
    tx: Transaction,
    run: str,
    monitor: str,
    measured: tuple[Measurement, ...],
    violations: tuple[Violation, ...],
) -> None:
    for table in (monitor_measurements, monitor_violations):
        tx.execute(table.delete().where(table.c.run == run))
    if measured:
        rows = [
            {
                "run": run, "place": place, "monitor": monitor, "metric": m.metric,
                "feature": m.feature, "segment": m.segment, "value": m.value, "low": m.low,
                "high": m.high, "p_value": m.p_value, "threshold": m.threshold,
                "comparison": m.comparison, "state": m.state.value, "definition": m.definition,
                "detail": json.dumps(m.detail),
            }
            for place, m in enumerate(measured)
        ]  # fmt: skip
        tx.connection.execute(monitor_measurements.insert(), rows)
    if violations:
        rows = [
            {
                "run": run, "place": place, "monitor": monitor, "feature": v.feature,
                "segment": v.segment, "check_type": v.check, "description": v.description,
                "metric": v.metric, "value": v.value, "threshold": v.threshold,
                "severity": v.severity,
            }
            for place, v in enumerate(violations)
        ]  # fmt: skip
        tx.connection.execute(monitor_violations.insert(), rows)


def _stands(tx: Transaction, job: Job, plan: WindowPlan, run: str, found: Findings) -> None:
    """How the monitor stands after the window: not after a replay, nor where a newer window is
    on record already."""
    from core.state.monitor_tables import monitors

    name = job.definition.name
    row = tx.row(sa.select(monitors).where(monitors.c.name == name)) or {}
    if job.cause == "replay":
        return
    if row.get("reason"):
        tell_working(tx, name)
    values: dict[str, Any] = {"failures": 0, "backoff_until": None, "reason": ""}
    newest = _newest(tx, name, decided=False)
    if job.cause != "labels":
        values["cursor"] = json.dumps({**json.loads(row["cursor"]), **plan.cursor})
    if found.memory is not None and (job.cause != "labels" or newest == run):
        values["memory"] = json.dumps(found.memory)  # of the newest: the next one gets it
    if newest is not None and _waits_for_labels(tx, job.definition, newest):
        newest = _newest(tx, name, decided=True) or newest
    if newest == run:
        values |= {
            "state": found.state.value,
            "headline": found.headline,
            "last_run": run,
            "last_run_at": tx.now,
        }
        tell_state(tx, job.definition, plan.key, found)
        if row.get("state") != found.state.value:
            tx.journal(
                "monitor.state", f"monitor/{name}", was=row.get("state"), now=found.state.value,
                window=plan.key, headline=found.headline,
            )  # fmt: skip
    elif row.get("state") == "failed" and row.get("last_run"):
        values["state"] = _state_of(tx, str(row["last_run"])) or found.state.value
    set_row(tx, name, **values)


def _newest(tx: Transaction, name: str, *, decided: bool) -> str | None:
    """The newest window on record; where labels come late, the newest that has enough of them
    for a statement: those after it say nothing yet."""
    table = monitor_runs
    mine = [
        table.c.monitor == name,
        table.c.status == RunStatus.DONE.value,
        table.c.cause != "replay",
    ]
    if decided:
        mine.append(table.c.state != State.INSUFFICIENT.value)
    row = tx.row(
        sa.select(table.c.id)
        .where(*mine)
        .order_by(table.c.window_end.desc(), table.c.started_at.desc())
        .limit(1)
    )
    return None if row is None else str(row["id"])


def _waits_for_labels(tx: Transaction, definition: MonitorDefinition, run: str) -> bool:
    """Whether a window says nothing although it has rows enough."""
    if not kind_of(definition.kind).uses_labels:
        return False
    table = monitor_runs
    row = tx.row(sa.select(table.c.state, table.c.rows).where(table.c.id == run)) or {}
    enough = int(row.get("rows") or 0) >= max(1, definition.window.minimum_rows)
    return row.get("state") == State.INSUFFICIENT and enough


def _state_of(tx: Transaction, run: str) -> str | None:
    row = tx.row(sa.select(monitor_runs.c.state).where(monitor_runs.c.id == run))
    return None if row is None else row["state"]


def _failed(job: Job, plan: WindowPlan, run: str, reason: str) -> Outcome:
    """A failed run: its reason, an alert, and the monitor waits a while. After a few attempts
    the window is left as it is."""
    from core.state.monitor_tables import monitors

    name = job.definition.name
    with job.session.change(f"monitors run {name}") as tx:
        claims.check(tx, name, job.claim)
        row = tx.row(sa.select(monitors).where(monitors.c.name == name)) or {}
        before = tx.row(sa.select(monitor_runs).where(monitor_runs.c.id == run)) or {}
        status = RunStatus.DONE if before.get("state") else RunStatus.FAILED
        tx.execute(
            monitor_runs.update()
            .where(monitor_runs.c.id == run)
            .values(status=status.value, reason=reason, ended_at=tx.now)
        )
        if job.cause == "replay":
            return Outcome(run, RunStatus.FAILED, None, "", reason)
        failures = int(row.get("failures") or 0) + 1
        wait = min(BACKOFF_SECONDS * 2 ** (failures - 1), MOST_BACKOFF_SECONDS)
        values: dict[str, Any] = {
            "failures": failures,
            "backoff_until": tx.now + wait,
            "reason": reason,
            "state": "failed",
            "last_run_at": tx.now,
        }
        if job.cause != "labels" and failures % ATTEMPTS == 0:
            values["cursor"] = json.dumps({**json.loads(row["cursor"]), **plan.cursor})
        set_row(tx, name, **values)
        tell_failed(tx, job.definition, plan.key, reason)
        tx.journal(
            "monitor.failed", f"monitor/{name}", window=plan.key, reason=reason, failures=failures
        )
    return Outcome(run, RunStatus.FAILED, None, "", reason)
