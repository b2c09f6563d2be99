"""Bringing a version to an endpoint: load beside the traffic, then weight by weight.

Every function here is one durable step: it may run twice, and checks under the endpoint's
routing lock whether the deployment is still open before it moves any traffic, so that a
rollback made meanwhile is never undone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.domain.release import DEPLOYMENT_ENDED, DeploymentStatus, StrategyStep
from core.domain.run import StepStatus
from core.engine import runstate
from core.engine.context import STATE_AWAY, SYSTEM, Engine
from core.engine.plan import Plan, load_plan
from core.engine.registerwork import registered_version
from core.errors import OpsdeckError, StepFailed, WrongState
from core.releases import rows
from core.releases.abort import route_back
from core.releases.environments import PRODUCTION
from core.releases.lock import release_lock
from core.releases.strategy import parse_strategy
from core.serving.control import EndpointControl
from core.state import schema
from core.state.store import Transaction

log = logging.getLogger("opsdeck.worker")

_TABLE = schema.deployments


def create_for_step(engine: Engine, run_id: str, name: str, generation: int) -> dict[str, str]:
    """Open the deployment that a deploy step asks for: `{"deployment"}` or `{"status"}`."""
    deployment_id = f"{run_id}-{name}-{generation}"
    try:
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
            rows.create_deployment(
                tx,
                deployment_id,
                endpoint=str(options["endpoint"]),
                model=version["name"],
                version=version["version"],
                strategy=parse_strategy(options["strategy"]),
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


def load_version(engine: Engine, deployment_id: str) -> str:
    """Start the endpoint where it does not run, and load the new revision (and the stable
    one, where it is not loaded); returns the deployment's state then."""
    with engine.store.transaction(SYSTEM) as tx:
        deployment = _deployment(tx, deployment_id)
        if _ended(deployment):
            return str(deployment["status"])
        rows.set_progress(tx, deployment, DeploymentStatus.LOADING, message="loading the model")
        port = rows.port_of(tx, deployment["endpoint"])
    try:
        control = _control(engine, deployment["endpoint"])
        info = control.ensure_running(deployment["endpoint"], port)
        routed = {variant.revision for variant in info.variants}
        if deployment["from_revision"] is None and routed - {deployment["revision"]}:
            # A first version that failed while no supervisor was there to be told.
            control.clear_table("no version has been let pass yet")
        loaded = set(info.loads)
        wanted = [deployment["revision"], deployment["from_revision"]]
        for number in [n for n in wanted if n is not None and n not in loaded]:
            path, revision = _model_path(engine, deployment["endpoint"], number)
            report = control.load(number, path, revision["model"], revision["version"])
            with engine.store.transaction(SYSTEM) as tx:
                rows.event(
                    tx,
                    deployment_id,
                    "loaded",
                    f"revision {number} in {report.seconds:.1f} s as {report.flavour}: "
                    f"{report.detail}",
                )
        with engine.store.transaction(SYSTEM) as tx:
            rows.set_address(tx, deployment["endpoint"], info.host, info.port)
    except STATE_AWAY:
        raise
    except OpsdeckError as error:
        engine.hold_if_stopping()
        return fail(engine, deployment_id, error.one_line())
    return DeploymentStatus.PROGRESSING


def apply_weight(engine: Engine, deployment_id: str, index: int, weight: float) -> str:
    """Give the canary `weight` percent of the traffic, unless the deployment has ended."""
    with engine.store.transaction(SYSTEM) as tx:
        endpoint = _deployment(tx, deployment_id)["endpoint"]
    try:
        control = _control(engine, endpoint)
        control.ensure_running(endpoint)  # it may take long: not under the lock
        with _locked(engine, endpoint):
            with engine.store.transaction(SYSTEM) as tx:
                deployment = _deployment(tx, deployment_id)
                cancelled = _run_cancelled(tx, deployment)
            if _ended(deployment):
                return str(deployment["status"])
            if cancelled:
                return "cancelled"
            control.set_table(_table(deployment, weight), f"deployment {deployment_id}")
            with engine.store.transaction(SYSTEM) as tx:
                rows.set_progress(tx, deployment, DeploymentStatus.PROGRESSING, step_index=index)
                rows.record_weight(tx, deployment, weight, f"{weight:g} % of the traffic")
    except STATE_AWAY:
        raise
    except OpsdeckError as error:
        engine.hold_if_stopping()
        return fail(engine, deployment_id, error.one_line())
    return DeploymentStatus.PROGRESSING


def begin_pause(engine: Engine, deployment_id: str, index: int, seconds: float | None) -> str:
    """Record a pause and when it ends; returns the state then."""
    with engine.store.transaction(SYSTEM) as tx:
        deployment = _deployment(tx, deployment_id)
        if _ended(deployment):
            return str(deployment["status"])
        until = None if seconds is None else tx.now + seconds
        words = "until promoted" if seconds is None else f"for {seconds:g} s"
        rows.set_progress(
            tx,
            deployment,
            DeploymentStatus.PAUSED,
            step_index=index,
            next_at=until,
            message=f"paused {words}",
        )
        rows.event(tx, deployment_id, "paused", words)
    return DeploymentStatus.PAUSED


def state_of(engine: Engine, deployment_id: str) -> str:
    """The deployment's state now, and `cancelled` where its run was."""
    with engine.store.transaction(SYSTEM) as tx:
        deployment = _deployment(tx, deployment_id)
        if not _ended(deployment) and _run_cancelled(tx, deployment):
            return "cancelled"
        return str(deployment["status"])


def finish(engine: Engine, deployment_id: str) -> str:
    """The new version is in production: aliases, receipts of state, old revisions unloaded."""
    with engine.store.transaction(SYSTEM) as tx:
        endpoint = _deployment(tx, deployment_id)["endpoint"]
    # Under the lock: whoever aborts it moves the traffic before the rows.
    with (
        _locked(engine, endpoint),
        engine.store.transaction(SYSTEM) as tx,
    ):
        deployment = _deployment(tx, deployment_id)
        if _ended(deployment):
            return str(deployment["status"])
        retired = rows.finish_deployment(tx, deployment)
    control = _control(engine, endpoint)
    try:
        info = control.info()
        for revision in retired:
            if info is not None and info.alive and revision in info.loads:
                control.unload(revision)
    except OpsdeckError as error:  # they stay loaded: that costs memory only
        with engine.store.transaction(SYSTEM) as tx:
            rows.event(tx, deployment_id, "warning", error.one_line())
    return DeploymentStatus.SUCCEEDED


def fail(engine: Engine, deployment_id: str, message: str) -> str:
    """End the deployment as failed, with all traffic on the stable version."""
    return _withdraw(engine, deployment_id, DeploymentStatus.FAILED, message)


def cancel(engine: Engine, deployment_id: str) -> str:
    """End the deployment because its run was cancelled."""
    return _withdraw(engine, deployment_id, DeploymentStatus.ABORTED, "the run was cancelled")


def strategy_of(engine: Engine, deployment_id: str) -> tuple[StrategyStep, ...]:
    """The steps of a deployment."""
    with engine.store.transaction(SYSTEM) as tx:
        text = _deployment(tx, deployment_id)["strategy"]
    return tuple(StrategyStep(**step) for step in json.loads(text))


def _withdraw(engine: Engine, deployment_id: str, status: DeploymentStatus, message: str) -> str:
    with engine.store.transaction(SYSTEM) as tx:
        endpoint = _deployment(tx, deployment_id)["endpoint"]
    with _locked(engine, endpoint):
        with engine.store.transaction(SYSTEM) as tx:
            deployment = _deployment(tx, deployment_id)
            if _ended(deployment):
                return str(deployment["status"])
        control = _control(engine, endpoint)
        info = control.info()
        if info is not None and info.alive:
            try:
                route_back(control, deployment["from_revision"], message)
            except OpsdeckError as error:
                message = f"{message}; traffic could not be moved back: {error.one_line()}"
        with engine.store.transaction(SYSTEM) as tx:
            rows.withdraw_canary(tx, deployment, status, message)
    return status


@contextmanager
def _locked(engine: Engine, endpoint: str) -> Iterator[None]:
    """Hold the endpoint's routing lock, however long somebody else has it: that others change
    the routing is no reason for a deployment to fail, let alone to stay open for good."""
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(release_lock(engine.workspace.endpoints_dir / endpoint))
                break
            except WrongState as error:
                log.warning("waiting: %s", error.one_line())
                engine.hold_if_stopping()
        yield


def _table(deployment: Mapping[str, Any], weight: float) -> dict[int, float]:
    table = {deployment["revision"]: weight}
    if deployment["from_revision"] is not None and weight < 100.0:
        table[deployment["from_revision"]] = 100.0 - weight
    return {revision: share for revision, share in table.items() if share > 0}


def _deployment(tx: Transaction, deployment_id: str) -> Mapping[str, Any]:
    row = tx.row(sa.select(_TABLE).where(_TABLE.c.id == deployment_id))
    assert row is not None, deployment_id
    return row


def _of_step(tx: Transaction, run_id: str, name: str) -> Mapping[str, Any]:
    row = tx.row(
        sa.select(_TABLE)
        .where(_TABLE.c.run_id == run_id, _TABLE.c.step == name)
        .order_by(_TABLE.c.created_at.desc())
        .limit(1)
    )
    assert row is not None, (run_id, name)
    return row


def _run_cancelled(tx: Transaction, deployment: Mapping[str, Any]) -> bool:
    run_id = deployment["run_id"]
    return run_id is not None and bool(runstate.load_run(tx, run_id)["cancel_requested"])


def _ended(deployment: Mapping[str, Any]) -> bool:
    return DeploymentStatus(deployment["status"]) in DEPLOYMENT_ENDED


def _control(engine: Engine, endpoint: str) -> EndpointControl:
    return EndpointControl(engine.workspace.endpoints_dir / endpoint)


def _model_path(engine: Engine, endpoint: str, number: int) -> tuple[Path, Mapping[str, Any]]:
    revisions, versions = schema.revisions, schema.model_versions
    with engine.store.transaction(SYSTEM) as tx:
        row = tx.row(
            sa.select(revisions.c.model, revisions.c.version, versions.c.path)
            .join(
                versions,
                (versions.c.name == revisions.c.model)
                & (versions.c.version == revisions.c.version),
            )
            .where(revisions.c.endpoint == endpoint, revisions.c.revision == number)
        )
    if row is None:
        raise StepFailed(f"endpoint {endpoint}: revision {number} names no registered version")
    return engine.workspace.state_dir / row["path"], row
