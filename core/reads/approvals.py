"""Approval requests and their decisions, as read from the state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.domain.gate import Approval, ApprovalStatus, Decision, Verdict
from core.errors import NotFound
from core.state.reading import Reader, by_id

_SELECT = (
    "SELECT a.*, r.number AS run_number, r.pipeline AS pipeline"
    " FROM approvals a LEFT JOIN runs r ON r.id = a.run_id"
)


def list_approvals(
    reader: Reader, *, status: str | None = "open", limit: int = 100
) -> tuple[Approval, ...]:
    """Approval requests, newest first; `status` None means all."""
    where = " WHERE a.status = :status" if status else ""
    params: dict[str, Any] = {"status": status} if status else {}
    rows = reader.rows(
        f"{_SELECT}{where} ORDER BY a.opened_at DESC LIMIT :limit", limit=limit, **params
    )
    return tuple(_with_decisions(reader, row) for row in rows)


def find_approval(reader: Reader, ref: str) -> Approval:
    """The request with this id, or whose id begins so; raises `NotFound`."""
    rows = by_id(reader, _SELECT, "a.id", ref.strip())
    if not rows:
        raise NotFound(f"approval {ref}: no such request", "see: opsdeck approvals list --all")
    if len(rows) > 1:
        raise NotFound(f"approval {ref}: more than one request begins so", "give more of its id")
    return _with_decisions(reader, rows[0])


def _with_decisions(reader: Reader, row: Mapping[str, Any]) -> Approval:
    decisions = reader.rows(
        "SELECT * FROM decisions WHERE approval_id = :approval ORDER BY id", approval=row["id"]
    )
    return approval_of(row, decisions)


def approval_of(row: Mapping[str, Any], decisions: list[dict[str, Any]]) -> Approval:
    """A row of `approvals` and its rows of `decisions` as a record."""
    return Approval(
        id=row["id"],
        gate=row["gate"],
        run_id=row["run_id"],
        step=row["step"],
        model=row["model"],
        version=row["version"],
        environment=row["environment"],
        status=ApprovalStatus(row["status"]),
        evidence=json.loads(row["evidence"]),
        evidence_hash=row["evidence_hash"],
        requested_by=row["requested_by"],
        opened_at=row["opened_at"],
        expires_at=row["expires_at"],
        decided_at=row["decided_at"],
        approvals_needed=row["approvals_needed"],
        requester_may_decide=bool(row["requester_may_decide"]),
        decisions=tuple(decision_of(item) for item in decisions),
        run_number=row.get("run_number") or 0,
        pipeline=row.get("pipeline") or "",
    )


def decision_of(row: Mapping[str, Any]) -> Decision:
    """A row of `decisions` as a record."""
    return Decision(
        approval_id=row["approval_id"],
        actor=row["actor"],
        verdict=Verdict(row["verdict"]),
        comment=row["comment"],
        evidence_hash=row["evidence_hash"],
        at=row["at"],
    )
