"""Gates of a run there: asked about here, with our evidence and our rules, answered there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core.domain.gate import ApprovalStatus, evidence_hash
from core.domain.pipeline import StepSpec
from core.domain.run import StepStatus
from core.engine import runstate
from core.ids import short_id
from core.state import schema
from core.state.store import Transaction

_TABLE = schema.approvals


def approval_of(tx: Transaction, workflow_id: str) -> Mapping[str, Any] | None:
    """The request of a gate; one whose time is up is marked so."""
    row = tx.row(sa.select(_TABLE).where(_TABLE.c.workflow_id == workflow_id))
    if row is None or row["status"] != ApprovalStatus.OPEN:
        return row
    if row["expires_at"] is not None and tx.now >= row["expires_at"]:
        tx.execute(
            _TABLE.update()
            .where(_TABLE.c.id == row["id"])
            .values(status=ApprovalStatus.EXPIRED, decided_at=tx.now)
        )
        tx.journal("approval.expired", f"approval/{row['id']}", why="nobody decided in time")
        return {**row, "status": ApprovalStatus.EXPIRED}
    return row


def open_approval(
    tx: Transaction,
    run: Mapping[str, Any],
    step: StepSpec,
    workflow_id: str,
    evidence: Mapping[str, Any],
) -> None:
    """Ask, once; older questions about the same version lapse."""
    if approval_of(tx, workflow_id) is not None:
        return
    options, known = step.options, evidence_hash(evidence)
    same = (
        (_TABLE.c.model == evidence["model"])
        & (_TABLE.c.version == evidence["version"])
        & (_TABLE.c.environment == options["environment"])
        & (_TABLE.c.status == ApprovalStatus.OPEN)
    )
    tx.execute(_TABLE.update().where(same).values(status=ApprovalStatus.VOID, decided_at=tx.now))
    approval_id = short_id()
    expires = options.get("expires")
    tx.execute(
        _TABLE.insert().values(
            id=approval_id,
            gate=step.name,
            run_id=run["id"],
            step=step.name,
            model=evidence["model"],
            version=evidence["version"],
            environment=options["environment"],
            status=ApprovalStatus.OPEN,
            evidence=json.dumps(evidence, ensure_ascii=False),
            evidence_hash=known,
            requested_by=run["requested_by"],
            opened_at=tx.now,
            expires_at=None if expires is None else tx.now + expires,
            approvals_needed=options["approvals"],
            requester_may_decide=int(options["requester_may_decide"]),
            workflow_id=workflow_id,
        )
    )
    tx.journal(
        "approval.open",
        f"approval/{approval_id}",
        run=run["number"],
        model=f"{evidence['model']} v{evidence['version']}",
        environment=options["environment"],
        evidence_hash=known,
    )


def verdict_of(tx: Transaction, approval: Mapping[str, Any]) -> tuple[bool, str, str]:
    """Whether it was approved, by whom, and their words."""
    approved = approval["status"] == ApprovalStatus.APPROVED
    row = tx.row(
        sa.select(schema.decisions)
        .where(schema.decisions.c.approval_id == approval["id"])
        .order_by(schema.decisions.c.id.desc())
    )
    if row is None:
        return approved, "opsdeck", str(approval["status"])
    return approved, str(row["actor"]), str(row["comment"] or approval["status"])


def mark_answered(tx: Transaction, run_id: str, step: str, approval: Mapping[str, Any]) -> None:
    """Say in the step's words how it was decided, until the service tells of it."""
    row = runstate.load_step(tx, run_id, step)
    if row["status"] == StepStatus.WAITING:
        words = "approved" if approval["status"] == ApprovalStatus.APPROVED else "rejected"
        runstate.set_step(tx, run_id, step, message=f"{words}: the account is being told")
