"""Triggers: what starts a run by itself, what it asked for, and what was decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class CauseKind(StrEnum):
    """Why a trigger fires."""

    SCHEDULE = "schedule"
    NEW_DATA = "new_data"
    MONITOR = "monitor"
    METRIC = "metric"
    ALARM = "alarm"
    HAND = "hand"

    @property
    def degradation(self) -> bool:
        """Whether it tells of something that has become worse, which a retraining may mend."""
        return self in (CauseKind.MONITOR, CauseKind.METRIC, CauseKind.ALARM)


class FiringDecision(StrEnum):
    """What becomes of a firing. `asked`: nobody has decided yet; `accepted`: its run is being
    prepared; `started`: it has one. The others have none, each for its reason."""

    ASKED = "asked"
    ACCEPTED = "accepted"
    STARTED = "started"
    DEDUPLICATED = "deduplicated"
    COOLING_DOWN = "cooling_down"
    OVER_BUDGET = "over_budget"
    BUSY = "busy"
    DISABLED = "disabled"
    RELAPSED = "relapsed"
    REFUSED = "refused"

    @property
    def open(self) -> bool:
        """Whether a worker has still something to do about it."""
        return self in (FiringDecision.ASKED, FiringDecision.ACCEPTED)

    @property
    def passing(self) -> bool:
        """Whether the same cause may get another answer later, as time goes by."""
        return self in (
            FiringDecision.COOLING_DOWN,
            FiringDecision.OVER_BUDGET,
            FiringDecision.BUSY,
        )


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a trigger fires. `subject` is what to look at, such as `alarm/demand-mae`,
    `monitor/demand-drift@12` or `dataset/rentals@7`; `message` says it in words.

    Firings with the same `key` (by default the subject) are one cause: while one of them is
    open or its run has not ended, the others are duplicates. `evidence` is small and for JSON.
    """

    kind: CauseKind
    subject: str
    message: str = ""
    key: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def same(self) -> str:
        """What makes it the same cause."""
        return self.key or self.subject
