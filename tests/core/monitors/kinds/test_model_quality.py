"""The kind `model_quality`: what it makes of windows of traffic as labels come."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from core.domain.monitor import Findings, Measurement, State
from core.modelquality.errors import QualityUnusable
from core.monitors.kind import KindContext, StoredBaseline
from core.monitors.kinds import kind_of
from tests.support.windows import TableWindow, definition_of, problems_of

KIND = kind_of("model_quality")
CONTEXT = KindContext(inputs=("temp", "season"), now=4000.0)


def demand(
    rows: int,
    seed: int,
    *,
    worse: float = 1.0,
    season: str = "",
    labelled: float = 1.0,
    warm: float = 0.0,
    start: float = 0.0,
) -> TableWindow:
    """Requests to a regression; the error grows with the temperature. In `season` (or all) it
    is `worse` times as large; a share is labelled; `warm` shifts the temperature."""
    rng = np.random.default_rng(seed)
    temp = rng.uniform(0, 30, rows) + warm
    name = rng.choice(["spring", "summer", "autumn", "winter"], rows)
    spread = (5 + temp) * np.where((name == season) | (not season), worse, 1.0)
    truth = 100 + 3 * temp + rng.normal(0, 1, rows) * spread
    known = rng.random(rows) < labelled
    return TableWindow(
        pa.table(
            {
                "temp": temp,
                "season": name,
                "__prediction": 100 + 3 * temp,
                "__label": pa.array(truth, mask=~known),
                "__at": start + np.arange(rows) * 60.0,
            }
        ),
        start,
        start + rows * 60.0,
    )


def clicks(rows: int, seed: int, *, flip: float = 0.0, labelled: float = 1.0) -> TableWindow:
    """Requests to a classifier with scores; `flip` of the labels are turned round."""
    rng = np.random.default_rng(seed)
    temp = rng.normal(0, 1, rows)
    chance = 1 / (1 + np.exp(-2 * temp))
    truth = rng.random(rows) < chance
    truth = np.where(rng.random(rows) < flip, ~truth, truth)
    known = rng.random(rows) < labelled
    return TableWindow(
        pa.table(
            {
                "temp": temp,
                "season": rng.choice(["a", "b"], rows),
                "__prediction": pa.array(np.where(chance > 0.5, "yes", "no")),
                "__score": [json.dumps([1 - p, p]) for p in chance],
                "__label": pa.array(np.where(truth, "yes", "no"), mask=~known),
                "__at": np.arange(rows, dtype=float),
            }
        )
    )


def stored(baseline: StoredBaseline) -> StoredBaseline:
    """As it comes back from the store."""
    summary = json.loads(json.dumps(dict(baseline.summary), allow_nan=False))
    return StoredBaseline(summary, dict(baseline.arrays))


@cache
def usual_baseline(settings: str, segments: tuple[str, ...]) -> StoredBaseline:
    read = ast.literal_eval(settings)
    definition = definition_of("model_quality", read, segments=segments)
    return KIND.baseline(definition, demand(3000, 1), CONTEXT)


def evaluate(
    window: TableWindow,
    reference: TableWindow | None = None,
    previous: Sequence[Findings] = (),
    segments: tuple[str, ...] = (),
    context: KindContext = CONTEXT,
    **settings: Any,
) -> Findings:
    definition = definition_of("model_quality", settings, segments=segments)
    if reference is None:
        made = usual_baseline(repr(settings), segments)
    else:
        made = KIND.baseline(definition, reference, context)
    before = [found.measurements for found in previous][::-1]
    found = KIND.evaluate(
        definition, stored(made), window, {}, replace(context, previous=lambda n: before[:n])
    )
    for each in (found.files, [dict(m.detail) for m in found.measurements]):
        json.dumps(each, allow_nan=False)
    return found


def pick(found: Findings, metric: str, segment: str = "") -> Measurement:
    named = [m for m in found.measurements if (m.metric, m.segment) == (metric, segment)]
    assert len(named) == 1, (metric, segment, len(named))
    return named[0]


def test_a_good_window_is_ok_with_figures_under_sagemakers_names() -> None:
    found = evaluate(demand(1000, 2))
    assert found.state is State.OK
    assert found.violations == ()
    mae = pick(found, "mae")
    assert mae.state is State.OK
    assert mae.value is not None
    assert mae.threshold is not None
    assert mae.low is not None
    assert mae.low < mae.value < mae.threshold
    assert mae.comparison == "GreaterThanThreshold"
    assert "baseline" in mae.definition
    assert pick(found, "r2").state is State.INFO
    statistics = found.files["statistics.json"]
    assert statistics["dataset"]["item_count"] == 1000
    assert statistics["regression_metrics"]["mae"]["value"] == pytest.approx(mae.value)
    constraints = found.files["constraints.json"]["regression_constraints"]
    assert constraints.keys() == {"mae", "rmse"}
    assert found.files["constraint_violations.json"]["violations"] == []
    assert "mae" in found.headline
    assert "100% of 1000 rows labelled" in found.headline


def test_a_worse_window_is_violated_in_sagemakers_words() -> None:
    found = evaluate(demand(1000, 2, worse=1.6))
    assert found.state is State.VIOLATED
    mae = next(v for v in found.violations if v.metric == "mae")
    assert mae.check == "GreaterThanThreshold"
    assert mae.severity == "critical"
    written = found.files["constraint_violations.json"]["violations"]
    assert {each["metric_name"] for each in written} == {"mae", "rmse"}
    assert written[0]["constraint_check_type"] == "GreaterThanThreshold"
    assert "is more than" in found.headline


def test_a_better_window_is_no_violation() -> None:
    found = evaluate(demand(1000, 2, worse=0.5))
    assert found.state is State.OK
    assert found.violations == ()


def test_chance_seldom_violates() -> None:
    definition = definition_of("model_quality", {"estimate": False}, segments=("season",))
    made = stored(KIND.baseline(definition, demand(2000, 1), CONTEXT))
    states = [
        KIND.evaluate(definition, made, demand(500, seed), {}, CONTEXT).state
        for seed in range(100, 140)
    ]
    assert states.count(State.VIOLATED) <= 1
    assert states.count(State.OK) >= 39


def test_the_worst_segment_is_named() -> None:
    found = evaluate(
        demand(2000, 3, worse=2.0, season="winter"), segments=("season",), estimate=False
    )
    winter = pick(found, "mae", "season=winter")
    assert winter.state is State.VIOLATED
    assert pick(found, "mae", "season=summer").state is State.OK
    assert "worst segment season=winter" in found.headline
    assert {v.segment for v in found.violations if v.segment} == {"season=winter"}
    # An intersection is cut by both of its columns.
    both = evaluate(demand(4000, 3), segments=("season & temp",), estimate=False)
    names = {m.segment for m in both.measurements if m.segment}
    assert len(names) > 12
    assert all(" & temp=" in name for name in names)


def test_segments_below_the_minimum_are_not_judged() -> None:
    found = evaluate(
        demand(600, 3), segments=("season",), minimum_segment_rows=1000, estimate=False
    )
    assert not [m for m in found.measurements if m.segment]


def test_few_labels_are_insufficient_and_never_green() -> None:
    found = evaluate(demand(1000, 2, labelled=0.1), estimate=False)
    assert found.state is State.INSUFFICIENT
    assert pick(found, "mae").state is State.INSUFFICIENT
    assert "too few labels" in found.headline


def test_without_labels_the_error_is_estimated_and_said_to_be_so() -> None:
    found = evaluate(demand(1000, 2, labelled=0.0))
    assert found.state is State.INFO
    mae = pick(found, "estimated_mae")
    assert mae.low is not None
    assert mae.high is not None
    real = pick(evaluate(demand(1000, 2)), "mae").value
    assert real is not None
    assert mae.low <= real <= mae.high
    assert mae.detail["method"] == "DLE"
    assert mae.detail["statement"] == "assumes P(y|x) unchanged"
    assert "estimated mae" in found.headline
    assert "assumes P(y|x) unchanged" in found.headline
    assert "no labels yet" in found.headline


def test_an_estimate_alerts_on_worse_only_and_only_where_it_can_be_trusted() -> None:
    hot = demand(3000, 2, labelled=0.0)
    only = pa.compute.greater(hot.rows_.column("temp"), 22)
    found = evaluate(TableWindow(hot.rows_.filter(only)))
    assert found.state is State.VIOLATED
    assert {v.metric for v in found.violations} <= {"estimated_mae", "estimated_rmse"}
    cold = evaluate(TableWindow(hot.rows_.filter(pa.compute.less(hot.rows_.column("temp"), 8))))
    assert cold.state is State.INFO
    assert cold.violations == ()
    # Far outside of what the reference covers nothing is claimed.
    beyond = evaluate(demand(1000, 2, labelled=0.0, warm=25.0))
    assert beyond.violations == ()
    assert beyond.state is State.INSUFFICIENT
    doubts = pick(beyond, "estimated_mae").detail["doubts"]
    assert "outside of the reference's range (temp)" in doubts[0]
    assert "do not trust it" in beyond.headline


def test_where_labels_are_the_estimate_is_held_against_them() -> None:
    fine = pick(evaluate(demand(1000, 2)), "estimated_mae")
    assert fine.detail["realised"] is not None
    assert fine.detail["doubts"] == []
    # What the inputs mean has changed: the estimate cannot see it, and the labels say so.
    changed = evaluate(demand(1000, 2, worse=2.0))
    estimate = pick(changed, "estimated_mae")
    assert "where labels gave" in estimate.detail["doubts"][0]
    assert estimate.state is State.INFO
    assert not [v for v in changed.violations if v.metric.startswith("estimated")]


def test_labels_missing_for_some_kind_of_rows_make_good_figures_no_good_news() -> None:
    window = demand(2000, 4)
    temp = np.asarray(window.rows_.column("temp"))
    label = pa.array(np.asarray(window.rows_.column("__label")), mask=temp > 15)
    table = window.rows_.set_column(3, "__label", label)
    found = evaluate(TableWindow(table))
    coverage = pick(found, "label_coverage")
    assert coverage.value == pytest.approx((temp <= 15).mean())
    assert coverage.detail["at_random"] is False
    assert "temp" in coverage.detail["statement"]
    assert pick(found, "mae").state is State.INFO
    assert found.state is not State.OK
    assert "not at random" in found.headline


def test_classification_with_scores_has_auc_and_cbpe() -> None:
    found = evaluate(clicks(1500, 2), clicks(4000, 1))
    assert found.state is State.OK
    assert {m.metric for m in found.measurements if m.threshold is not None} >= {
        "accuracy", "f1", "auc",
    }  # fmt: skip
    metrics = found.files["statistics.json"]["binary_classification_metrics"]
    assert metrics["confusion_matrix"].keys() == {"no", "yes"}
    assert metrics["receiver_operating_characteristic_curve"]["true_positive_rates"][-1] == 1.0
    bare = evaluate(clicks(1500, 2, labelled=0.0), clicks(4000, 1))
    assert bare.state is State.INFO
    auc, real = pick(bare, "estimated_auc"), pick(found, "auc").value
    assert auc.low is not None
    assert auc.high is not None
    assert real is not None
    assert auc.low <= real <= auc.high
    assert auc.detail["method"] == "CBPE"
    worse = evaluate(clicks(1500, 2, flip=0.2), clicks(4000, 1))
    assert worse.state is State.VIOLATED
    assert next(v for v in worse.violations if v.metric == "auc").check == "LessThanThreshold"


def test_the_positive_class_and_own_thresholds() -> None:
    found = evaluate(
        clicks(1500, 2), clicks(4000, 1), positive="no", metrics=["recall"],
        thresholds={"precision": 0.99},
    )  # fmt: skip
    assert found.files["statistics.json"]["binary_classification_metrics"]["confusion_matrix"]
    assert pick(found, "recall").state is State.OK
    broken = [v for v in found.violations if v.metric == "precision"]
    assert broken[0].threshold == 0.99
    assert pick(found, "accuracy").state is State.INFO


def test_concept_drift_is_one_incident_over_windows() -> None:
    quiet = [demand(500, 50 + k, start=k * 30_000.0) for k in range(3)]
    risen = [demand(500, 60 + k, worse=1.25, start=(3 + k) * 30_000.0) for k in range(6)]
    before: list[Findings] = []
    opened = []
    for window in (*quiet, *risen):
        found = evaluate(window, previous=before, margin=0.5, estimate=False)
        opened.append(pick(found, "concept_drift").detail["opened"])
        before.append(found)
    assert opened.count(True) == 1
    assert not any(opened[:3])
    last = before[-1]
    drift = next(v for v in last.violations if v.metric == "concept_drift")
    assert drift.check == "concept_drift_check"
    assert drift.severity == "warning"
    assert last.state is State.VIOLATED
    since = pick(last, "concept_drift").detail["incident"]["since"]
    assert since >= 3 * 30_000.0
    assert since == pick(before[-2], "concept_drift").detail["incident"]["since"]
    assert "The error has risen" in last.headline
    off = evaluate(risen[0], previous=before, detectors=False, estimate=False)
    assert not [m for m in off.measurements if m.metric == "concept_drift"]


def test_another_champions_errors_are_another_stream() -> None:
    first = evaluate(demand(500, 60, worse=3.0), estimate=False)
    assert pick(first, "concept_drift").detail["incident"] is not None
    second = evaluate(demand(500, 61), demand(3000, 9), previous=[first], estimate=False)
    assert pick(second, "concept_drift").detail["incident"] is None


def test_predictions_that_a_dataset_lacks_are_the_models() -> None:
    class Model:
        inputs = ("temp", "season")
        classes = ("no", "yes")
        native = None

        def predict(self, rows: pa.Table) -> np.ndarray:
            return np.where(np.asarray(rows.column("temp")) > 0, "yes", "no")

        def scores(self, rows: pa.Table) -> np.ndarray:
            chance = 1 / (1 + np.exp(-2 * np.asarray(rows.column("temp"))))
            return np.c_[1 - chance, chance]

    def bare(window: TableWindow) -> TableWindow:
        return TableWindow(window.rows_.drop_columns(["__prediction", "__score"]))

    context = replace(CONTEXT, load_model=lambda: Model(), task="classes")
    found = evaluate(bare(clicks(1500, 2)), bare(clicks(4000, 1)), context=context)
    expected = evaluate(clicks(1500, 2), clicks(4000, 1))
    for metric in ("accuracy", "auc", "estimated_auc"):
        assert pick(found, metric).value == pytest.approx(pick(expected, metric).value)


def broken_windows() -> dict[str, TableWindow]:
    window = demand(600, 5).rows_
    rows = window.num_rows
    column = window.column_names.index

    def put(name: str, values: Any) -> TableWindow:
        return TableWindow(window.set_column(column(name), name, values))

    odd = np.where(np.arange(rows) % 3 == 0, np.inf, np.nan)
    return {
        "no rows": TableWindow(window.slice(0, 0)),
        "one row": TableWindow(window.slice(0, 1)),
        "constant prediction": put("__prediction", pa.array([5.0] * rows)),
        "infinite predictions": put("__prediction", pa.array(odd)),
        "infinite labels": put("__label", pa.array(odd)),
        "labels of another type": put("__label", pa.array(["yes", "no"] * (rows // 2))),
        "no times": put("__at", pa.array([None] * rows, pa.float64())),
        "a clock that goes back": put("__at", pa.array(np.arange(rows)[::-1] * 60.0)),
        "new categories": put("season", pa.array(["monsoon"] * rows)),
        "all inputs missing": put("temp", pa.array([None] * rows, pa.float64())),
        "no columns": TableWindow(window.select(["__inference_id"] if False else [])),
        "no label column": TableWindow(window.drop_columns(["__label"])),
        "no prediction column": TableWindow(window.drop_columns(["__prediction"])),
    }


@pytest.mark.parametrize("name", list(broken_windows()))
def test_bad_rows_raise_nothing_and_are_never_green(name: str) -> None:
    found = evaluate(broken_windows()[name], segments=("season", "temp"))
    judged = ("constant prediction", "a clock that goes back", "new categories", "no times")
    if name not in (*judged, "all inputs missing"):
        assert found.state in (State.INSUFFICIENT, State.INFO), name
    if name in ("infinite predictions", "infinite labels", "labels of another type"):
        left = pick(found, "label_coverage").detail["left_out"]
        assert sum(left.values()) >= 200


def test_one_class_only() -> None:
    window = clicks(800, 2).rows_
    ones = window.set_column(4, "__label", pa.array(["no"] * 800))
    found = evaluate(TableWindow(ones), clicks(4000, 1))
    assert pick(found, "auc").value is None
    assert pick(found, "auc").state is State.INSUFFICIENT
    assert found.state is State.VIOLATED  # half of the answers are wrong now


def test_a_reference_without_labels_says_what_to_do() -> None:
    with pytest.raises(QualityUnusable, match="none of the 4000 reference rows") as caught:
        evaluate(demand(600, 2), demand(4000, 1, labelled=0.0))
    assert "label:" in caught.value.hint


def test_without_a_baseline_figures_are_only_shown() -> None:
    definition = definition_of("model_quality", {"thresholds": {"mae": 1.0}})
    found = KIND.evaluate(definition, None, demand(600, 2), {}, CONTEXT)
    assert pick(found, "rmse").threshold is None
    assert found.state is State.VIOLATED  # by the user's own number


def test_settings_with_problems_are_all_named() -> None:
    found = problems_of(
        "model_quality",
        {
            "problem_type": "Ranking",
            "metrics": ["mae", "rsme"],
            "thresholds": {"f3": 1, "f1": "high"},
            "margin": -1,
            "minimum_labels": 0,
            "estimate": "maybe",
            "detectors": ["ddm"],
            "drift_delta": 2,
            "colour": "red",
        },
    )
    for where in (
        "m.problem_type", "m.metrics[1]", "m.thresholds.f3", "m.thresholds.f1", "m.margin",
        "m.minimum_labels", "m.estimate", "m.detectors[0]", "m.drift_delta", "m.colour",
    ):  # fmt: skip
        assert any(line.startswith(f"{where}:") for line in found), where
    assert (
        problems_of("model_quality", {"positive": True, "margin": "5%", "detectors": "off"}) == []
    )


def test_settings_name_the_metrics_that_the_numerics_have() -> None:
    from core.modelquality.stream import DETECTORS
    from core.modelquality.task import Task
    from core.modelquality.thresholds import METRICS
    from core.monitors.kinds import _quality_settings as settings

    assert {m for task in METRICS.values() for m in task} == set(settings.METRICS)
    assert settings.DETECTORS == DETECTORS
    assert set(settings.PROBLEM_TYPES) == {task.value for task in Task}


def test_reading_settings_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from core.monitors.kinds import kind_of\n"
        "from core.releases.values import Problems\n"
        "kind_of('model_quality').read(Problems(), 'm', {'metrics': ['mae']})\n"
        "print([n for n in ('numpy', 'pyarrow', 'sklearn', 'scipy', 'pandas') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_labels_of_unknown_ids_are_counted(tmp_path: Path) -> None:
    from core.capture.labelfile import Label
    from core.capture.labels import store_labels
    from core.capture.merge import merge_new

    folder = tmp_path / "credit"
    (folder / "capture").mkdir(parents=True)
    store_labels(folder, [Label("gone-1", 1.0), Label("gone-2", 2.0), Label("gone-2", 3.0)])
    merge_new(folder)
    session: Any = SimpleNamespace(workspace=SimpleNamespace(endpoints_dir=tmp_path))
    found = evaluate(demand(600, 2), context=replace(CONTEXT, session=session))
    assert pick(found, "label_coverage").detail["unknown_labels"] == 2
    assert pick(evaluate(demand(600, 2)), "label_coverage").detail["unknown_labels"] is None


def test_several_classes_and_a_new_one() -> None:
    def trees(rows: int, seed: int, also: str = "") -> TableWindow:
        rng = np.random.default_rng(seed)
        raw = np.exp(rng.normal(0, 1.5, (rows, 3)))
        chance = raw / raw.sum(1, keepdims=True)
        truth = (rng.random(rows)[:, None] > chance.cumsum(1)).sum(1).clip(0, 2)
        names = np.array(["ash", "elm", "oak"])
        label = names[truth].astype(object)
        if also:
            label[: rows // 4] = also
        return TableWindow(
            pa.table(
                {
                    "temp": rng.normal(size=rows),
                    "__prediction": names[chance.argmax(1)],
                    "__score": [json.dumps(each) for each in chance.tolist()],
                    "__label": pa.array(label.tolist()),
                    "__at": np.arange(rows, dtype=float),
                }
            )
        )

    found = evaluate(trees(1500, 2), trees(4000, 1))
    assert found.state is State.OK
    judged = {m.metric for m in found.measurements if m.state is State.OK}
    assert judged == {"accuracy", "weighted_f1", "weighted_auc"}
    assert found.files["statistics.json"]["multiclass_classification_metrics"]
    estimated, real = pick(found, "estimated_accuracy"), pick(found, "accuracy")
    assert estimated.low is not None
    assert estimated.high is not None
    assert real.value is not None
    assert estimated.low <= real.value <= estimated.high
    new = evaluate(trees(1500, 2, also="yew"), trees(4000, 1))
    assert new.state is State.VIOLATED
    matrix = new.files["statistics.json"]["multiclass_classification_metrics"]["confusion_matrix"]
    assert sum(matrix["yew"].values()) == 375
