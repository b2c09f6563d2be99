"""Taking up what the outbox asks for, and knowing which runs were cancelled."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core.domain.release import DEPLOYMENT_ENDED, DeploymentStatus
from core.domain.run import RunStatus, StepStatus
from core.engine import durable, runstate, workflows
from core.engine.context import AWAY_SECONDS, SYSTEM, Engine
from core.engine.mirror import mirror_model
from core.engine.workerlog import Seldom
from core.state import schema
from core.tracking import open_reader

POLL_SECONDS = 0.1
SLOW_POLL_SECONDS = 0.5
RETRY_SECONDS = 15.0
_SLOW = "kind IN ('mirror', 'tracking.end')"
_QUICK = "kind NOT IN ('mirror', 'tracking.end', 'step.start')"
_MLFLOW_STATUS = {"succeeded": "FINISHED", "cancelled": "KILLED"}
log = logging.getLogger("opsdeck.worker")


class Dispatcher:
    """One thread that polls for work, and one for the slow part of it (MLflow)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seldom = Seldom()
        self._last_ring = self._newest_message()
        self._threads = [
            threading.Thread(target=self._loop, args=(False,), name="dispatcher", daemon=True),
            threading.Thread(target=self._loop, args=(True,), name="mirror", daemon=True),
        ]

    def start(self) -> None:
        """Begin polling."""
        for thread in self._threads:
            thread.start()

    def _loop(self, slow: bool) -> None:
        while not self._engine.stopping.is_set():
            if slow:
                self._engine.stopping.wait(SLOW_POLL_SECONDS)
            else:
                self._engine.poke.wait(POLL_SECONDS)
                self._engine.poke.clear()
            try:
                if not slow:
                    self._watch_cancelled()
                    self._ring_for_decisions()
                for row in self._messages(slow):
                    self._take(row)
                if not slow:
                    self._start_steps()
            except Exception as error:  # noqa: BLE001
                # The database may be away, or the disk full, for a while: keep at it.
                self._seldom.failed(threading.current_thread().name, error)
                self._engine.stopping.wait(AWAY_SECONDS)
            else:
                self._seldom.worked(threading.current_thread().name)

    def _newest_message(self) -> int:
        rows = self._engine.session.reader.rows("SELECT coalesce(max(id), 0) AS id FROM outbox")
        return int(rows[0]["id"]) if rows else 0

    def _messages(self, slow: bool) -> Sequence[Mapping[str, Any]]:
        """What is to be done, oldest first; steps that wait for a slot are not among it."""
        return self._engine.session.reader.rows(
            "SELECT id, kind, target, payload FROM outbox WHERE done_at IS NULL"
            f" AND {_SLOW if slow else _QUICK} AND (taken_at IS NULL OR taken_at < :stale)"
            " ORDER BY id LIMIT 50",
            stale=time.time() - RETRY_SECONDS,
        )

    def _start_steps(self) -> None:
        """Take up as many waiting steps, of all runs in order, as there are free slots."""
        if not self._engine.slots.free:
            return
        rows = self._engine.session.reader.rows(
            "SELECT id, kind, target, payload FROM outbox WHERE done_at IS NULL"
            " AND kind = 'step.start' AND (taken_at IS NULL OR taken_at < :stale)"
            " ORDER BY id LIMIT 16",
            stale=time.time() - RETRY_SECONDS,
        )
        for row in rows:
            asked = json.loads(row["payload"])
            key = f"{asked['run']}:{asked['step']}"
            if not self._engine.slots.promise(key):
                return
            if not self._take(row):
                self._engine.slots.withdraw(key)

    def _watch_cancelled(self) -> None:
        rows = self._engine.session.reader.rows(
            "SELECT id FROM runs WHERE cancel_requested = 1"
            " AND status IN ('queued', 'running', 'waiting')"
        )
        cancelled = frozenset(row["id"] for row in rows)
        fresh, self._engine.cancelled = cancelled - self._engine.cancelled, cancelled
        for run_id in fresh:
            self._engine.bell.ring(run_id)

    def _ring_for_decisions(self) -> None:
        """Wake the gates that wait in this worker, whichever worker takes the message."""
        rows = self._engine.session.reader.rows(
            "SELECT id, target FROM outbox WHERE id > :last AND kind = 'control' ORDER BY id",
            last=self._last_ring,
        )
        for row in rows:
            self._last_ring = row["id"]
            self._engine.bell.ring(row["target"])

    def _take(self, row: Mapping[str, Any]) -> bool:
        """Claim a message, do it, mark it done; one that fails is tried again later.

        Returns whether it was done here.
        """
        table = schema.outbox
        # Started twice is started once, and on an embedded workspace nobody else starts any.
        alone = row["kind"] == "step.start" and self._engine.workspace.embedded
        if not alone and not self._claim(row):
            return False
        error: str | None = None
        try:
            self._do(row["kind"], row["target"], json.loads(row["payload"]), row["id"])
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is tried again
            error = f"{type(failure).__name__}: {failure}"[:500]
            self._seldom.failed(f"outbox {row['kind']} {row['target']}", failure)
        else:
            self._seldom.worked(f"outbox {row['kind']} {row['target']}")
        with self._engine.store.transaction(SYSTEM) as tx:
            tx.execute(
                table.update()
                .where(table.c.id == row["id"])
                .values(done_at=None if error else time.time(), taken_at=time.time(), error=error)
            )
        return error is None

    def _claim(self, row: Mapping[str, Any]) -> bool:
        """Whether this worker, and no other, is to do it."""
        table, now = schema.outbox, time.time()
        with self._engine.store.transaction(SYSTEM) as tx:
            claimed = tx.execute(
                table.update()
                .where(
                    table.c.id == row["id"],
                    table.c.done_at.is_(None),
                    sa.or_(table.c.taken_at.is_(None), table.c.taken_at < now - RETRY_SECONDS),
                )
                .values(taken_by=self._engine.worker_id, taken_at=now)
            )
            return claimed.rowcount == 1

    def _do(self, kind: str, target: str, payload: Mapping[str, Any], message: int) -> None:
        if kind == "run.start":
            durable.start_run(target, payload["generation"])
        elif kind == "run.cancel":
            self._cancel(target, message)
        elif kind == "step.start":
            durable.start_step(durable.StepStart(**payload))
        elif kind == "control":
            pass  # gates and deployments have been rung for, and look at their rows themselves
        elif kind == "deployment.start":
            durable.start_deployment(target)
        elif kind == "mirror":
            mirror_model(self._engine, target)
        elif kind == "tracking.end":
            self._end_tracking(target, payload)
        else:
            log.error("outbox: unknown kind %s", kind)

    def _cancel(self, run_id: str, message: int) -> None:
        """Wake everything of the run that waits; what executes sees it by itself."""
        self._watch_cancelled()
        steps, deployments, outbox = schema.step_runs, schema.deployments, schema.outbox
        with self._engine.store.transaction(SYSTEM) as tx:
            run = tx.row(sa.select(schema.runs).where(schema.runs.c.id == run_id))
            if run is None or RunStatus(run["status"]).ended:
                return
            tx.execute(
                outbox.update()
                .where(
                    outbox.c.kind == "step.start",
                    outbox.c.target.like(f"{run_id}:%"),
                    outbox.c.done_at.is_(None),
                )
                .values(done_at=tx.now)
            )
            for row in runstate.load_steps(tx, run_id):
                # Those that wait for a slot: nobody else will end them before they get one.
                if row["status"] == StepStatus.QUEUED and row["kind"] in runstate.PROCESS_KINDS:
                    runstate.end_step(
                        tx, run_id, row["step"], StepStatus.CANCELLED, message="cancelled"
                    )
            names = [
                row["step"]
                for row in tx.rows(sa.select(steps).where(steps.c.run_id == run_id))
                # Gates look by themselves, and a deploy step waits for its deployment.
                if not StepStatus(row["status"]).ended and row["kind"] not in ("gate", "deploy")
            ]
            open_ones = [
                row["id"]
                for row in tx.rows(sa.select(deployments).where(deployments.c.run_id == run_id))
                if DeploymentStatus(row["status"]) not in DEPLOYMENT_ENDED
            ]
        self._engine.bell.ring(run_id)
        for deployment in open_ones:
            self._engine.bell.ring(f"deployment:{deployment}")
        targets = [workflows.step_workflow_id(run_id, run["generation"], name) for name in names]
        for target in targets:
            durable.send_control(target, {"command": "cancel"}, f"outbox-{message}-{target}")

    def _end_tracking(self, run_id: str, payload: Mapping[str, Any]) -> None:
        rows = self._engine.session.reader.rows(
            "SELECT status, params, lineage FROM runs WHERE id = :id", id=run_id
        )
        if not rows or not RunStatus(rows[0]["status"]).ended:
            return  # resumed meanwhile: it goes on in MLflow as well, and will end again
        if payload["mlflow_run"]:
            self._log_params(payload["mlflow_run"], json.loads(rows[0]["params"]))
            datasets = json.loads(rows[0]["lineage"]).get("datasets")
            if datasets:
                self._engine.tracker.call(
                    "log_datasets", run_id=payload["mlflow_run"], datasets=datasets
                )
            status = _MLFLOW_STATUS.get(payload["status"], "FAILED")
            self._engine.tracker.call("end_run", run_id=payload["mlflow_run"], status=status)

    def _log_params(self, mlflow_run: str, params: Mapping[str, Any]) -> None:
        """Log the run's parameters that its steps did not log themselves.

        Only now: MLflow refuses a second value, and a script that logs `1.0` where the run
        says `1` must not fail by it.
        """
        reader = open_reader(self._engine.workspace.tracking_uri)
        try:
            known = reader.params(mlflow_run)
        finally:
            reader.close()
        missing = {k: str(v) for k, v in params.items() if k not in known and v is not None}
        if missing:
            self._engine.tracker.call("log_params", run_id=mlflow_run, params=missing)
