"""A run's deploy step: the deployment that it opens, and how it ends by that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core.alarms.deployments import check_alarms
from core.domain.release import DEPLOYMENT_ENDED, DeploymentStatus
from core.domain.run import StepStatus
from core.engine import deploywork, runstate
from core.engine.context import STATE_AWAY, SYSTEM, Engine
from core.engine.plan import Plan, load_plan, read_plan
from core.engine.registerwork import registered_version
from core.errors import OpsdeckError, StepFailed
from core.releases import rows
from core.releases.environments import PRODUCTION
from core.releases.strategy import parse_plan, with_workers
from core.services.featureusage import refuse_unreadable
from core.state import schema
from core.state.store import Transaction

_TABLE = schema.deployments


def deployment_id_of(run_id: str, name: str, generation: int) -> str:
    """The id of the deployment that a deploy step opens in this start of its run."""
    return f"{run_id}-{name}-{generation}"


def create_for_step(engine: Engine, run_id: str, name: str, generation: int) -> dict[str, str]:
    """Open the deployment that a deploy step asks for: `{"deployment"}` or `{"status"}`.

    One that is open already was opened by a worker that died before it was on DBOS's record: it
    goes on, and whatever has changed since (a cancellation, an alarm) is for it to heed. Or it
    would stay open with nobody to bring it on.
    """
    deployment_id = deployment_id_of(run_id, name, generation)
    known = "SELECT id FROM deployments WHERE id = :id"
    if engine.session.reader.rows(known, id=deployment_id):
        return {"deployment": deployment_id}
    try:
        _refuse_unreadable(engine, run_id, name)
        _give_up_earlier(engine, run_id, name)
        with engine.store.transaction(SYSTEM) as tx:
            run, row = runstate.load_run(tx, run_id), runstate.load_step(tx, run_id, name)
            if StepStatus(row["status"]).ended:
                return {"status": str(row["status"])}
            if run["cancel_requested"]:
                runstate.end_step(tx, run_id, name, StepStatus.CANCELLED, message="cancelled")
                return {"status": StepStatus.CANCELLED}
            plan = load_plan(tx, run)
            options = plan.step(name).options
            version = registered_version(tx, run_id, str(options["register"]))
            if version is None:
                raise StepFailed(f"deploy {name}: nothing was registered to deploy")
            strategy = with_workers(parse_plan(options["strategy"]), options.get("workers"))
            check_alarms(tx, str(options["endpoint"]), strategy, forced=False)
            rows.create_deployment(
                tx,
                deployment_id,
                endpoint=str(options["endpoint"]),
                model=version["name"],
                version=version["version"],
                strategy=strategy,
                port=int(options.get("port") or 0),
                environment=_environment(plan, options),
                reason=f"run #{run['number']}",
                run_id=run_id,
                step=name,
            )
            runstate.set_step(
                tx,
                run_id,
                name,
                status=StepStatus.RUNNING,
                attempt=1,
                started_at=row["started_at"] or tx.now,
                worker_id=engine.worker_id,
            )
            runstate.refresh_run(tx, run_id)
        return {"deployment": deployment_id}
    except STATE_AWAY:
        raise
    except OpsdeckError as error:
        with engine.store.transaction(SYSTEM) as tx:
            runstate.end_step(tx, run_id, name, StepStatus.FAILED, message=error.one_line())
        return {"status": StepStatus.FAILED}


def _give_up_earlier(engine: Engine, run_id: str, name: str) -> None:
    """End what an earlier start of the run left open; nobody but this step would have it."""
    left = engine.session.reader.rows(
        "SELECT id, status FROM deployments WHERE run_id = :run AND step = :step",
        run=run_id,
        step=name,
    )
    for row in left:
        if DeploymentStatus(row["status"]) not in DEPLOYMENT_ENDED:
            deploywork.give_up(engine, row["id"])


def _refuse_unreadable(engine: Engine, run_id: str, name: str) -> None:
    """Raise `Refused` where the model reads features that whoever started the run may not see
    whole. Before the transaction: a refusal is journalled in one of its own."""
    status = engine.session.reader.rows(
        "SELECT status FROM step_runs WHERE run_id = :run AND step = :step", run=run_id, step=name
    )
    if not status or StepStatus(status[0]["status"]).ended:
        return
    plan = read_plan(engine.session.reader, run_id)
    options = plan.step(name).options
    made = engine.session.reader.rows(
        "SELECT v.path FROM step_runs s JOIN model_versions v"
        " ON v.run_id = COALESCE(s.cached_from, s.run_id) AND v.step = s.step"
        " WHERE s.run_id = :run AND s.step = :step",
        run=run_id,
        step=str(options["register"]),
    )
    if made:
        model = engine.workspace.state_dir / made[0]["path"]
        refuse_unreadable(
            engine.session, str(options["endpoint"]), model, str(plan.run["requested_by"])
        )


def _environment(plan: Plan, options: Mapping[str, Any]) -> str:
    """Where the last gate before the deploy step lets the version go; else production."""
    gates = [plan.step(name).options["environment"] for name in options.get("gates", ())]
    return str(options.get("environment") or (gates[-1] if gates else PRODUCTION))


def end_for_step(engine: Engine, run_id: str, name: str, outcome: str) -> str:
    """Close a deploy step by how its deployment ended."""
    status = {
        DeploymentStatus.SUCCEEDED: StepStatus.SUCCEEDED,
        DeploymentStatus.ABORTED: StepStatus.REJECTED,
        DeploymentStatus.ROLLED_BACK: StepStatus.REJECTED,
    }.get(DeploymentStatus(outcome), StepStatus.FAILED)
    with engine.store.transaction(SYSTEM) as tx:
        run, row = runstate.load_run(tx, run_id), runstate.load_step(tx, run_id, name)
        if StepStatus(row["status"]).ended:
            return str(row["status"])
        if run["cancel_requested"] and status is not StepStatus.SUCCEEDED:
            status = StepStatus.CANCELLED
        deployment = _of_step(tx, run_id, name)
        runstate.end_step(tx, run_id, name, status, message=deployment["message"])
    return status


def _of_step(tx: Transaction, run_id: str, name: str) -> Mapping[str, Any]:
    row = tx.row(
        sa.select(_TABLE)
        .where(_TABLE.c.run_id == run_id, _TABLE.c.step == name)
        .order_by(_TABLE.c.created_at.desc())
        .limit(1)
    )
    assert row is not None, (run_id, name)
    return row
