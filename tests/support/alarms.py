"""What an alarm's state should be, by a second reading of CloudWatch's rules."""

from __future__ import annotations

from collections.abc import Sequence

from core.analysis.alarms import EXTRA_PERIODS, evaluate
from core.domain.analysis import AlarmRule, AlarmState, MissingData


def reference_state(
    values: Sequence[float | None], rule: AlarmRule, state: AlarmState, treat: MissingData
) -> AlarmState:
    """The state after these minutes (the newest last), of an alarm that was made before the
    first of them: what came before is missing, and counts as such only for as long as it could
    have been there."""
    reach = rule.evaluation_periods + EXTRA_PERIODS
    padded = [None] * reach + list(values)
    seen = [None if value is None else value > rule.threshold for value in padded[-reach:]]
    if treat is MissingData.BREACHING and len(values) < rule.evaluation_periods:
        treat = MissingData.MISSING
    return evaluate(seen, rule, state, treat)
