"""What all that waits for a person has in common, wherever in AWS it waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.domain.gate import Approval, ApprovalStatus, evidence_hash

if TYPE_CHECKING:
    from core.aws.account import Account


@dataclass(frozen=True, slots=True)
class Waiting:
    """One question as a listing knows it: cheap, without its evidence. Times in epoch seconds.

    `id` is SOURCE:PATH; `what` is what is asked about; `by` is who asked, where AWS tells.
    """

    id: str
    source: str
    what: str
    asked_at: float
    expires_at: float | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A place in AWS where questions wait.

    `waiting` lists them, as pages come; `find` reads one with its evidence (raises `NotFound`);
    `answer` decides it: (account, the request as it was just read, approved?, comment, output).
    """

    name: str
    title: str
    waiting: Callable[[Account], Iterator[Waiting]]
    find: Callable[[Account, str], Approval]
    answer: Callable[[Account, Approval, bool, str, str], None]


def request(
    waiting: Waiting,
    account: Account,
    status: ApprovalStatus,
    evidence: Mapping[str, Any],
    *,
    model: str,
    version: int = 0,
    pipeline: str = "",
    step: str = "",
    run: str = "",
) -> Approval:
    """A question with its evidence as the record that the workspace's requests are, too."""
    return Approval(
        id=waiting.id,
        gate=waiting.source,
        run_id=run,
        step=step,
        model=model,
        version=version,
        environment=account.context.environment,
        status=status,
        evidence=evidence,
        evidence_hash=evidence_hash(evidence),
        requested_by=waiting.by,
        opened_at=waiting.asked_at,
        expires_at=waiting.expires_at,
        pipeline=pipeline,
    )
