"""The gate step: opens an approval request with its evidence, and closes with its answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core.domain.gate import ApprovalStatus, Verdict, evidence_hash
from core.domain.pipeline import StepSpec
from core.domain.run import StepStatus
from core.engine import runstate
from core.engine.autogate import judge, may_decide
from core.engine.context import STATE_AWAY, SYSTEM, Engine
from core.engine.plan import Plan, load_plan
from core.engine.registerwork import registered_version
from core.errors import OpsdeckError, StepFailed
from core.ids import short_id
from core.releases import aliases
from core.state import schema
from core.state.store import Transaction

_TABLE = schema.approvals
MAX_DOCUMENT = 64 << 10
CHAMPION_PREFIX = "champion_"
_CODE_KEYS = (
    "status",
    "commit",
    "branch",
    "dirty",
    "diff_sha256",
    "untracked_count",
    "environment_sha256",
)


def open_gate(engine: Engine, run_id: str, generation: int, name: str, workflow_id: str) -> str:
    """Open the request, once; returns the step run's state (`waiting` while it is open).

    Raises `Overtaken`.
    """
    try:
        with engine.store.transaction(SYSTEM) as tx:
            run = runstate.load_run(tx, run_id, generation)
            row = runstate.load_step(tx, run_id, name)
            if StepStatus(row["status"]).ended:
                return str(row["status"])
            if run["cancel_requested"]:
                runstate.end_step(tx, run_id, name, StepStatus.CANCELLED, message="cancelled")
                return StepStatus.CANCELLED
            if tx.row(sa.select(_TABLE.c.id).where(_TABLE.c.workflow_id == workflow_id)) is None:
                plan = load_plan(tx, run)
                _open(engine, tx, plan, plan.step(name), workflow_id)
            runstate.set_step(
                tx,
                run_id,
                name,
                status=StepStatus.WAITING,
                attempt=1,
                started_at=row["started_at"] or tx.now,
                message="waiting for a decision",
                worker_id=engine.worker_id,
            )
            runstate.refresh_run(tx, run_id)
        return StepStatus.WAITING
    except STATE_AWAY:
        raise
    except OpsdeckError as error:
        with engine.store.transaction(SYSTEM) as tx:
            runstate.load_run(tx, run_id, generation)
            runstate.end_step(tx, run_id, name, StepStatus.FAILED, message=error.one_line())
        return StepStatus.FAILED


def close_gate(engine: Engine, run_id: str, generation: int, name: str, workflow_id: str) -> str:
    """End the step by how the request stands; `waiting` when it is still open.

    Raises `Overtaken`.
    """
    with engine.store.transaction(SYSTEM) as tx:
        run = runstate.load_run(tx, run_id, generation)
        row = runstate.load_step(tx, run_id, name)
        if StepStatus(row["status"]).ended:
            return str(row["status"])
        approval = tx.row(sa.select(_TABLE).where(_TABLE.c.workflow_id == workflow_id))
        assert approval is not None, workflow_id
        status = ApprovalStatus(approval["status"])
        if status is ApprovalStatus.OPEN and run["cancel_requested"]:
            status = _set_status(tx, approval, ApprovalStatus.VOID, "the run was cancelled")
        expires = approval["expires_at"]
        if status is ApprovalStatus.OPEN and expires is not None and tx.now >= expires:
            status = _set_status(tx, approval, ApprovalStatus.EXPIRED, "nobody decided in time")
        if status is ApprovalStatus.OPEN:
            return StepStatus.WAITING
        ended = {
            ApprovalStatus.APPROVED: StepStatus.SUCCEEDED,
            ApprovalStatus.REJECTED: StepStatus.REJECTED,
            ApprovalStatus.EXPIRED: StepStatus.REJECTED,
            ApprovalStatus.VOID: StepStatus.CANCELLED,
        }[status]
        _mark_version(tx, approval, status)
        runstate.end_step(tx, run_id, name, ended, message=_words(tx, approval, status))
        return ended


def _open(engine: Engine, tx: Transaction, plan: Plan, step: StepSpec, workflow_id: str) -> None:
    options = step.options
    version = registered_version(tx, plan.run["id"], str(options["register"]))
    if version is None:
        raise StepFailed(
            f"gate {step.name}: step {options['register']} registered no version", "see its log"
        )
    found = _evidence(engine, tx, plan, step, version)
    if options.get("auto") is not None:
        found["auto"] = judge(options["auto"], found)
    approval_id = short_id()
    tx.execute(
        _TABLE.insert().values(
            id=approval_id,
            gate=step.name,
            run_id=plan.run["id"],
            step=step.name,
            model=version["name"],
            version=version["version"],
            environment=options["environment"],
            status=ApprovalStatus.OPEN,
            evidence=json.dumps(found, ensure_ascii=False),
            evidence_hash=evidence_hash(found),
            requested_by=plan.run["requested_by"],
            opened_at=tx.now,
            expires_at=None if options["expires"] is None else tx.now + options["expires"],
            approvals_needed=options["approvals"],
            requester_may_decide=int(options["requester_may_decide"]),
            workflow_id=workflow_id,
        )
    )
    # New evidence for a version voids what was asked about it before.
    for old in tx.rows(
        sa.select(_TABLE).where(
            _TABLE.c.model == version["name"],
            _TABLE.c.version == version["version"],
            _TABLE.c.environment == options["environment"],
            _TABLE.c.status == ApprovalStatus.OPEN,
            _TABLE.c.id != approval_id,
        )
    ):
        _set_status(tx, old, ApprovalStatus.VOID, "new evidence")
        tx.outbox("control", old["workflow_id"], command="void")
    tx.journal(
        "approval.open",
        f"approval/{approval_id}",
        run=plan.run["number"],
        model=f"{version['name']} v{version['version']}",
        environment=options["environment"],
        evidence_hash=evidence_hash(found),
    )
    if found.get("auto", {}).get("passed"):
        _decide_itself(engine, tx, step, approval_id, found, workflow_id)


def _decide_itself(
    engine: Engine,
    tx: Transaction,
    step: StepSpec,
    approval_id: str,
    evidence: Mapping[str, Any],
    workflow_id: str,
) -> None:
    """Approve as the gate's rule lays down, in the rule's name; unless rules may not do so here."""
    environment = str(step.options["environment"])
    hindered = may_decide(engine.workspace.gates, environment)
    if engine.session.read_only:
        hindered = "this session is read-only"
    actor = f"policy/{step.name}"
    policy = Transaction(tx.connection, actor)
    if hindered:
        policy.journal("approval.left", f"approval/{approval_id}", why=hindered)
        return
    comment = f"by itself: {evidence['auto']['reason']}"
    known = evidence_hash(evidence)
    tx.execute(
        schema.decisions.insert().values(
            approval_id=approval_id,
            actor=actor,
            verdict=Verdict.APPROVE,
            comment=comment,
            evidence_hash=known,
            at=tx.now,
        )
    )
    tx.execute(
        _TABLE.update()
        .where(_TABLE.c.id == approval_id)
        .values(status=ApprovalStatus.APPROVED, decided_at=tx.now)
    )
    policy.journal(
        "approval.approve",
        f"approval/{approval_id}",
        comment=comment,
        evidence_hash=known,
        model=f"{evidence['model']} v{evidence['version']}",
        environment=environment,
        status=ApprovalStatus.APPROVED,
    )
    tx.outbox("control", workflow_id, command="decided", approval=approval_id)


def _evidence(
    engine: Engine, tx: Transaction, plan: Plan, step: StepSpec, version: Mapping[str, Any]
) -> dict[str, Any]:
    """What the reviewer needs to see; its hash is what a decision is bound to."""
    documents: dict[str, Any] = {}
    figures: dict[str, str] = {}
    artifacts: dict[str, str] = {f"{version['name']} v{version['version']}": version["digest"]}
    for name, source in step.inputs.items():
        ref = plan.output(source.step, source.name)
        artifacts[name] = ref.digest
        if ref.kind == "figure":
            figures[name] = ref.path
        elif ref.kind == "json" and ref.size <= MAX_DOCUMENT:
            documents[name] = json.loads((engine.workspace.state_dir / ref.path).read_text())
    lineage = json.loads(version["lineage"])
    numbers = json.loads(version["metrics"])
    own, theirs = _against_champion(numbers)
    return {
        "model": version["name"],
        "version": version["version"],
        "environment": step.options["environment"],
        "metrics": own,
        "champion": {
            "version": aliases.alias_of(tx, version["name"], "champion"),
            "metrics": theirs,
        },
        "documents": documents,
        "figures": figures,
        "artifacts": artifacts,
        "data": lineage["data"],
        "params": lineage["params"],
        "lineage": {
            "code_sha256": lineage["code_sha256"],
            "data_sha256": lineage["data_sha256"],
            **{key: lineage["code"].get(key) for key in _CODE_KEYS},
        },
    }


def _against_champion(numbers: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """A version's own metrics, and under the same names the champion's on the same rows."""
    own = {k: v for k, v in numbers.items() if not k.startswith(CHAMPION_PREFIX)}
    theirs = {
        k.removeprefix(CHAMPION_PREFIX): v
        for k, v in numbers.items()
        if k.startswith(CHAMPION_PREFIX)
    }
    return own, theirs


def _set_status(
    tx: Transaction, approval: Mapping[str, Any], status: ApprovalStatus, why: str
) -> ApprovalStatus:
    tx.execute(
        _TABLE.update()
        .where(_TABLE.c.id == approval["id"])
        .values(status=status, decided_at=tx.now)
    )
    tx.journal(f"approval.{status}", f"approval/{approval['id']}", why=why)
    return status


def _mark_version(tx: Transaction, approval: Mapping[str, Any], status: ApprovalStatus) -> None:
    """A version's approval, in the state and (by the mirror) as a tag in MLflow."""
    table = schema.model_versions
    tx.execute(
        table.update()
        .where(table.c.name == approval["model"], table.c.version == approval["version"])
        .values(approval=status)
    )
    refused = status in (ApprovalStatus.REJECTED, ApprovalStatus.EXPIRED)
    candidate = aliases.alias_of(tx, approval["model"], "candidate")
    if refused and candidate == approval["version"]:
        aliases.drop_alias(tx, approval["model"], "candidate")
    tx.outbox("mirror", approval["model"])


def _words(tx: Transaction, approval: Mapping[str, Any], status: ApprovalStatus) -> str:
    decisions = tx.rows(
        sa.select(schema.decisions)
        .where(schema.decisions.c.approval_id == approval["id"])
        .order_by(schema.decisions.c.id)
    )
    if not decisions:
        return str(status)
    last = decisions[-1]
    comment = f": {last['comment']}" if last["comment"] else ""
    return f"{status} by {last['actor']}{comment}"
