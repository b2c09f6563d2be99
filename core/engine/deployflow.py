"""The durable workflow of a deployment; see `workflows` for what a body may do.

Its pauses wait for a message on the topic `control` with a time limit: that is how a
promotion, a rollback or a cancellation reaches them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dbos import DBOS

from core.domain.release import DeploymentStatus
from core.engine import deploywork, waiting
from core.engine.context import Engine, engine
from core.engine.faults import in_words

FOR_EVER = None
"""A gate or a pause may see any number of worker restarts (DBOS gives up after 100); a step
that kills its worker is counted in its own row."""


@DBOS.workflow(name="deployment", max_recovery_attempts=FOR_EVER)
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
    if status == "cancelled":
        status = _cancel_deployment(deployment_id)
    if status == DeploymentStatus.PROGRESSING:
        status = _finish_deployment(deployment_id)
    return status


def _pause(deployment_id: str, index: int, seconds: float | None) -> tuple[str, bool]:
    """Wait out a pause; returns the state to go on in, and whether to skip what is left."""
    status, left = _begin_pause(deployment_id, index, seconds), seconds
    while status == DeploymentStatus.PAUSED:
        message = DBOS.recv("control", timeout_seconds=86_400.0 if left is None else left)
        status = _state(deployment_id)
        if status != DeploymentStatus.PAUSED:
            break
        if _ends_pause(message, index) or (message is None and seconds is not None):
            return DeploymentStatus.PROGRESSING, (message or {}).get("command") == "promote_full"
        if seconds is not None:  # a message for another pause does not make this one longer
            left = _left_of_pause(deployment_id)
    return status, False


def _ends_pause(message: dict[str, Any] | None, index: int) -> bool:
    """Whether a message promotes out of the pause at this step of the strategy.

    A promotion names the pause that its author saw: two in a row must not skip two. One in
    full ends them all.
    """
    command = (message or {}).get("command")
    return command == "promote_full" or (
        command == "promote" and message is not None and message.get("index") == index
    )


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
    return [{"kind": s.kind, "weight": s.weight, "seconds": s.seconds} for s in steps]


@DBOS.step(name="weight")
def _weight(deployment_id: str, index: int, weight: float) -> str:
    return _releasing(
        deployment_id, lambda e: deploywork.apply_weight(e, deployment_id, index, weight)
    )


@DBOS.step(name="pause")
def _begin_pause(deployment_id: str, index: int, seconds: float | None) -> str:
    return _releasing(
        deployment_id, lambda e: deploywork.begin_pause(e, deployment_id, index, seconds)
    )


@DBOS.step(name="left of pause")
def _left_of_pause(deployment_id: str) -> float:
    worker = engine()
    return worker.insist(lambda: waiting.seconds_of_pause(worker, deployment_id))


@DBOS.step(name="state")
def _state(deployment_id: str) -> str:
    return _releasing(deployment_id, lambda e: deploywork.state_of(e, deployment_id))


@DBOS.step(name="cancel")
def _cancel_deployment(deployment_id: str) -> str:
    return _releasing(deployment_id, lambda e: deploywork.cancel(e, deployment_id))


@DBOS.step(name="finish deployment")
def _finish_deployment(deployment_id: str) -> str:
    return _releasing(deployment_id, lambda e: deploywork.finish(e, deployment_id))
