"""What a monitor of model quality keeps of its reference."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from core.modelquality import cbpe, dle, stream
from core.modelquality.dependence import dependence
from core.modelquality.errors import QualityUnusable
from core.modelquality.inputs import Input, encode_rows, learn_input
from core.modelquality.measuring import Metric, measure
from core.modelquality.segments import Cut, columns_of, make_cut, segments
from core.modelquality.task import Task
from core.monitors.kind import KindContext, MonitorDefinition, StoredBaseline, Window
from core.monitors.kinds._quality_rows import QualityRows, read_rows

if TYPE_CHECKING:
    from core.monitors.kinds._quality_settings import QualitySettings


@dataclass(frozen=True, slots=True)
class QualityBaseline:
    """The reference's metrics, by segment too; how segments are cut; what inputs it had; its
    errors; and the model that estimates quality without labels (`cbpe` for classes, `dle` for
    a regression)."""

    task: Task
    rows: int
    labelled: int
    classes: tuple[str, ...] = ()
    scores: str = ""
    dependence: float = 1.0
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    segments: Mapping[str, Mapping[str, Metric]] = field(default_factory=dict)
    cuts: Mapping[str, Cut] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    errors: stream.ErrorBaseline | None = None
    cbpe: cbpe.Cbpe | None = None
    dle: dle.Dle | None = None
    key: str = ""

    @property
    def watched(self) -> tuple[str, ...]:
        """The metrics that there are, for the task."""
        return tuple(name for name, metric in self.metrics.items() if math.isfinite(metric.value))


def make_baseline(
    definition: MonitorDefinition, reference: Window, context: KindContext
) -> StoredBaseline:
    """The baseline of a reference. Raises `QualityUnusable` where it has no row with a label and
    a prediction."""
    rows = read_rows(definition, reference, context)
    pairs = rows.answers.pairs
    if not len(pairs):
        raise QualityUnusable(
            f"{definition.name}: none of the {len(rows.answers)} reference rows has both a "
            "prediction and a label",
            "name the column of the labels (label:), or rows that have them "
            "(baseline: dataset:NAME@VERSION)",
        )
    settings: QualitySettings = definition.settings
    wanted = columns_of(definition.segments)
    cuts = {
        name: make_cut(name, rows.columns[name])
        for name in dict.fromkeys(name for group in wanted for name in group)
        if name in rows.columns
    }
    inputs = tuple(learn_input(name, rows.columns[name]) for name in rows.features)
    labelled = rows.answers.labelled
    times = None if rows.times is None else rows.times[labelled]
    order = slice(None) if times is None else np.argsort(times, kind="stable")
    alike = dependence(stream.errors_of(pairs)[order])
    baseline = QualityBaseline(
        task=rows.answers.task,
        rows=len(rows.answers),
        labelled=len(pairs),
        classes=rows.answers.classes,
        scores=rows.scores,
        dependence=alike,
        metrics=measure(pairs, dependence=alike).metrics,
        segments=_by_segment(rows, wanted, cuts, settings.minimum_segment_rows, alike),
        cuts=cuts,
        inputs=inputs,
        errors=stream.learn(pairs, times, settings.drift_delta) if settings.detectors else None,
        cbpe=cbpe.fit(pairs) if settings.estimate else None,
        dle=_fit_dle(rows, inputs) if settings.estimate else None,
    )
    return _store(baseline)


def _by_segment(
    rows: QualityRows,
    wanted: Sequence[Sequence[str]],
    cuts: Mapping[str, Cut],
    least: int,
    alike: float,
) -> dict[str, Mapping[str, Metric]]:
    found = {}
    for name, chosen in segments(wanted, cuts, rows.columns):
        chosen = chosen & rows.answers.labelled
        if chosen.sum() >= least:
            found[name] = measure(rows.answers.of(chosen), dependence=alike).metrics
    return found


def _fit_dle(rows: QualityRows, inputs: Sequence[Input]) -> dle.Dle | None:
    answers = rows.answers
    if answers.task is not Task.REGRESSION:
        return None
    kept = answers.labelled
    here = {name: values[kept] for name, values in rows.columns.items()}
    return dle.fit(
        encode_rows(inputs, here, int(kept.sum())),
        answers.prediction[kept],
        answers.label[kept],
        [bool(each.categories) for each in inputs],
    )


def _store(baseline: QualityBaseline) -> StoredBaseline:
    summary: dict[str, Any] = {
        "task": baseline.task.value,
        "rows": baseline.rows,
        "labelled": baseline.labelled,
        "classes": list(baseline.classes),
        "scores": baseline.scores,
        "dependence": baseline.dependence,
        "metrics": _metrics_json(baseline.metrics),
        "segments": {name: _metrics_json(each) for name, each in baseline.segments.items()},
        "cuts": [cut.to_json() for cut in baseline.cuts.values()],
        "inputs": [each.to_json() for each in baseline.inputs],
        "errors": baseline.errors.to_json() if baseline.errors else None,
        "cbpe": baseline.cbpe.facts() if baseline.cbpe else None,
        "dle": baseline.dle.facts() if baseline.dle else None,
    }
    arrays = {
        **(baseline.cbpe.arrays() if baseline.cbpe else {}),
        **(baseline.dle.arrays() if baseline.dle else {}),
    }
    return StoredBaseline(summary, arrays)


def load_baseline(stored: StoredBaseline) -> QualityBaseline:
    """The baseline that `make_baseline` stored."""
    summary, arrays = stored.summary, stored.arrays
    errors = summary["errors"]
    cuts = [Cut.from_json(each) for each in summary["cuts"]]
    return QualityBaseline(
        task=Task(summary["task"]),
        rows=summary["rows"],
        labelled=summary["labelled"],
        classes=tuple(summary["classes"]),
        scores=summary["scores"],
        dependence=summary["dependence"],
        metrics=_metrics_of(summary["metrics"]),
        segments={name: _metrics_of(each) for name, each in summary["segments"].items()},
        cuts={cut.column: cut for cut in cuts},
        inputs=tuple(Input.from_json(each) for each in summary["inputs"]),
        errors=stream.ErrorBaseline.from_json(errors) if errors else None,
        cbpe=cbpe.Cbpe.load(summary["cbpe"], arrays) if summary["cbpe"] else None,
        dle=dle.Dle.load(summary["dle"], arrays) if summary["dle"] else None,
        key=hashlib.sha256(json.dumps(errors, sort_keys=True).encode()).hexdigest()[:16],
    )


def _metrics_json(metrics: Mapping[str, Metric]) -> dict[str, list[float | None]]:
    return {
        name: [
            number if math.isfinite(number) else None
            for number in (each.value, each.standard_deviation, each.error)
        ]
        for name, each in metrics.items()
    }


def _metrics_of(data: Mapping[str, Sequence[float | None]]) -> dict[str, Metric]:
    return {
        name: Metric(*(math.nan if number is None else number for number in each))
        for name, each in data.items()
    }
