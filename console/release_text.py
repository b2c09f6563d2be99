"""Previews and plans as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.session import Session
from console.tables import block, heading
from console.touched_text import touched_facts
from core.domain.release import lasting

if TYPE_CHECKING:
    from core.domain.preview import ChangePreview
    from core.domain.release import ReleasePlan


def change_text(session: Session, preview: ChangePreview) -> str:
    """What a change would do; nothing was done."""
    version = "" if preview.version is None else f"version {preview.version}"
    before = "" if preview.from_version is None else f" (serves version {preview.from_version})"
    facts = [
        ("would", preview.action),
        ("endpoint", f"{preview.endpoint}, {preview.environment}"),
        ("model", f"{preview.model} {version}{before}".strip()),
        ("gate", preview.gate),
        ("aliases", ", ".join(preview.aliases)),
        ("undo", preview.undo),
    ]
    if preview.from_version is not None:  # what is new has nobody to touch
        facts[-1:-1] = touched_facts(preview.features, preview.consumers)
    parts = [block(session, facts), _lines(session, "then", preview.consequences)]
    if preview.steps:
        parts.append(_lines(session, "steps", preview.steps))
    if preview.alarms:
        parts.append(_lines(session, "watched", preview.alarms))
    return "\n\n".join([*parts, "nothing was done"])


def workers_words(bounds: tuple[int, int]) -> str:
    """Bounds of workers: `2`, or `1 to 4`."""
    low, high = bounds
    return str(low) if low == high else f"{low} to {high}"


def _lines(session: Session, title: str, lines: tuple[str, ...]) -> str:
    return "\n".join([heading(session, title), *(f"  {line}" for line in lines)])


def plan_text(session: Session, plan: ReleasePlan) -> str:
    """A plan: its ladder and what is watched."""
    steps = tuple(f"{n}. {step.words()}" for n, step in enumerate(plan.steps, start=1))
    parts = [_lines(session, f"strategy {plan.name}", steps)]
    if plan.alarms:
        alarms = tuple(
            f"{a.name}: {a.metric} {a.comparison} {a.threshold:g}, {a.datapoints_to_alarm} of"
            f" {a.evaluation_periods} periods of {lasting(a.period)}" + (" (dry run)" * a.dry_run)
            for a in plan.alarms
        )
        parts.append(_lines(session, "alarms", alarms))
    if plan.analysis.metrics:
        metrics = tuple(
            f"{m.metric}: no worse than {m.margin * 100:g} % of the champion's"
            if m.relative
            else f"{m.metric}: no worse than {m.margin:g}"
            for m in plan.analysis.metrics
        )
        marks = tuple(" (dry run)" * m.dry_run for m in plan.analysis.metrics)
        lines = tuple(a + b for a, b in zip(metrics, marks, strict=True))
        parts.append(_lines(session, f"compared, alpha {plan.analysis.alpha:g}", lines))
    if plan.rollback_alarms:
        parts.append(_lines(session, "alarms of the workspace", plan.rollback_alarms))
    facts = [("on a breach", str(plan.on_breach)), ("kept loaded", lasting(plan.keep_seconds))]
    if plan.workers is not None:
        facts.append(("workers", f"{workers_words(plan.workers)} in each server"))
    parts.append(block(session, facts))
    return "\n\n".join(parts)
