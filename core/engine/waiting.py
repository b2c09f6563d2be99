"""Waiting, for a run's nodes or for a person, at the price of one query now and then.

DBOS's own ways poll the database for each that waits: a transaction ten times a second for
every open gate.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from functools import partial

from dbos import DBOS

from core.domain.gate import ApprovalStatus
from core.domain.release import DEPLOYMENT_ENDED, DeploymentStatus
from core.domain.run import StepStatus
from core.engine import runstate
from core.engine.context import Engine
from core.state.store import Transaction

LOOK_ALONE = 5.0
"""Seconds between looks where this is the only worker: the bell rings for all that ends."""

LOOK_SHARED = 0.25
"""The same where another worker may have ended a step."""

LOOK_GATE = 30.0
"""The same for a decision, which comes with a ring in every worker."""

BROKEN_EVERY = 30.0
BROKEN = "internal error, see worker.log"
_BROKEN = ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


def await_ended(
    engine: Engine, run_id: str, generation: int, workflow_ids: dict[str, str]
) -> dict[str, str]:
    """Block until one or more of these steps have ended; returns their states, or nothing
    where another start has overtaken this one.

    `workflow_ids` maps each step to its workflow. The states come from our own rows; a
    workflow that broke without leaving an end there (a fault of ours) fails its step.
    """
    names = list(workflow_ids)
    look = LOOK_ALONE if engine.workspace.embedded else LOOK_SHARED
    check_at = time.monotonic() + BROKEN_EVERY
    with engine.bell.listening(run_id) as rung:
        while True:
            engine.hold_if_stopping()
            rung.clear()
            ended = engine.insist(lambda: _ended(engine, run_id, generation, names))
            if ended is not None:
                return ended
            if time.monotonic() >= check_at:
                check_at = time.monotonic() + BROKEN_EVERY
                _fail_broken(engine, run_id, generation, workflow_ids)
            rung.wait(look)


def await_deployment(engine: Engine, deployment_id: str) -> str | None:
    """Block until a deployment has ended; returns its state, or `None` where its workflow
    broke without leaving an end (a fault of ours)."""
    workflow_id = f"deployment:{deployment_id}"
    look = LOOK_ALONE if engine.workspace.embedded else LOOK_SHARED
    check_at = time.monotonic() + BROKEN_EVERY
    with engine.bell.listening(workflow_id) as rung:
        while True:
            engine.hold_if_stopping()
            rung.clear()
            status = engine.insist(lambda: _status_of(engine, deployment_id))
            if status in DEPLOYMENT_ENDED:
                return status
            if time.monotonic() >= check_at:
                check_at = time.monotonic() + BROKEN_EVERY
                if _broken([workflow_id]):
                    return None
            rung.wait(look)


def _status_of(engine: Engine, deployment_id: str) -> DeploymentStatus:
    rows = engine.session.reader.rows(
        "SELECT status FROM deployments WHERE id = :id", id=deployment_id
    )
    return DeploymentStatus(rows[0]["status"])


def await_decision(engine: Engine, run_id: str, workflow_id: str) -> None:
    """Block until the gate's request was decided, has expired, or its run was cancelled."""
    with engine.bell.listening(run_id, workflow_id) as rung:
        while True:
            engine.hold_if_stopping()
            rung.clear()
            left = engine.insist(lambda: _seconds_open(engine, workflow_id))
            if left <= 0:
                return
            rung.wait(min(LOOK_GATE, left))


def _seconds_open(engine: Engine, workflow_id: str) -> float:
    """How long a request stays open; 0 when there is nothing to wait for any more."""
    rows = engine.session.reader.rows(
        "SELECT a.status, a.expires_at, r.cancel_requested FROM approvals a"
        " JOIN runs r ON r.id = a.run_id WHERE a.workflow_id = :workflow",
        workflow=workflow_id,
    )
    if not rows or rows[0]["status"] != ApprovalStatus.OPEN or rows[0]["cancel_requested"]:
        return 0.0
    expires = rows[0]["expires_at"]
    return float("inf") if expires is None else float(expires) - time.time()


def _ended(
    engine: Engine, run_id: str, generation: int, names: Sequence[str]
) -> dict[str, str] | None:
    """Those that have ended, `None` while there are none; empty where overtaken."""
    rows = engine.session.reader.rows(
        "SELECT s.step, s.status, r.generation FROM step_runs s JOIN runs r ON r.id = s.run_id"
        " WHERE s.run_id = :run",
        run=run_id,
    )
    if rows and rows[0]["generation"] != generation:
        return {}
    ended = {
        row["step"]: row["status"]
        for row in rows
        if row["step"] in names and StepStatus(row["status"]).ended
    }
    return ended or None


def _fail_broken(
    engine: Engine, run_id: str, generation: int, workflow_ids: dict[str, str]
) -> None:
    broken = _broken(workflow_ids.values())
    for name, workflow_id in workflow_ids.items():
        if workflow_id in broken:
            engine.record(partial(_fail, run_id=run_id, generation=generation, step=name))


def _broken(workflow_ids: Iterable[str]) -> set[str]:
    """Those among these workflows that have ended badly."""
    return {
        status.workflow_id
        for status in DBOS.list_workflows(
            workflow_ids=list(workflow_ids),
            status=_BROKEN,
            load_input=False,
            load_output=False,
        )
    }


def _fail(tx: Transaction, run_id: str, generation: int, step: str) -> None:
    with contextlib.suppress(runstate.Overtaken):
        runstate.fail_step(tx, run_id, generation, step, BROKEN)
