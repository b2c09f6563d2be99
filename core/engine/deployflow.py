"""The durable workflow of a deployment; see `workflows` for what a body may do.

The body only climbs: where a deployment stands, when its timers end and what a person let
pass is in its row. Waiting is one durable step that looks at the row and is woken by the
bell, so that a wait of days leaves one line of history, and a worker that takes over goes on
with the same timers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dbos import DBOS

from core.domain.release import DeploymentStatus
from core.engine import deploywork, rungs
from core.engine.context import Engine, engine
from core.engine.faults import in_words

FOR_EVER = None
"""A gate or a pause may see any number of worker restarts (DBOS gives up after 100); a step
that kills its worker is counted in its own row."""


@DBOS.workflow(name="deployment", max_recovery_attempts=FOR_EVER)
def deployment_workflow(deployment_id: str) -> str:
    """Load, then climb the strategy's ladder; ends early when it was ended elsewhere."""
    status = _load(deployment_id)
    for index, step in enumerate(_strategy(deployment_id)):
        if status != DeploymentStatus.PROGRESSING:
            break
        status = _rung(deployment_id, index, step)
    if status == rungs.CANCELLED:
        status = _cancel_deployment(deployment_id)
    if status == DeploymentStatus.PROGRESSING:
        status = _finish_deployment(deployment_id)
    return status


def _rung(deployment_id: str, index: int, step: dict[str, Any]) -> str:
    """One step of the strategy, and whatever holds it up; returns the state after it."""
    if step["kind"] == "set_weight":
        status = _weight(deployment_id, index, step["weight"])
        while status == DeploymentStatus.HELD:  # somebody held it between two steps
            status = _wait(deployment_id, index)
            if status in (DeploymentStatus.PROGRESSING, rungs.BEGIN):
                status = _weight(deployment_id, index, step["weight"])
        return status
    status = _begin(deployment_id, index)
    while status in (DeploymentStatus.PAUSED, DeploymentStatus.HELD, rungs.BEGIN):
        begins = status == rungs.BEGIN
        status = _begin(deployment_id, index) if begins else _wait(deployment_id, index)
    return status


def _releasing(deployment_id: str, work: Callable[[Engine], str]) -> str:
    """Do a part of a deployment; a fault of ours fails it, with the traffic moved back."""
    worker = engine()
    try:
        return str(worker.insist(lambda: work(worker)))
    except Exception as error:  # noqa: BLE001 - whatever it is, it must end on record
        worker.hold_if_stopping()
        message = in_words(error, f"deployment {deployment_id}")
        return str(worker.insist(lambda: deploywork.fail(worker, deployment_id, message)))
    finally:
        worker.bell.ring(f"deployment:{deployment_id}")


@DBOS.step(name="load")
def _load(deployment_id: str) -> str:
    return _releasing(deployment_id, lambda e: deploywork.load_version(e, deployment_id))


@DBOS.step(name="strategy")
def _strategy(deployment_id: str) -> list[dict[str, Any]]:
    worker = engine()
    steps = worker.insist(lambda: deploywork.strategy_of(worker, deployment_id))
    return [{"kind": s.kind, "weight": s.weight} for s in steps]


@DBOS.step(name="weight")
def _weight(deployment_id: str, index: int, weight: float) -> str:
    return _releasing(
        deployment_id, lambda e: deploywork.apply_weight(e, deployment_id, index, weight)
    )


@DBOS.step(name="begin rung")
def _begin(deployment_id: str, index: int) -> str:
    return _releasing(deployment_id, lambda e: rungs.begin(e, deployment_id, index))


@DBOS.step(name="wait at rung")
def _wait(deployment_id: str, index: int) -> str:
    return _releasing(deployment_id, lambda e: rungs.wait(e, deployment_id, index))


@DBOS.step(name="cancel")
def _cancel_deployment(deployment_id: str) -> str:
    return _releasing(deployment_id, lambda e: deploywork.cancel(e, deployment_id))


@DBOS.step(name="finish deployment")
def _finish_deployment(deployment_id: str) -> str:
    return _releasing(deployment_id, lambda e: deploywork.finish(e, deployment_id))
