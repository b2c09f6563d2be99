"""What is seen of an execution there, written into the rows of its run here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.domain.pipeline import PipelineSpec
from core.domain.remote import Seen, SeenStep
from core.domain.run import RunStatus, StepStatus
from core.engine import runstate
from core.state.store import Transaction

GONE = "it ended there without a word"


def mirror_steps(tx: Transaction, run_id: str, spec: PipelineSpec, seen: Seen) -> None:
    """Bring the step runs up to what is seen."""
    for step in spec.steps:
        told = seen.steps.get(step.name)
        row = runstate.load_step(tx, run_id, step.name)
        if told is None or (row["status"], row["attempt"]) == (told.status, told.attempt):
            continue
        values: dict[str, Any] = {"attempt": told.attempt, "started_at": told.started_at}
        if told.status.ended:
            runstate.end_step(
                tx, run_id, step.name, told.status, message=told.message[:500], **values
            )
            if told.ended_at is not None:  # when it was over, not when we saw it
                runstate.set_step(tx, run_id, step.name, ended_at=told.ended_at)
        else:
            runstate.set_step(
                tx,
                run_id,
                step.name,
                status=told.status,
                ended_at=None,
                message=_words(told),
                **values,
            )
    runstate.refresh_run(tx, run_id)


def _words(told: SeenStep) -> str:
    if told.status is StepStatus.WAITING:
        return "waiting for a decision"
    return told.message[:500]


def mirror_end(
    tx: Transaction, run_id: str, generation: int, spec: PipelineSpec, seen: Seen
) -> RunStatus:
    """Close the run as its execution has ended; the steps are up to date."""
    absent = StepStatus.CANCELLED if seen.status == "stopped" else StepStatus.SKIPPED
    states: dict[str, str] = {}
    for step in spec.steps:
        row = runstate.load_step(tx, run_id, step.name)
        status = StepStatus(row["status"])
        if not status.ended:
            status = absent if row["started_at"] is None else _left(seen)
            if status is not StepStatus.SKIPPED:
                runstate.end_step(tx, run_id, step.name, status)
        states[step.name] = status
    ended = set(states.values())
    unsaid = not ended & {StepStatus.FAILED, StepStatus.REJECTED, StepStatus.CANCELLED}
    if seen.status == "failed" and unsaid:
        runstate.fail_run(tx, run_id, generation, seen.message or GONE)
        return RunStatus.FAILED
    return runstate.finish_run(tx, run_id, generation, states)


def _left(seen: Seen) -> StepStatus:
    """How a step ended that was on its way when the execution ended."""
    words: Mapping[str, StepStatus] = {
        "stopped": StepStatus.CANCELLED,
        "succeeded": StepStatus.SUCCEEDED,
    }
    return words.get(seen.status, StepStatus.FAILED)
