"""The kind `data_quality` as the framework calls it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from core.domain.monitor import Findings, MonitorDefinition, Schedule, State, WindowSpec
from core.drift.errors import BaselineUnfit
from core.monitors.kind import KindContext, StoredBaseline
from core.monitors.kinds._volume import expected, remembered
from core.monitors.kinds.data_quality import KIND
from core.releases.values import Problems
from tests.support.windows import TableWindow

NOW = 1_700_000_000.0
CONTEXT = KindContext(monitor="m", now=NOW)


@dataclass(frozen=True)
class Rows(TableWindow):
    """A window of the last hour, some rows of which were there before."""

    start: float = NOW - 3600
    end: float = NOW
    duplicates: int = 0


def definition(seconds: float | None = None, **data: Any) -> MonitorDefinition:
    problems = Problems()
    found = KIND.read(problems, "monitors.m", data)
    assert not problems.found, problems.found
    window = WindowSpec(seconds=seconds) if seconds else WindowSpec(rows=1000)
    schedule = Schedule("1d", seconds=86_400)
    return MonitorDefinition("m", "data_quality", "endpoint/e", schedule, window, found)


def table(rows: int = 1000, seed: int = 0) -> pa.Table:
    draws = np.random.default_rng(seed)
    return pa.table(
        {
            "count": draws.integers(0, 50, rows),
            "size": draws.gamma(2, 3, rows),
            "kind": draws.choice(["x", "y", "z"], rows),
            "ok": draws.random(rows) < 0.5,
            "__at": NOW - draws.random(rows) * 3600,
        }
    )


REFERENCE = table(10_000)


def run(
    window: pa.Table | Rows,
    memory: Mapping[str, Any] | None = None,
    seconds: float | None = None,
    **data: Any,
) -> Findings:
    what = definition(seconds, **data)
    made = KIND.baseline(what, Rows(REFERENCE), CONTEXT)
    kept = StoredBaseline(json.loads(json.dumps(made.summary, allow_nan=False)), made.arrays)
    rows = window if isinstance(window, Rows) else Rows(window)
    found = KIND.evaluate(what, kept, rows, memory or {}, CONTEXT)
    json.dumps([found.files, found.memory], allow_nan=False)
    for each in found.measurements:
        json.dumps([each.value, dict(each.detail)], allow_nan=False)
        assert each.definition
    return found


def swapped(name: str, values: Any, rows: int = 1000) -> pa.Table:
    made = table(rows, 1)
    return made.set_column(made.schema.get_field_index(name), name, values)


def told(found: Findings) -> list[tuple[str, str, str]]:
    return [(each.feature, each.check, each.severity) for each in found.violations]


def test_rows_as_they_were_are_ok() -> None:
    found = run(table(seed=1))
    assert found.state is State.OK, found.headline
    assert "1,000 rows of 4 columns" in found.headline
    assert found.files["constraint_violations.json"] == {"violations": []}


def test_sagemakers_files() -> None:
    found = run(table(seed=1))
    window, limits = found.files["statistics.json"], found.files["constraints.json"]
    assert window["dataset"]["item_count"] == 1000
    count = next(each for each in window["features"] if each["name"] == "count")
    data = table(seed=1)["count"].to_numpy()
    numbers = count["numerical_statistics"]
    assert count["inferred_type"] == "Integral"
    assert numbers["common"] == {"num_present": 1000, "num_missing": 0}
    assert numbers["mean"] == pytest.approx(data.mean())
    assert numbers["std_dev"] == pytest.approx(data.std())
    assert (numbers["min"], numbers["max"]) == (data.min(), data.max())
    buckets = numbers["distribution"]["kll"]["buckets"]
    assert len(buckets) == 10 and sum(each["count"] for each in buckets) == 1000
    kind = next(each for each in limits["features"] if each["name"] == "kind")
    assert kind["string_constraints"]["domains"] == ["x", "y", "z"]
    assert kind["completeness"] == 1.0
    config = limits["monitoring_config"]
    assert config["datatype_check_threshold"] == 1.0


def test_missing_values() -> None:
    few = run(swapped("size", pa.array([None] * 5 + [1.0] * 995)))
    assert few.state is State.OK
    some = run(swapped("size", pa.array([None] * 100 + [1.0] * 900)))
    assert told(some) == [("size", "completeness_check", "warning")]
    assert "90.0% of the rows have a value, at least 99.0%" in some.headline
    most = run(swapped("size", pa.nulls(1000, pa.float64())))
    assert told(most) == [("size", "completeness_check", "critical")]
    strict = run(swapped("size", pa.array([None] * 5 + [1.0] * 995)), profile="sagemaker")
    assert told(strict) == [("size", "completeness_check", "warning")]


def test_columns_that_are_gone_or_new() -> None:
    window = table(seed=1).drop_columns(["kind"]).append_column("more", pa.array(range(1000)))
    found = run(window)
    assert told(found) == [
        ("kind", "missing_column_check", "critical"),
        ("more", "extra_column_check", "warning"),
    ]
    names = [each["constraint_check_type"] for each in
             found.files["constraint_violations.json"]["violations"]]  # fmt: skip
    assert names == ["missing_column_check", "extra_column_check"]


def test_columns_that_the_baseline_has_but_does_not_compare_are_not_new() -> None:
    what = replace(definition(), columns=("count",), exclude=("size",))
    made = KIND.baseline(what, Rows(REFERENCE), CONTEXT)
    found = KIND.evaluate(what, made, Rows(table(seed=1)), {}, CONTEXT)
    assert found.state is State.OK, found.headline


def test_a_broken_schema_is_told_even_of_few_rows() -> None:
    found = run(table(3, seed=1).drop_columns(["kind"]))
    assert found.state is State.VIOLATED
    assert told(found) == [("kind", "missing_column_check", "critical")]


@pytest.mark.parametrize(
    ("name", "values", "severity"),
    [
        ("count", pa.array(["a"] * 1000), "critical"),
        ("count", pa.array(["7"] * 900 + ["many"] * 100), "warning"),
        ("count", pa.array([1.0] * 900 + [1.5] * 100), "warning"),
        ("kind", pa.array(range(1000)), "critical"),
        ("ok", pa.array(["true", "false"] * 500), None),
    ],
)
def test_types(name: str, values: pa.Array, severity: str | None) -> None:
    found = run(swapped(name, values))
    types = [each for each in found.violations if each.check == "data_type_check"]
    assert [each.severity for each in types] == ([severity] if severity else [])
    if severity == "warning":
        assert "Observed: Only 90.00% of data is Integral." in types[0].description


def test_whole_numbers_that_became_fractions_for_a_missing_one_are_still_whole() -> None:
    found = run(swapped("count", pa.array([None] + [float(i % 50) for i in range(999)])))
    assert not found.violations


def test_new_categories() -> None:
    one = run(swapped("kind", pa.array(["x"] * 999 + ["new"])))
    assert told(one) == [("kind", "categorical_values_check", "info")]
    many = run(swapped("kind", pa.array(["x"] * 900 + ["new"] * 100)))
    assert told(many) == [("kind", "categorical_values_check", "warning")]
    assert "90.00% of the values are among the 3 expected" in many.headline
    allowed = run(
        swapped("kind", pa.array(["x"] * 900 + ["new"] * 100)), domains={"kind": ["x", "new"]}
    )
    assert not allowed.violations
    exploded = run(swapped("kind", pa.array([f"v{i}" for i in range(1000)])))
    assert told(exploded) == [("kind", "categorical_values_check", "warning")]


def test_ranges() -> None:
    below = run(swapped("count", pa.array([-1] + [1] * 999)))
    assert told(below) == [("count", "non_negative_check", "info")]
    inside = run(swapped("count", pa.array([60] * 1000)))
    assert not inside.violations
    above = run(swapped("count", pa.array([90] * 1000)))
    assert told(above) == [("count", "range_check", "warning")]
    set_ = run(swapped("count", pa.array([60] * 1000)), ranges={"count": [0, 55]})
    assert told(set_) == [("count", "range_check", "warning")]
    off = run(swapped("count", pa.array([90] * 1000)), range_room=None)
    assert not off.violations


def test_infinite_values() -> None:
    found = run(swapped("size", pa.array([np.inf] + [3.0] * 999)))
    assert told(found) == [("size", "infinite_check", "warning")]


def test_ids_that_were_there_before() -> None:
    found = run(Rows(table(seed=1), duplicates=100))
    assert told(found) == [("", "uniqueness_check", "warning")]
    assert "100 rows have an inference id that was there before (9.1%)" in found.headline
    repeated = run(swapped("count", pa.array([1] * 2 + list(range(2, 50)) * 20 + [50] * 38)),
                   unique=["count"])  # fmt: skip
    assert ("count", "uniqueness_check", "warning") in told(repeated)


def test_age_and_rows_of_the_future() -> None:
    old = swapped("__at", pa.array([NOW - 7200.0] * 1000))
    assert told(run(old, freshness="1h")) == [("", "freshness_check", "warning")]
    assert "the newest row is 2 h old, at most 60 m" in run(old, freshness="1h").headline
    assert not run(old, freshness="3h").violations
    ahead = swapped("__at", pa.array([NOW + 3600.0] + [NOW] * 999))
    assert told(run(ahead)) == [("", "time_check", "warning")]


def test_volume() -> None:
    assert told(run(table(600, 1), volume={"min_rows": 700})) == [("", "volume_check", "warning")]
    assert told(run(table(900, 1), volume={"max_rows": 700})) == [("", "volume_check", "warning")]
    memory: Mapping[str, Any] = {}
    for week in range(4):
        memory = remembered(memory, week * 7 * 86_400.0, 1000 + week)
    same_hour = Rows(table(600, 1), start=28 * 86_400.0)
    assert not run(same_hour, memory, seconds=3600.0).violations  # 40 % fewer: half is allowed
    fewer = Rows(table(300, 1), start=28 * 86_400.0)
    found = run(fewer, memory, seconds=3600.0)
    assert told(found) == [("", "volume_check", "warning")]
    assert "about 1,002 are usual (the same hour of the week)" in found.headline
    none = Rows(table(0), start=28 * 86_400.0)
    assert told(run(none, memory, seconds=3600.0)) == [("", "volume_check", "critical")]


def test_volume_follows_the_hours_of_a_week() -> None:
    memory: Mapping[str, Any] = {}
    for hour in range(24 * 7 * 4):
        memory = json.loads(json.dumps(remembered(memory, hour * 3600.0, 100 + hour % 24 * 50)))
    for hour in range(24 * 7 * 4, 24 * 7 * 5):
        usual = expected(memory, hour * 3600.0)
        assert usual is not None and usual.rows == 100 + hour % 24 * 50
    assert len(json.dumps(memory)) < 20_000


@pytest.mark.parametrize("rows", [0, 1, 499])
def test_too_few_rows_are_never_green(rows: int) -> None:
    found = run(table(rows, 1))
    assert found.state is State.INSUFFICIENT


@pytest.mark.parametrize(
    ("data", "where", "hint"),
    [
        ({"freshnes": "1h"}, "monitors.m.freshnes", "did you mean freshness?"),
        ({"volume": {"min_row": 3}}, "monitors.m.volume.min_row", "did you mean min_rows?"),
        ({"ranges": {"a": [3, 1]}}, "monitors.m.ranges.a", "such as [0, 100]"),
        ({"domains": ["a"]}, "monitors.m.domains", "{c: [x, y]}"),
    ],
)
def test_wrong_settings_are_told(data: dict[str, Any], where: str, hint: str) -> None:
    problems = Problems()
    KIND.read(problems, "monitors.m", data)
    assert [(each.where, each.hint) for each in problems.found] == [(where, hint)]


def test_a_named_column_that_is_not_there_is_told() -> None:
    with pytest.raises(BaselineUnfit, match="ranges names price"):
        run(table(), ranges={"price": [0, 1]})
