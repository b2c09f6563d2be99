"""DBOS, set up the way a worker needs it; nothing else of ours knows how it is configured."""

from __future__ import annotations

import datetime as dt
import logging
import shutil
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer
from dbos import error as dbos_error
from dbos._dbos import _get_dbos_instance
from dbos._utils import INTERNAL_QUEUE_NAME

from core.engine import deployflow, workflows
from core.engine.context import AWAY_SECONDS, ROOM_BYTES
from core.errors import DiskFull
from core.state.store import is_disk_full, make_engine, prepare_sqlite
from core.workspace import Workspace

APPLICATION = "opsdeck"
VERSION = "opsdeck-2"
"""Pinned: by default it is a hash of the source, and another version's work is left lying.
Raised when a workflow's body changes in a way that a replay would not survive: what is open
then stays where it is, and has to be started again. 2: a deployment's steps wait in one
durable step each."""

log = logging.getLogger("opsdeck.worker")
KEEP_DAYS = 7.0
_ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_POLL = 0.1


def launch(workspace: Workspace, worker_id: str) -> None:
    """Start DBOS in this process: its tables and its listeners. Raises `DiskFull`.

    Its queues are not used: polled often enough to be quick they cost 3.6 % of a core.
    Steps wait for a slot in the outbox, which is polled anyway.
    """
    config: DBOSConfig = {
        "name": APPLICATION,
        "application_version": VERSION,
        "executor_id": worker_id,
        "serializer": DBOSPortableJSONSerializer(),
        "notification_listener_polling_interval_sec": _POLL,
        "log_level": "WARNING",
        "console_log_level": "WARNING",
        "enable_otlp": False,
        "system_database_url": _system_url(workspace),
        "system_database_engine": _system_engine(workspace),
    }
    free = shutil.disk_usage(workspace.state_dir).free
    if workspace.embedded and free < ROOM_BYTES:
        raise DiskFull(
            f"{workspace.state_dir}: only {free / 1e6:.1f} MB left on the disk",
            "free some space, then start again",
        )
    DBOS(config=config)
    DBOS.launch()


def start_run(run_id: str, generation: int) -> None:
    """Start a run's workflow; the same again changes nothing."""
    from dbos import SetWorkflowID

    with SetWorkflowID(workflows.run_workflow_id(run_id, generation)):
        DBOS.start_workflow(workflows.run_workflow, run_id, generation)


@dataclass(frozen=True, slots=True)
class StepStart:
    """What the outbox says of a step that waits for a slot.

    `lost` are workers that died with it; it starts afresh from the attempt it was at.
    """

    run: str
    generation: int
    step: str
    attempts: int
    backoff: float
    first: int = 1
    lost: Sequence[str] = ()


def start_step(asked: StepStart) -> None:
    """Start the workflow of a node; the same again changes nothing.

    One that a lost worker left pending is forgotten first: what it knew is in our rows. Done
    only here, where there is a slot for it, or it would wait in a busy worker while another
    one idles.
    """
    from dbos import SetWorkflowID

    workflow_id = workflows.step_workflow_id(asked.run, asked.generation, asked.step)
    if asked.lost:
        known = DBOS.list_workflows(workflow_ids=[workflow_id], load_input=False, load_output=False)
        if any(w.status == "PENDING" and w.executor_id in asked.lost for w in known):
            DBOS.delete_workflows([workflow_id])
    with SetWorkflowID(workflow_id):
        DBOS.start_workflow(
            workflows.step_workflow,
            asked.run,
            asked.generation,
            asked.step,
            asked.attempts,
            asked.backoff,
            asked.first,
        )


def start_deployment(deployment_id: str) -> None:
    """Start a deployment's workflow; the same again changes nothing."""
    from dbos import SetWorkflowID

    with SetWorkflowID(f"deployment:{deployment_id}"):
        DBOS.start_workflow(deployflow.deployment_workflow, deployment_id)


def deployments_known(deployment_ids: Sequence[str]) -> dict[str, bool]:
    """Of these deployments those that have a workflow, and whether that has yet to end."""
    found = DBOS.list_workflows(
        workflow_ids=[f"deployment:{each}" for each in deployment_ids],
        load_input=False,
        load_output=False,
    )
    return {
        each.workflow_id.removeprefix("deployment:"): each.status not in _ENDED for each in found
    }


def send_control(workflow_id: str, message: dict[str, object], key: str) -> bool:
    """Wake a workflow with a message; the same key twice is one message.

    Returns whether there is such a workflow.
    """
    try:
        DBOS.send(workflow_id, message, topic="control", idempotency_key=key)
    except dbos_error.DBOSNonExistentWorkflowError:
        return False
    return True


def steps_left(worker_ids: list[str]) -> list[StepStart]:
    """The steps that dead workers have left pending: each is to get into line for a slot."""
    left = DBOS.list_workflows(
        status="PENDING", name=workflows.STEP, executor_id=worker_ids, load_output=False
    )
    asked = [workflow.input["args"] for workflow in left if workflow.input is not None]
    return [
        StepStart(run, generation, step, attempts, backoff, lost=worker_ids)
        for run, generation, step, attempts, backoff, *_ in asked
    ]


def recover(worker_ids: list[str]) -> int:
    """Go on with what else dead workers have left pending; returns how many workflows."""
    left = DBOS.list_workflows(
        status="PENDING", executor_id=worker_ids, load_input=False, load_output=False
    )
    others = [workflow.workflow_id for workflow in left if workflow.name != workflows.STEP]
    state = _get_dbos_instance()._sys_db
    return sum(
        state.reenqueue_for_recovery(each, worker_ids, INTERNAL_QUEUE_NAME) for each in others
    )


def forget_old(days: float = KEEP_DAYS, batch: int = 500) -> int:
    """Delete workflows that ended that long ago (DBOS keeps everything); returns how many."""
    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    old = DBOS.list_workflows(
        status=["SUCCESS", "ERROR", "CANCELLED"],
        completed_before=before.isoformat(),
        limit=batch,
        load_input=False,
        load_output=False,
    )
    if old:
        DBOS.delete_workflows([status.workflow_id for status in old])
    return len(old)


def _system_url(workspace: Workspace) -> str:
    if workspace.embedded:
        return f"sqlite:///{workspace.state_dir / 'dbos.db'}"
    return workspace.database_url.replace("postgresql://", "postgresql+psycopg://", 1)


def _system_engine(workspace: Workspace) -> sa.Engine:
    """Ours, because the default for SQLite has neither WAL nor a busy time-out.

    The driver says BEGIN IMMEDIATE by itself here: DBOS's migrations say it too.
    """
    if not workspace.embedded:
        return make_engine(_system_url(workspace))
    engine = sa.create_engine(_system_url(workspace), connect_args={"timeout": 30})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        prepare_sqlite(connection)
        connection.isolation_level = "IMMEDIATE"

    @sa.event.listens_for(engine, "handle_error")
    def _wait_for_room(context: sa.engine.ExceptionContext) -> None:
        """A full disk becomes a locked database, which DBOS waits for instead of giving a
        workflow up that could not be recorded."""
        if not is_disk_full(str(context.original_exception)):
            return
        log.warning("%s: no room on the disk, waiting", workspace.state_dir)
        while shutil.disk_usage(workspace.state_dir).free < ROOM_BYTES:
            time.sleep(AWAY_SECONDS)
        raise sa.exc.OperationalError(
            context.statement, None, sqlite3.OperationalError("database is locked: disk full")
        )

    return engine
