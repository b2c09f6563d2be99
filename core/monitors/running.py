"""One window: read, evaluated, and put on record in one transaction, or not at all.

Whoever dies before the commit leaves a row that says `running` and a folder of work: the next
one to claim the monitor takes both away and begins again. Files are written before the commit,
under a name of their own generation; a folder that no row names is swept.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.domain.looked import Outcome
from core.domain.monitor import Baseline, Findings, RunStatus, State
from core.errors import OpsdeckError
from core.ids import new_id
from core.monitors import claims
from core.monitors.baselines import active_baseline
from core.monitors.filing import file_findings, run_folder, work_folder
from core.monitors.jobs import Job, asked_for, context_of
from core.monitors.kinds import kind_of
from core.monitors.limit import time_limit
from core.monitors.plan import WindowPlan
from core.monitors.recording import clean, one_line, put_rows
from core.monitors.standing import failed, stands
from core.monitors.syncing import set_row
from core.monitors.telling import record_points, told_at
from core.state.monitor_tables import monitor_runs
from core.state.store import Transaction

log = logging.getLogger(__name__)

KEPT_GENERATIONS = 20


@dataclass(frozen=True, slots=True)
class _Result:
    findings: Findings
    baseline: Baseline | None
    rows: int
    start: float
    end: float
    coverage: float | None
    duplicates: int


def run_window(
    job: Job, plan: WindowPlan, now: float, carried: Mapping[str, Any] | None = None
) -> Outcome:
    """Evaluate a window and record it; what its kind raises becomes a failed run. A window that
    is on record as done is only done again for late labels or rows, or in a replay, which hands
    the memory of one window to the next by `carried`. Raises `MonitorBusy` where the claim was
    lost."""
    run, memory, before = _begin(job, plan)
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
        return failed(job, plan, run, one_line(error.one_line()))
    except Exception as error:  # a kind's own fault costs its monitor one run
        log.exception("monitor %s, window %s", job.definition.name, plan.key)
        return failed(job, plan, run, one_line(f"{type(error).__name__}: {error}"))
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
    )


def _too_few(rows: int, minimum: int) -> Findings:
    words = "no rows" if not rows else f"{rows:,} rows"
    return Findings(State.INSUFFICIENT, headline=f"{words}, {minimum:,} are needed")


def _begin(job: Job, plan: WindowPlan) -> tuple[str, Mapping[str, Any], Mapping[str, Any] | None]:
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
                    .values(status=RunStatus.RUNNING, started_at=tx.now, worker=_holder(job))
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
                started_at=tx.now,
                worker=_holder(job),
            )
        )
    return run, memory, None


def _holder(job: Job) -> str:
    return job.claim.rsplit(":", 1)[0]


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
            "late": _late(row, result.rows),
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
        put_rows(tx, run, name, found.measurements, found.violations)
        end = result.end or plan.end
        at = told_at(plan.place, end, float(row.get("started_at") or tx.now))
        record_points(tx, name, at, end - result.start, found, result.coverage, result.rows)
        stands(tx, job, plan, run, found)
    carried = memory if found.memory is None else found.memory
    return Outcome(run, RunStatus.DONE, found.state, found.headline, memory=carried)


def _late(row: Mapping[str, Any], rows: int) -> int:
    """How many rows have come since the window was first evaluated."""
    kept = json.loads(row.get("history") or "[]")
    first = kept[0]["rows"] if kept else row.get("rows") if row.get("state") else rows
    return max(0, rows - int(first or 0))


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
