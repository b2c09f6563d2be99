"""Deployments that are open although no workflow brings them on: taken up again, or ended.

A deployment's row and its workflow are written one after the other and into two databases,
and a workflow may break by a fault of ours. Whatever comes in between, an endpoint must not
stay barred to every deployment after it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from core.domain.release import DEPLOYMENT_ENDED
from core.domain.run import StepStatus
from core.engine import deploywork, durable
from core.engine.context import Engine
from core.engine.deploystep import deployment_id_of
from core.engine.waiting import BROKEN
from core.errors import OpsdeckError

GRACE_SECONDS = 10.0
"""So old it must be: until then whoever opened it is about to start its workflow."""

LEFT = "its run ended before its deployment had begun"
_OPEN = (
    "SELECT d.id, d.endpoint, d.run_id, d.step, d.created_at, r.generation, r.cancel_requested,"
    " s.status AS step_status FROM deployments d LEFT JOIN runs r ON r.id = d.run_id"
    " LEFT JOIN step_runs s ON s.run_id = d.run_id AND s.step = d.step"
    f" WHERE d.status NOT IN ({', '.join(repr(str(each)) for each in sorted(DEPLOYMENT_ENDED))})"
)
log = logging.getLogger("opsdeck.worker")

Row = Mapping[str, Any]


def look_after(engine: Engine) -> None:
    """Take up or end what nobody brings on; costs one query where nothing is being deployed."""
    now = time.time()
    rows = [
        row for row in engine.session.reader.rows(_OPEN) if row["created_at"] < now - GRACE_SECONDS
    ]
    if not rows:
        return
    known = durable.deployments_known([row["id"] for row in rows])
    for row in rows:
        if known.get(row["id"]):
            continue
        try:
            _settle(engine, row, had_workflow=row["id"] in known)
        except OpsdeckError as error:  # no other is to wait for that
            log.warning("deployment %s: %s", row["id"], error.one_line())


def _settle(engine: Engine, row: Row, had_workflow: bool) -> None:
    """Ending one that has just ended changes nothing, nor does starting one twice."""
    deployment_id = row["id"]
    if not had_workflow and row["run_id"] is None:
        log.warning("deployment %s has no workflow: started again", deployment_id)
        durable.start_deployment(deployment_id)
        return
    if not had_workflow and _counts(row):
        return  # the workflow of its step is about to start it
    log.warning("deployment %s of %s is brought on by nobody", deployment_id, row["endpoint"])
    if row["cancel_requested"]:
        deploywork.cancel(engine, deployment_id)
    elif row["run_id"] is not None and not _is_current(row):
        deploywork.give_up(engine, deployment_id)
    else:
        deploywork.fail(engine, deployment_id, BROKEN if had_workflow else LEFT)
    engine.bell.ring(f"deployment:{deployment_id}")


def _counts(row: Row) -> bool:
    """Whether it is what its deploy step waits for, in the start of the run that counts."""
    return _is_current(row) and not StepStatus(row["step_status"]).ended


def _is_current(row: Row) -> bool:
    """Whether its run was not started again since."""
    return deployment_id_of(row["run_id"], row["step"], row["generation"]) == str(row["id"])
