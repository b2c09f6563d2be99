"""The rows of a new run, written in the transaction of whoever asks for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from core.domain.run import Run, RunStatus, StepStatus
from core.ids import new_id
from core.pipelines import spec_to_json
from core.state import schema

if TYPE_CHECKING:
    from core.domain.pipeline import PipelineSpec
    from core.state.store import Transaction


def insert_run(
    tx: Transaction,
    spec: PipelineSpec,
    params: Mapping[str, Any],
    *,
    requested_by: str,
    use_cache: bool = True,
    reason: str = "",
    parent: Run | None = None,
    from_step: str | None = None,
    kept: Mapping[str, Mapping[str, Any]] | None = None,
    datasets: Mapping[str, str] | None = None,
    elsewhere: bool = False,
) -> str:
    """A run that waits for a worker, and the message that asks for one; the run's id.

    `kept` are values of step runs that do not run again; `datasets` maps datasets to the
    version (snapshot id) that this run is to read under their names. A run that happens
    `elsewhere` asks for no worker's slots: whoever starts it there has rows of its own.
    """
    run_id = new_id()
    number = 1 + int(
        tx.execute(sa.select(sa.func.coalesce(sa.func.max(schema.runs.c.number), 0))).scalar_one()
    )
    tx.execute(
        schema.runs.insert().values(
            id=run_id,
            number=number,
            pipeline=spec.name,
            status=RunStatus.QUEUED,
            params=json.dumps(params, sort_keys=True, ensure_ascii=False),
            spec=json.dumps(spec_to_json(spec)),
            created_at=tx.now,
            requested_by=requested_by,
            reason=reason,
            parent_run_id=parent.id if parent else None,
            from_step=from_step,
            use_cache=int(use_cache),
            lineage=json.dumps({"datasets": dict(datasets)} if datasets else {}),
        )
    )
    for position, step in enumerate(spec.steps):
        values: dict[str, Any] = {
            "run_id": run_id,
            "step": step.name,
            "position": position,
            "kind": step.kind,
            "needs": json.dumps(list(step.needs)),
            "status": StepStatus.PENDING,
            "max_attempts": step.retries + 1,
            **((kept or {}).get(step.name, {})),
        }
        tx.execute(schema.step_runs.insert().values(values))
    tx.journal("run.request", f"run/{number}", pipeline=spec.name, params=params, reason=reason)
    if not elsewhere:
        tx.outbox("run.start", run_id, generation=1)
    return run_id
