"""The monitor of model quality: metrics of labelled rows, by segment, against the baseline;
what can be said without labels; and whether the errors have risen for good.

Its numerics are `core.modelquality`. The baseline is made from rows that the model did not
learn from, with their labels; windows are computed again as labels arrive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from core.monitors.kind import (
    Findings,
    Kind,
    KindContext,
    Measurement,
    MonitorDefinition,
    Problems,
    Reference,
    State,
    StoredBaseline,
    Violation,
    Window,
)
from core.monitors.kinds._quality_settings import QualitySettings, read_settings

if TYPE_CHECKING:
    from core.modelquality.judging import Judged
    from core.modelquality.measuring import Quality
    from core.modelquality.stream import Drift
    from core.monitors.kinds._quality_baseline import QualityBaseline
    from core.monitors.kinds._quality_rows import QualityRows

TAIL = 40
"""Windows that the search for a change of the errors reaches back."""


class ModelQuality(Kind):
    """See `Kind`."""

    name: ClassVar[str] = "model_quality"
    reference: ClassVar[Reference] = Reference.EVALUATION
    uses_labels: ClassVar[bool] = True

    def read(self, problems: Problems, where: str, data: Mapping[str, Any]) -> QualitySettings:
        """See `Kind.read`."""
        return read_settings(problems, where, data)

    def baseline(
        self, definition: MonitorDefinition, reference: Window, context: KindContext
    ) -> StoredBaseline:
        """See `Kind.baseline`. Raises `QualityUnusable`."""
        from core.monitors.kinds._quality_baseline import make_baseline

        return make_baseline(definition, reference, context)

    def evaluate(
        self,
        definition: MonitorDefinition,
        baseline: StoredBaseline | None,
        window: Window,
        memory: Mapping[str, Any],
        context: KindContext,
    ) -> Findings:
        """See `Kind.evaluate`."""
        from core.monitors.kinds._quality_baseline import QualityBaseline, load_baseline
        from core.monitors.kinds._quality_rows import read_rows

        if baseline is None:
            rows = read_rows(definition, window, context)
            loaded = QualityBaseline(rows.answers.task, 0, 0, rows.answers.classes, rows.scores)
        else:
            loaded = load_baseline(baseline)
            rows = read_rows(
                definition,
                window,
                context,
                task=loaded.task,
                classes=loaded.classes,
                scores=loaded.scores,
            )
        return _find(definition, loaded, rows, window, context)


def _find(
    definition: MonitorDefinition,
    baseline: QualityBaseline,
    rows: QualityRows,
    window: Window,
    context: KindContext,
) -> Findings:
    from core.modelquality import coverage as covering
    from core.modelquality import smfiles
    from core.modelquality.measuring import measure
    from core.monitors.kinds import _quality_findings as words
    from core.monitors.kinds._quality_estimates import estimate_window

    settings: QualitySettings = definition.settings
    answers = rows.answers
    quality = measure(answers.pairs, dependence=baseline.dependence)
    coverage = covering.compare(
        answers.labelled,
        {"prediction": answers.prediction} | {name: rows.columns[name] for name in rows.features},
        answers.usable,
    )
    labelled = quality.rows >= settings.minimum_labels
    watched = _watched(settings, quality)
    judged = _judge(settings, definition, baseline, rows, quality, watched)
    unknown = _unknown_labels(definition, context)
    measurements = [words.covered(coverage, answers.left_out, unknown)]
    measurements += [
        words.measured(each, labelled, not coverage.at_random, baseline.dependence)
        for each in judged
    ]
    named = {each.metric for each in judged}
    measurements += [
        words.informative(name, metric, quality.rows)
        for name, metric in quality.metrics.items()
        if name not in named
    ]
    broken = [found for each in judged if labelled and (found := words.violation(each))]
    estimate = estimate_window(baseline, rows, quality) if settings.estimate else None
    guessed: list[Judged] = []
    if estimate is not None:
        more, wrong, guessed = words.estimated(
            estimate,
            quality,
            baseline,
            settings,
            watched,
            alone=not labelled,
            enough=estimate.rows >= definition.window.minimum_rows,
        )
        measurements += more
        broken += wrong
    drift = _drift(settings, baseline, rows, window, context)
    if drift is not None and baseline.errors is not None:
        shown, opened = words.drifted(drift, baseline.errors, settings, baseline.key)
        measurements.append(shown)
        broken += [opened] if opened else []
    state = _state(measurements, broken, labelled)
    whole = [each for each in judged if not each.segment and each.threshold is not None]
    return Findings(
        state=state,
        measurements=tuple(measurements),
        violations=tuple(broken),
        headline=words.headline(state, judged, guessed, coverage, estimate, broken),
        files={
            "statistics.json": smfiles.statistics(quality, window.start, window.end, context.now),
            "constraints.json": smfiles.constraints(
                quality.task, [each.threshold for each in whole if each.threshold]
            ),
            "constraint_violations.json": smfiles.violations(
                (each.threshold, each.now)
                for each in whole
                if each.threshold and each.breached and labelled
            ),
        },
    )


def _unknown_labels(definition: MonitorDefinition, context: KindContext) -> int | None:
    """Labels that the endpoint was given of requests that are not captured, all told."""
    if context.session is None or definition.target_kind != "endpoint":
        return None
    from core.capture.quality import coverage

    folder = context.session.workspace.endpoints_dir / definition.target
    return coverage(folder, definition.target).unknown


def _watched(settings: QualitySettings, quality: Quality) -> tuple[str, ...]:
    """The metrics that have a threshold: the user's, or the defaults of the task."""
    from core.modelquality.thresholds import DEFAULT, METRICS

    own = [*settings.metrics, *(name for name in settings.thresholds)]
    wanted = own if settings.metrics else [*DEFAULT[quality.task], *own]
    known = [name for name in METRICS[quality.task] if name in quality.metrics]
    return tuple(name for name in dict.fromkeys(wanted) if name in known)


def _judge(
    settings: QualitySettings,
    definition: MonitorDefinition,
    baseline: QualityBaseline,
    rows: QualityRows,
    quality: Quality,
    watched: Sequence[str],
) -> list[Judged]:
    from core.modelquality.judging import judge
    from core.modelquality.measuring import measure
    from core.modelquality.segments import columns_of, segments

    parts = []
    wanted = columns_of(definition.segments)
    for name, chosen in segments(wanted, baseline.cuts, rows.columns):
        chosen = chosen & rows.answers.labelled
        if chosen.sum() >= settings.minimum_segment_rows:
            parts.append((name, measure(rows.answers.of(chosen), dependence=baseline.dependence)))
    both = 2 if parts else 1
    found = judge(
        quality,
        baseline.metrics,
        watched,
        limits=settings.thresholds,
        margin=settings.margin,
        comparisons=both * len(watched),
    )
    for name, part in parts:
        found += judge(
            part,
            baseline.segments.get(name, {}),
            watched,
            segment=name,
            margin=settings.margin,
            comparisons=both * len(watched) * len(parts),
        )
    return found


def _drift(
    settings: QualitySettings,
    baseline: QualityBaseline,
    rows: QualityRows,
    window: Window,
    context: KindContext,
) -> Drift | None:
    """What the detectors make of the labelled rows in order of time, those of the windows
    before (as they stand by now) first; None where there is no baseline of errors."""
    import numpy as np

    from core.modelquality import stream

    if baseline.errors is None or not settings.detectors:
        return None
    answers = rows.answers
    places = np.flatnonzero(answers.labelled)
    times = np.full(len(answers), window.start) if rows.times is None else rows.times
    # A time that is none must not stop the stream.
    times = np.where(np.isfinite(times), times, window.start)
    places = places[np.argsort(times[places], kind="stable")]
    now = stream.blocks(baseline.errors, answers.of(places), times[places])
    # Another champion's errors are another stream.
    before = [
        each.detail
        for measurements in context.previous(TAIL)
        for each in measurements
        if each.metric == "concept_drift" and each.detail.get("key") == baseline.key
    ]
    known = before[0].get("incident") if before else None
    return stream.follow(
        baseline.errors,
        [[stream.ErrorBlock.from_json(one) for one in each["blocks"]] for each in before[::-1]],
        now,
        stream.Incident.from_json(known) if known else None,
        settings.detectors,
    )


def _state(
    measurements: Sequence[Measurement], broken: Sequence[Violation], labelled: bool
) -> State:
    """Violated by anything that is more than a hint; else as the labelled rows have it. What is
    only estimated is never green: it cannot see what labels would show."""
    if any(each.severity != "info" for each in broken):
        return State.VIOLATED
    if not labelled:
        guessed = [each for each in measurements if each.metric.startswith("estimated_")]
        known = [each for each in guessed if each.state is State.INFO and not each.detail["doubts"]]
        return State.INFO if known else State.INSUFFICIENT
    judged = [each.state for each in measurements if each.threshold is not None]
    if State.OK in judged:
        return State.OK
    return State.INFO


KIND = ModelQuality()
