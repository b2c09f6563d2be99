"""Gates: approval requests, their evidence and the decisions on them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ApprovalStatus(StrEnum):
    """State of an approval request; `void` when its evidence was replaced or its run ended."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    VOID = "void"

    @property
    def ended(self) -> bool:
        """Whether it can no longer be decided."""
        return self is not ApprovalStatus.OPEN


class Verdict(StrEnum):
    """What a reviewer may answer."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Decision:
    """One reviewer's answer, bound to the hash of the evidence that they saw."""

    approval_id: str
    actor: str
    verdict: Verdict
    comment: str
    evidence_hash: str
    at: float


@dataclass(frozen=True, slots=True)
class Approval:
    """One pending (or answered) question under a gate. Times are epoch seconds (UTC).

    `evidence` maps what the reviewer needs to see: `metrics`, `champion` (its metrics and
    version), `comparison`, `figures` (name → path relative to the state folder), `data`,
    `lineage`, `artifacts` (name → digest).
    """

    id: str
    gate: str
    run_id: str
    step: str
    model: str
    version: int
    environment: str
    status: ApprovalStatus
    evidence: Mapping[str, Any]
    evidence_hash: str
    requested_by: str
    opened_at: float
    expires_at: float | None = None
    decided_at: float | None = None
    approvals_needed: int = 1
    requester_may_decide: bool = True
    decisions: tuple[Decision, ...] = ()
    run_number: int = 0
    pipeline: str = ""


def evidence_hash(evidence: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the evidence as canonical JSON: sorted keys, no white space."""
    text = json.dumps(evidence, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def verdict_of(
    needed: int, expires_at: float | None, decisions: Iterable[Decision], hash_now: str, now: float
) -> ApprovalStatus:
    """The state that these decisions put a request in.

    Only decisions on the present evidence count, one a person (the last); a single
    rejection rejects; `needed` distinct people approve. A request decided in time stays
    decided; an undecided one expires at `expires_at`.
    """
    latest: dict[str, Decision] = {}
    for decision in sorted(decisions, key=lambda d: (d.at, d.verdict is Verdict.REJECT)):
        if decision.evidence_hash == hash_now:
            latest[decision.actor] = decision
    if any(d.verdict is Verdict.REJECT for d in latest.values()):
        return ApprovalStatus.REJECTED
    if sum(d.verdict is Verdict.APPROVE for d in latest.values()) >= needed:
        return ApprovalStatus.APPROVED
    if expires_at is not None and now >= expires_at:
        return ApprovalStatus.EXPIRED
    return ApprovalStatus.OPEN
