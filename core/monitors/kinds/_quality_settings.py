"""What the file says of a monitor of model quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.releases import values
from core.releases.values import Problems

KEYS = (
    "problem_type", "positive", "probability_threshold", "metrics", "thresholds", "margin",
    "minimum_labels", "minimum_segment_rows", "estimate", "detectors", "drift_delta",
)  # fmt: skip
PROBLEM_TYPES = ("Regression", "BinaryClassification", "MulticlassClassification")
DETECTORS = ("adwin", "cusum", "page_hinkley")
METRICS = (
    "mae", "mse", "rmse", "r2",
    "recall", "precision", "accuracy", "true_positive_rate", "true_negative_rate",
    "false_positive_rate", "false_negative_rate", "auc", "au_prc", "f0_5", "f1", "f2",
    "weighted_recall", "weighted_precision", "weighted_f0_5", "weighted_f1", "weighted_f2",
    "weighted_auc",
)  # fmt: skip
"""Metrics that can have a threshold (as `core.modelquality.thresholds.METRICS`, which needs
numpy to be told)."""


@dataclass(frozen=True, slots=True)
class QualitySettings:
    """`problem_type` and `metrics` are empty where the baseline settles them. `thresholds` are
    the user's own, by metric; the others come from the baseline with `margin` (a share of an
    error, an absolute difference of what lies between 0 and 1; None for the defaults). Below
    `minimum_labels` labelled rows nothing is judged, nor a segment below
    `minimum_segment_rows`. `detectors` look for concept drift; none where it is off."""

    problem_type: str = ""
    positive: str = ""
    probability_threshold: float = 0.5
    metrics: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    margin: float | None = None
    minimum_labels: int = 200
    minimum_segment_rows: int = 100
    estimate: bool = True
    detectors: tuple[str, ...] = ("adwin", "cusum")
    drift_delta: float = 0.002


def read_settings(problems: Problems, where: str, data: Mapping[str, Any]) -> QualitySettings:
    """The settings; what is wrong is noted, and a default stands in its place."""
    found = values.known_keys(problems, where, data, KEYS) or {}
    read: dict[str, Any] = {}
    for key, given in found.items():
        value = _READERS[key](problems, f"{where}.{key}", given)
        if value is not None:
            read[key] = value
    return QualitySettings(**read)


def _word(problems: Problems, where: str, given: Any) -> str | None:
    if isinstance(given, (bool, int, float, str)) and str(given).strip():
        return str(int(given)) if isinstance(given, bool) else str(given).strip()
    problems.add(where, f"a class, not {values.shown(given)}", "such as positive: 1")
    return None


def _problem_type(problems: Problems, where: str, given: Any) -> str | None:
    return "" if given == "auto" else values.one_of(problems, where, given, PROBLEM_TYPES)


def _listed(known: tuple[str, ...]) -> Any:
    def read(problems: Problems, where: str, given: Any) -> tuple[str, ...] | None:
        if given is False or given == "off":
            return ()
        listed = given if isinstance(given, list) else [given]
        read = [
            values.one_of(problems, f"{where}[{at}]", each, known) for at, each in enumerate(listed)
        ]
        return tuple(dict.fromkeys(each for each in read if each is not None))

    return read


def _thresholds(problems: Problems, where: str, given: Any) -> dict[str, float] | None:
    checked = values.known_keys(problems, where, given, METRICS)
    if checked is None:
        return None
    read = {
        name: values.number(problems, f"{where}.{name}", value, -1e300, 1e300)
        for name, value in checked.items()
    }
    return {name: value for name, value in read.items() if value is not None}


def _count(problems: Problems, where: str, given: Any) -> int | None:
    return values.whole(problems, where, given, 2, 10**9)


def _delta(problems: Problems, where: str, given: Any) -> float | None:
    return values.number(problems, where, given, 1e-12, 0.5)


def _positive_number(problems: Problems, where: str, given: Any) -> float | None:
    found = values.margin(problems, where, given)
    return None if found is None else found[0]


_READERS: Mapping[str, Any] = {
    "problem_type": _problem_type,
    "positive": _word,
    "probability_threshold": values.share,
    "metrics": _listed(METRICS),
    "thresholds": _thresholds,
    "margin": _positive_number,
    "minimum_labels": _count,
    "minimum_segment_rows": _count,
    "estimate": values.flag,
    "detectors": _listed(DETECTORS),
    "drift_delta": _delta,
}
