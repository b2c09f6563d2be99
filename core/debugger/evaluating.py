"""The rules that need no more than the metrics of a run and the records of its steps.

Plain Python, quick enough to be asked again and again while a run goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from core.debugger import progress, timing
from core.debugger.losses import is_gradient, is_validation, losses, pairs
from core.debugger.names import NEEDS
from core.debugger.progress import Issue
from core.domain.debugger import DebugReport, RuleResult, RuleStatus
from core.domain.run import RunDetail, StepStatus
from core.tracking import MetricSeries

_NO_LOSS = "no metric that looks like a loss was logged at more than one step"


def evaluate(
    detail: RunDetail, series: Sequence[MetricSeries], now: float
) -> tuple[list[RuleResult], dict[str, str]]:
    """What the rules found, and what the others would need. `now` is in epoch seconds."""
    ended = detail.run.status.ended
    series = [one for one in series if one.steps]
    found: list[RuleResult] = []
    missing = dict(NEEDS)
    known = losses(series)
    _over(found, missing, "LossNotDecreasing", known, progress.not_decreasing, ended,
          f"every {progress.NUM_STEPS} steps at least {progress.DIFF_PERCENT} % lower",
          fits=progress.enough_steps,
          why=f"{_NO_LOSS}, or not over {progress.NUM_STEPS} steps")  # fmt: skip
    _overfit(found, missing, known, ended)
    _over(found, missing, "Overtraining", known, _overtrained, ended,
          f"no gain of {progress.DELTA} in {progress.PATIENCE_TRAIN} training or "
          f"{progress.PATIENCE_VALIDATION} validation steps")  # fmt: skip
    _over(found, missing, "ExplodingTensor", series,
          progress.exploding, ended, "a logged metric is infinite or no number",
          why="no metric was logged")  # fmt: skip
    _over(found, missing, "UnchangedTensor", known, progress.unchanged, ended,
          f"{progress.UNCHANGED_STEPS} steps with rtol {progress.RTOL:g}",
          fits=lambda one: len(one) >= progress.UNCHANGED_STEPS)  # fmt: skip
    gradients = [one for one in series if is_gradient(one.key)]
    _over(found, missing, "VanishingGradient", gradients, progress.vanished, ended,
          f"a logged gradient is below {progress.VANISHED:g}",
          why=NEEDS["VanishingGradient"])  # fmt: skip
    _stalled(found, missing, detail, series, now)
    timed = [one for one in series if timing.step_durations(one)][:1]
    _over(found, missing, "StepOutlier", timed, timing.outliers, ended,
          f"more than {timing.N_OUTLIERS} steps {timing.STDDEV:g} deviations above the mean",
          why="no metric was logged step by step")  # fmt: skip
    _starting(found, missing, detail, series)
    _usage(found, missing, detail)
    return found, missing


def report(
    detail: RunDetail,
    found: Sequence[RuleResult],
    missing: dict[str, str],
    *,
    complete: bool,
) -> DebugReport:
    """Issues first, then by name."""
    order = (RuleStatus.ISSUES, RuleStatus.IN_PROGRESS, RuleStatus.NO_ISSUES)
    rules = sorted(found, key=lambda one: (order.index(one.status), one.rule))
    return DebugReport(
        detail.run.number,
        detail.run.pipeline,
        detail.run.status.ended,
        tuple(rules),
        dict(sorted(missing.items())),
        complete and detail.run.status.ended,
    )


def result(
    rule: str, issues: Sequence[tuple[str, Issue]], subjects: Sequence[str], definition: str,
    *, ended: bool,
) -> RuleResult:  # fmt: skip
    """One rule over several subjects: the first issue says since when."""
    if not issues:
        status = RuleStatus.NO_ISSUES if ended else RuleStatus.IN_PROGRESS
        return RuleResult(rule, status, _few(subjects), definition=definition)
    first = min(issues, key=lambda one: one[1].at if one[1].at is not None else float("inf"))
    evidence: dict[str, Any] = {name: dict(issue.evidence) for name, issue in issues}
    return RuleResult(
        rule,
        RuleStatus.ISSUES,
        ", ".join(name for name, _ in issues),
        "; ".join(f"{name} {issue.words}" for name, issue in issues),
        first[1].step,
        first[1].at,
        definition,
        evidence,
    )


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _over(
    found: list[RuleResult],
    missing: dict[str, str],
    rule: str,
    series: Sequence[MetricSeries],
    look: Callable[[MetricSeries], Issue | None],
    ended: bool,
    definition: str,
    *,
    fits: Callable[[MetricSeries], bool] = lambda _: True,
    why: str = _NO_LOSS,
) -> None:
    """Put one rule's result over these series among the found, or what it lacks."""
    fitting = [one for one in series if fits(one)]
    if not fitting:
        missing[rule] = why
        return
    missing.pop(rule, None)
    issues = [(one.key, issue) for one in fitting if (issue := look(one)) is not None]
    found.append(result(rule, issues, [one.key for one in fitting], definition, ended=ended))


def _overtrained(one: MetricSeries) -> Issue | None:
    patience = progress.PATIENCE_VALIDATION if is_validation(one.key) else progress.PATIENCE_TRAIN
    return progress.overtrained(one, patience)


def _overfit(
    found: list[RuleResult], missing: dict[str, str], known: Sequence[MetricSeries], ended: bool
) -> None:
    both = pairs(known)
    if not both:
        missing["Overfit"] = "no loss was logged of training and of validation both"
        return
    issues = [
        (validation.key, issue)
        for training, validation in both
        if (issue := progress.overfit(training, validation)) is not None
    ]
    found.append(
        result("Overfit", issues, [validation.key for _, validation in both],
               f"(validation - training) / training above {progress.RATIO_THRESHOLD}",
               ended=ended)
    )  # fmt: skip


def _stalled(
    found: list[RuleResult],
    missing: dict[str, str],
    detail: RunDetail,
    series: Sequence[MetricSeries],
    now: float,
) -> None:
    """Of steps that run now and have logged something: the others are not judged by silence."""
    last = max((max(one.timestamps) / 1000 for one in series), default=0.0)
    if not series:
        missing["StalledTrainingRule"] = "no metric was logged"
        return
    running = [
        step.step
        for step in detail.steps
        if step.status is StepStatus.RUNNING and (step.started_at or now) <= last
    ]
    issue = progress.stalled(last, now) if running else None
    logging = timing.logging_step(detail, last)
    found.append(
        result(
            "StalledTrainingRule",
            [(_few(running), issue)] if issue else [],
            running or ([logging.step] if logging else []),
            f"no new metric for {progress.STALLED_SECONDS:.0f} s while a step runs that logs",
            ended=not running,
        )
    )


def _starting(
    found: list[RuleResult],
    missing: dict[str, str],
    detail: RunDetail,
    series: Sequence[MetricSeries],
) -> None:
    rule = "MaxInitializationTime"
    training = [one for one in series if len(one) > 1]
    first = min((one.timestamps[0] / 1000 for one in training), default=None)
    step = None if first is None else timing.logging_step(detail, first)
    if step is None or first is None:
        missing[rule] = "no metric was logged at several steps by a step of this run"
        return
    issue = timing.slow_start(step, first)
    found.append(
        result(rule, [(step.step, issue)] if issue else [], [step.step],
               f"first metric within {timing.INITIALIZATION_MINUTES:.0f} minutes", ended=True)
    )  # fmt: skip


def _usage(found: list[RuleResult], missing: dict[str, str], detail: RunDetail) -> None:
    """OverallSystemUsage only tells: it has no threshold."""
    used = timing.usage(detail)
    if not used:
        missing["OverallSystemUsage"] = "no step of this run has ended in a process of its own"
        return
    most = max(used, key=lambda name: used[name]["seconds"])
    one = used[most]
    words = f"{most} took {one['seconds']:.1f} s with {one['cpu_percent']:.0f} % of a processor"
    if one["max_rss_mb"] is not None:
        words += f" and up to {one['max_rss_mb']:.0f} MB"
    found.append(
        replace(
            result("OverallSystemUsage", [], list(used), "what the steps' processes used",
                   ended=detail.run.status.ended),
            message=words,
            evidence=used,
        )
    )  # fmt: skip
