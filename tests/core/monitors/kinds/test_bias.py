"""The kind `bias`: what it makes of windows of traffic."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from core.bias.errors import BiasInvalid
from core.domain.monitor import Findings, State
from core.monitors.kind import KindContext, StoredBaseline
from core.monitors.kinds import kind_of
from tests.support.windows import TableWindow, definition_of, problems_of

SETTINGS = {"facets": ["sex=F", "age>45"], "positive": 1, "intersections": True}
KIND = kind_of("bias")
CONTEXT = KindContext(inputs=("income", "age"))


def traffic(rows: int, seed: int, refused: float = 0.0, labelled: float = 1.0) -> TableWindow:
    """Requests with a column that the model does not read (`sex`); a share of women who would
    have been accepted is refused."""
    rng = np.random.default_rng(seed)
    sex, age = rng.choice(["F", "M"], rows), rng.integers(20, 70, rows)
    label = rng.random(rows) < 0.6
    predicted = np.where(rng.random(rows) < 0.9, label, ~label)
    predicted &= ~((sex == "F") & (rng.random(rows) < refused))
    known = rng.random(rows) < labelled
    return TableWindow(
        pa.table(
            {
                "sex": sex,
                "age": age,
                "income": rng.normal(50, 10, rows),
                "__prediction": predicted.astype(int),
                "__label": pa.array(label.astype(int), mask=~known),
                "__at": np.arange(rows, dtype=float),
            }
        )
    )


def kept(baseline: StoredBaseline) -> StoredBaseline:
    """As it comes back from the store."""
    return StoredBaseline(json.loads(json.dumps(dict(baseline.summary), allow_nan=False)))


def evaluate(
    window: TableWindow, memory: dict[str, Any] | None = None, **settings: Any
) -> Findings:
    definition = definition_of("bias", {**SETTINGS, **settings}, label="paid")
    baseline = kept(KIND.baseline(definition, traffic(6_000, 1), CONTEXT))
    found = KIND.evaluate(definition, baseline, window, memory or {}, CONTEXT)
    assert found.memory is None or json.loads(json.dumps(found.memory)) == found.memory
    json.dumps(dict(found.files), allow_nan=False)
    for measured in found.measurements:
        json.dumps([measured.value, measured.low, measured.high, dict(measured.detail)],
                   allow_nan=False)  # fmt: skip
    return found


def test_refusals_of_one_group_are_told_of_in_the_second_window() -> None:
    first = evaluate(traffic(1_500, 2, refused=0.4))
    assert first.state is State.OK and "for now" in first.headline
    second = evaluate(traffic(1_500, 3, refused=0.4), dict(first.memory or {}))
    assert second.state is State.VIOLATED
    told = {(v.metric, v.segment) for v in second.violations}
    assert ("DPPL", "sex=F") in told and ("RD", "sex=F") in told
    assert ("DPPL", "age>45") not in told and ("DPL", "sex=F") not in told
    assert second.headline.endswith("more") and "sex=F" in second.headline
    dppl = measured(second, "DPPL", "sex=F")
    assert dppl.state is State.VIOLATED and dppl.comparison == "GreaterThanThreshold"
    assert dppl.value > dppl.threshold and dppl.low < dppl.value < dppl.high
    assert dppl.detail["breaches"] == "2 of 3"
    (written, *_) = second.files["constraint_violations.json"]["violations"]
    assert written["constraint_check_type"] == "bias_drift_check"
    assert set(written) == {
        "facet", "facet_value", "metric_name", "constraint_check_type", "description",
    }  # fmt: skip


def measured(found: Findings, metric: str, segment: str) -> Any:
    return next(m for m in found.measurements if (m.metric, m.segment) == (metric, segment))


def test_the_same_traffic_is_ok_and_has_every_metric_of_every_group() -> None:
    found = evaluate(traffic(1_500, 2))
    assert found.state is State.OK and not found.violations
    assert {m.segment for m in found.measurements} == {"sex=F", "age>45", "sex=F & age>45"}
    assert len(found.measurements) == 3 * 21
    assert measured(found, "FT", "sex=F").value is not None
    assert measured(found, "CDDL", "sex=F").detail["why"] == "no group variable"
    sections = found.files["analysis.json"]
    assert sections["version"] == "1.0"
    assert sections["post_training_bias_metrics"]["label"] == "paid"
    assert set(sections["post_training_bias_metrics"]["facets"]) == {"sex", "age", "sex & age"}
    assert found.files["constraints.json"].keys() == sections.keys()


@pytest.mark.parametrize("seed", range(3))
def test_windows_without_change_are_quiet_even_for_one_of_one(seed: int) -> None:
    found = evaluate(traffic(600, 100 + seed), datapoints_to_alarm=1)
    assert found.state is State.OK


def test_labels_that_have_not_come_leave_what_needs_them_open() -> None:
    some = evaluate(traffic(1_000, 2, labelled=0.5))
    assert measured(some, "RD", "sex=F").state is State.OK
    few = evaluate(traffic(1_000, 2, labelled=0.02))
    assert few.state is State.OK
    assert measured(few, "DPPL", "sex=F").state is State.OK
    assert measured(few, "RD", "sex=F").state is State.INSUFFICIENT
    assert "fewer than 30" in measured(few, "RD", "sex=F").detail["why"]
    table = traffic(1_000, 2).rows_
    none = evaluate(TableWindow(table.drop_columns(["__label"])))
    assert measured(none, "DI", "sex=F").state is State.OK
    assert {m.metric for m in none.measurements}.isdisjoint({"CI", "DPL"})
    assert "pre_training_bias_metrics" not in none.files["analysis.json"]


def column(table: pa.Table, name: str, values: Any) -> TableWindow:
    return TableWindow(table.set_column(table.column_names.index(name), name, [values]))


def test_what_cannot_be_judged_is_insufficient_and_never_ok() -> None:
    table = traffic(1_000, 2).rows_
    few = evaluate(TableWindow(table.slice(0, 200)))
    assert few.state is State.INSUFFICIENT and few.headline == "too few rows: 200, not 500"
    assert measured(few, "DPPL", "sex=F").value is not None
    for window, words in (
        (TableWindow(table.slice(0, 0)), "no rows"),
        (TableWindow(table.slice(0, 1)), "too few rows: 1, not 500"),
        (TableWindow(table.drop_columns(["__label", "__prediction"])), "neither labels nor"),
        (TableWindow(table.drop_columns(["sex", "age"])), "facet sex is no column"),
        (column(table, "sex", pa.nulls(1_000)), "has no values"),
    ):
        found = evaluate(window, facets=["sex=F"], intersections=False)
        if words.startswith("facet"):
            assert words in found.headline
        assert found.state is State.INSUFFICIENT, words
        assert words in found.headline


def test_bad_values_raise_nothing() -> None:
    table = traffic(1_000, 2).rows_
    for window in (
        column(table, "sex", pa.array(["F"] * 1_000)),
        column(table, "sex", pa.array(["X"] * 1_000)),
        column(table, "income", pa.array([float("inf"), float("nan")] * 500)),
        column(table, "age", pa.array([float("inf")] * 1_000)),
        column(table, "age", pa.array(["old"] * 1_000)),
        column(table, "__prediction", pa.array([1] * 1_000)),
        column(table, "__prediction", pa.nulls(1_000)),
        column(table, "__label", pa.array([0] * 1_000)),
        column(table, "__prediction", pa.array(["nonsense"] * 1_000)),
    ):
        assert evaluate(window).state in (State.OK, State.INSUFFICIENT)


def test_a_reference_that_will_not_do_is_refused() -> None:
    table = traffic(1_000, 2).rows_
    definition = definition_of("bias", SETTINGS)
    for window, words in (
        (TableWindow(table.drop_columns(["sex"])), "sex is no column"),
        (column(table, "sex", pa.array(["X"] * 1_000)), "no row has that value"),
        (column(table, "__label", pa.array([0] * 1_000)), "every label is negative"),
        (TableWindow(table.slice(0, 0)), "no rows"),
    ):
        with pytest.raises(BiasInvalid, match=words):
            KIND.baseline(definition, window, CONTEXT)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "no facets"),
        ({"facets": ["sex"]}, "no positive outcome"),
        ({"facets": ["sex="], "positive": 1}, "m.facets[0]: 'sex=' is not a facet"),
        ({"facets": [{"column": "a", "values": [{}]}], "positive": 1}, "values, not"),
        ({"facets": [{"colum": "a"}], "positive": 1}, "m.facets[0].colum: unknown key"),
        ({"facets": ["sex"], "positive": []}, "m.positive: no value"),
        ({"facets": ["sex"], "positive": ">x"}, "is not a number"),
        ({"facets": ["sex"], "positive": 1, "metrics": ["DPX"]}, "m.metrics[0]"),
        ({"facets": ["sex"], "positive": 1, "margin": -1}, "m.margin"),
        ({"facets": ["sex"], "positive": 1, "datapoints_to_alarm": 4,
          "evaluation_periods": 3}, "4 of 3 windows cannot be"),
        ({"facets": ["sex"], "positive": 1, "marging": 1}, "m.marging: unknown key"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_settings_is_said(settings: dict[str, Any], words: str) -> None:
    assert any(words in said for said in problems_of("bias", settings))


def test_settings_are_read_without_heavy_imports() -> None:
    code = (
        "import sys; from core.monitors.kinds import kind_of;"
        "from core.releases.values import Problems;"
        "kind_of('bias').read(Problems(), 'm', {'facets': ['a>1'], 'positive': 1});"
        "kind_of('attribution').read(Problems(), 'm', {});"
        "print(sorted({'numpy', 'pyarrow', 'shap', 'pandas', 'sklearn'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "[]", ran.stderr
