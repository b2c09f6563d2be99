"""The durable workflows, as DBOS runs them.

A workflow's body only decides; whatever it does or reads is a step, recorded once done, so
that another worker can take the workflow up where a dead one left it. Each node of a run is
a workflow of its own under the id `run:generation:step`, because the numbers of steps in
one workflow follow the order of their completion, which a replay need not repeat.

Waiting is always for a message on the topic `control`, with a time limit: that is how a
decision, a promotion, a rollback or a cancellation reaches a workflow that sleeps.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, SetWorkflowID

from core.domain.release import DeploymentStatus
from core.domain.run import StepStatus
from core.engine import deploywork, gatework, registerwork, runstate, stepwork
from core.engine.context import SYSTEM, engine
from core.errors import OpsdeckError
from core.lineage import capture_lineage
from core.state import schema

QUEUE = "steps"
POLL_SECONDS = 0.05
MAX_BACKOFF = 300.0
_PROMOTED = ("promote", "promote_full")

log = logging.getLogger("opsdeck.worker")


def run_workflow_id(run_id: str, generation: int) -> str:
    """The id of the workflow that executes this start of a run."""
    return f"{run_id}:{generation}"


def step_workflow_id(run_id: str, generation: int, step: str) -> str:
    """The id of the workflow of one node."""
    return f"{run_id}:{generation}:{step}"


# --- runs --------------------------------------------------------------------------------


@DBOS.workflow(name="run")
def run_workflow(run_id: str, generation: int) -> str:
    """Execute a run's graph: every node as soon as the ones it needs have ended well."""
    plan = _begin(run_id, generation)
    if "status" in plan:
        return str(plan["status"])
    states: dict[str, str] = dict(plan["states"])
    handles: dict[str, Any] = {}
    while True:
        ready = []
        for node in plan["nodes"]:
            name = node["name"]
            if name in states or name in handles:
                continue
            needs = [states.get(need) for need in node["needs"]]
            if any(n is not None and not StepStatus(n).ended_well for n in needs):
                states[name] = StepStatus.SKIPPED
            elif all(n is not None for n in needs):
                ready.append(node)
        if ready:
            _announce(run_id, [node["name"] for node in ready])
        for node in ready:
            handles[node["name"]] = _start_node(run_id, generation, node)
        if not handles:
            break
        done = DBOS.wait_first(list(handles.values()), polling_interval_sec=POLL_SECONDS)
        name = next(n for n, h in handles.items() if h.workflow_id == done.workflow_id)
        handles.pop(name)
        states[name] = str(done.get_result(polling_interval_sec=POLL_SECONDS))
    return _finish(run_id, generation, states)


def _start_node(run_id: str, generation: int, node: dict[str, Any]) -> Any:
    """Only what needs a step process waits for a free slot; a gate never blocks one."""
    kind, name = node["kind"], node["name"]
    with SetWorkflowID(step_workflow_id(run_id, generation, name)):
        if kind == "register":
            return DBOS.start_workflow(
                register_workflow, run_id, name, node["attempts"], node["backoff"]
            )
        if kind == "gate":
            return DBOS.start_workflow(gate_workflow, run_id, name, generation)
        if kind == "deploy":
            return DBOS.start_workflow(deploy_step_workflow, run_id, name, generation)
        return DBOS.enqueue_workflow(
            QUEUE, step_workflow, run_id, name, node["attempts"], node["backoff"]
        )


def _announce(run_id: str, names: list[str]) -> None:
    """Show what may start; done again after a crash, it changes nothing."""
    with engine().store.transaction(SYSTEM) as tx:
        runstate.mark_queued(tx, run_id, names)


@DBOS.step(name="begin")
def _begin(run_id: str, generation: int) -> dict[str, Any]:
    worker = engine()
    try:
        lineage = capture_lineage(worker.workspace.root, sys.executable)
        with worker.store.transaction(SYSTEM) as tx:
            run = runstate.begin_run(tx, run_id, generation)
        if run is None:
            return {"status": "overtaken"}
        mlflow_run = run["mlflow_run_id"] or worker.tracker.call(
            "create_run",
            experiment=run["pipeline"],
            name=f"#{run['number']}",
            tags={"opsdeck.run_id": run_id, "mlflow.user": run["requested_by"]},
            unique_tag="opsdeck.run_id",
        )
    except OpsdeckError as error:
        worker.hold_if_stopping()
        with worker.store.transaction(SYSTEM) as tx:
            runstate.fail_run(tx, run_id, generation, error.one_line())
        return {"status": "failed"}
    import json

    with worker.store.transaction(SYSTEM) as tx:
        runstate.set_run(
            tx,
            run_id,
            mlflow_run_id=mlflow_run,
            lineage=json.dumps(lineage.as_dict()),
            git_commit=lineage.commit or None,
            git_dirty=int(lineage.dirty),
        )
        spec = {s["name"]: s for s in json.loads(run["spec"])["steps"]}
        steps = runstate.load_steps(tx, run_id)
    return {
        "nodes": [
            {
                "name": row["step"],
                "kind": row["kind"],
                "needs": json.loads(row["needs"]),
                "attempts": row["max_attempts"],
                "backoff": spec[row["step"]].get("backoff", 1.0),
            }
            for row in steps
        ],
        "states": {
            row["step"]: row["status"] for row in steps if StepStatus(row["status"]).ended_well
        },
    }


@DBOS.step(name="finish")
def _finish(run_id: str, generation: int, states: dict[str, str]) -> str:
    worker = engine()
    with worker.store.transaction(SYSTEM) as tx:
        outcome = runstate.finish_run(tx, run_id, generation, states)
        mlflow_run = runstate.load_run(tx, run_id)["mlflow_run_id"]
        tx.outbox("tracking.end", run_id, mlflow_run=mlflow_run, status=str(outcome))
    return str(outcome)


# --- steps -------------------------------------------------------------------------------


def _guarded(run_id: str, name: str, work: Callable[[], str]) -> str:
    """Do a step's work; a fault of ours fails the step and not the worker, and is logged."""
    try:
        return work()
    except Exception as error:
        engine().hold_if_stopping()
        if isinstance(error, OpsdeckError):
            message = error.one_line()
        else:
            log.exception("step %s of run %s", name, run_id)
            message = f"internal error, see worker.log: {type(error).__name__}: {error}"
        with engine().store.transaction(SYSTEM) as tx:
            runstate.end_step(tx, run_id, name, StepStatus.FAILED, message=message[:500])
        return StepStatus.FAILED


@DBOS.workflow(name="step")
def step_workflow(run_id: str, name: str, attempts: int, backoff: float) -> str:
    """A function, script or notebook: attempts with doubling pauses in between."""
    return _attempts(_attempt, run_id, name, attempts, backoff)


def _attempts(
    attempt_step: Callable[[str, str, int], str],
    run_id: str,
    name: str,
    attempts: int,
    backoff: float,
) -> str:
    """Attempt after attempt, as long as one ends in `retrying`."""
    status: str = StepStatus.FAILED
    for attempt in range(1, attempts + 1):
        status = attempt_step(run_id, name, attempt)
        if status != StepStatus.RETRYING:
            return status
        DBOS.recv("control", timeout_seconds=min(MAX_BACKOFF, backoff * 2 ** (attempt - 1)))
    return status


@DBOS.step(name="attempt")
def _attempt(run_id: str, name: str, attempt: int) -> str:
    return str(
        _guarded(run_id, name, lambda: stepwork.attempt_step(engine(), run_id, name, attempt))
    )


@DBOS.workflow(name="register")
def register_workflow(run_id: str, name: str, attempts: int, backoff: float) -> str:
    """Register the model version."""
    return _attempts(_register, run_id, name, attempts, backoff)


@DBOS.step(name="register")
def _register(run_id: str, name: str, attempt: int) -> str:
    return str(
        _guarded(run_id, name, lambda: registerwork.register_step(engine(), run_id, name, attempt))
    )


# --- gates -------------------------------------------------------------------------------


@DBOS.workflow(name="gate")
def gate_workflow(run_id: str, name: str, generation: int) -> str:
    """Ask, wait for as long as it takes, and go on by the answer."""
    workflow_id = step_workflow_id(run_id, generation, name)
    status = _open_gate(run_id, name, workflow_id)
    while status == StepStatus.WAITING:
        DBOS.recv("control", timeout_seconds=_seconds_left(workflow_id))
        status = _close_gate(run_id, name, workflow_id)
    return status


@DBOS.step(name="open")
def _open_gate(run_id: str, name: str, workflow_id: str) -> str:
    return str(
        _guarded(run_id, name, lambda: gatework.open_gate(engine(), run_id, name, workflow_id))
    )


@DBOS.step(name="time left")
def _seconds_left(workflow_id: str) -> float:
    return gatework.seconds_left(engine(), workflow_id)


@DBOS.step(name="close")
def _close_gate(run_id: str, name: str, workflow_id: str) -> str:
    return str(
        _guarded(run_id, name, lambda: gatework.close_gate(engine(), run_id, name, workflow_id))
    )


# --- deployments -------------------------------------------------------------------------


@DBOS.workflow(name="deploy")
def deploy_step_workflow(run_id: str, name: str, generation: int) -> str:
    """The deploy step of a run: one deployment from start to finish."""
    made = _create_deployment(run_id, name, generation)
    if "status" in made:
        return made["status"]
    with SetWorkflowID(f"deployment:{made['deployment']}"):
        handle = DBOS.start_workflow(deployment_workflow, made["deployment"])
    outcome = handle.get_result(polling_interval_sec=POLL_SECONDS)
    return _end_deploy_step(run_id, name, str(outcome))


@DBOS.step(name="create")
def _create_deployment(run_id: str, name: str, generation: int) -> dict[str, str]:
    return deploywork.create_for_step(engine(), run_id, name, generation)


@DBOS.step(name="end")
def _end_deploy_step(run_id: str, name: str, outcome: str) -> str:
    return str(
        _guarded(run_id, name, lambda: deploywork.end_for_step(engine(), run_id, name, outcome))
    )


@DBOS.workflow(name="deployment")
def deployment_workflow(deployment_id: str) -> str:
    """Load, then climb the strategy's ladder; ends early when it was ended elsewhere."""
    status = _load(deployment_id)
    rush = False
    for index, step in enumerate(_strategy(deployment_id)):
        if status != DeploymentStatus.PROGRESSING:
            break
        if step["kind"] == "set_weight":
            if not rush or step["weight"] == 100.0:
                status = _weight(deployment_id, index, step["weight"])
        elif not rush:
            status, rush = _pause(deployment_id, index, step["seconds"])
    if status == DeploymentStatus.PROGRESSING:
        status = _finish_deployment(deployment_id)
    return status


def _pause(deployment_id: str, index: int, seconds: float | None) -> tuple[str, bool]:
    """Wait out a pause; returns the state to go on in, and whether to skip what is left."""
    status = _begin_pause(deployment_id, index, seconds)
    while status == DeploymentStatus.PAUSED:
        message = DBOS.recv("control", timeout_seconds=86_400.0 if seconds is None else seconds)
        now = _state(deployment_id)
        if now == "cancelled":
            return _cancel_deployment(deployment_id), False
        if now != DeploymentStatus.PAUSED:
            return now, False
        command = (message or {}).get("command")
        if command in _PROMOTED or (message is None and seconds is not None):
            return DeploymentStatus.PROGRESSING, command == "promote_full"
    return status, False


@DBOS.step(name="load")
def _load(deployment_id: str) -> str:
    return str(deploywork.load_version(engine(), deployment_id))


@DBOS.step(name="strategy")
def _strategy(deployment_id: str) -> list[dict[str, Any]]:
    steps = deploywork.strategy_of(engine(), deployment_id)
    return [{"kind": s.kind, "weight": s.weight, "seconds": s.seconds} for s in steps]


@DBOS.step(name="weight")
def _weight(deployment_id: str, index: int, weight: float) -> str:
    return str(deploywork.apply_weight(engine(), deployment_id, index, weight))


@DBOS.step(name="pause")
def _begin_pause(deployment_id: str, index: int, seconds: float | None) -> str:
    return str(deploywork.begin_pause(engine(), deployment_id, index, seconds))


@DBOS.step(name="state")
def _state(deployment_id: str) -> str:
    return deploywork.state_of(engine(), deployment_id)


@DBOS.step(name="cancel")
def _cancel_deployment(deployment_id: str) -> str:
    return str(deploywork.cancel(engine(), deployment_id))


@DBOS.step(name="finish deployment")
def _finish_deployment(deployment_id: str) -> str:
    return str(deploywork.finish(engine(), deployment_id))


# --- the mirror in MLflow ----------------------------------------------------------------


def mirror_model(name: str) -> None:
    """Make MLflow's aliases and tags say what the state says. Not durable: asked for again
    with every change, and repeated until it has worked."""
    worker = engine()
    with worker.store.transaction(SYSTEM) as tx:
        aliases = tx.rows(
            sa.select(schema.model_aliases).where(schema.model_aliases.c.name == name)
        )
        versions = tx.rows(
            sa.select(schema.model_versions.c.version, schema.model_versions.c.approval).where(
                schema.model_versions.c.name == name, schema.model_versions.c.approval != ""
            )
        )
    wanted = {row["alias"]: row["version"] for row in aliases}
    for alias in ("candidate", "staging", "champion", "previous"):
        if alias in wanted:
            worker.tracker.call("set_alias", name=name, alias=alias, version=wanted[alias])
        else:
            worker.tracker.call("delete_alias", name=name, alias=alias)
    for row in versions:
        worker.tracker.call(
            "set_version_tags",
            name=name,
            version=row["version"],
            tags={"opsdeck.approval": row["approval"]},
        )
