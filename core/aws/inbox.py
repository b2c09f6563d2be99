"""What waits for somebody's decision, wherever it waits: the workspace, or an AWS account.

`ApprovalInbox` is what the workspace's `ApprovalsService` and `AwsInbox` both are; one conformance
suite holds both to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Protocol

from core.aws.errors import AwsError
from core.aws.partial import side_by_side, why
from core.domain.gate import Approval, ApprovalStatus
from core.errors import BadInput, EvidenceChanged, NotFound, ReadOnly, WrongState

if TYPE_CHECKING:
    from core.aws.account import Account
    from core.aws.kinds.approvals.waiting import Source, Waiting

    _Read = tuple[list[Waiting], AwsError | None]


class ApprovalInbox(Protocol):
    """Questions that wait for a person, with their evidence, and answering them. Thread-safe.

    A decision is bound to the hash of the evidence that was seen, and the state is read again
    when it is made. All raise `NotFound` for a question that is not there.
    """

    def list(self, *, status: str | None = "open", limit: int = 100) -> tuple[Approval, ...]:
        """Questions, newest first; `status` None means all that are still known."""
        ...

    def get(self, ref: str) -> Approval:
        """One question with its evidence as it is now."""
        ...

    def approve(self, ref: str, comment: str = "", *, evidence_hash: str | None = None) -> Approval:
        """Approve what was seen. Raises `WrongState` when it is no longer open,
        `EvidenceChanged` when it is no longer what was seen, `ReadOnly`."""
        ...

    def reject(self, ref: str, comment: str, *, evidence_hash: str | None = None) -> Approval:
        """Reject; raises as `approve` does, and `BadInput` without a comment."""
        ...


class AwsInbox:
    """The questions of an AWS account: model versions, CodePipeline's manual approvals, tasks of
    Step Functions. Who asked is known to AWS in part only, so that nobody decides on their own
    request cannot be held here."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def list(self, *, status: str | None = "open", limit: int = 100) -> tuple[Approval, ...]:
        """Open questions with their evidence, newest first; AWS has no list of decided ones.

        Raises `AwsError` where no source can be read; one that can't is left out otherwise.
        """
        if status not in (None, ApprovalStatus.OPEN):
            return ()
        waiting, trouble = self.waiting()
        if trouble and len(trouble) == len(sources()):
            raise next(iter(trouble.values()))
        newest = sorted(waiting, key=lambda each: each.asked_at, reverse=True)[:limit]
        return tuple(side_by_side([partial(self.get, each.id) for each in newest]))

    def waiting(self) -> tuple[tuple[Waiting, ...], Mapping[str, AwsError]]:
        """All that waits, without evidence; and the sources that could not be read."""
        found: list[Waiting] = []
        trouble: dict[str, AwsError] = {}
        reads: list[Callable[[], _Read]] = [
            partial(_all_of, self._account, each) for each in sources().values()
        ]
        for source, (part, error) in zip(sources().values(), side_by_side(reads), strict=True):
            found += part
            if error is not None:
                trouble[source.title] = error
        return tuple(found), trouble

    def get(self, ref: str) -> Approval:
        """A question by its id, such as `version:demand/3`; raises `NotFound`."""
        return self._source(ref).find(self._account, ref)

    def approve(
        self, ref: str, comment: str = "", *, evidence_hash: str | None = None, output: str = ""
    ) -> Approval:
        """Approve; `output` is what a task of Step Functions goes on with, as JSON."""
        return self._decide(ref, True, comment, evidence_hash, output)

    def reject(self, ref: str, comment: str, *, evidence_hash: str | None = None) -> Approval:
        """Reject, with a comment that says why."""
        if not comment.strip():
            raise BadInput("a rejection needs a comment", "say why")
        return self._decide(ref, False, comment, evidence_hash, "")

    def _decide(
        self, ref: str, approved: bool, comment: str, seen: str | None, output: str
    ) -> Approval:
        if self._account.read_only:
            raise ReadOnly(f"{ref}: {self._account.name} is read-only; nothing was sent")
        source = self._source(ref)
        now = source.find(self._account, ref)
        check(now, seen)
        source.answer(self._account, now, approved, comment.strip() or "approved", output)
        return source.find(self._account, ref)

    def _source(self, ref: str) -> Source:
        name = ref.partition(":")[0]
        found = sources().get(name)
        if found is None:
            raise NotFound(f"approval {ref}: no such request", "opsdeck aws list approvals")
        return found


def check(approval: Approval, seen: str | None) -> None:
    """Whether a request may be decided on the evidence with this hash; raises `WrongState` and
    `EvidenceChanged`."""
    if approval.status is not ApprovalStatus.OPEN:
        raise WrongState(f"approval {approval.id} is {approval.status} already")
    if approval.expires_at is not None and time.time() >= approval.expires_at:
        raise WrongState(f"approval {approval.id} has expired")
    if seen is not None and seen != approval.evidence_hash:
        raise EvidenceChanged(
            f"approval {approval.id}: the evidence has changed since it was shown",
            "look at it again before you decide",
        )


@cache
def sources() -> Mapping[str, Source]:
    """Where in AWS questions wait, by the beginning of their ids."""
    from core.aws.kinds.approvals import codepipeline, registry, tasks

    return {each.name: each for each in (registry.SOURCE, codepipeline.SOURCE, tasks.SOURCE)}


def _all_of(account: Account, source: Source) -> _Read:
    try:
        return list(source.waiting(account)), None
    except AwsError as error:
        return [], error


def pages_of(account: Account) -> Iterator[tuple[list[Waiting], str]]:
    """What waits, source by source as each has been read; and why one could not be."""
    for source in sources().values():
        found, error = _all_of(account, source)
        yield found, "" if error is None else f"{source.title} {why(error)}"


def _run_of(approval: Approval) -> str:
    """The workspace's run that a waiting task asks for, "" where it is none's."""
    asked = approval.evidence.get("asked")
    body = asked.get("MessageBody") if isinstance(asked, Mapping) else None
    return str(body.get("run", "")) if isinstance(body, Mapping) else ""


class JointInbox:
    """The workspace's inbox and an account's as one. A request of the account is known by the
    colon in its id; `trouble` says what of the account could not be read when it was last
    listed, while the workspace's own are always there. A gate of a run that goes on in the account
    is asked about once, in the workspace, whose rules hold for it."""

    def __init__(self, own: ApprovalInbox, aws: ApprovalInbox, workspace: str = "") -> None:
        """`workspace` is the workspace's name, by which its runs are called in the account."""
        self._own = own
        self._aws = aws
        self._workspace = workspace
        self.trouble = ""

    def list(self, *, status: str | None = "open", limit: int = 100) -> tuple[Approval, ...]:
        """Both, newest first."""
        found = [*self._own.list(status=status, limit=limit)]
        self.trouble = ""
        # As core.aws.running calls a run when it starts one there.
        runs = {f"{self._workspace} {each.pipeline} #{each.run_number}" for each in found}
        try:
            there = self._aws.list(status=status, limit=limit)
            found += [each for each in there if _run_of(each) not in runs]
        except AwsError as error:
            self.trouble = error.message
        newest = sorted(found, key=lambda each: each.opened_at, reverse=True)
        return tuple(newest[:limit])

    def get(self, ref: str) -> Approval:
        """A request of either."""
        return self._of(ref).get(ref)

    def approve(self, ref: str, comment: str = "", *, evidence_hash: str | None = None) -> Approval:
        """Approve where it was asked."""
        return self._of(ref).approve(ref, comment, evidence_hash=evidence_hash)

    def reject(self, ref: str, comment: str, *, evidence_hash: str | None = None) -> Approval:
        """Reject where it was asked."""
        return self._of(ref).reject(ref, comment, evidence_hash=evidence_hash)

    def _of(self, ref: str) -> ApprovalInbox:
        return self._aws if ":" in ref else self._own
