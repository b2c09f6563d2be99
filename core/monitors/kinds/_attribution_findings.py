"""What a window's explanation comes to, held against the training's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from core.attribution import Explanation, analysis, moves, ndcg, ndcg_interval, violations
from core.attribution.analysis import CHECK
from core.monitors.kind import Findings, Measurement, State, StoredBaseline, Violation
from core.monitors.kinds._attribution_settings import Settings
from core.monitors.kinds._periods import often, recall

NDCG = "nDCG"
GLOBAL = "mean_abs_shap"
EXPECTED = "expected_value"
NAMED = 4
"""Features that a violation names."""


def findings(
    settings: Settings,
    baseline: StoredBaseline,
    found: Explanation,
    memory: Mapping[str, Any],
) -> Findings:
    """nDCG of each label against the threshold, and every feature's global SHAP value."""
    summary = baseline.summary
    if list(found.features) != summary["features"] or list(found.labels) != summary["labels"]:
        return Findings(
            State.INSUFFICIENT, headline="the baseline is of a model with other inputs or classes"
        )
    then = [np.asarray(values) for values in summary["importance"]]
    scores = [ndcg(base, found.importance(at)) for at, base in enumerate(then)]
    below = {found.labels[at]: score < settings.threshold for at, score in enumerate(scores)}
    kept = recall(memory, below, settings.evaluation_periods)
    told = [
        at
        for at, label in enumerate(found.labels)
        if below[label] and often(kept, label) >= settings.datapoints_to_alarm
    ]
    measured: list[Measurement] = []
    for at, score in enumerate(scores):
        state = State.VIOLATED if at in told else State.OK
        measured.append(_score(settings, found, at, score, then[at], state))
        measured += _features(found, at, then[at])
    wrong = tuple(_violation(settings, found, at, scores[at], then[at]) for at in told)
    files = {
        "analysis.json": analysis(found),
        "constraints.json": summary["analysis"],
        "constraint_violations.json": violations(
            [(found.labels[at], scores[at]) for at in told], settings.threshold
        ),
    }
    state = State.VIOLATED if wrong else State.OK
    headline = wrong[0].description if wrong else _headline(min(scores), settings.threshold)
    return Findings(state, tuple(measured), wrong, headline, files, kept)


def _headline(score: float, threshold: float) -> str:
    if score < threshold:
        return f"nDCG {score:.3f} is below {threshold:g}, for now"
    return f"features count as in training (nDCG {score:.3f})"


def _segment(found: Explanation, label: int) -> str:
    return f"label={found.labels[label]}" if len(found.labels) > 1 else ""


def _score(
    settings: Settings,
    found: Explanation,
    label: int,
    score: float,
    then: np.ndarray[Any, Any],
    state: State,
) -> Measurement:
    low, high = ndcg_interval(then, found.values[:, :, label])
    return Measurement(
        NDCG,
        score,
        segment=_segment(found, label),
        low=min(low, score),
        high=max(high, score),
        threshold=settings.threshold,
        comparison="LessThanThreshold",
        state=state,
        definition=f"nDCG of the features' order, worth as in training; {found.definition()}",
        detail={"moves": _words(found, label, then), "method": found.method, "note": found.note},
    )


def _features(found: Explanation, label: int, then: np.ndarray[Any, Any]) -> list[Measurement]:
    now, segment, said = found.importance(label), _segment(found, label), found.definition()
    places = {move.feature: move for move in moves(found.features, then, now)}
    measured = [
        Measurement(
            GLOBAL,
            float(now[at]),
            name,
            segment,
            definition=said,
            detail={"then": float(then[at])}
            | ({"place": [places[name].then, places[name].now]} if name in places else {}),
        )
        for at, name in enumerate(found.features)
    ]
    expected = Measurement(EXPECTED, float(found.base[label]), "", segment, definition=said)
    return [*measured, expected]


def _words(found: Explanation, label: int, then: np.ndarray[Any, Any]) -> list[str]:
    moved = moves(found.features, then, found.importance(label))
    return [move.words() for move in moved[:NAMED]]


def _violation(
    settings: Settings,
    found: Explanation,
    label: int,
    score: float,
    then: np.ndarray[Any, Any],
) -> Violation:
    of = f" of {found.labels[label]}" if len(found.labels) > 1 else ""
    moved = ", ".join(_words(found, label, then))
    below = f"nDCG {score:.3f} < {settings.threshold:g}"
    return Violation(
        "",
        CHECK,
        f"the model goes by other features{of} ({below}): {moved}",
        NDCG,
        score,
        settings.threshold,
        "info",
        _segment(found, label),
    )
