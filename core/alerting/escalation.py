"""When the next level of a policy is told."""

from __future__ import annotations

from core.alerting.settings import Policy
from core.domain.alert import Alert, AlertState


def next_level(alert: Alert, policy: Policy | None) -> tuple[int, float] | None:
    """The level that is told next (from 0) if nobody acknowledges, and when (Unix seconds);
    `None` where there is none.

    It counts from when the level before was told, so that after a snooze, a silence or a time
    without a worker not all levels are told at once.
    """
    level = alert.level + 1
    if policy is None or alert.state is not AlertState.OPEN or level >= len(policy.levels):
        return None
    return level, alert.level_at + policy.levels[level].after - policy.levels[alert.level].after
