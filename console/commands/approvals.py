"""`opsdeck approvals`: what waits for somebody's decision, and deciding it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from console.approval_text import approval_text, approvals_text
from console.asking import PRODUCTION, confirm_model
from console.groups import noun
from console.output import emit
from console.session import Session, pass_session
from core.errors import BadInput, EvidenceChanged, NotFound

if TYPE_CHECKING:
    from core.domain.gate import Approval
    from core.ops import Ops

STATUSES = ("open", "approved", "rejected", "expired", "void")
_EVIDENCE = "Decide on the evidence with this hash (or its beginning), no other."


@noun("List, show and decide approval requests.")
def command() -> None:
    """Group of the verbs on approval requests."""


@command.command("list")
@click.option("--all", "every", is_flag=True, help="Decided ones too.")
@click.option("--status", type=click.Choice(STATUSES), help="Only requests in this state.")
@click.option("-n", "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@pass_session
def list_(session: Session, every: bool, status: str | None, limit: int) -> None:
    """List the requests that are open, newest first."""
    if every and status:
        raise BadInput("--all and --status exclude each other", "give one of them")
    wanted = None if every else status or "open"
    found = session.ops().approvals.list(status=wanted, limit=limit)
    emit(session, {"approvals": found}, lambda: approvals_text(session, found))


@command.command("show")
@click.argument("approval")
@pass_session
def show(session: Session, approval: str) -> None:
    """Show a request with its evidence. APPROVAL is an id or the beginning of one."""
    ops = session.ops()
    found = ops.approvals.get(approval)
    emit(session, found, lambda: approval_text(session, found, _champion(ops, found.model)))


def _champion(ops: Ops, model: str) -> int | None:
    """The version that is the champion now."""
    try:
        return ops.models.get(model, "champion").version
    except NotFound:
        return None


@command.command("approve")
@click.argument("approval")
@click.option("-m", "--comment", default="", help="Why; for production it must be given.")
@click.option("--evidence", metavar="SHA256", help=_EVIDENCE)
@click.option("--confirm", metavar="MODEL", help="The model's name, where production asks for it.")
@pass_session
def approve(
    session: Session, approval: str, comment: str, evidence: str | None, confirm: str | None
) -> None:
    """Approve a request: its run goes on."""
    ops = session.ops()
    found = ops.approvals.get(approval)
    seen = _seen(found, evidence)
    if found.environment == PRODUCTION and found.status == "open" and not ops.read_only:
        if not comment.strip():
            raise BadInput("approving for production needs a reason", "add -m 'why'")
        consequence = f"{found.model} version {found.version} goes to {found.environment}"
        confirm_model(session, found.model, confirm, consequence)
    decided = ops.approvals.approve(found.id, comment, evidence_hash=seen)
    emit(session, decided, lambda: _decided(decided))


@command.command("reject")
@click.argument("approval")
@click.option("-m", "--comment", required=True, help="Why.")
@click.option("--evidence", metavar="SHA256", help=_EVIDENCE)
@pass_session
def reject(session: Session, approval: str, comment: str, evidence: str | None) -> None:
    """Reject a request: its run ends as rejected."""
    ops = session.ops()
    found = ops.approvals.get(approval)
    decided = ops.approvals.reject(found.id, comment, evidence_hash=_seen(found, evidence))
    emit(session, decided, lambda: _decided(decided))


def _seen(approval: Approval, evidence: str | None) -> str:
    """The hash of the evidence that is decided on; a short one must begin the present one."""
    if evidence is None:
        return approval.evidence_hash
    wanted = evidence.strip().lower()
    if len(wanted) < 8:
        raise BadInput(f"--evidence {evidence}: too short", "give at least 8 characters")
    if not approval.evidence_hash.startswith(wanted):
        raise EvidenceChanged(
            f"approval {approval.id}: the evidence is {approval.evidence_hash[:12]} now,"
            f" not {wanted[:12]}",
            f"look again: opsdeck approvals show {approval.id}",
        )
    return approval.evidence_hash


def _decided(approval: Approval) -> str:
    what = f"approval {approval.id} of {approval.model} version {approval.version}"
    if approval.status == "open":
        given = sum(d.verdict == "approve" for d in approval.decisions)
        return f"{what}: {given} of {approval.approvals_needed} approvals; it stays open"
    return f"{what}: {approval.status}"
