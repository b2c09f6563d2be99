"""What a tune step's search is, what it knows before it begins, and what it chose."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from core.domain.pipeline import StepSpec
from core.domain.tuning import Trial, TrialStatus
from core.engine.context import Engine
from core.engine.plan import Plan, read_plan
from core.errors import NotFound
from core.reads.runs import find_run, step_runs
from core.reads.trials import best_of, trials_of_step
from core.state.reading import Reader
from core.tuning import TuneSpec, WarmStartInvalid, spec_from
from core.tuning.proposals import Known


def search_of(engine: Engine, plan: Plan, step: StepSpec) -> dict[str, Any]:
    """All that a search depends on besides its code and inputs, for the key of its cache.

    Raises `TuningInvalid`, `WarmStartInvalid`.
    """
    spec = spec_of(plan, step)
    warm = [[dict(each.params), each.value] for each in warm_trials(engine, plan, step, spec)]
    told = {key: value for key, value in asdict(spec).items() if key != "max_parallel"}
    # At random no trial knows of another: how many are at once makes no difference.
    lanes = spec.max_parallel if spec.strategy != "random" else 1
    return {**told, "lanes": lanes, "warm": warm, "step_seed": plan.seed(step)}


def spec_of(plan: Plan, step: StepSpec) -> TuneSpec:
    """The search that a step describes, with this run's parameters; raises `TuningInvalid`."""
    return spec_from(step.options, plan.params, plan.seed(step) % 2**31)


def chosen(engine: Engine, run_id: str) -> dict[str, Any]:
    """By tune step of a run: which trial it chose, its values, and what they came to."""
    reader = engine.session.reader
    plan = read_plan(reader, run_id)
    found = {}
    for each in step_runs(reader, run_id):
        if each.kind == "tune" and each.status.ended_well:
            spec = spec_of(plan, plan.step(each.step))
            best = best_of(trials_of_step(reader, each), spec.minimize)
            if best is not None:
                found[each.step] = {
                    "trial": best.number,
                    "params": dict(best.params),
                    "metric": best.metric,
                    "value": best.value,
                    "mlflow_run_id": best.mlflow_run_id,
                }
    return found


def warm_trials(engine: Engine, plan: Plan, step: StepSpec, spec: TuneSpec) -> tuple[Known, ...]:
    """Trials of an earlier run that count as known. Raises `WarmStartInvalid`."""
    if not spec.warm_start:
        return ()
    reader = engine.session.reader
    if spec.warm_start == "last":
        rows = reader.rows(
            "SELECT id FROM runs WHERE pipeline = :pipeline AND number < :number"
            " AND id IN (SELECT run_id FROM tune_trials) ORDER BY number DESC LIMIT 20",
            pipeline=plan.spec.name,
            number=plan.run["number"],
        )
        found = (_fitting(reader, row["id"], step.name, spec) for row in rows)
        return next((each for each in found if each), ())
    number = spec.warm_start.removeprefix("run/")
    try:
        run = find_run(reader, number)
    except NotFound:
        raise WarmStartInvalid(f"tune.warm_start: there is no run {number}") from None
    if not run.status.ended:
        raise WarmStartInvalid(f"tune.warm_start: run {number} has not ended", "wait for it")
    known = _fitting(reader, run.id, step.name, spec)
    if not known:
        hint = f"see: opsdeck runs trials {number}"
        message = f"tune.warm_start: run {number} has no trials of {spec.metric} in these ranges"
        raise WarmStartInvalid(message, hint)
    return known


def _fitting(reader: Reader, run_id: str, step: str, spec: TuneSpec) -> tuple[Known, ...]:
    """The trials of a run's step of that name, else of its only one, that this search could
    have made."""
    steps = [each for each in step_runs(reader, run_id) if each.kind == "tune"]
    chosen = [each for each in steps if each.step == step] or (steps if len(steps) == 1 else [])
    return tuple(
        known_of(trial)
        for each in chosen
        for trial in trials_of_step(reader, each)
        if trial.status.ended_well and trial.metric == spec.metric and spec.fits(trial.params)
    )


def known_of(trial: Trial) -> Known:
    stopped = trial.status is TrialStatus.STOPPED
    value = trial.value if trial.status.ended_well else None
    return Known(trial.params, value, trial.curve, stopped)
