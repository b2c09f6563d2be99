"""What a window's quality comes to, in the words of monitors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from core.domain.monitor import Measurement, State, Violation
from core.modelquality.coverage import Coverage
from core.modelquality.estimate import WIDTH, Estimate
from core.modelquality.judging import Judged, judge, worst
from core.modelquality.measuring import Metric, Quality
from core.modelquality.smfiles import describe
from core.modelquality.stream import Drift, ErrorBaseline
from core.modelquality.thresholds import GREATER, METRICS
from core.monitors.kinds._quality_baseline import QualityBaseline
from core.monitors.kinds._quality_estimates import estimate_detail
from core.monitors.kinds._quality_settings import QualitySettings

_ALIKE = 1.1
_DEFINITIONS = {
    "mae": "mean of |prediction - label|",
    "mse": "mean of (prediction - label)²",
    "rmse": "root of the mean of (prediction - label)²",
    "r2": "1 - mse / variance of the labels",
    "auc": "area under the ROC curve",
    "au_prc": "area under the precision-recall curve (average precision)",
}


def measured(each: Judged, enough: bool, doubtful: bool, dependence: float = 1.0) -> Measurement:
    """One figure of labelled rows. `enough` rows to judge by; `doubtful`: labels are missing
    not at random, so that good figures are no good news. So many rows that follow each other
    are worth one (`dependence`)."""
    now, threshold = each.now, each.threshold
    state = State.INFO
    if not enough or (each.baseline is not None and not math.isfinite(now.value)):
        state = State.INSUFFICIENT
    elif threshold is not None:
        fine = State.INFO if doubtful else State.OK
        state = State.VIOLATED if each.breached else fine
    detail: dict[str, Any] = {"rows": each.rows}
    for key, number in (
        ("standard_deviation", now.standard_deviation),
        ("baseline", each.baseline.value if each.baseline else math.nan),
    ):
        if math.isfinite(number):
            detail[key] = number
    words = _DEFINITIONS.get(each.metric, f"{each.metric} as scikit-learn computes it")
    tail = f"; threshold: {threshold.definition}" if threshold else ""
    if threshold and dependence > _ALIKE:
        tail += f"; {dependence:.1f} rows that follow each other count as one"
    return Measurement(
        metric=each.metric,
        value=finite(now.value),
        segment=each.segment,
        low=finite(now.value - WIDTH * now.error),
        high=finite(now.value + WIDTH * now.error),
        threshold=finite(threshold.value) if threshold else None,
        comparison=threshold.comparison if threshold else "",
        state=state,
        definition=f"{words}, {each.rows} labelled rows{tail}",
        detail=detail,
    )


def violation(each: Judged) -> Violation | None:
    """A figure that is worse than allowed, in SageMaker's words; None of any other."""
    if each.threshold is None or not each.breached:
        return None
    where = f" ({each.segment})" if each.segment else ""
    return Violation(
        feature="",
        check=each.threshold.comparison,
        description=describe(each.threshold, each.now) + where,
        metric=each.metric,
        value=finite(each.now.value),
        threshold=finite(each.threshold.value),
        severity="critical" if each.badly and not each.segment else "warning",
        segment=each.segment,
    )


def covered(
    coverage: Coverage, left_out: Mapping[str, int], unknown: int | None = None
) -> Measurement:
    """How far the labels reach, and when not to trust what is said of them. `unknown` counts
    the endpoint's labels of requests that are not captured, None where nobody can tell."""
    gaps = [
        {"column": gap.column, "distance": round(gap.distance, 6), "p": gap.adjusted}
        for gap in coverage.gaps[:10]
    ]
    return Measurement(
        metric="label_coverage",
        value=coverage.share,
        definition="labelled rows of those with a usable prediction; labelled and unlabelled "
        "rows compared by KS or chi-square, BH q = 0.01, distance >= 0.1",
        detail={
            "rows": coverage.rows,
            "labelled": coverage.labelled,
            "statement": coverage.statement,
            "at_random": coverage.at_random,
            "gaps": gaps,
            "left_out": dict(left_out),
            "unknown_labels": unknown,
        },
    )


def estimated(
    estimate: Estimate,
    quality: Quality,
    baseline: QualityBaseline,
    settings: QualitySettings,
    watched: Sequence[str],
    *,
    alone: bool,
    enough: bool,
) -> tuple[list[Measurement], list[Violation], list[Judged]]:
    """Estimated figures. They are judged only where they stand `alone` (too few labels), there
    are `enough` rows, and nothing speaks against them."""
    judging = alone and enough and estimate.trusted
    found = []
    broken = []
    judged = judge(
        Quality(
            quality.task,
            estimate.rows,
            {name: each.metric for name, each in estimate.metrics.items()},
        ),
        baseline.metrics,
        [name for name in METRICS[quality.task] if name in estimate.metrics],
        limits=settings.thresholds,
        margin=settings.margin,
        comparisons=max(1, len(watched)),
    )
    for each in judged:
        interval = estimate.metrics[each.metric]
        threshold = each.threshold if each.metric in watched else None
        state = State.INFO
        if alone and not enough:
            state = State.INSUFFICIENT
        elif judging and threshold is not None and each.breached:
            state = State.VIOLATED
            broken.append(_estimated_violation(each, estimate))
        found.append(
            Measurement(
                metric=f"estimated_{each.metric}",
                value=finite(interval.value),
                low=finite(interval.low),
                high=finite(interval.high),
                threshold=finite(threshold.value) if threshold else None,
                comparison=threshold.comparison if threshold else "",
                state=state,
                definition=f"{estimate.method}, 95 % interval for what labels would give, "
                f"{estimate.rows} rows; {estimate.statement}",
                detail=estimate_detail(estimate, each.metric, quality),
            )
        )
    return found, broken, [each for each in judged if each.metric in watched]


def _estimated_violation(each: Judged, estimate: Estimate) -> Violation:
    assert each.threshold is not None
    word = "more" if each.threshold.comparison == GREATER else "less"
    return Violation(
        feature="",
        check=each.threshold.comparison,
        description=f"Estimated {each.metric} {each.now.value:.6g} is {word} than "
        f"{each.threshold.value:.6g} ({estimate.method}, no labels yet; {estimate.statement})",
        metric=f"estimated_{each.metric}",
        value=finite(each.now.value),
        threshold=finite(each.threshold.value),
    )


def drifted(
    drift: Drift, errors: ErrorBaseline, settings: QualitySettings, key: str
) -> tuple[Measurement, Violation | None]:
    """How the error stands by the detectors, and the incident that is open."""
    incident = drift.incident
    confirmed = incident is not None and set(incident.by) != {"cusum"}
    before = errors.season.mean * errors.scale
    limit = before + errors.margin * errors.scale
    measurement = Measurement(
        metric="concept_drift",
        value=finite(drift.level),
        threshold=finite(limit),
        comparison=GREATER,
        state=State.VIOLATED if confirmed else State.INFO,
        definition=f"mean error by ADWIN's window (δ = {settings.drift_delta:g}); an incident by "
        f"{', '.join(settings.detectors)}, rises by more than the margin only; "
        f"{errors.season.words}",
        detail={
            "incident": dict(incident.to_json()) if incident else None,
            "opened": drift.opened,
            "closed": drift.closed,
            "baseline": before,
            "cusum": finite(drift.evidence),
            "observations": drift.observations,
            "key": key,
            "blocks": [block.to_json() for block in drift.blocks],
        },
    )
    if incident is None:
        return measurement, None
    return measurement, Violation(
        feature="",
        check="concept_drift_check",
        description=f"The error has risen from {incident.before:.4g} to {incident.after:.4g} "
        f"since {_time(incident.since)} ({' and '.join(incident.by)})"
        + ("" if confirmed else "; not confirmed yet"),
        metric="concept_drift",
        value=finite(incident.after),
        threshold=finite(limit),
        severity="warning" if confirmed else "info",
    )


def headline(
    state: State,
    judged: Sequence[Judged],
    guessed: Sequence[Judged],
    coverage: Coverage,
    estimate: Estimate | None,
    broken: Sequence[Violation],
) -> str:
    """One line for a person, the worst first."""
    parts = []
    whole = [each for each in judged if not each.segment]
    pick = worst(each for each in whole if each.breached) or next(iter(whole), None)
    far = worst(each for each in judged if each.segment)
    if pick is not None and math.isfinite(pick.now.value):
        parts.append(_figure(pick))
    if far is not None and (far.breached or any(each.breached for each in whole)):
        parts.append(f"worst segment {far.segment}: {far.metric} {far.now.value:.4g}")
    parts += [each.description for each in broken if each.metric == "concept_drift"]
    bad = worst(each for each in guessed if each.breached)
    if estimate is not None and (guess := bad or next(iter(guessed), None)):
        alone = state is not State.OK and (pick is None or not math.isfinite(pick.now.value))
        if alone:
            interval = estimate.metrics[guess.metric]
            parts.append(
                f"estimated {guess.metric} {interval.value:.4g} ({interval.low:.4g} to "
                f"{interval.high:.4g}), {estimate.statement}"
            )
    if coverage.statement:
        parts.append(coverage.statement)
    elif coverage.share is not None:
        parts.append(f"{coverage.share:.0%} of {coverage.rows} rows labelled")
    if state is State.INSUFFICIENT:
        parts.insert(0, f"too few labels to judge by ({coverage.labelled})")
    return "; ".join(parts) or "no rows"


def _figure(each: Judged) -> str:
    text = f"{each.metric} {each.now.value:.4g}"
    if each.threshold is not None and each.breached:
        word = "more" if each.threshold.comparison == GREATER else "less"
        text += f" is {word} than {each.threshold.value:.4g}"
    if each.baseline is not None and math.isfinite(each.baseline.value):
        text += f" (baseline {each.baseline.value:.4g})"
    return text


def finite(value: float) -> float | None:
    """The number, None where it is none."""
    return float(value) if math.isfinite(value) else None


def informative(name: str, metric: Metric, rows: int) -> Measurement:
    """A figure that has no threshold."""
    return measured(Judged(name, "", rows, metric, None, None, math.nan), True, False)


def _time(at: float) -> str:
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError, OSError):
        return f"{at:g}"
