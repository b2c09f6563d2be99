"""Trials of tune steps, as read from the state."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.domain.run import RunDetail, StepRun, StepStatus
from core.domain.tuning import Trial, TrialStatus
from core.errors import NotFound
from core.reads.runs import outputs_of
from core.state.reading import Reader


def list_trials(reader: Reader, run_id: str, step: str) -> tuple[Trial, ...]:
    """The trials of one tune step, in order; which is the best is not marked."""
    rows = reader.rows(
        "SELECT * FROM tune_trials WHERE run_id = :run AND step = :step ORDER BY number",
        run=run_id,
        step=step,
    )
    return tuple(trial_of(row) for row in rows)


def equal_trials(reader: Reader, trial_key: str) -> tuple[Trial, ...]:
    """Trials of the same code, inputs and values that ended well, the newest first."""
    rows = reader.rows(
        "SELECT * FROM tune_trials WHERE trial_key = :key AND status = 'succeeded'"
        " ORDER BY ended_at DESC LIMIT 5",
        key=trial_key,
    )
    return tuple(trial_of(row) for row in rows)


def trials_of_step(reader: Reader, step: StepRun) -> tuple[Trial, ...]:
    """The trials of a step run, or of the one that its outputs were taken from."""
    taken = step.status in (StepStatus.CACHED, StepStatus.REUSED) and step.cached_from
    return list_trials(
        reader, step.cached_from if taken and step.cached_from else step.run_id, step.step
    )


def trials_of_run(reader: Reader, detail: RunDetail, step: str | None) -> tuple[Trial, ...]:
    """The trials of a run's tune steps, or of one, each step's best marked. Raises `NotFound`."""
    tuned = [each for each in detail.steps if each.kind == "tune"]
    if step is not None and step not in {each.step for each in tuned}:
        known = ", ".join(each.step for each in tuned) or "none"
        number = detail.run.number
        raise NotFound(f"run #{number}: no tune step {step}", f"tune steps: {known}")
    goals = {
        each["name"]: each["options"]["metric"]["goal"]
        for each in detail.spec.get("steps", ())
        if each["kind"] == "tune"
    }
    return tuple(
        trial
        for each in tuned
        if step in (None, each.step)
        for trial in marked(trials_of_step(reader, each), goals[each.step] == "minimize")
    )


def best_of(trials: Iterable[Trial], minimize: bool) -> Trial | None:
    """The one that is nearest to the goal; of equal ones the first."""
    good = [each for each in trials if each.status.ended_well and each.value is not None]
    if not good:
        return None
    sign = 1.0 if minimize else -1.0
    return min(good, key=lambda each: (sign * (each.value or 0.0), each.number))


def marked(trials: Sequence[Trial], minimize: bool) -> tuple[Trial, ...]:
    """The same trials, the best of them marked."""
    best = best_of(trials, minimize)
    return tuple(replace(each, best=each is best) for each in trials)


def trial_of(row: Mapping[str, Any]) -> Trial:
    """A row of `tune_trials` as a record."""
    return Trial(
        run_id=row["run_id"],
        step=row["step"],
        number=row["number"],
        status=TrialStatus(row["status"]),
        params=json.loads(row["params"]),
        metric=row["metric"],
        value=row["value"],
        message=row["message"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        cpu_seconds=row["cpu_seconds"],
        max_rss_mb=row["max_rss_mb"],
        exit_code=row["exit_code"],
        signal=row["signal"],
        mlflow_run_id=row["mlflow_run_id"],
        cached_from=row["cached_from"],
        outputs=outputs_of(row["outputs"]),
        curve={int(step): value for step, value in json.loads(row["curve"]).items()},
    )
