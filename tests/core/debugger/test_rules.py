"""Debugger rules fire where SageMaker's definitions say, and first say when."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.debugger import progress
from core.debugger.evaluating import evaluate, report
from core.debugger.losses import is_loss, is_validation, losses, pairs
from core.domain.debugger import DebugReport, RuleResult, RuleStatus
from core.domain.run import Run, RunDetail, RunStatus, StepRun, StepStatus
from core.tracking import MetricSeries

START = 1_780_000_000.0


def series(
    key: str, values: Sequence[float], every: int = 1, seconds: float = 10.0
) -> MetricSeries:
    """Values at every so many steps, each so many seconds after the one before."""
    steps = tuple(range(0, len(values) * every, every))
    times = tuple(round((START + 5 + step * seconds) * 1000) for step in steps)
    return MetricSeries(key, steps, tuple(map(float, values)), times)


def run_of(status: RunStatus, step: StepStatus, seconds: float = 600.0) -> RunDetail:
    ended = START + seconds if step.ended else None
    run = Run("id", 7, "train", status, {}, START, "eve", started_at=START)
    return RunDetail(
        run,
        (
            StepRun("id", "load", 0, "function", (), StepStatus.CACHED),
            StepRun(
                "id", "fit", 1, "function", ("load",), step, started_at=START, ended_at=ended,
                cpu_seconds=900.0 if ended else None, max_rss_mb=512.0 if ended else None,
            ),
        ),
    )  # fmt: skip


DONE = run_of(RunStatus.SUCCEEDED, StepStatus.SUCCEEDED)
GOING = run_of(RunStatus.RUNNING, StepStatus.RUNNING)


def look(*metrics: MetricSeries, run: RunDetail = DONE, now: float = START + 60) -> DebugReport:
    found, missing = evaluate(run, metrics, now)
    made = report(run, found, missing, complete=True)
    json.dumps(asdict(made), allow_nan=False)
    names = [rule.rule for rule in made.rules]
    assert len(set(names)) == len(names)
    assert not set(names) & set(made.not_evaluated)
    return made


def rule(found: DebugReport, name: str) -> RuleResult:
    return next(one for one in found.rules if one.rule == name)


FALLING = [math.exp(-step / 8) + 0.2 for step in range(40)]


def test_a_run_that_learns_has_no_issues() -> None:
    found = look(series("train_loss", FALLING), series("val_loss", [v * 1.05 for v in FALLING]))
    assert {one.rule for one in found.rules} >= {
        "LossNotDecreasing", "Overfit", "ExplodingTensor", "UnchangedTensor",
        "StalledTrainingRule", "StepOutlier", "MaxInitializationTime", "OverallSystemUsage",
    }  # fmt: skip
    assert {one.rule for one in found.issues} <= {"Overtraining"}
    assert rule(found, "Overfit").status is RuleStatus.NO_ISSUES
    assert found.complete
    assert "weights, gradients" in found.not_evaluated["DeadRelu"]
    assert "GPU" in found.not_evaluated["CPUBottleneck"]
    usage = rule(found, "OverallSystemUsage")
    assert usage.evidence["fit"]["cpu_percent"] == 150.0
    assert "512 MB" in usage.message


def test_while_it_runs_and_nothing_is_wrong_it_is_in_progress() -> None:
    found = look(series("loss", FALLING[:15]), run=GOING, now=START + 300)
    assert rule(found, "LossNotDecreasing").status is RuleStatus.IN_PROGRESS
    assert not found.complete


def test_loss_not_decreasing_says_since_when() -> None:
    flat = [1.0 - 0.05 * min(step, 20) / 20 for step in range(41)]
    found = rule(look(series("loss", flat)), "LossNotDecreasing")
    assert found.status is RuleStatus.ISSUES
    assert found.since_step == 30
    assert found.since_at == START + 5 + 300
    assert "2 of 4 spans" in found.message
    # Logged every third step: the loss at step 12 is held against that at 0, as the rule has it.
    sparse = rule(look(series("loss", [1.0] * 10, every=3)), "LossNotDecreasing")
    assert sparse.since_step == 12
    assert "LossNotDecreasing" in look(series("loss", FALLING[:9])).not_evaluated


def test_a_drop_of_a_thousandth_is_enough() -> None:
    assert progress.not_decreasing(series("loss", [1 - 0.00005 * s for s in range(11)])) is not None
    assert progress.not_decreasing(series("loss", [1 - 0.0002 * s for s in range(11)])) is None


def test_overfit_holds_validation_against_training() -> None:
    later = [v if step < 20 else v + 0.1 * (step - 19) for step, v in enumerate(FALLING)]
    found = rule(look(series("train/rmse", FALLING), series("valid/rmse", later)), "Overfit")
    assert found.status is RuleStatus.ISSUES
    assert found.subject == "valid/rmse"
    assert found.since_step is not None
    assert 20 < found.since_step < 32
    # One step beyond the ratio is within the patience.
    once = [1.0, 1.0, 1.5, 0.9, 0.9]
    assert progress.overfit(series("a", [1.0] * 5), series("b", once)) is None
    lone = look(series("train_loss", FALLING))
    assert "both" in lone.not_evaluated["Overfit"]


def test_overtraining_waits_longer_for_validation() -> None:
    stuck = [1.0, 0.5, *[0.495] * 9]
    training = rule(look(series("train_loss", stuck)), "Overtraining")
    assert training.since_step == 6
    validation = look(series("val_loss", stuck))
    assert rule(validation, "Overtraining").status is RuleStatus.NO_ISSUES
    longer = rule(look(series("val_loss", [*stuck, 0.495])), "Overtraining")
    assert longer.since_step == 11
    assert "best was 0.5 at step 1" in longer.message


@pytest.mark.parametrize(("bad", "word"), [(math.nan, "NaN"), (math.inf, "infinite")])
def test_a_number_that_explodes(bad: float, word: str) -> None:
    found = rule(look(series("loss", [1.0, 0.9, bad, bad])), "ExplodingTensor")
    assert found.status is RuleStatus.ISSUES
    assert found.since_step == 2
    assert word in found.message
    only = look(series("loss", [bad]))
    assert rule(only, "ExplodingTensor").status is RuleStatus.ISSUES


def test_values_that_do_not_change() -> None:
    found = rule(look(series("loss", [1.0, 0.9, 0.8, 0.800001, 0.8])), "UnchangedTensor")
    assert found.since_step == 4
    assert progress.unchanged(series("loss", [1.0, 1.0, 0.9, 0.9, 0.8])) is None
    # A learning rate may stay as it is.
    assert "UnchangedTensor" in look(series("learning_rate", [0.1] * 9)).not_evaluated


def test_gradients_that_are_logged_can_vanish() -> None:
    found = rule(look(series("grad_norm", [1.0, 1e-3, 1e-9])), "VanishingGradient")
    assert found.since_step == 2
    assert "VanishingGradient" in look(series("loss", FALLING)).not_evaluated


def test_training_that_stalls_while_its_step_runs() -> None:
    metrics = series("loss", FALLING[:10])
    last = START + 5 + 90
    quiet = look(metrics, run=GOING, now=last + 1799)
    assert rule(quiet, "StalledTrainingRule").status is RuleStatus.IN_PROGRESS
    found = rule(look(metrics, run=GOING, now=last + 1801), "StalledTrainingRule")
    assert found.status is RuleStatus.ISSUES
    assert found.subject == "fit"
    assert found.since_at == last + 1800
    # A run that has ended does not stall, and one that logs nothing is not judged by silence.
    assert rule(look(metrics, now=last + 9999), "StalledTrainingRule").message == ""
    assert "StalledTrainingRule" in look(run=GOING, now=last + 9999).not_evaluated


def test_steps_that_take_far_longer_than_the_others() -> None:
    steps = tuple(range(700))
    at, times = START + 5, []
    for step in steps:
        at += 30.0 if step % 58 == 57 else 0.1
        times.append(round(at * 1000))
    values = tuple(1.0 / (step + 1) for step in steps)
    slow = rule(look(MetricSeries("loss", steps, values, tuple(times))), "StepOutlier")
    assert slow.status is RuleStatus.ISSUES
    assert slow.since_step == 57
    at_once = MetricSeries("loss", steps, values, (times[0],) * 700)
    assert "StepOutlier" in look(at_once).not_evaluated


def test_a_first_metric_that_comes_late() -> None:
    late = series("loss", FALLING)
    late = replace(late, timestamps=tuple(at + 1_300_000 for at in late.timestamps))
    run = run_of(RunStatus.SUCCEEDED, StepStatus.SUCCEEDED, seconds=3000)
    found = rule(look(late, run=run), "MaxInitializationTime")
    assert found.status is RuleStatus.ISSUES
    assert "22 minutes" in found.message


def test_no_metrics_at_all() -> None:
    found = look()
    assert [one.rule for one in found.rules] == ["OverallSystemUsage"]
    assert found.not_evaluated["ExplodingTensor"] == "no metric was logged"


def test_losses_are_told_by_their_names() -> None:
    for key in ("loss", "train_loss", "valid/LogLoss", "validation-rmse", "eval_mae", "trainError"):
        assert is_loss(key), key
    for key in ("accuracy", "r2", "lossless_share", "learning_rate", "mistakes"):
        assert not is_loss(key), key
    assert is_validation("valid/rmse")
    assert not is_validation("trainvaluation_loss")
    known = losses([series(k, [1, 2]) for k in ("val_rmse", "train_rmse", "train_mae", "r2")])
    assert [one.key for one in known] == ["train_mae", "train_rmse", "val_rmse"]
    assert [(a.key, b.key) for a, b in pairs(known)] == [("train_rmse", "val_rmse")]


@given(
    st.lists(st.tuples(st.integers(0, 50), st.floats(), st.integers(0, 10**13)), max_size=60),
    st.sampled_from([DONE, GOING]),
)
def test_any_series_raises_nothing(points: list[tuple[int, float, int]], run: RunDetail) -> None:
    points.sort()
    steps, values, times = (
        (tuple(each) for each in zip(*points, strict=True)) if points else ((),) * 3
    )
    both = [MetricSeries(key, steps, values, times) for key in ("train_loss", "val_loss")]
    look(*both, run=run, now=START + 1e6)
