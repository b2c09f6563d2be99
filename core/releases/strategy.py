"""Strategies as people write them: a preset's name, a list of steps, or a mapping.

    strategy: canary
    strategy: [{set_weight: 10}, {bake: 5m}, {set_weight: 100}]
    strategy: {preset: canary, weight: 20, bake: 10m, on_breach: freeze}
    strategy: {steps: [...], alarms: [...], analysis: {...}, on_breach: rollback, keep: 1h,
               workers: {min: 1, max: 4}, rollback_alarms: [demand-mae]}

A strategy that does not name its alarms or its analysis has the default ones; `alarms: []` is
none. Names in `alarms` are alarms of the workspace, as in `rollback_alarms`; where there are
only names the default alarms stay beside them. A list that only sets weights and pauses has the
default alarms, and compares nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.domain.analysis import AnalysisPlan, OnBreach
from core.domain.release import ReleasePlan, StrategyStep
from core.errors import BadInput
from core.releases import values
from core.releases.presets import CATALOGUE
from core.releases.steps import read_steps
from core.releases.values import Problem, Problems
from core.releases.watching import (
    DEFAULT_ALARMS,
    DEFAULT_ANALYSIS,
    read_alarms,
    read_analysis,
    read_names,
    split_alarms,
)

DEFAULT_STRATEGY = (
    StrategyStep("set_weight", weight=10.0),
    StrategyStep("pause", seconds=30.0),
    StrategyStep("set_weight", weight=50.0),
    StrategyStep("pause", seconds=30.0),
    StrategyStep("set_weight", weight=100.0),
)
"""A canary of 10 %, then half, each for half a minute: where nothing depends on it."""

DEFAULT_PLAN = ReleasePlan(DEFAULT_STRATEGY, name="quick", alarms=DEFAULT_ALARMS)
_COMMON = ("alarms", "analysis", "on_breach", "keep", "workers", "rollback_alarms")
_BY_THE_CLOCK = ("set_weight", "pause")

Written = str | Sequence[Any] | Mapping[str, Any]


def parse_plan(data: Any) -> ReleasePlan:
    """The plan that is meant; raises `BadInput` with all that is wrong on one line."""
    plan, problems = read_plan(data)
    if problems:
        hint = next((problem.hint for problem in problems if problem.hint), "")
        raise BadInput("; ".join(problem.words() for problem in problems), hint)
    return plan


def with_workers(plan: ReleasePlan, bounds: Sequence[int] | None) -> ReleasePlan:
    """The plan with these bounds for the new version's workers; `None` leaves its own."""
    return plan if bounds is None else replace(plan, workers=(bounds[0], bounds[1]))


def parse_strategy(items: Sequence[Mapping[str, Any]]) -> tuple[StrategyStep, ...]:
    """The steps of a list; `pause: null` waits for a person.

    Weights must not fall, and the last one is 100 (added where it is missing). Raises `BadInput`.
    """
    return parse_plan(items).steps


def read_plan(data: Any) -> tuple[ReleasePlan, tuple[Problem, ...]]:
    """The plan, as far as it can be read, and everything that is wrong with it."""
    problems = Problems()
    if isinstance(data, str):
        data = {"preset": data}
    plan = _mapping(problems, data) if isinstance(data, Mapping) else _listed(problems, data)
    return plan, tuple(problems.found)


def _listed(problems: Problems, data: Any) -> ReleasePlan:
    steps = read_steps(problems, data)
    if all(step.kind in _BY_THE_CLOCK for step in steps):
        return ReleasePlan(steps, alarms=DEFAULT_ALARMS)
    return ReleasePlan(steps, alarms=DEFAULT_ALARMS, analysis=DEFAULT_ANALYSIS)


def _mapping(problems: Problems, data: Mapping[str, Any]) -> ReleasePlan:
    name, steps = _rungs(problems, data)
    read: dict[str, Any] = {"alarms": DEFAULT_ALARMS, "analysis": DEFAULT_ANALYSIS}
    own, named = split_alarms(data.get("alarms", ()))
    if "alarms" in data and (own or not named):
        read["alarms"] = read_alarms(problems, "strategy.alarms", own)
    given_names = [*named, *_listed_names(problems, data.get("rollback_alarms", ()))]
    read["rollback_alarms"] = read_names(problems, "strategy.rollback_alarms", given_names)
    if "analysis" in data:
        given = data["analysis"]
        read["analysis"] = (
            AnalysisPlan() if not given else read_analysis(problems, "strategy.analysis", given)
        )
    if "on_breach" in data:
        word = values.one_of(problems, "strategy.on_breach", data["on_breach"], [*OnBreach])
        read |= {} if word is None else {"on_breach": OnBreach(word)}
    if "keep" in data:
        keep = values.seconds(problems, "strategy.keep", data["keep"])
        read |= {} if keep is None else {"keep_seconds": keep}
    if "workers" in data:
        read["workers"] = values.workers(problems, "strategy.workers", data["workers"])
    plan = ReleasePlan(steps, name=name, **read)
    _check(problems, plan)
    return plan


def _listed_names(problems: Problems, data: Any) -> Sequence[Any]:
    if isinstance(data, Sequence) and not isinstance(data, str):
        return data
    if data is not None:
        message = f"a list of names of alarms, not {values.shown(data)}"
        problems.add("strategy.rollback_alarms", message, "such as [demand-mae]")
    return ()


def _rungs(problems: Problems, data: Mapping[str, Any]) -> tuple[str, tuple[StrategyStep, ...]]:
    """The plan's name and steps, from its preset or its own list."""
    if ("preset" in data) == ("steps" in data):
        problems.add(
            "strategy",
            "preset or steps, one of them",
            "for example: {preset: canary, weight: 20}",
        )
        return "custom", ()
    if "steps" in data:
        values.known_keys(problems, "strategy", data, ("steps", *_COMMON))
        return "custom", read_steps(problems, data["steps"])
    name = values.one_of(problems, "strategy.preset", data["preset"], CATALOGUE)
    if name is None:
        return "custom", ()
    preset = CATALOGUE[name]
    values.known_keys(problems, "strategy", data, ("preset", *preset.options, *_COMMON))
    given = {key: value for key, value in data.items() if key in preset.options}
    return name, preset.steps(problems, "strategy", given)


def _check(problems: Problems, plan: ReleasePlan) -> None:
    """What is wrong only taken together."""
    counted = [rule for rule in plan.analysis.metrics if not rule.dry_run]
    for number, step in enumerate(plan.steps, start=1):
        if step.kind == "analyse" and not counted:
            problems.add(
                f"strategy step {number}: analyse",
                "no metric of the analysis counts, so it could never end well",
                "give analysis.metrics, not all of them dry_run",
            )
