"""Error budgets and burn rates, and the alarms that go with an objective.

Three pairs of windows, as "The Site Reliability Workbook" (2018, chapter 5, table 5-8) has them
for 30 days: 14.4 times over 1 h and 5 min (2 % of the budget gone within the hour), 6 times over
6 h and 30 min (5 %), once over 3 d and 6 h (10 %). The long window says that it matters, the
short one that it still goes on. For an objective over another time all windows are that much
shorter or longer; none is under a minute, the resolution of what is counted.
"""

from __future__ import annotations

from collections.abc import Callable

from core.domain.alarm import ActionKind, AlarmAction, AlarmDefinition
from core.domain.alert import Severity
from core.domain.analysis import Comparison, MissingData
from core.domain.series import SeriesName
from core.domain.slo import BurnTier, SloDefinition, SloKind

MONTH = 30 * 86_400.0
LEAST_SECONDS = 60.0
FAST, SLOW, TRICKLE = "fast", "slow", "trickle"
_TIERS = (
    BurnTier(FAST, 14.4, 3600.0, 300.0),
    BurnTier(SLOW, 6.0, 6 * 3600.0, 1800.0),
    BurnTier(TRICKLE, 1.0, 3 * 86_400.0, 6 * 3600.0),
)
_SEVERITIES = {FAST: Severity.CRITICAL, SLOW: Severity.CRITICAL, TRICKLE: Severity.WARNING}

Counted = tuple[float, float]
"""Events and, of them, bad ones."""


def tiers(slo: SloDefinition) -> tuple[BurnTier, ...]:
    """The pairs of windows of an objective, in seconds, whole minutes."""
    scale = slo.window / MONTH
    return tuple(
        BurnTier(tier.name, tier.rate, _minutes(tier.long * scale), _minutes(tier.short * scale))
        for tier in _TIERS
    )


def _minutes(seconds: float) -> float:
    return max(LEAST_SECONDS, round(seconds / 60) * 60.0)


def burn_rate(slo: SloDefinition, counted: Counted) -> float | None:
    """How many times faster than allowed the budget is used up; `None` without events."""
    events, bad = counted
    return None if events <= 0 else bad / events / (1 - slo.objective)


def tier_rate(
    slo: SloDefinition, tier: BurnTier, count: Callable[[float], Counted]
) -> float | None:
    """The rate at which both windows of a pair burn at least; `count` gives what happened in
    the last so many seconds. `None` with fewer events in the long one than the objective's
    minimum, and where the short one is silent: but for windows of a monitor, which are rare."""
    long, short = count(tier.long), count(tier.short)
    if long[0] < slo.minimum_events:
        return None
    rate, now = burn_rate(slo, long), burn_rate(slo, short)
    if now is None:
        return rate if slo.kind is SloKind.QUALITY else None
    return None if rate is None else min(rate, now)


def budget_left(slo: SloDefinition, counted: Counted) -> float | None:
    """The share of the error budget that is left over the window: 1 untouched, 0 used up,
    negative overdrawn; `None` without events."""
    rate = burn_rate(slo, counted)
    return None if rate is None else 1 - rate


def exhausted_in(slo: SloDefinition, left: float | None, rate: float | None) -> float | None:
    """In how many seconds nothing of the budget is left, at this burn rate; `None` where it
    does not shrink, or nobody knows."""
    if left is None or rate is None or rate <= 0:
        return None
    return max(0.0, left) * slo.window / rate


def derived_alarms(slo: SloDefinition) -> tuple[AlarmDefinition, ...]:
    """The burn-rate alarms of an objective, `NAME-fast-burn` and so on; a pair whose actions
    are written as [] has none."""
    found = []
    for tier in tiers(slo):
        given: tuple[AlarmAction, ...] | None = getattr(slo, tier.name)
        usual = (AlarmAction(ActionKind.ALERT, _SEVERITIES[tier.name]),)
        actions = usual if given is None else given
        if not actions:
            continue
        found.append(
            AlarmDefinition(
                name=f"{slo.name}-{tier.name}-burn",
                metric=SeriesName(f"slo/{slo.name}", f"burn_{tier.name}"),
                stat="Maximum",
                period=60.0,
                threshold=tier.rate,
                comparison=Comparison.GREATER_OR_EQUAL,
                treat_missing_data=MissingData.NOT_BREACHING,
                actions=actions,
                endpoint=slo.endpoint,
                description=f"the error budget of {slo.name} burns {tier.rate:g} times too fast",
                runbook=slo.runbook,
                derived_from=f"slo/{slo.name}",
            )
        )
    return tuple(found)
