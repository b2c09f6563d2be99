"""Which values to try next, by optuna's samplers. Heavy: imports optuna, numpy.

A proposal depends on the seed, the trial's number and the trials that it is told of, and on
nothing else: not on how often a worker died, nor on which of two trials was faster.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.tuning.ranges import Numbers, Range
from core.tuning.spec import TuneSpec


@dataclass(frozen=True, slots=True)
class Known:
    """A trial that has ended: its values, and what came of it (None: it failed, or was
    `stopped` early). `curve` are the metric's values on the way, by step."""

    params: Mapping[str, Any]
    value: float | None
    curve: Mapping[int, float] = field(default_factory=dict)
    stopped: bool = False


def propose(spec: TuneSpec, number: int, known: Sequence[Known]) -> dict[str, Any]:
    """The values of trial `number` (from 0), given what is known by then."""
    import optuna

    _quiet(optuna)
    digest = hashlib.sha256(f"{spec.seed}:{number}".encode()).digest()
    seed = int.from_bytes(digest[:4], "big")
    sampler: Any
    if spec.strategy == "random":
        sampler = optuna.samplers.RandomSampler(seed=seed)
    else:
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=spec.at_random_first)
    study = _study(optuna, spec, known, sampler)
    found = study.ask(_distributions(optuna, spec.ranges)).params
    return {each.name: _outside(each, found[each.name]) for each in spec.ranges}


def hopeless(spec: TuneSpec, known: Sequence[Known], curve: Mapping[int, float]) -> bool:
    """Whether a trial with these values so far is worse than half of those that have ended
    were at the same step (the median rule; the best so far counts, and five trials must have
    ended well). Looked at is the last step that one of them has reached, too."""
    ended = [each for each in known if each.value is not None]
    shared = {step for each in ended for step in each.curve}.intersection(curve)
    if spec.early_stopping != "median" or not shared:
        return False
    curve = {step: value for step, value in curve.items() if step <= max(shared)}
    import optuna

    _quiet(optuna)
    study = _study(optuna, spec, [each for each in ended if each.curve], None)
    trial = optuna.trial.create_trial(
        state=optuna.trial.TrialState.RUNNING, intermediate_values=dict(curve)
    )
    pruner = optuna.pruners.MedianPruner(n_startup_trials=5)
    return bool(pruner.prune(study, trial))


def _study(optuna: Any, spec: TuneSpec, known: Sequence[Known], sampler: Any) -> Any:
    direction = "minimize" if spec.minimize else "maximize"
    study = optuna.create_study(direction=direction, sampler=sampler)
    distributions = _distributions(optuna, spec.ranges)
    states = optuna.trial.TrialState
    study.add_trials(
        [
            optuna.trial.create_trial(
                state=_state(states, each),
                value=each.value,
                params={r.name: _inside(r, each.params[r.name]) for r in spec.ranges},
                distributions=distributions,
                intermediate_values=dict(each.curve),
            )
            for each in known
        ]
    )
    return study


def _state(states: Any, known: Known) -> Any:
    if known.value is not None:
        return states.COMPLETE
    return states.PRUNED if known.stopped and known.curve else states.FAIL


def _distributions(optuna: Any, ranges: Sequence[Range]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    kinds = optuna.distributions
    for each in ranges:
        if not isinstance(each, Numbers):
            # By their places: optuna takes 1 and True for the same.
            made[each.name] = kinds.CategoricalDistribution(range(len(each.values)))
        elif each.whole:
            step = 1 if each.step is None else int(each.step)
            made[each.name] = kinds.IntDistribution(
                int(each.low), int(each.high), log=each.log, step=step
            )
        else:
            made[each.name] = kinds.FloatDistribution(
                float(each.low), float(each.high), log=each.log, step=each.step
            )
    return made


def _inside(given: Range, value: Any) -> Any:
    """A value as optuna is told it."""
    if isinstance(given, Numbers):
        return value
    same = (n for n, v in enumerate(given.values) if v == value and type(v) is type(value))
    return next(same)


def _outside(given: Range, value: Any) -> Any:
    """A value of optuna's as a trial gets it."""
    if isinstance(given, Numbers):
        return int(value) if given.whole else float(value)
    return given.values[value]


def _quiet(optuna: Any) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    # A range need not end with a whole step.
    warnings.filterwarnings("ignore", message="The distribution is specified by")
