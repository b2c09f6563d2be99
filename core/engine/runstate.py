"""Every change of a run's and its step runs' rows that the worker makes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from core.domain.gate import ApprovalStatus
from core.domain.run import OutputRef, RunStatus, StepStatus, outcome_of, run_may_move
from core.lineage import redact_secrets
from core.state import schema
from core.state.store import Transaction

_RUNS, _STEPS = schema.runs, schema.step_runs
PROCESS_KINDS = frozenset({"function", "script", "notebook", "tune", "data"})
Node = Mapping[str, Any]
_ACTIVE = (StepStatus.QUEUED, StepStatus.RUNNING, StepStatus.RETRYING)


class Overtaken(Exception):
    """Work of a start of a run that another start has overtaken: nothing of it counts."""


def load_run(tx: Transaction, run_id: str, generation: int | None = None) -> Mapping[str, Any]:
    """The row of a run, locked for this transaction on PostgreSQL.

    Raises `Overtaken` where the run is not in this `generation` any more: a worker that died
    between our record of a run's end and DBOS's leaves a workflow that is replayed after the
    run was resumed.
    """
    row = tx.row(sa.select(_RUNS).where(_RUNS.c.id == run_id).with_for_update())
    assert row is not None, run_id
    if generation is not None and row["generation"] != generation:
        raise Overtaken(f"run {run_id}: generation {generation}, now {row['generation']}")
    return row


def load_step(tx: Transaction, run_id: str, step: str) -> Mapping[str, Any]:
    """The row of a step run."""
    row = tx.row(
        sa.select(_STEPS).where(_STEPS.c.run_id == run_id, _STEPS.c.step == step).with_for_update()
    )
    assert row is not None, (run_id, step)
    return row


def load_steps(tx: Transaction, run_id: str) -> list[Mapping[str, Any]]:
    """The rows of all step runs, in order."""
    return tx.rows(sa.select(_STEPS).where(_STEPS.c.run_id == run_id).order_by(_STEPS.c.position))


def set_step(tx: Transaction, run_id: str, step: str, **values: Any) -> None:
    """Change a step run's row; a message of the user's code may hold a secret."""
    if "message" in values:
        values["message"] = redact_secrets(values["message"])
    tx.execute(
        _STEPS.update().where(_STEPS.c.run_id == run_id, _STEPS.c.step == step).values(**values)
    )


def set_run(tx: Transaction, run_id: str, **values: Any) -> None:
    """Change a run's row."""
    tx.execute(_RUNS.update().where(_RUNS.c.id == run_id).values(**values))


def announce(tx: Transaction, run_id: str, generation: int, nodes: Sequence[Node]) -> bool:
    """Let steps start: those that need a step process get into line for a slot.

    Steps that are further on are left as they are, so that this may be done twice. Of a run
    that was cancelled nothing starts any more. Returns whether anybody has to be woken.
    Raises `Overtaken`.
    """
    run = load_run(tx, run_id, generation)
    pending = {row["step"] for row in load_steps(tx, run_id) if row["status"] == StepStatus.PENDING}
    asked = False
    for node in [node for node in nodes if node["name"] in pending]:
        if run["cancel_requested"]:
            end_step(tx, run_id, node["name"], StepStatus.CANCELLED, message="cancelled")
            continue
        set_step(tx, run_id, node["name"], status=StepStatus.QUEUED)
        if node["kind"] in PROCESS_KINDS:
            asked = True
            tx.outbox(
                "step.start",
                f"{run_id}:{generation}:{node['name']}",
                run=run_id,
                generation=generation,
                step=node["name"],
                attempts=node["attempts"],
                backoff=node["backoff"],
            )
    return asked


def queue_again(tx: Transaction, run_id: str, generation: int, step: str, lost: Node) -> None:
    """Put a step whose worker was lost back into its place in the line for a slot.

    `lost` is what the outbox is to say of it; `first` is added: the attempt it was at. A
    start of the run that has been overtaken waits for nothing.
    """
    try:
        run = load_run(tx, run_id, generation)
    except Overtaken:
        return
    row = load_step(tx, run_id, step)
    payload = {**lost, "first": max(1, row["attempt"])}
    target = f"{run_id}:{generation}:{step}"
    table = schema.outbox
    again = tx.execute(
        table.update()
        .where(table.c.kind == "step.start", table.c.target == target)
        .values(payload=json.dumps(payload), done_at=None, taken_at=None, taken_by=None)
    )
    if not again.rowcount:
        tx.outbox("step.start", target, **payload)
    if run["cancel_requested"] and not StepStatus(row["status"]).ended:
        end_step(tx, run_id, step, StepStatus.CANCELLED, message="cancelled")
    elif row["status"] == StepStatus.RUNNING:
        message = "its worker was lost; waits for a free slot"
        set_step(tx, run_id, step, status=StepStatus.QUEUED, pid=None, message=message)


def fail_step(tx: Transaction, run_id: str, generation: int, step: str, message: str) -> StepStatus:
    """Close a step run as failed unless it has ended; returns how it stands.

    Raises `Overtaken`.
    """
    load_run(tx, run_id, generation)
    status = StepStatus(load_step(tx, run_id, step)["status"])
    if status.ended:
        return status
    end_step(tx, run_id, step, StepStatus.FAILED, message=message)
    return StepStatus.FAILED


def end_step(
    tx: Transaction,
    run_id: str,
    step: str,
    status: StepStatus,
    *,
    outputs: Sequence[OutputRef] = (),
    message: str = "",
    **values: Any,
) -> None:
    """Close a step run with its outcome, and journal it."""
    set_step(
        tx,
        run_id,
        step,
        status=status,
        ended_at=tx.now,
        outputs=json.dumps([asdict(output) for output in outputs]),
        message=message,
        **values,
    )
    run = load_run(tx, run_id)
    detail = {"message": message} if message else {}
    tx.journal(f"step.{status}", f"run/{run['number']}", step=step, **detail)
    refresh_run(tx, run_id)


def refresh_run(tx: Transaction, run_id: str) -> None:
    """`waiting` while nothing but gates holds the run, else `running`."""
    run = load_run(tx, run_id)
    if run["status"] not in (RunStatus.RUNNING, RunStatus.WAITING):
        return
    states = {row["status"] for row in load_steps(tx, run_id)}
    waits = StepStatus.WAITING in states and not states.intersection(_ACTIVE)
    wanted = RunStatus.WAITING if waits else RunStatus.RUNNING
    if wanted != run["status"]:
        set_run(tx, run_id, status=wanted)


def begin_run(tx: Transaction, run_id: str, generation: int) -> Mapping[str, Any] | None:
    """Set a queued run going; `None` where this start has been overtaken by another."""
    run = load_run(tx, run_id)
    if run["generation"] != generation:
        return None
    if run["status"] == RunStatus.QUEUED:
        set_run(tx, run_id, status=RunStatus.RUNNING, started_at=run["started_at"] or tx.now)
        tx.journal("run.start", f"run/{run['number']}", generation=generation)
    return run


def finish_run(
    tx: Transaction, run_id: str, generation: int, states: Mapping[str, str]
) -> RunStatus:
    """Close a run by how its steps ended; those that never started are skipped."""
    run = load_run(tx, run_id)
    ended = {name: StepStatus(state) for name, state in states.items()}
    outcome = outcome_of(ended)
    if run["generation"] != generation or RunStatus(run["status"]).ended:
        return RunStatus(run["status"])
    for name, state in ended.items():
        if state is StepStatus.SKIPPED:
            set_step(tx, run_id, name, status=StepStatus.SKIPPED, ended_at=tx.now)
    assert run_may_move(RunStatus(run["status"]), outcome), (run["status"], outcome)
    first = next(
        (row for row in load_steps(tx, run_id) if row["status"] in ("failed", "rejected")), None
    )
    message = f"{first['step']}: {first['message']}" if first else ""
    set_run(tx, run_id, status=outcome, ended_at=tx.now, message=message)
    void_approvals(tx, run_id)
    tx.journal(f"run.{outcome}", f"run/{run['number']}", message=message)
    return outcome


def fail_run(tx: Transaction, run_id: str, generation: int, message: str) -> None:
    """Close a run that could not even start, or that a fault of Opsdeck's ended."""
    run = load_run(tx, run_id)
    if run["generation"] != generation or RunStatus(run["status"]).ended:
        return
    for row in load_steps(tx, run_id):
        if not StepStatus(row["status"]).ended:
            set_step(tx, run_id, row["step"], status=StepStatus.SKIPPED, ended_at=tx.now)
    set_run(tx, run_id, status=RunStatus.FAILED, ended_at=tx.now, message=message)
    void_approvals(tx, run_id)
    tx.journal("run.failed", f"run/{run['number']}", message=message)


def void_approvals(tx: Transaction, run_id: str) -> None:
    """Nobody needs to answer any more."""
    table = schema.approvals
    tx.execute(
        table.update()
        .where(table.c.run_id == run_id, table.c.status == ApprovalStatus.OPEN)
        .values(status=ApprovalStatus.VOID, decided_at=tx.now)
    )


def remember_artifacts(
    tx: Transaction, run_id: str, step: str, outputs: Sequence[OutputRef]
) -> None:
    """Record which run first made these artifacts."""
    table = schema.artifacts
    for output in outputs:
        if tx.row(sa.select(table.c.digest).where(table.c.digest == output.digest)) is None:
            tx.execute(
                table.insert().values(
                    digest=output.digest,
                    kind=output.kind,
                    size=output.size,
                    path=output.path,
                    run_id=run_id,
                    step=step,
                    created_at=tx.now,
                )
            )


def remember_cache(
    tx: Transaction, key: str, run_id: str, step: str, outputs: Sequence[OutputRef]
) -> None:
    """Let an equal step run take these outputs; the newest wins."""
    table = schema.cache_entries
    tx.execute(table.delete().where(table.c.key == key))
    tx.execute(
        table.insert().values(
            key=key,
            run_id=run_id,
            step=step,
            outputs=json.dumps([asdict(output) for output in outputs]),
            created_at=tx.now,
        )
    )


def cached(tx: Transaction, key: str) -> Mapping[str, Any] | None:
    """The newest equal step run, if any."""
    table = schema.cache_entries
    return tx.row(sa.select(table).where(table.c.key == key))
