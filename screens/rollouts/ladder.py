"""The ladder of a strategy: what is done, where it stands, what comes next and when."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.domain.analysis import AnalysisStatus, Verdict
from core.domain.release import Deployment, DeploymentStatus, StrategyStep, lasting
from screens.glyphs import sign
from screens.rollouts.state import current_step, waits_for_person
from screens.rollouts.words import step_short
from screens.widgets.bars import gauge
from screens.widgets.lines import Line, Piece, width_of, wrapped
from screens.words import span_rounded

BAR = 14
"""Columns of the bar of the current step."""
LONG = 10
"""A ladder of more rungs is folded."""


def ladder_lines(
    deployment: Deployment, now: float, width: int, analysis: AnalysisStatus | None = None
) -> list[Line]:
    """One line a rung: those done are ticked, the current one has its time left as a bar."""
    name = f" {deployment.plan.name}" if deployment.plan is not None else ""
    total = len(deployment.strategy)
    place = min(deployment.step_index + 1, total)
    title: list[Piece] = [(" LADDER", "head"), (name, "dim")]
    if not deployment.status.ended:
        title.append((f", step {place} of {total}", "dim"))
    lines: list[Line] = [title]
    shown, before = _shown(deployment.step_index, total), -1
    for number in shown:
        step = deployment.strategy[number]
        if number - before > 1:
            between = f"{before + 2} to {number}"
            lines.append([(f"  ✓ {between} done" if before < 0 else f"  · {between}", "faint")])
        before = number
        glyph, style, words = _mark(deployment, number)
        row: list[Piece] = [(f"  {glyph} {number + 1} ", style), (step.words(), words)]
        left: list[Piece] = []
        if number == deployment.step_index and not deployment.status.ended:
            left = time_left(deployment, now, analysis)
        if left and width_of(row) + width_of(left) + 2 <= width:
            lines.append([*row, ("  ", "text"), *left])
        else:
            lines += wrapped(row, width, 6)
            lines += [[("      ", "text"), *left]] if left else []
    return lines


def _shown(place: int, total: int) -> list[int]:
    """The rungs that are shown: all, or of a long ladder those about the current one."""
    if total <= LONG:
        return list(range(total))
    first = min(max(place - 2, 0), total - 7)
    return sorted({*range(first, first + 6), total - 1})


def ladder_flow(
    deployment: Deployment, now: float, width: int, analysis: AnalysisStatus | None = None
) -> list[Line]:
    """The ladder in few lines: the rungs one after the other, then the current one by itself."""
    rungs: list[Piece] = []
    before = -1
    for number in _shown(deployment.step_index, len(deployment.strategy)):
        step = deployment.strategy[number]
        if number - before > 1:
            rungs.append((" ✓ … " if before < 0 else " … ", "faint"))
        before = number
        glyph, style, words = _mark(deployment, number)
        rungs += [(f" {glyph}\N{NO-BREAK SPACE}", style)]
        rungs += [(step_short(step).replace(" ", "\N{NO-BREAK SPACE}"), words), (" ", "text")]
    lines = [_plain(line) for line in wrapped([(" LADDER ", "head"), *rungs], width, 8)]
    here, left = current_step(deployment), time_left(deployment, now, analysis)
    if here is not None and left:
        at = f"{deployment.step_index + 1}/{len(deployment.strategy)}"
        row: list[Piece] = [(f"   {at} ", "dim"), (here.words(), "bold"), ("  ", "text")]
        if width_of([*row, *left]) > width:
            row[1] = (step_short(here), "bold")
        lines += wrapped([*row, *left], width, 7)
    return lines


def _plain(line: Line) -> Line:
    return [(text.replace("\N{NO-BREAK SPACE}", " "), style) for text, style in line]


def steps_flow(steps: Sequence[StrategyStep], width: int, *, brief: bool = False) -> list[Line]:
    """A ladder that nobody stands on, in few lines: `shadow 100 % → set weight 10 % → …`."""
    pieces: list[Piece] = []
    for number, step in enumerate(steps):
        words = (step_short(step) if brief else step.words()).replace(" ", "\N{NO-BREAK SPACE}")
        pieces += [(" →\N{NO-BREAK SPACE}" if number else "", "faint"), (words, "text")]
    return [_plain(line) for line in wrapped(pieces, width, 2)]


def _mark(deployment: Deployment, number: int) -> tuple[str, str, str]:
    """Glyph, its style and that of the words, of one rung."""
    status = sign(deployment.status)
    here = number == deployment.step_index
    if deployment.status is DeploymentStatus.SUCCEEDED or number < deployment.step_index:
        return "✓", "ok", "dim"
    if here:
        return status.glyph, status.style, "bold"
    return "·", "faint", "faint"


def time_left(
    deployment: Deployment, now: float, analysis: AnalysisStatus | None = None
) -> list[Piece]:
    """How far the current rung is, as a bar, and what is left of it."""
    step = current_step(deployment)
    if step is None or deployment.status is DeploymentStatus.HELD:
        return []
    style = sign(deployment.status).style
    shadow = analysis.shadow if analysis is not None else None
    if step.kind == "shadow" and step.requests and shadow is not None:
        share = shadow.compared / step.requests
        said = f" {shadow.compared:,}/{step.requests:,} compared"
        if deployment.next_at is not None:
            said += f", {lasting(math.ceil(deployment.next_at - now))} left"
        return [*gauge(share, BAR, style), (said, "text")]
    if deployment.next_at is None or not step.seconds:
        return []
    left = max(0.0, deployment.next_at - now)
    return [
        *gauge(1 - left / step.seconds, BAR, style),
        (f" {lasting(math.ceil(left))} left", "text"),
    ]


def next_step_words(deployment: Deployment) -> str:
    """The rung after the current one."""
    after = deployment.step_index + 1
    if after < len(deployment.strategy):
        return deployment.strategy[after].words()
    return "the release is finished"


def next_action(deployment: Deployment, now: float, analysis: AnalysisStatus | None = None) -> Line:
    """What happens next, on what condition, by itself or by whom."""
    if deployment.status.ended:
        return []
    step, then = current_step(deployment), next_step_words(deployment)
    if deployment.status is DeploymentStatus.HELD:
        return [
            ("held: ", "warn"),
            (f"p goes on with {then}, w sets the weight, x aborts", "text"),
        ]
    if deployment.status in (DeploymentStatus.QUEUED, DeploymentStatus.LOADING):
        first = deployment.strategy[0].words() if deployment.strategy else then
        return [("next: ", "dim"), (f"{first}, once v{deployment.version} is loaded", "text")]
    if step is None:
        return [("next: ", "dim"), (then, "text")]
    if waits_for_person(deployment):
        asked = f" “{step.message}”" if step.message else ""
        return [(f"waits for a person:{asked} ", "wait"), (f"p promotes, then {then}", "text")]
    return [
        ("next: ", "dim"),
        (f"{then} {_when(deployment, step, now, analysis)}".rstrip(), "text"),
    ]


def _when(
    deployment: Deployment, step: StrategyStep, now: float, analysis: AnalysisStatus | None
) -> str:
    """When the next step comes, and on what condition."""
    left = None if deployment.next_at is None else lasting(math.ceil(deployment.next_at - now))
    guard = ", unless an alarm goes off" if _guarded(deployment) else ""
    match step.kind:
        case "analyse":
            late = f"; held in {left} if not" if left else ""
            return f"when {_verdicts(analysis)}{late}"
        case "shadow":
            shadow = analysis.shadow if analysis is not None else None
            done = shadow.compared if shadow is not None else 0
            more = None if step.requests is None else max(0, step.requests - done)
            ends = ([] if more is None else [f"after {more:,} more compared"]) + (
                [f"in {left}"] if left else []
            )
            return " or ".join(ends) + guard
        case "window":
            return f"within {step.window}" + (f", in {left}" if left else "")
        case "set_weight":
            return ""
    return (f"in {left}" if left else "") + guard


def _guarded(deployment: Deployment) -> bool:
    plan = deployment.plan
    return plan is not None and any(not rule.dry_run for rule in plan.alarms)


def _verdicts(analysis: AnalysisStatus | None) -> str:
    """How far the comparison is: `2 of 3 metrics are non-inferior …`, with a guess of how long."""
    counted = [m for m in analysis.metrics if not m.dry_run] if analysis is not None else []
    if not counted:
        return "every metric is non-inferior"
    good = sum(metric.verdict is Verdict.NON_INFERIOR for metric in counted)
    waited = [metric.eta for metric in counted if metric.verdict is Verdict.UNDECIDED]
    known = [eta for eta in waited if eta is not None]
    about = (
        f", about {span_rounded(max(*known, 1.0))}" if known and len(known) == len(waited) else ""
    )
    return f"all metrics are non-inferior: {good} of {len(counted)} are{about}"
