"""What the training debugger makes of a run: rules, and what each of them found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class RuleStatus(StrEnum):
    """SageMaker's RuleEvaluationStatus, as far as it is ours. `InProgress`: nothing was found
    so far, and the run goes on."""

    IN_PROGRESS = "InProgress"
    NO_ISSUES = "NoIssuesFound"
    ISSUES = "IssuesFound"


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule over one run.

    `subject` is the metric, step or output that it speaks of (of an issue the first; several
    are joined by commas). `since_step` and `since_at` (epoch seconds) are when an issue was first
    to be seen. `evidence` is small and JSON-able; `definition` states rule and parameters.
    """

    rule: str
    status: RuleStatus
    subject: str
    message: str = ""
    since_step: int | None = None
    since_at: float | None = None
    definition: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DebugReport:
    """All rules over a run, issues first. `not_evaluated` says of each other rule what it would
    need. `complete`: the run has ended, and everything that can be looked at was."""

    run: int
    pipeline: str
    ended: bool
    rules: tuple[RuleResult, ...]
    not_evaluated: Mapping[str, str] = field(default_factory=dict)
    complete: bool = False

    @property
    def issues(self) -> tuple[RuleResult, ...]:
        """The rules that found something."""
        return tuple(rule for rule in self.rules if rule.status is RuleStatus.ISSUES)
