"""Starting, following, cancelling, resuming and repeating runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.domain.run import Run, RunDetail, RunStatus, StepStatus
from core.engine.logfiles import LogPage, read_log
from core.errors import BadInput, ReadOnly, WrongState
from core.reads import runs as _runs
from core.services.workers import WorkersService
from core.session import Session

if TYPE_CHECKING:
    from core.domain.debugger import DebugReport
    from core.domain.pipeline import PipelineSpec
    from core.domain.remote import Service
    from core.domain.tuning import Trial
    from core.tracking import MetricSeries

__all__ = ["RESUMABLE", "RunsService"]

RESUMABLE = frozenset({RunStatus.FAILED, RunStatus.CANCELLED})
POLL_SECONDS = 0.1
WAKE_SECONDS = 3.0
"""How often somebody who waits for a run looks whether a worker lives."""


class RunsService:
    """Runs of the workspace's pipelines."""

    def __init__(self, session: Session, workers: WorkersService) -> None:
        self._session = session
        self._workers = workers

    def list(
        self,
        *,
        limit: int = 100,
        offset: int = 0,
        pipeline: str | None = None,
        status: str | None = None,
        search: str = "",
    ) -> tuple[Run, ...]:
        """A page of runs, newest first; `search` matches every word anywhere."""
        return _runs.list_runs(
            self._session.reader,
            limit=limit,
            offset=offset,
            pipeline=pipeline,
            status=status,
            search=search,
        )

    def count(
        self, *, pipeline: str | None = None, status: str | None = None, search: str = ""
    ) -> int:
        """How many runs these filters match."""
        return _runs.count_runs(
            self._session.reader, pipeline=pipeline, status=status, search=search
        )

    def get(self, ref: str) -> RunDetail:
        """A run with its step runs; raises `NotFound`."""
        run = _runs.find_run(self._session.reader, ref)
        spec, lineage = _runs.spec_and_lineage(self._session.reader, run.id)
        return RunDetail(run, _runs.step_runs(self._session.reader, run.id), spec, lineage)

    def logs(
        self, ref: str, step: str | None = None, *, cursor: str = "", limit: int = 1000
    ) -> LogPage:
        """Lines of one step, or of all steps by time, from `cursor` on.

        Raises `NotFound` for an unknown run or step.
        """
        detail = self.get(ref)
        return read_log(self._session.workspace.runs_dir, detail, step, cursor, limit)

    def trials(self, ref: str, step: str | None = None) -> tuple[Trial, ...]:
        """The trials of a run's tune steps, or of one, each step's best marked.

        A cached step's trials are those of the run that it was taken from. Raises `NotFound`.
        """
        from core.reads.trials import trials_of_run

        return trials_of_run(self._session.reader, self.get(ref), step)

    def metrics(self, ref: str, after: Mapping[str, int] | None = None) -> tuple[MetricSeries, ...]:
        """The metric histories that the run's steps logged to MLflow.

        A cached step's metrics are those of the run that it was taken from. `after` maps a
        key to the last step number already seen. Raises `TrackingUnavailable`.
        """
        from core.services.metrics import run_metrics

        return run_metrics(self._session, self.get(ref), after or {})

    def debug(self, ref: str, *, outputs: bool = True) -> DebugReport:
        """What the training debugger's rules make of a run, while it goes on or after.

        Without `outputs` only its metrics and steps are looked at, which takes no time; with
        them its predictions and models too, which loads their libraries. Raises `NotFound`,
        `TrackingUnavailable`.
        """
        from core.services.debugging import debug_run

        return debug_run(self._session, self.get(ref), outputs=outputs)

    def start(
        self,
        pipeline: str,
        params: Mapping[str, str],
        *,
        use_cache: bool = True,
        reason: str = "",
        on: Service | None = None,
        context: str = "",
        region: str = "",
    ) -> Run:
        """Ask for a run of a pipeline; a worker takes it up at once.

        `on` a service of AWS it happens there, in the account that `context` names: the worker
        takes source and data there, starts it and follows it.

        Raises `NotFound`, `PipelineInvalid`, `BadInput` and `ReadOnly`, and for AWS
        `CannotCompile` and `NotSettled`; then nothing was asked for.
        """
        from core.pipelines import bind_params, load_pipeline

        self._session.refuse_when_read_only("runs start")
        spec = load_pipeline(self._session.workspace.root, pipeline)
        values = bind_params(spec, params)
        if on is not None:
            self._check_there(spec, on, context, region)
        run_id = self._insert(
            spec,
            values,
            use_cache=use_cache,
            reason=reason,
            on=on,
            context=context,
            region=region,
        )
        self._workers.wake()
        return _runs.find_run(self._session.reader, run_id)

    def cancel(self, ref: str, reason: str = "") -> Run:
        """Stop a run: its process groups are killed, its open approval requests void.

        Cancelling twice is no error; raises `WrongState` for a run that has ended.
        """
        import sqlalchemy as sa

        from core.aws.running import rows as remote_rows
        from core.state import schema

        self._session.refuse_when_read_only("runs cancel")
        run = _runs.find_run(self._session.reader, ref)
        there = self._remote(run.id)
        with self._session.change("runs cancel") as tx:
            row = tx.row(sa.select(schema.runs).where(schema.runs.c.id == run.id))
            assert row is not None
            if RunStatus(row["status"]).ended:
                raise WrongState(f"run #{run.number} has already ended ({row['status']})")
            if not row["cancel_requested"]:
                tx.execute(
                    schema.runs.update()
                    .where(schema.runs.c.id == run.id)
                    .values(cancel_requested=1)
                )
                tx.journal("run.cancel", f"run/{run.number}", reason=reason)
                if there is None:
                    tx.outbox("run.cancel", run.id)
                else:
                    remote_rows.wake(tx, run.id)
        self._workers.wake()
        return _runs.find_run(self._session.reader, run.id)

    def resume(self, ref: str) -> Run:
        """Go on with a failed or cancelled run; only what did not end well runs again.

        Raises `WrongState` for a run in any other state.
        """
        import sqlalchemy as sa

        from core.aws.running import rows as remote_rows
        from core.state import schema

        self._session.refuse_when_read_only("runs resume")
        run = _runs.find_run(self._session.reader, ref)
        there = self._remote(run.id)
        kept = [s.value for s in StepStatus if s.ended_well]
        with self._session.change("runs resume") as tx:
            row = tx.row(sa.select(schema.runs).where(schema.runs.c.id == run.id))
            assert row is not None
            status = RunStatus(row["status"])
            if status not in RESUMABLE:
                hint = "repeat it with: opsdeck runs rerun" if status.ended else "it has not ended"
                raise WrongState(f"run #{run.number} is {status}, not failed or cancelled", hint)
            tx.execute(
                schema.runs.update()
                .where(schema.runs.c.id == run.id)
                .values(
                    status=RunStatus.QUEUED,
                    generation=row["generation"] + 1,
                    cancel_requested=0,
                    ended_at=None,
                    message="",
                )
            )
            tx.execute(
                schema.step_runs.update()
                .where(schema.step_runs.c.run_id == run.id, schema.step_runs.c.status.not_in(kept))
                .values(_PENDING)
            )
            tx.journal("run.resume", f"run/{run.number}", generation=row["generation"] + 1)
            if there is None:
                tx.outbox("run.start", run.id, generation=row["generation"] + 1)
            else:
                remote_rows.ask_again(tx, there, row["generation"] + 1)
        self._workers.wake()
        return _runs.find_run(self._session.reader, run.id)

    def rerun(self, ref: str, from_step: str | None = None, *, use_cache: bool = True) -> Run:
        """Repeat a run as a new one, from a step on or whole, with the same parameters.

        Steps before `from_step` keep the outputs they had. Raises `NotFound` for an unknown
        step, `WrongState` where a step before it has no outputs to keep.
        """
        from core.pipelines import bind_params, load_pipeline
        from core.services.rerun import kept_steps

        self._session.refuse_when_read_only("runs rerun")
        parent = self.get(ref)
        if not parent.run.status.ended:
            raise WrongState(
                f"run #{parent.run.number} is {parent.run.status}", "rerun it once it has ended"
            )
        there = self._remote(parent.run.id)
        if there is not None and from_step:
            from core.aws.running.errors import NotThere

            raise NotThere(
                f"run #{parent.run.number} happened in AWS: it can't be repeated from a step on",
                "repeat it whole: steps that are equal are taken from its cache there",
            )
        spec = load_pipeline(self._session.workspace.root, parent.run.pipeline)
        values = bind_params(spec, {k: _as_text(v) for k, v in parent.run.params.items()})
        kept = kept_steps(spec, parent, from_step) if from_step else {}
        run_id = self._insert(
            spec,
            values,
            use_cache=use_cache,
            reason=f"rerun of #{parent.run.number}" + (f" from {from_step}" if from_step else ""),
            parent=parent.run,
            from_step=from_step,
            kept=kept,
            on=there["service"] if there else None,
            context=there["context"] if there else "",
            region=there["region"] if there else "",
        )
        self._workers.wake()
        return _runs.find_run(self._session.reader, run_id)

    def wait(self, ref: str, *, timeout: float | None = None, through_gates: bool = False) -> Run:
        """Block until the run has ended, or (unless `through_gates`) waits at a gate.

        After `timeout` seconds returns the run as it is then.
        """
        run = _runs.find_run(self._session.reader, ref)
        deadline = None if timeout is None else time.monotonic() + timeout
        look_after = time.monotonic() + WAKE_SECONDS
        while not run.status.ended and (through_gates or not self._waits_for_somebody(run)):
            if deadline is not None and time.monotonic() >= deadline:
                break
            if time.monotonic() > look_after and not self._session.read_only:
                self._workers.keep_alive()
                look_after = time.monotonic() + WAKE_SECONDS
            time.sleep(POLL_SECONDS)
            run = _runs.find_run(self._session.reader, run.id)
        return run

    def _waits_for_somebody(self, run: Run) -> bool:
        """Whether a decision is still open: right after one, the run has yet to move on."""
        return run.status is RunStatus.WAITING and bool(
            self._session.reader.rows(
                "SELECT id FROM approvals WHERE run_id = :run AND status = 'open' LIMIT 1",
                run=run.id,
            )
        )

    def _insert(
        self,
        spec: PipelineSpec,
        params: Mapping[str, Any],
        *,
        use_cache: bool,
        reason: str,
        parent: Run | None = None,
        from_step: str | None = None,
        kept: Mapping[str, Mapping[str, Any]] | None = None,
        on: Service | None = None,
        context: str = "",
        region: str = "",
    ) -> str:
        from core.engine.runrows import insert_run

        with self._session.change("runs start") as tx:
            run_id = insert_run(
                tx,
                spec,
                params,
                requested_by=self._session.actor,
                use_cache=use_cache,
                reason=reason,
                parent=parent,
                from_step=from_step,
                kept=kept,
                elsewhere=on is not None,
            )
            if on is not None:
                from core.aws.running.rows import insert_remote

                insert_remote(tx, run_id, on, context, region)
            return run_id

    def _remote(self, run_id: str) -> Mapping[str, Any] | None:
        """What is on record of a run in AWS; `None` of one that happens here."""
        from core.aws.running.rows import find_remote

        return find_remote(self._session.reader, run_id)

    def _check_there(self, spec: PipelineSpec, on: Service, context: str, region: str) -> None:
        """Refuse what cannot happen there, before anything is asked for; asks no account."""
        from core.aws.compile import lower, pipeline_definition, state_machine, target_of
        from core.aws.context import find_context
        from core.aws.running.place import check_settled

        if not context:
            raise BadInput(
                f"runs start --on {on}: in which account?", "name its context: --context NAME"
            )
        if find_context(context, region).read_only:
            raise ReadOnly(f"--context {context} is read-only; nothing was asked for")
        target = target_of(spec)
        build = pipeline_definition if on == "sagemaker" else state_machine
        build(lower(spec, target), target)
        check_settled(spec)


_PENDING: dict[str, Any] = {
    "status": StepStatus.PENDING,
    "attempt": 0,
    "execution_id": None,
    "executions": 0,
    "worker_id": None,
    "started_at": None,
    "ended_at": None,
    "exit_code": None,
    "cpu_seconds": None,
    "max_rss_mb": None,
    "signal": None,
    "pid": None,
    "message": "",
    "cached_from": None,
}


def _as_text(value: Any) -> str:
    """A parameter's value as it would be given with `-p`."""
    return str(value).lower() if isinstance(value, bool) else str(value)
