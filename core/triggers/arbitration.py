"""Whether a firing becomes a run: a plain function of the trigger and of how things stand.

In this order: it is switched off; it would feed itself; its cause has its run already; the
model is being retrained; it cools down; its budget is used up; it has relapsed; else it goes.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.domain.trigger import (
    Cause,
    CauseKind,
    FiringDecision,
    TriggerDefinition,
    spell,
)


@dataclass(frozen=True, slots=True)
class Facts:
    """How things stand. Times are epoch seconds.

    `off` says who switched it off; `cycle` how its run would make it fire again; `same` which
    open firing or run has the same cause, `answered` which ended run had; `busy` what works on
    the same model or pipeline. `ended_at` is when the last such run ended. `runs` and
    `cpu_seconds` are what was used within the budget's time; `retrainings` of the model for a
    degradation within the relapse's time, the last of them run `last_run`.
    """

    off: str = ""
    cycle: str = ""
    same: str = ""
    answered: str = ""
    busy: str = ""
    ended_at: float | None = None
    runs: int = 0
    cpu_seconds: float = 0.0
    retrainings: int = 0
    last_run: int | None = None


def arbitrate(
    definition: TriggerDefinition, cause: Cause, facts: Facts, now: float, *, force: bool = False
) -> tuple[FiringDecision, str]:
    """What becomes of a firing, and why in words. `force` (by hand only) passes over cool-down
    and budget; nothing passes over a model that is being retrained."""
    if facts.off:
        return FiringDecision.DISABLED, facts.off
    if facts.cycle and cause.kind is CauseKind.NEW_DATA:
        return FiringDecision.REFUSED, f"it would make itself fire: {facts.cycle}"
    if facts.same:
        return FiringDecision.DEDUPLICATED, f"{facts.same} has the same cause"
    if facts.answered and not cause.kind.degradation:
        return FiringDecision.DEDUPLICATED, f"{facts.answered} had the same cause"
    if facts.busy:
        return FiringDecision.BUSY, facts.busy
    if not force:
        waiting = _cooling(definition, facts, now)
        if waiting:
            return FiringDecision.COOLING_DOWN, waiting
        spent = _spent(definition, facts)
        if spent:
            return FiringDecision.OVER_BUDGET, spent
    relapse = definition.relapse
    if cause.kind.degradation and facts.retrainings >= relapse.retrainings:
        times = "retraining" if facts.retrainings == 1 else f"{facts.retrainings} retrainings"
        run = f" (the last: run {facts.last_run})" if facts.last_run is not None else ""
        reason = f"worse again after {times} within {spell(relapse.within)}{run}"
        return FiringDecision.RELAPSED, reason
    return FiringDecision.ACCEPTED, ""


def _cooling(definition: TriggerDefinition, facts: Facts, now: float) -> str:
    if facts.ended_at is None:
        return ""
    left = facts.ended_at + definition.cool_down - now
    if left <= 0:
        return ""
    return f"the last run ended {spell(max(0, round(now - facts.ended_at)))} ago; free in " + spell(
        max(1, round(left))
    )


def _spent(definition: TriggerDefinition, facts: Facts) -> str:
    budget = definition.budget
    if budget.runs is not None and facts.runs >= budget.runs:
        return f"{facts.runs} of {budget.runs} runs a {budget.per} are used"
    if budget.cpu_seconds is not None and facts.cpu_seconds >= budget.cpu_seconds:
        used, most = spell(round(facts.cpu_seconds)), spell(budget.cpu_seconds)
        return f"{used} of {most} processor time a {budget.per} are used"
    cost = facts.cpu_seconds / 3600.0 * budget.price
    if budget.cost is not None and cost >= budget.cost:
        return f"{cost:.2f} of {budget.cost:g} a {budget.per} are spent"
    return ""
