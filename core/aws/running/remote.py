"""What a service is asked that runs pipelines; SageMaker Pipelines and Step Functions do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from core.domain.remote import Seen

if TYPE_CHECKING:
    from core.aws.account import Account
    from core.aws.compile import Target
    from core.aws.compile.nodes import Lowered


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a run: what the execution is given. `token` (at least 32 characters) is the
    same for the same start, and another after the run was resumed from nothing."""

    run: str
    number: int
    token: str
    params: Mapping[str, Any]
    source: str
    datasets: Mapping[str, str]


class Runs(Protocol):
    """Executions of one service in one account. Each method may be called again after a
    process died in the middle of it: it then finds what it had done.

    All raise the errors of `core.aws.errors`.
    """

    def upsert(self, lowered: Lowered, target: Target, role: str) -> str:
        """Bring the definition there up to this one; returns what `start` is given.

        Raises `NotOurs` where something of that name was made by somebody else.
        """
        ...

    def start(self, name: str, start: Start) -> str:
        """The ARN of the one execution of this start."""
        ...

    def look(self, execution: str, lowered: Lowered) -> Seen:
        """How it stands."""
        ...

    def stop(self, execution: str, token: str) -> None:
        """End it; it has ended when `look` says so."""
        ...

    def resume(self, execution: str, token: str) -> None:
        """Let what did not end well run again, in the same execution."""
        ...

    def answer(self, question: str, package: str, approved: bool, by: str, words: str) -> None:
        """Tell a gate how it was decided."""
        ...


def runs_of(service: str, account: Account) -> Runs:
    """The runs of a service."""
    if service == "sagemaker":
        from core.aws.running.sagemaker import SageMakerRuns

        return SageMakerRuns(account)
    from core.aws.running.stepfunctions import StepFunctionsRuns

    return StepFunctionsRuns(account)
