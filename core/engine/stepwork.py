"""Executing one attempt of a function, script, notebook, tune or data step.

Everything here may happen twice (a worker can die anywhere): rows are fenced by the id of
the execution, outputs are published whole, and an attempt whose outcome is on record is
not executed again.
"""

from __future__ import annotations

import errno
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.domain.pipeline import StepSpec
from core.domain.run import OutputRef, StepStatus
from core.engine import datainputs, runstate, tunespec, tunework
from core.engine.artifacts import publish, refuse_without_room
from core.engine.cachekey import cache_key
from core.engine.context import Engine
from core.engine.execution import Execution, Order, Outcome
from core.engine.logfiles import log_path
from core.engine.logwriter import LogWriter
from core.engine.plan import Plan, read_plan, step_environment
from core.errors import DiskFull, OpsdeckError, StateBusy, StateCorrupt, WorkerUnavailable
from core.ids import new_id
from core.lineage import environment_lock
from core.pipelines import code_fingerprint
from core.reads.runs import outputs_of
from core.state.store import Transaction

MAX_TAKEOVERS = 5
"""So often may a worker die under a step before it counts as the step's fault."""

LOST_RETRIES = 3
"""So often is a step executed again when the warm server died under it."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What one execution of a step needs to know."""

    step: StepSpec
    execution_id: str
    work_dir: Path
    request: Mapping[str, Any]
    key: str


def attempt_step(engine: Engine, run_id: str, generation: int, name: str, attempt: int) -> str:
    """Execute one attempt to its end; returns the state that the step run is in then.

    Raises `STATE_AWAY` where the state cannot be read or written: to be done again; and
    `Overtaken` where this start of the run does not count any more.
    """
    for left in reversed(range(LOST_RETRIES)):
        try:
            refuse_without_room(engine.workspace.state_dir)
            prepared = _prepare(engine, run_id, generation, name, attempt)
            if isinstance(prepared, StepStatus):
                return prepared
            if prepared.step.kind == "tune":
                outcome = tunework.search(engine, run_id, generation, prepared)
            else:
                outcome = _execute(engine, run_id, prepared, attempt)
        except (StateBusy, StateCorrupt):
            raise
        except (OpsdeckError, OSError) as error:
            engine.hold_if_stopping()
            if left and isinstance(error, WorkerUnavailable):
                continue  # the warm server died just then, and another one is coming
            return _fail(engine, run_id, generation, name, attempt, _in_words(error))
        engine.hold_if_stopping()
        if not outcome.exit.lost or outcome.stopped or not left:
            return _conclude(engine, run_id, generation, prepared, attempt, outcome)
        shutil.rmtree(prepared.work_dir, ignore_errors=True)
    raise AssertionError("unreachable")


def _prepare(
    engine: Engine, run_id: str, generation: int, name: str, attempt: int
) -> Prepared | StepStatus:
    """Decide what to do: nothing (it has ended, was cancelled, is cached), or execute."""
    # Hashing code takes its time: not while everybody else waits for the database.
    plan = read_plan(engine.session.reader, run_id)
    step = plan.step(name)
    inputs = datainputs.resolved(engine, plan, step)
    key = _key(engine, plan, step, inputs)
    execution_id = new_id()

    def decide(tx: Transaction) -> dict[str, str] | StepStatus:
        run = runstate.load_run(tx, run_id, generation)
        row = runstate.load_step(tx, run_id, name)
        status = StepStatus(row["status"])
        if status.ended:
            return status  # a worker died between our record and its own
        if run["cancel_requested"]:
            runstate.end_step(tx, run_id, name, StepStatus.CANCELLED, message="cancelled")
            return StepStatus.CANCELLED
        if status is StepStatus.RETRYING and row["attempt"] >= attempt:
            return status
        may_take = run["use_cache"] and step.cache and attempt == 1
        if may_take and _take(engine, tx, run_id, name, key):
            return StepStatus.CACHED
        takeovers = row["executions"] - (attempt - 1)
        if takeovers > MAX_TAKEOVERS:
            message = f"the worker died {takeovers} times while it ran"
            runstate.end_step(tx, run_id, name, StepStatus.FAILED, message=message)
            return StepStatus.FAILED
        runstate.set_step(
            tx,
            run_id,
            name,
            status=StepStatus.RUNNING,
            attempt=attempt,
            execution_id=execution_id,
            executions=row["executions"] + 1,
            worker_id=engine.worker_id,
            started_at=tx.now,
            ended_at=None,
            cache_key=key,
            message="",
            pid=None,
        )
        runstate.refresh_run(tx, run_id)
        return step_environment(tx, plan, step, engine.workspace)

    decided = engine.record(decide)
    if isinstance(decided, StepStatus):
        return decided
    work_dir = engine.workspace.state_dir / "tmp" / execution_id
    if step.kind == "data":
        request = datainputs.data_request(
            engine, plan, step.target, inputs, step.outputs, work_dir, decided, step
        )
        return Prepared(step, execution_id, work_dir, request, key)
    request = {
        "kind": step.kind,
        "target": step.target,
        "root": str(engine.workspace.root),
        "inputs": datainputs.as_files(engine, plan, step, inputs, attempt, execution_id),
        "outputs": list(step.outputs),
        "out_dir": str(work_dir),
        "env": decided,
        "threads": engine.threads,
        "seed": plan.seed(step),
        "python": step.python,
    }
    return Prepared(step, execution_id, work_dir, request, key)


def _key(
    engine: Engine, plan: Plan, step: StepSpec, inputs: Mapping[str, Mapping[str, Any]]
) -> str:
    """The step run's cache key, recorded even where the step may not be cached."""
    shown = {
        name: {"digest": given["digest"]} if "digest" in given else {"value": given["value"]}
        for name, given in inputs.items()
    }
    if step.kind == "tune":
        shown["tune"] = {"value": tunespec.search_of(engine, plan, step)}
    return cache_key(
        step,
        code_fingerprint(engine.workspace.root, step),
        shown,
        plan.env(step),
        environment_lock(step.python or sys.executable).sha256,
    )


def _take(engine: Engine, tx: Transaction, run_id: str, name: str, key: str) -> bool:
    """Take the outputs of an equal step run, where all of them are still there."""
    entry = runstate.cached(tx, key)
    if entry is None:
        return False
    outputs = outputs_of(entry["outputs"])
    if not all((engine.workspace.state_dir / ref.path).exists() for ref in outputs):
        return False
    runstate.end_step(
        tx,
        run_id,
        name,
        StepStatus.CACHED,
        outputs=outputs,
        started_at=tx.now,
        cached_from=entry["run_id"],
        cache_key=key,
        worker_id=engine.worker_id,
    )
    return True


def _execute(engine: Engine, run_id: str, prepared: Prepared, attempt: int) -> Outcome:
    step = prepared.step
    order = Order(
        execution_id=prepared.execution_id,
        request=prepared.request,
        work_dir=prepared.work_dir,
        log=log_path(engine.workspace.runs_dir, run_id, step.name),
        attempt=attempt,
        timeout=step.timeout,
        memory_mb=step.memory_mb,
    )

    def started(pid: int) -> None:
        engine.record(lambda tx: runstate.set_step(tx, run_id, step.name, pid=pid))

    return Execution(engine.warm, order, lambda: run_id in engine.cancelled).run(started)


def _conclude(
    engine: Engine, run_id: str, generation: int, prepared: Prepared, attempt: int, outcome: Outcome
) -> str:
    """Publish the outputs and put the outcome on record, unless somebody else has."""
    step, workspace = prepared.step, engine.workspace
    usage: dict[str, Any] = {
        "exit_code": outcome.exit.code,
        "signal": outcome.exit.signal,
        "cpu_seconds": round(outcome.exit.cpu_seconds, 3),
        "max_rss_mb": round(outcome.exit.max_rss_mb, 1),
    }
    outputs: list[OutputRef] = []
    reason = outcome.reason
    if not reason:
        try:
            outputs = publish(workspace.artifacts_dir, workspace.state_dir, outcome.outputs)
            outputs += outcome.published
        except (OpsdeckError, OSError) as error:
            reason = _in_words(error)
    shutil.rmtree(prepared.work_dir, ignore_errors=True)

    def record(tx: Transaction) -> str:
        runstate.load_run(tx, run_id, generation)
        row = runstate.load_step(tx, run_id, step.name)
        if row["execution_id"] != prepared.execution_id or StepStatus(row["status"]).ended:
            return str(row["status"])  # another worker took it over: its result counts
        if not reason:
            runstate.remember_artifacts(tx, run_id, step.name, outputs)
            if step.cache:
                runstate.remember_cache(tx, prepared.key, run_id, step.name, outputs)
            runstate.end_step(
                tx,
                run_id,
                step.name,
                StepStatus.SUCCEEDED,
                outputs=outputs,
                message=outcome.note,
                **usage,
            )
            return StepStatus.SUCCEEDED
        if outcome.stopped == "cancelled":
            runstate.end_step(
                tx, run_id, step.name, StepStatus.CANCELLED, message="cancelled", **usage
            )
            return StepStatus.CANCELLED
        return _not_well(tx, run_id, step.name, attempt, row, reason, usage)

    return engine.record(record)


def _fail(
    engine: Engine, run_id: str, generation: int, name: str, attempt: int, message: str
) -> str:
    """Record an attempt that could not be executed at all, and say so in its log."""
    log = LogWriter(log_path(engine.workspace.runs_dir, run_id, name), attempt)
    log.say(message)
    log.close()

    def record(tx: Transaction) -> str:
        runstate.load_run(tx, run_id, generation)
        row = runstate.load_step(tx, run_id, name)
        if StepStatus(row["status"]).ended:
            return str(row["status"])
        return _not_well(tx, run_id, name, attempt, row, message, {})

    return engine.record(record)


def _in_words(error: OpsdeckError | OSError) -> str:
    """The error in one line, a full disk by its own name."""
    if isinstance(error, OpsdeckError):
        return error.one_line()
    if error.errno == errno.ENOSPC:
        return DiskFull(f"{error.filename}: no room on the disk", "free some space").one_line()
    return str(error)


def _not_well(
    tx: Transaction,
    run_id: str,
    name: str,
    attempt: int,
    row: Mapping[str, Any],
    reason: str,
    usage: Mapping[str, Any],
) -> str:
    if attempt < row["max_attempts"]:
        runstate.set_step(
            tx,
            run_id,
            name,
            status=StepStatus.RETRYING,
            attempt=attempt,
            message=reason,
            **usage,
        )
        return StepStatus.RETRYING
    runstate.end_step(tx, run_id, name, StepStatus.FAILED, message=reason, attempt=attempt, **usage)
    return StepStatus.FAILED
