"""The beginning and the end of a run: what its workflow does besides waiting for steps."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from core.domain.run import RunStatus, StepStatus
from core.engine import runstate
from core.engine.context import SYSTEM, Engine
from core.lineage import capture_lineage
from core.state.store import Transaction


def begin(worker: Engine, run_id: str, generation: int) -> dict[str, Any]:
    """Set the run going: its lineage, its MLflow run, its plan.

    Returns `{"nodes", "states"}`, or `{"status"}` where another start has overtaken this one.
    """
    lineage = capture_lineage(worker.workspace.root, sys.executable)
    with worker.store.transaction(SYSTEM) as tx:
        run = runstate.begin_run(tx, run_id, generation)
    if run is None:
        return {"status": "overtaken"}
    mlflow_run = _tracked(worker, run)
    told = lineage.as_dict()
    pinned = json.loads(run["lineage"]).get("datasets")
    if pinned:  # a resumed run goes on with the versions of datasets that it began with
        told["datasets"] = pinned
    with worker.store.transaction(SYSTEM) as tx:
        runstate.set_run(
            tx,
            run_id,
            mlflow_run_id=mlflow_run,
            lineage=json.dumps(told),
            git_commit=lineage.commit or None,
            git_dirty=int(lineage.dirty),
        )
        rows = runstate.load_steps(tx, run_id)
    return _plan(run, rows)


def _tracked(worker: Engine, run: Mapping[str, Any]) -> str:
    """The run of MLflow's: made, or going on when ours was resumed."""
    if run["mlflow_run_id"]:
        worker.tracker.call("reopen_run", run_id=run["mlflow_run_id"])
        return str(run["mlflow_run_id"])
    return str(
        worker.tracker.call(
            "create_run",
            experiment=run["pipeline"],
            name=f"#{run['number']}",
            tags={"opsdeck.run_id": run["id"], "mlflow.user": run["requested_by"]},
            unique_tag="opsdeck.run_id",
        )
    )


def _plan(run: Mapping[str, Any], rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    spec = {step["name"]: step for step in json.loads(run["spec"])["steps"]}
    return {
        "nodes": [
            {
                "name": row["step"],
                "kind": row["kind"],
                "needs": json.loads(row["needs"]),
                "attempts": row["max_attempts"],
                "backoff": spec[row["step"]].get("backoff", 1.0),
            }
            for row in rows
        ],
        "states": {
            row["step"]: row["status"] for row in rows if StepStatus(row["status"]).ended_well
        },
    }


def finish(tx: Transaction, run_id: str, generation: int, states: Mapping[str, str]) -> RunStatus:
    """Close the run, and have MLflow's run closed too; raises `Overtaken`."""
    outcome = runstate.finish_run(tx, run_id, generation, states)
    mlflow_run = runstate.load_run(tx, run_id, generation)["mlflow_run_id"]
    tx.outbox("tracking.end", run_id, mlflow_run=mlflow_run, status=str(outcome))
    return outcome
