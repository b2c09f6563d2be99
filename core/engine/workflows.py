"""The durable workflows, as DBOS runs them.

A workflow's body only decides; whatever it does or reads is a step, recorded once done, so
that another worker can take the workflow up where a dead one left it. Each node of a run is
a workflow of its own under the id `run:generation:step`, because the numbers of steps in
one workflow follow the order of their completion, which a replay need not repeat.

Runs and gates wait for rows of the state to change (`waiting`). Pauses between attempts
wait for a message on the topic `control` with a time limit: that is how a cancellation
reaches them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from dbos import DBOS, SetWorkflowID

from core.domain.run import StepStatus
from core.engine import (
    deploystep,
    deploywork,
    gatework,
    registerwork,
    runstate,
    runwork,
    stepwork,
    waiting,
)
from core.engine.context import SYSTEM, engine
from core.engine.deployflow import FOR_EVER, deployment_workflow
from core.engine.faults import in_words
from core.engine.waiting import BROKEN

MAX_BACKOFF = 300.0
STEP = "step"
"""The name of the workflows that need a step process, and so a slot."""

OVERTAKEN = "overtaken"
"""What a workflow of an earlier start of a run returns: nobody reads it."""

log = logging.getLogger("opsdeck.worker")


def run_workflow_id(run_id: str, generation: int) -> str:
    """The id of the workflow that executes this start of a run."""
    return f"{run_id}:{generation}"


def step_workflow_id(run_id: str, generation: int, step: str) -> str:
    """The id of the workflow of one node."""
    return f"{run_id}:{generation}:{step}"


# --- runs --------------------------------------------------------------------------------


@DBOS.workflow(name="run", max_recovery_attempts=FOR_EVER)
def run_workflow(run_id: str, generation: int) -> str:
    """Execute a run's graph: every node as soon as the ones it needs have ended well."""
    plan = _begin(run_id, generation)
    if "status" in plan:
        return str(plan["status"])
    states: dict[str, str] = dict(plan["states"])
    going: dict[str, str] = {}
    while True:
        ready = []
        for node in plan["nodes"]:
            name = node["name"]
            if name in states or name in going:
                continue
            needs = [states.get(need) for need in node["needs"]]
            if any(n is not None and not StepStatus(n).ended_well for n in needs):
                states[name] = StepStatus.SKIPPED
            elif all(n is not None for n in needs):
                ready.append(node)
        if ready and not _announce(run_id, generation, ready):
            return OVERTAKEN
        for node in ready:
            going[node["name"]] = step_workflow_id(run_id, generation, node["name"])
            _start_node(run_id, generation, node)
        if not going:
            break
        ended = _next_ended(run_id, generation, going)
        if not ended:
            return OVERTAKEN
        states.update(ended)
        going = {name: at for name, at in going.items() if name not in ended}
    return _finish(run_id, generation, states)


def _start_node(run_id: str, generation: int, node: dict[str, Any]) -> None:
    """Start what needs no step process; the rest waits in the outbox for a free slot."""
    kind, name = node["kind"], node["name"]
    with SetWorkflowID(step_workflow_id(run_id, generation, name)):
        if kind == "register":
            DBOS.start_workflow(
                register_workflow, run_id, generation, name, node["attempts"], node["backoff"]
            )
        elif kind == "gate":
            DBOS.start_workflow(gate_workflow, run_id, name, generation)
        elif kind == "deploy":
            DBOS.start_workflow(deploy_step_workflow, run_id, name, generation)


def _announce(run_id: str, generation: int, nodes: list[dict[str, Any]]) -> bool:
    """Show what may start and ask for it; done again after a crash, it changes nothing.

    Returns False where another start has overtaken this one. No step of its own: it must
    look each time.
    """
    worker = engine()
    try:
        if worker.record(lambda tx: runstate.announce(tx, run_id, generation, nodes)):
            worker.poke.set()
    except runstate.Overtaken:
        return False
    return True


@DBOS.step(name="wait")
def _next_ended(run_id: str, generation: int, going: dict[str, str]) -> dict[str, str]:
    return waiting.await_ended(engine(), run_id, generation, going)


@DBOS.step(name="begin")
def _begin(run_id: str, generation: int) -> dict[str, Any]:
    worker = engine()
    try:
        return worker.insist(lambda: runwork.begin(worker, run_id, generation))
    except Exception as error:  # noqa: BLE001 - whatever it is, it must end on record
        worker.hold_if_stopping()
        message = in_words(error, f"run {run_id}")
        worker.record(lambda tx: runstate.fail_run(tx, run_id, generation, message))
        return {"status": "failed"}


@DBOS.step(name="finish")
def _finish(run_id: str, generation: int, states: dict[str, str]) -> str:
    try:
        return str(engine().record(lambda tx: runwork.finish(tx, run_id, generation, states)))
    except runstate.Overtaken:
        return OVERTAKEN


# --- steps -------------------------------------------------------------------------------


def _guarded(run_id: str, generation: int, name: str, work: Callable[[], str]) -> str:
    """Do a step's work; a fault of ours fails the step and not the worker, and is logged."""
    worker = engine()
    try:
        try:
            status = worker.insist(work)
        except runstate.Overtaken:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must end on record
            worker.hold_if_stopping()
            message = in_words(error, f"step {name} of run {run_id}")
            status = worker.record(
                lambda tx: runstate.fail_step(tx, run_id, generation, name, message)
            )
    except runstate.Overtaken as error:
        log.info("step %s: %s", name, error)
        return OVERTAKEN
    worker.bell.ring(run_id)
    return str(status)


@DBOS.workflow(name=STEP, max_recovery_attempts=FOR_EVER)
def step_workflow(
    run_id: str, generation: int, name: str, attempts: int, backoff: float, first: int = 1
) -> str:
    """A function, script or notebook: attempts with doubling pauses in between, from the
    `first` on (a later one where another worker died in the middle of it)."""
    return _attempts(_attempt, run_id, generation, name, attempts, backoff, first)


def _attempts(
    attempt_step: Callable[[str, int, str, int], str],
    run_id: str,
    generation: int,
    name: str,
    attempts: int,
    backoff: float,
    first: int = 1,
) -> str:
    """Attempt after attempt, as long as one ends in `retrying`."""
    status: str = StepStatus.FAILED
    for attempt in range(first, attempts + 1):
        status = attempt_step(run_id, generation, name, attempt)
        if status != StepStatus.RETRYING:
            return status
        DBOS.recv("control", timeout_seconds=min(MAX_BACKOFF, backoff * 2 ** (attempt - 1)))
    return status


@DBOS.step(name="attempt")
def _attempt(run_id: str, generation: int, name: str, attempt: int) -> str:
    worker = engine()
    # Takes its slot in here and not around the workflow: a pause between attempts holds none.
    try:
        with worker.slots.held(f"{run_id}:{name}", lambda: run_id in worker.cancelled):
            return _guarded(
                run_id,
                generation,
                name,
                lambda: stepwork.attempt_step(worker, run_id, generation, name, attempt),
            )
    finally:
        worker.poke.set()  # there is room for another one


@DBOS.workflow(name="register", max_recovery_attempts=FOR_EVER)
def register_workflow(
    run_id: str, generation: int, name: str, attempts: int, backoff: float
) -> str:
    """Register the model version."""
    return _attempts(_register, run_id, generation, name, attempts, backoff)


@DBOS.step(name="register")
def _register(run_id: str, generation: int, name: str, attempt: int) -> str:
    return _guarded(
        run_id,
        generation,
        name,
        lambda: registerwork.register_step(engine(), run_id, generation, name, attempt),
    )


# --- gates -------------------------------------------------------------------------------


@DBOS.workflow(name="gate", max_recovery_attempts=FOR_EVER)
def gate_workflow(run_id: str, name: str, generation: int) -> str:
    """Ask, wait for as long as it takes, and go on by the answer."""
    workflow_id = step_workflow_id(run_id, generation, name)
    status = _open_gate(run_id, generation, name, workflow_id)
    while status == StepStatus.WAITING:
        _wait_at_gate(run_id, workflow_id)
        status = _close_gate(run_id, generation, name, workflow_id)
    return status


@DBOS.step(name="open")
def _open_gate(run_id: str, generation: int, name: str, workflow_id: str) -> str:
    return _guarded(
        run_id,
        generation,
        name,
        lambda: gatework.open_gate(engine(), run_id, generation, name, workflow_id),
    )


@DBOS.step(name="wait at gate")
def _wait_at_gate(run_id: str, workflow_id: str) -> None:
    waiting.await_decision(engine(), run_id, workflow_id)


@DBOS.step(name="close")
def _close_gate(run_id: str, generation: int, name: str, workflow_id: str) -> str:
    return _guarded(
        run_id,
        generation,
        name,
        lambda: gatework.close_gate(engine(), run_id, generation, name, workflow_id),
    )


# --- deployments -------------------------------------------------------------------------


@DBOS.workflow(name="deploy", max_recovery_attempts=FOR_EVER)
def deploy_step_workflow(run_id: str, name: str, generation: int) -> str:
    """The deploy step of a run: one deployment from start to finish."""
    made = _create_deployment(run_id, name, generation)
    if "status" in made:
        return made["status"]
    with SetWorkflowID(f"deployment:{made['deployment']}"):
        DBOS.start_workflow(deployment_workflow, made["deployment"])
    outcome = _deployment_ended(made["deployment"])
    return _end_deploy_step(run_id, generation, name, outcome)


@DBOS.step(name="wait for deployment")
def _deployment_ended(deployment_id: str) -> str:
    """Not DBOS's own wait: after a recovery that polls the database, for days if need be."""
    worker = engine()
    outcome = waiting.await_deployment(worker, deployment_id)
    if outcome is not None:
        return outcome
    return worker.insist(lambda: deploywork.fail(worker, deployment_id, BROKEN))


@DBOS.step(name="create")
def _create_deployment(run_id: str, name: str, generation: int) -> dict[str, str]:
    worker = engine()
    made: dict[str, str] = {}

    def create() -> str:
        _refuse_overtaken(run_id, generation)
        made.update(deploystep.create_for_step(worker, run_id, name, generation))
        return made.get("status", StepStatus.RUNNING)

    status = _guarded(run_id, generation, name, create)
    return made or {"status": status}


@DBOS.step(name="end")
def _end_deploy_step(run_id: str, generation: int, name: str, outcome: str) -> str:
    def end() -> str:
        _refuse_overtaken(run_id, generation)
        return deploystep.end_for_step(engine(), run_id, name, outcome)

    return _guarded(run_id, generation, name, end)


def _refuse_overtaken(run_id: str, generation: int) -> None:
    """Raise `Overtaken` before a deployment of a start that does not count any more."""
    with engine().store.transaction(SYSTEM) as tx:
        runstate.load_run(tx, run_id, generation)
