"""Looking after a run in an AWS account: one step forward each time it is asked.

Everything is remembered in rows before and after it is done there. A process that dies in
between repeats its last step: the source's and the data's places go by their content, the
definition is compared, and the start has a token by which the service makes one execution of
it, however often it is asked.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.aws.account import Account
from core.aws.compile.lowering import lower
from core.aws.compile.nodes import Lowered, Question
from core.aws.compile.target import target_of
from core.aws.errors import AwsError, BadRequest, Conflict, ResourceNotFound
from core.aws.running import evidence, gates, joblogs, mirror, place, rows
from core.aws.running.package import REQUIREMENTS, package
from core.aws.running.remote import Runs, Start, runs_of
from core.domain.remote import RemoteState, Seen
from core.domain.run import RunStatus, StepStatus
from core.engine import runstate
from core.engine.logfiles import log_path
from core.errors import OpsdeckError
from core.lineage import capture_lineage
from core.pipelines import spec_from_json
from core.reads import datasets as _datasets
from core.session import Session

log = logging.getLogger("opsdeck.worker")

EVERY_SECONDS = 5.0
EVERY_SIMULATED = 0.5
LATER_SECONDS = (5.0, 10.0, 20.0, 40.0, 60.0)
"""Pauses while AWS does not answer, or does not let us."""

_FINAL = (BadRequest, Conflict, ResourceNotFound)
"""What AWS will say again when it is asked again."""

Row = Mapping[str, Any]


class RemoteWork:
    """Looks after runs; made once in a process, accounts are kept open between looks."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._accounts: dict[tuple[str, str], Account] = {}

    def advance(self, run_id: str) -> None:
        """One look at a run, and what follows from it. What goes wrong is on its record."""
        with self._session.change("runs") as tx:
            row = rows.claim(tx, run_id)
            if row is None:
                return
            run = runstate.load_run(tx, run_id)
        try:
            later = self._turn(row, run)
        except AwsError as error:
            final = isinstance(error, _FINAL) and row["state"] != RemoteState.FOLLOWING
            later = self._give_up(run, error) if final else self._wait(row, run, error)
        except OpsdeckError as error:
            later = self._give_up(run, error)
        with self._session.change("runs") as tx:
            rows.save(tx, run_id, next_at=tx.now + later)

    def _turn(self, row: Row, run: Row) -> float:
        if run["cancel_requested"] and not row["execution"]:
            self._cancel_unstarted(run)
            return 0.0
        account = self._account(row)
        if row["state"] in (RemoteState.REQUESTED, RemoteState.STARTING):
            row = self._begin(account, row, run)
        elif row["state"] == RemoteState.AGAIN:
            row = self._again(account, row, run)
        self._follow(account, row, run)
        return EVERY_SIMULATED if account.simulated else EVERY_SECONDS

    def _account(self, row: Row) -> Account:
        from core.aws.context import find_context

        key = (str(row["context"]), str(row["region"]))
        if key not in self._accounts:
            self._accounts[key] = Account(find_context(*key))
        return self._accounts[key]

    # beginning

    def _begin(self, account: Account, row: Row, run: Row) -> Row:
        detail = json.loads(row["detail"])
        runs = runs_of(row["service"], account)
        if row["state"] == RemoteState.REQUESTED:
            detail = self._prepare(account, row, run, runs)
            with self._session.change("runs") as tx:
                rows.save(tx, run["id"], state=RemoteState.STARTING, detail=detail)
        start = Start(
            run=f"{self._session.workspace.name} {run['pipeline']} #{run['number']}",
            number=int(run["number"]),
            token=str(row["token"]),
            params=json.loads(run["params"]),
            source=detail["source"],
            datasets=detail["datasets"],
        )
        execution = runs.start(detail["name"], start)
        code = capture_lineage(self._session.workspace.root, sys.executable)
        with self._session.change("runs") as tx:
            rows.save(tx, run["id"], state=RemoteState.FOLLOWING, execution=execution, failures=0)
            self._going(tx, run, {**detail, "execution": execution}, row, account)
            known = json.loads(runstate.load_run(tx, run["id"])["lineage"])
            runstate.set_run(
                tx,
                run["id"],
                lineage=json.dumps({**code.as_dict(), **known}),
                git_commit=code.commit or None,
                git_dirty=int(code.dirty),
            )
        return {**row, "state": RemoteState.FOLLOWING, "execution": execution,
                "detail": json.dumps(detail)}  # fmt: skip

    def _going(self, tx: Any, run: Row, detail: Row, row: Row, account: Account) -> None:
        """The run is on its way: where, is part of its lineage."""
        lineage = json.loads(run["lineage"])
        lineage["aws"] = {
            "service": row["service"],
            "context": row["context"],
            "region": account.region,
            "execution": detail["execution"],
            "definition": detail["name"],
            "source": detail["source"],
            "datasets": detail["datasets"],
        }
        lineage["datasets"] = detail["snapshots"]
        runstate.set_run(tx, run["id"], lineage=json.dumps(lineage), message="")
        runstate.begin_run(tx, run["id"], run["generation"])
        tx.journal(
            "run.remote",
            f"run/{run['number']}",
            service=row["service"],
            context=row["context"],
            execution=detail["execution"],
        )

    def _prepare(self, account: Account, row: Row, run: Row, runs: Runs) -> dict[str, Any]:
        """Take source and data there, and bring the definition up to date."""
        spec = spec_from_json(json.loads(run["spec"]))
        if not run["use_cache"]:
            steps = tuple(replace(step, cache=False) for step in spec.steps)
            spec = replace(spec, steps=steps)
        found = place.place_of(account, spec, self._session.workspace)
        lowered = lower(spec, found.target)
        queue = place.with_queue(found, lowered)
        if queue:
            found = replace(found, target=replace(found.target, queue=queue))
            lowered = lower(spec, found.target)
        packed = package(
            self._session.workspace.root,
            lowered.plans,
            requirements=str(spec.sagemaker.get("requirements", REQUIREMENTS)),
            tracking=found.target.tracking,
        )
        snapshots = self._snapshots(lowered, json.loads(run["lineage"]).get("datasets") or {})
        source = place.take_source(found, packed)
        purpose = f"{spec.name} #{run['number']} on {row['service']}"
        wanted = {key: (lowered.datasets[key][0], snapshot) for key, snapshot in snapshots.items()}
        with_rights = Session(self._session.workspace, str(run["requested_by"]), read_only=False)
        try:
            datasets = place.take_rows(found, with_rights, purpose, wanted)
        finally:
            with_rights.close()
        place.with_groups(found, lowered)
        name = runs.upsert(lowered, found.target, found.service_role)
        return {
            "name": name,
            "source": source,
            "datasets": datasets,
            "snapshots": {_pin(lowered, key): value for key, value in snapshots.items()},
        }

    def _snapshots(self, lowered: Lowered, pinned: Mapping[str, str]) -> dict[str, str]:
        """By key the version that this run reads: what it began with, else what is wanted."""
        reader, found = self._session.reader, {}
        for key, (dataset, at) in lowered.datasets.items():
            known = pinned.get(_pin(lowered, key))
            if known is None and at is not None:
                known = _datasets.find_snapshot(reader, dataset, at).id
            known = known or _datasets.find_dataset(reader, dataset).current_snapshot
            if known is None:
                raise OpsdeckError(f"dataset {dataset} has no version yet", "ingest into it first")
            found[key] = known
        return found

    def _again(self, account: Account, row: Row, run: Row) -> Row:
        runs_of(row["service"], account).resume(row["execution"], row["token"])
        with self._session.change("runs") as tx:
            rows.save(tx, run["id"], state=RemoteState.FOLLOWING, failures=0)
            runstate.begin_run(tx, run["id"], run["generation"])
        return {**row, "state": RemoteState.FOLLOWING}

    # following

    def _follow(self, account: Account, row: Row, run: Row) -> None:
        runs, detail = runs_of(row["service"], account), json.loads(row["detail"])
        spec = spec_from_json(json.loads(run["spec"]))
        lowered = lower(spec, target_of(spec))
        if run["cancel_requested"]:
            runs.stop(row["execution"], row["token"])
        seen = self._judged(run, lowered, runs.look(row["execution"], lowered))
        self._read_logs(account, run, seen)
        self._note_jobs(account, seen, detail)
        with self._session.change("runs") as tx:
            now = runstate.load_run(tx, run["id"])
            if now["generation"] != run["generation"]:
                return  # resumed meanwhile: the next look is about that
            mirror.mirror_steps(tx, run["id"], spec, seen)
            self._keep(tx, now, detail)
            rows.save(tx, run["id"], detail=detail, failures=0)
            if row["failures"]:
                runstate.set_run(tx, run["id"], message="")
            if seen.status != "running":
                mirror.mirror_end(tx, run["id"], run["generation"], spec, seen)
                rows.save(tx, run["id"], state=RemoteState.ENDED)
        if seen.status == "running":
            self._questions(account, runs, row, run, lowered, seen, detail)

    def _judged(self, run: Row, lowered: Lowered, seen: Seen) -> Seen:
        """A gate that failed there because it was rejected here is rejected."""
        steps = dict(seen.steps)
        for node in lowered.nodes:
            told = steps.get(node.name)
            if not isinstance(node, Question) or told is None:
                continue
            if told.status is StepStatus.FAILED:
                with self._session.change("runs") as tx:
                    asked = gates.approval_of(tx, _question_id(run, node.name))
                if asked is not None and asked["status"] in ("rejected", "expired"):
                    steps[node.name] = replace(told, status=StepStatus.REJECTED)
        return replace(seen, steps=steps)

    def _questions(
        self,
        account: Account,
        runs: Runs,
        row: Row,
        run: Row,
        lowered: Lowered,
        seen: Seen,
        detail: Row,
    ) -> None:
        """Ask what gates wait for, and hand on what was decided."""
        for node in lowered.nodes:
            told = seen.steps.get(node.name)
            if not isinstance(node, Question) or told is None:
                continue
            if told.status is not StepStatus.WAITING or not told.question:
                continue
            package_arn = seen.steps[node.register].package
            workflow = _question_id(run, node.name)
            with self._session.change("runs") as tx:
                asked = gates.approval_of(tx, workflow)
            if asked is None:
                about = {
                    "params": json.loads(run["params"]),
                    "datasets": detail["snapshots"],
                    "execution": row["execution"],
                    "source": detail["source"],
                }
                found = evidence.evidence_of(account, lowered, seen, node.name, package_arn, about)
                with self._session.change("runs") as tx:
                    gates.open_approval(tx, run, lowered.spec.step(node.name), workflow, found)
            elif asked["status"] != "open":
                with self._session.change("runs") as tx:
                    approved, by, words = gates.verdict_of(tx, asked)
                runs.answer(told.question, package_arn, approved, by, words)
                with self._session.change("runs") as tx:
                    gates.mark_answered(tx, run["id"], node.name, asked)

    def _read_logs(self, account: Account, run: Row, seen: Seen) -> None:
        for name, told in seen.steps.items():
            if told.job is None or told.status is StepStatus.CACHED:
                continue
            path = log_path(self._session.workspace.runs_dir, run["id"], name)
            try:
                joblogs.mirror_log(account, path, told.job, told.attempt, told.started_at)
            except AwsError as error:  # a run whose logs nobody may read is a run all the same
                log.warning("run #%s, log of %s: %s", run["number"], name, error.one_line())

    def _note_jobs(self, account: Account, seen: Seen, detail: dict[str, Any]) -> None:
        """What jobs that have ended well put out and measured, once."""
        jobs: dict[str, Any] = detail.setdefault("jobs", {})
        for name, told in seen.steps.items():
            if told.job is None or not told.status.ended_well or name in jobs:
                continue
            jobs[name] = {"kind": told.job[0], "name": told.job[1]}
            try:
                jobs[name]["outputs"] = evidence.outputs_of(account, told.job)
                jobs[name]["metrics"] = evidence.metrics_of(account, told.job)
            except AwsError as error:
                jobs[name]["unknown"] = error.one_line()

    def _keep(self, tx: Any, run: Row, detail: Row) -> None:
        """Where the outputs are is part of the run's lineage."""
        lineage = json.loads(run["lineage"])
        there = lineage.get("aws")
        if there is not None and there.get("jobs") != detail.get("jobs"):
            there["jobs"] = detail.get("jobs")
            runstate.set_run(tx, run["id"], lineage=json.dumps(lineage))

    # ends

    def _cancel_unstarted(self, run: Row) -> None:
        with self._session.change("runs") as tx:
            runstate.begin_run(tx, run["id"], run["generation"])
            states = {
                row["step"]: str(StepStatus.CANCELLED) for row in runstate.load_steps(tx, run["id"])
            }
            for step in states:
                runstate.end_step(tx, run["id"], step, StepStatus.CANCELLED, message="cancelled")
            runstate.finish_run(tx, run["id"], run["generation"], states)
            rows.save(tx, run["id"], state=RemoteState.ENDED)

    def _give_up(self, run: Row, error: OpsdeckError) -> float:
        with self._session.change("runs") as tx:
            if RunStatus(runstate.load_run(tx, run["id"])["status"]) is RunStatus.QUEUED:
                runstate.begin_run(tx, run["id"], run["generation"])
            runstate.fail_run(tx, run["id"], run["generation"], error.one_line())
            rows.save(tx, run["id"], state=RemoteState.ENDED)
        return 0.0

    def _wait(self, row: Row, run: Row, error: AwsError) -> float:
        """AWS is away, or does not let us: the run says so, and it is tried again."""
        failures = int(row["failures"]) + 1
        log.warning("run #%s: %s", run["number"], error.one_line())
        with self._session.change("runs") as tx:
            rows.save(tx, run["id"], failures=failures)
            runstate.set_run(tx, run["id"], message=f"AWS: {error.one_line()}"[:500])
        return LATER_SECONDS[min(failures, len(LATER_SECONDS)) - 1]


def _question_id(run: Row, step: str) -> str:
    """What an approval is about: this gate, of this start of the run."""
    return f"{run['id']}:{run['generation']}:{step}"


def _pin(lowered: Lowered, key: str) -> str:
    """A dataset as runs write down which version they read."""
    dataset, at = lowered.datasets[key]
    return f"{dataset}@{at}" if at else dataset
