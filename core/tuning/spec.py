"""A search for hyperparameters as its step describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.tuning.errors import TuningInvalid
from core.tuning.ranges import Range, range_from

STRATEGIES = ("bayesian", "random")
GOALS = ("minimize", "maximize")
STOPPING = ("off", "median")
MOST_TRIALS = 10_000
MOST_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class TuneSpec:
    """What is searched, how, and how long.

    A trial is judged by its last value of the metric `metric`, or by `output`, one of what it
    puts out: a number, or a mapping in which `metric` is one. `max_failed`: with one failed
    trial more the search has failed. `warm_start`: a run whose trials count as known, "last"
    for the newest of this pipeline that has any.
    """

    metric: str
    minimize: bool
    ranges: tuple[Range, ...]
    output: str = ""
    strategy: str = "bayesian"
    max_trials: int = 20
    max_parallel: int = 1
    max_failed: int = 5
    early_stopping: str = "off"
    seed: int = 0
    warm_start: str = ""

    @property
    def at_random_first(self) -> int:
        """So many trials are at random before a Bayesian search has something to go by."""
        return max(3, min(10, self.max_trials // 4))

    def better(self, one: float, other: float) -> bool:
        """Whether the first value is strictly nearer to the goal."""
        return one < other if self.minimize else one > other

    def fits(self, params: Mapping[str, Any]) -> bool:
        """Whether these are values of these ranges, all of them and no others."""
        names = {each.name for each in self.ranges}
        return names == set(params) and all(r.holds(params[r.name]) for r in self.ranges)


def spec_from(options: Mapping[str, Any], params: Mapping[str, Any], seed: int) -> TuneSpec:
    """The search of a step's `options`; `params` are the run's, `seed` stands in where the
    step names none. Raises `TuningInvalid` where a parameter gives what is no such number."""
    metric = options["metric"]
    return TuneSpec(
        metric=metric["name"],
        minimize=metric["goal"] == "minimize",
        output=metric.get("output", ""),
        ranges=tuple(range_from(name, each) for name, each in options["ranges"].items()),
        strategy=options["strategy"],
        max_trials=_number(options, params, "max_trials", 1, MOST_TRIALS),
        max_parallel=_number(options, params, "max_parallel", 1, MOST_AT_ONCE),
        max_failed=_number(options, params, "max_failed", 0, MOST_TRIALS),
        early_stopping=options["early_stopping"],
        seed=seed if options["seed"] is None else _number(options, params, "seed", 0, 2**31 - 1),
        warm_start=options["warm_start"],
    )


def _number(
    options: Mapping[str, Any], params: Mapping[str, Any], key: str, least: int, most: int
) -> int:
    value = options[key]
    if isinstance(value, Mapping):  # ${params.NAME}
        name = value["param"]
        value = params[name]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise TuningInvalid(
                f"tune.{key}: parameter {name} is {value!r}",
                f"give a whole number from {least} to {most}",
            )
    return int(value)
