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
    from core.aws.inbox import ApprovalInbox, JointInbox
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
@click.option("--aws", is_flag=True, help="Those of the AWS account beside the workspace, too.")
@pass_session
def list_(session: Session, every: bool, status: str | None, limit: int, aws: bool) -> None:
    """List the requests that are open, newest first."""
    if every and status:
        raise BadInput("--all and --status exclude each other", "give one of them")
    wanted = None if every else status or "open"
    joint = _joint(session) if aws else None
    inbox: ApprovalInbox = joint or session.ops().approvals
    found = inbox.list(status=wanted, limit=limit)
    if joint is not None and joint.trouble:
        session.say(f"AWS: {joint.trouble}")
    emit(session, {"approvals": found}, lambda: approvals_text(session, found))


@command.command("show")
@click.argument("approval")
@pass_session
def show(session: Session, approval: str) -> None:
    """Show a request with its evidence. APPROVAL is an id or the beginning of one; that of one
    in the AWS account has a colon."""
    inbox = _inbox(session, approval)
    found = inbox.get(approval)

    def text() -> str:
        if ":" in found.id:  # read a moment ago, with the version that is approved now beside it
            champion = found.evidence.get("champion", {}).get("version")
        else:
            champion = _champion(session.ops(), found.model)
        return approval_text(session, found, champion)

    emit(session, found, text)


def _inbox(session: Session, ref: str) -> ApprovalInbox:
    """Where the request is: the workspace, or (a colon in its id) the account beside it."""
    return _joint(session) if ":" in ref else session.ops().approvals


def _joint(session: Session) -> JointInbox:
    """The workspace and an account: that of `--context`, else the one that opsdeck.yaml names."""
    from core.aws.inbox import AwsInbox, JointInbox
    from core.aws.ofworkspace import account_of

    ops = session.ops(beside_aws=True)
    if session.context:
        account = session.account()
    else:
        account = account_of(ops.workspace, read_only=ops.read_only)
        click.get_current_context().find_root().call_on_close(account.close)
    return JointInbox(ops.approvals, AwsInbox(account), ops.workspace.name)


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
    inbox = _inbox(session, approval)
    found = inbox.get(approval)
    seen = _seen(found, evidence)
    read_only = session.ops(beside_aws=":" in approval).read_only
    if found.environment == PRODUCTION and found.status == "open" and not read_only:
        if not comment.strip():
            raise BadInput("approving for production needs a reason", "add -m 'why'")
        consequence = f"{_named(found)} goes to {found.environment}"
        confirm_model(session, found.model, confirm, consequence)
    decided = inbox.approve(found.id, comment, evidence_hash=seen)
    emit(session, decided, lambda: _decided(decided))


@command.command("reject")
@click.argument("approval")
@click.option("-m", "--comment", required=True, help="Why.")
@click.option("--evidence", metavar="SHA256", help=_EVIDENCE)
@pass_session
def reject(session: Session, approval: str, comment: str, evidence: str | None) -> None:
    """Reject a request: its run ends as rejected."""
    inbox = _inbox(session, approval)
    found = inbox.get(approval)
    decided = inbox.reject(found.id, comment, evidence_hash=_seen(found, evidence))
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


def _named(approval: Approval) -> str:
    version = f" version {approval.version}" if approval.version else ""
    return f"{approval.model}{version}"


def _decided(approval: Approval) -> str:
    what = f"approval {approval.id} of {_named(approval)}"
    if approval.status == "open":
        given = sum(d.verdict == "approve" for d in approval.decisions)
        return f"{what}: {given} of {approval.approvals_needed} approvals; it stays open"
    return f"{what}: {approval.status}"
