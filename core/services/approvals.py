"""Approval requests: what waits for a person, and their answers."""

from __future__ import annotations

import time

from core.domain.gate import Approval, ApprovalStatus, Verdict, evidence_hash, verdict_of
from core.errors import BadInput, EvidenceChanged, NotAllowed, WrongState
from core.reads import approvals as _approvals
from core.services.workers import WorkersService
from core.session import Session


class ApprovalsService:
    """Deciding on approval requests."""

    def __init__(self, session: Session, workers: WorkersService) -> None:
        self._session = session
        self._workers = workers

    def list(self, *, status: str | None = "open", limit: int = 100) -> tuple[Approval, ...]:
        """Requests, newest first; `status` None means all."""
        return _approvals.list_approvals(self._session.reader, status=status, limit=limit)

    def get(self, ref: str) -> Approval:
        """A request by its id or the beginning of it; raises `NotFound`."""
        return _approvals.find_approval(self._session.reader, ref)

    def approve(self, ref: str, comment: str = "", *, evidence_hash: str | None = None) -> Approval:
        """Approve; `evidence_hash` is that of the evidence the reviewer was shown.

        Raises `WrongState` when it is no longer open, `EvidenceChanged`, `NotAllowed`.
        """
        return self._decide(ref, Verdict.APPROVE, comment, evidence_hash)

    def reject(self, ref: str, comment: str, *, evidence_hash: str | None = None) -> Approval:
        """Reject, with a comment that says why; raises as `approve` does, and `BadInput`."""
        self._session.refuse_when_read_only("approvals reject")
        if not comment.strip():
            raise BadInput("a rejection needs a comment", "say why, with --comment")
        return self._decide(ref, Verdict.REJECT, comment, evidence_hash)

    def _decide(self, ref: str, verdict: Verdict, comment: str, seen_hash: str | None) -> Approval:
        import sqlalchemy as sa

        from core.state import schema

        self._session.refuse_when_read_only(f"approvals {verdict}")
        found = self.get(ref)
        table = schema.approvals
        with self._session.change(f"approvals {verdict}") as tx:
            row = tx.row(sa.select(table).where(table.c.id == found.id))
            assert row is not None
            decisions = tx.rows(
                sa.select(schema.decisions).where(schema.decisions.c.approval_id == found.id)
            )
            now = _approvals.approval_of(row, [dict(d) for d in decisions])
            self._check(now, seen_hash or found.evidence_hash)
            tx.execute(
                schema.decisions.insert().values(
                    approval_id=now.id,
                    actor=self._session.actor,
                    verdict=verdict,
                    comment=comment,
                    evidence_hash=now.evidence_hash,
                    at=tx.now,
                )
            )
            answers = tx.rows(
                sa.select(schema.decisions).where(schema.decisions.c.approval_id == now.id)
            )
            made = [_approvals.decision_of(answer) for answer in answers]
            status = verdict_of(
                now.approvals_needed, now.expires_at, made, now.evidence_hash, tx.now
            )
            tx.execute(
                table.update()
                .where(table.c.id == now.id)
                .values(status=status, decided_at=tx.now if status.ended else None)
            )
            tx.journal(
                f"approval.{verdict}",
                f"approval/{now.id}",
                comment=comment,
                evidence_hash=now.evidence_hash,
                model=f"{now.model} v{now.version}",
                environment=now.environment,
                status=status,
            )
            if status.ended:
                tx.outbox("control", row["workflow_id"], command="decided", approval=now.id)
        self._workers.wake()
        return self.get(found.id)

    def _check(self, approval: Approval, seen_hash: str) -> None:
        if approval.status is not ApprovalStatus.OPEN:
            raise WrongState(f"approval {approval.id} is {approval.status} already")
        if approval.expires_at is not None and time.time() >= approval.expires_at:
            raise WrongState(f"approval {approval.id} has expired", "repeat the run from its gate")
        if evidence_hash(approval.evidence) != approval.evidence_hash:
            raise EvidenceChanged(
                f"approval {approval.id}: the stored evidence does not have the hash that it was"
                " asked with",
                "somebody edited the state: cancel the run and start it again",
            )
        if approval.evidence_hash != seen_hash:
            raise EvidenceChanged(
                f"approval {approval.id}: the evidence has changed since it was shown",
                "look at it again before you decide",
            )
        if not approval.requester_may_decide and approval.requested_by == self._session.actor:
            raise NotAllowed(
                f"approval {approval.id}: {self._session.actor} asked for it"
                " and may not decide on it",
                "somebody else has to",
            )
        if any(
            d.actor == self._session.actor and d.evidence_hash == approval.evidence_hash
            for d in approval.decisions
        ):
            raise WrongState(
                f"approval {approval.id}: {self._session.actor} has decided already",
                "it needs somebody else's answer too",
            )
