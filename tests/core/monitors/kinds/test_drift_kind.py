"""The kind `drift` as the framework calls it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from core.domain.monitor import Findings, MonitorDefinition, Schedule, State, WindowSpec
from core.drift.errors import BaselineUnfit
from core.monitors.kind import KindContext, StoredBaseline
from core.monitors.kinds.drift import KIND
from core.releases.values import Problems
from tests.support.windows import TableWindow


def settings(**data: Any) -> Any:
    problems = Problems()
    found = KIND.read(problems, "monitors.m", data)
    assert not problems.found, problems.found
    return found


def definition(segments: tuple[str, ...] = (), rows: int = 1000, **data: Any) -> MonitorDefinition:
    return MonitorDefinition(
        name="m",
        kind="drift",
        watch="endpoint/e",
        every=Schedule("1d", seconds=86_400),
        window=WindowSpec(rows=rows),
        settings=settings(**data),
        segments=segments,
    )


def table(rows: int, seed: int = 0, shift: float = 0.0, **more: Any) -> pa.Table:
    draws = np.random.default_rng(seed)
    made = {
        "a": draws.normal(shift, 1, rows),
        "b": draws.gamma(2, 3, rows),
        "c": draws.choice(["x", "y", "z"], rows),
        "__inference_id": [f"{seed}-{i}" for i in range(rows)],
    }
    return pa.table(made | more)


CONTEXT = KindContext(monitor="m", now=1_700_000_000.0)


def run(
    what: MonitorDefinition,
    windows: Sequence[pa.Table],
    reference: pa.Table,
    memory: Mapping[str, Any] | None = None,
) -> list[Findings]:
    """The findings of windows one after another; what must hold of each is asserted."""
    made = KIND.baseline(what, TableWindow(reference), CONTEXT)
    kept = StoredBaseline(json.loads(json.dumps(made.summary, allow_nan=False)), made.arrays)
    told = []
    memory = memory or {}
    for window in windows:
        found = KIND.evaluate(what, kept, TableWindow(window), memory, CONTEXT)
        json.dumps([found.files, found.memory], allow_nan=False)
        for each in found.measurements:
            json.dumps(dict(each.detail), allow_nan=False)
            numbers = (each.value, each.low, each.high, each.p_value, each.threshold)
            assert all(number is None or math.isfinite(number) for number in numbers)
            assert each.definition
        assert found.headline
        memory = json.loads(json.dumps(found.memory))
        told.append(found)
    return told


def test_a_shift_is_drift_in_the_second_window_of_two() -> None:
    one, two = run(definition(), [table(1000, 1, 0.5), table(1000, 2, 0.5)], table(20_000))
    assert one.state is State.OK
    assert "a (D 0.18)" in one.headline and "this window only" in one.headline
    assert two.state is State.VIOLATED
    assert [(each.feature, each.check, each.severity) for each in two.violations] == [
        ("a", "baseline_drift_check", "info")
    ]
    assert "1 of 3 columns drift: a" in two.headline
    files = two.files["constraint_violations.json"]["violations"]
    assert files[0]["feature_name"] == "a"


def test_no_shift_is_ok() -> None:
    found = run(definition(), [table(1000, seed) for seed in range(1, 8)], table(20_000))
    assert {each.state for each in found} == {State.OK}


def test_few_rows_are_never_green() -> None:
    (found,) = run(definition(), [table(499, 1, 3.0)], table(20_000))
    assert found.state is State.INSUFFICIENT
    assert "499 rows" in found.headline
    assert all(each.state is not State.OK for each in found.measurements)


def test_a_shift_in_one_segment_is_found_there() -> None:
    def split(rows: int, seed: int, shift: float) -> pa.Table:
        made = table(rows, seed)
        where = np.random.default_rng(seed + 1000).choice(["n", "s", "e", "w"], rows)
        moved = made["a"].to_numpy() + np.where(where == "w", shift, 0.0)
        return made.set_column(0, "a", pa.array(moved)).append_column("site", pa.array(where))

    windows = [split(1600, 1, 0.6), split(1600, 2, 0.6)]
    _, found = run(definition(("site",)), windows, split(20_000, 0, 0.0))
    assert [(each.feature, each.segment) for each in found.violations] in (
        [("a", "site=w")],
        [("a", "")],
    )
    measured = [each for each in found.measurements if each.feature == "a" and each.metric == "ks"]
    segment = [each for each in measured if each.segment]
    assert [each.segment for each in segment] == ["site=w"]
    assert segment[0].value is not None and segment[0].value > 0.15


def test_which_segment_a_drift_comes_from() -> None:
    def split(rows: int, seed: int, shift: float) -> pa.Table:
        made = table(rows, seed)
        where = np.random.default_rng(seed + 1000).choice(["n", "s"], rows)
        moved = made["a"].to_numpy() + np.where(where == "s", shift, 0.0)
        return made.set_column(0, "a", pa.array(moved)).append_column("site", pa.array(where))

    found, *_ = run(definition(("site",)), [split(4000, 1, 1.0)], split(20_000, 0, 0.0))
    ks = next(e for e in found.measurements if e.feature == "a" and e.metric == "ks")
    parts = ks.detail["segments"]
    assert parts[0]["segment"] == "site=s"
    assert abs(sum(part["contribution"] for part in parts)) == pytest.approx(ks.value, abs=0.01)
    assert abs(parts[0]["contribution"]) > 8 * abs(parts[1]["contribution"])


def test_a_segment_of_two_columns() -> None:
    def split(rows: int, seed: int, shift: float) -> pa.Table:
        draws = np.random.default_rng(seed + 1000)
        one, two = draws.choice(["n", "s"], rows), draws.integers(0, 2, rows)
        values = draws.normal(size=rows) + np.where((one == "s") & (two == 1), shift, 0.0)
        return pa.table({"a": values, "site": one, "open": two})

    windows = [split(1600, 1, 0.6), split(1600, 2, 0.6)]
    what = replace(definition(("site & open",)), columns=("a",))
    found = run(what, windows, split(20_000, 0, 0.0))[1]
    segments = {each.segment for each in found.measurements if each.segment}
    assert segments == {"site=s & open=1"}


def test_a_seasonal_swing_is_no_drift_where_the_baseline_has_seasons() -> None:
    def year(days: range, seed: int, shift: float = 0.0) -> pa.Table:
        hours = np.arange(days.start * 24, days.stop * 24, 0.05)
        swing = 2 * np.sin(hours / 24 * 2 * np.pi)
        noise = np.random.default_rng(seed).normal(shift, 1, len(hours))
        return pa.table({"a": swing + noise, "__at": hours * 3600.0})

    day = year(range(400, 401), 5)
    nights = [day.slice(0, 240), day.slice(0, 240)]
    nights = [pa.concat_tables([each, each, each]) for each in nights]
    plain = run(definition(), nights, year(range(60), 1))
    assert plain[1].state is State.VIOLATED
    seasonal = run(definition(seasonal="hour"), nights[:1], year(range(60), 1))
    assert seasonal[0].state is State.OK
    moved = year(range(400, 402), 6, 0.5).slice(0, 720)
    found = run(definition(seasonal="hour"), [moved, moved], year(range(60), 1))
    assert found[1].state is State.VIOLATED
    assert "same hour" in next(e for e in found[1].measurements if e.metric == "ks").definition


def test_a_stronger_swing_is_drift_in_parts_of_the_day() -> None:
    def days(first: int, count: int, seed: int, swing: float) -> pa.Table:
        hours = np.arange(first * 24, (first + count) * 24, 0.02)
        noise = np.random.default_rng(seed).normal(0, 1, len(hours))
        return pa.table({"a": swing * np.sin(hours / 24 * 2 * np.pi) + noise, "__at": hours * 3600})

    what, reference = definition(seasonal="hour"), days(0, 20, 0, 1.0)
    same = run(what, [days(30, 1, 1, 1.0), days(31, 1, 2, 1.0)], reference)
    assert {each.state for each in same} == {State.OK}
    found = run(what, [days(30, 1, 1, 1.6), days(31, 1, 2, 1.6)], reference)[1]
    assert found.state is State.VIOLATED
    told = {each.segment for each in found.violations}
    assert told and told <= {"", "00-06h", "06-12h", "12-18h", "18-24h"}


def test_seasons_want_times() -> None:
    with pytest.raises(BaselineUnfit, match="seasonal wants the time"):
        run(definition(seasonal="hour"), [], table(1000))


def test_a_named_column_that_is_not_there_is_told() -> None:
    what = definition(("region",))
    with pytest.raises(BaselineUnfit, match="segments names region"):
        run(what, [], table(1000))


def test_rows_that_only_together_look_odd_are_found_with_their_ids() -> None:
    def pair(rows: int, seed: int, together: bool) -> pa.Table:
        draws = np.random.default_rng(seed)
        one, two = draws.normal(size=rows), draws.normal(size=rows)
        two = np.where(together, one * 0.9 + two * np.sqrt(0.19), two)
        ids = [f"id-{seed}-{i}" for i in range(rows)]
        return pa.table({"a": one, "b": two, "__inference_id": ids})

    what = definition(multivariate=True)
    windows = [pair(1000, 1, True), pair(1000, 2, True)]
    found = run(what, windows, pair(8000, 0, False))
    auc = next(e for e in found[1].measurements if e.metric == "c2st_auc")
    assert auc.state is State.VIOLATED and auc.value is not None and auc.value > 0.6
    assert {each["column"] for each in auc.detail["columns"][:2]} == {"a", "b"}
    assert auc.detail["atypical"][0]["inference_id"].startswith("id-2-")
    assert [each.check for each in found[1].violations] == ["multivariate_drift_check"]
    (same,) = run(what, [pair(1000, 3, False)], pair(8000, 0, False))
    auc = next(e for e in same.measurements if e.metric == "c2st_auc")
    assert auc.state is State.OK


def test_outputs_are_compared_too() -> None:
    def rows(count: int, seed: int, p: float) -> pa.Table:
        draws = np.random.default_rng(seed)
        score = np.clip(draws.normal(p, 0.1, count), 0, 1)
        more = {
            "__prediction": (score > 0.5).astype(np.int64),
            "__score": [json.dumps([1 - each, each]) for each in score.tolist()],
        }
        return table(count, seed, **more)

    found = run(definition(), [rows(1000, 1, 0.6), rows(1000, 2, 0.6)], rows(8000, 0, 0.4))
    assert {each.feature for each in found[1].violations} == {"__prediction", "__score"}


def _odd(kind: str, rows: int) -> Any:
    draws = np.random.default_rng(1)
    return {
        "constant": lambda: np.ones(rows),
        "missing": lambda: pa.nulls(rows, pa.float64()),
        "no type": lambda: pa.nulls(rows),
        "nan": lambda: np.full(rows, np.nan),
        "infinite": lambda: np.full(rows, np.inf),
        "some infinite": lambda: np.where(draws.random(rows) < 0.5, -np.inf, 1.0),
        "huge": lambda: draws.choice([1e308, -1e308], rows),
        "big whole": lambda: pa.array([2**63 - 1 - i for i in range(rows)], pa.int64()),
        "unsigned": lambda: pa.array([2**64 - 1 - i for i in range(rows)], pa.uint64()),
        "text": lambda: pa.array([f"v{i}" for i in range(rows)]),
        "numbers as text": lambda: pa.array([str(i / 7) for i in range(rows)]),
        "mixed": lambda: pa.array(["1", "abc", None, " 2.5 ", "nan", "+3"] * rows)[:rows],
        "flag": lambda: pa.array([i % 2 == 0 for i in range(rows)]),
        "date": lambda: pa.array(np.arange(rows).astype("datetime64[D]")),
        "time": lambda: pa.array(np.arange(rows), pa.int64()).cast(pa.timestamp("us", tz="UTC")),
        "list": lambda: pa.array([[i] for i in range(rows)], pa.list_(pa.int64())),
        "bytes": lambda: pa.array([b"x"] * rows, pa.binary()),
        "codes": lambda: pa.array(["u", "v"] * rows)[:rows].dictionary_encode(),
        "decimal": lambda: pa.array(list(range(rows)), pa.int64()).cast(pa.decimal128(22, 2)),
        "long text": lambda: pa.array(["x" * 10_000] * rows),
        "duration": lambda: pa.array(np.arange(rows), pa.int64()).cast(pa.duration("s")),
    }[kind]()


ODD = (
    "constant", "missing", "no type", "nan", "infinite", "some infinite", "huge", "big whole",
    "unsigned", "text", "numbers as text", "mixed", "flag", "date", "time", "list", "bytes",
    "codes", "decimal", "long text", "duration",
)  # fmt: skip


@pytest.mark.parametrize("then", ODD)
def test_whatever_a_column_was_and_becomes(then: str) -> None:
    reference = pa.table({"v": _odd(then, 700), "ok": np.arange(700) % 7})
    windows = [pa.table({"v": _odd(now, 600), "ok": np.arange(600) % 7}) for now in ODD]
    found = run(definition(rows=600, segments=("ok",)), windows, reference)
    for each in found:
        assert any(m.feature == "v" for m in each.measurements)


@pytest.mark.parametrize("rows", [0, 1])
def test_no_rows_and_one_row_say_that_it_is_too_little(rows: int) -> None:
    (found,) = run(definition(multivariate=True), [table(5).slice(0, rows)], table(2000))
    assert found.state is State.INSUFFICIENT


def test_a_baseline_of_one_row_or_of_one_value() -> None:
    for reference in (table(1), pa.table({"a": np.ones(1000)})):
        (found,) = run(definition(), [table(1000, 1)], reference)
        assert found.measurements


def test_a_baseline_of_no_rows_is_refused() -> None:
    with pytest.raises(BaselineUnfit, match="are none"):
        run(definition(), [], table(5).slice(0, 0))


def test_missing_and_extra_columns() -> None:
    window = table(1000, 1, more=np.arange(1000)).drop_columns(["c"])
    (found,) = run(definition(), [window], table(5000))
    assert [(each.feature, each.check, each.severity) for each in found.violations] == [
        ("c", "missing_column_check", "warning")
    ]
    assert found.state is State.VIOLATED
    (mark,) = [each for each in found.measurements if each.feature == "c" and each.metric == "ks"]
    assert mark.state is State.INSUFFICIENT


def test_a_column_that_lost_its_values_is_told() -> None:
    window = table(1000, 1).set_column(0, "a", pa.nulls(1000, pa.float64()))
    (found,) = run(definition(), [window], table(5000))
    assert [each.check for each in found.violations] == ["completeness_check"]


def test_new_and_exploding_categories() -> None:
    def with_c(values: list[str]) -> pa.Table:
        return table(1000, 1).set_column(2, "c", pa.array(values))

    some = with_c(["x", "y", "z", "new"] * 250)
    many = with_c([f"v{i}" for i in range(1000)])
    found = run(definition(), [some, many], table(9000))
    tvd = [next(e for e in f.measurements if e.metric == "tvd") for f in found]
    assert tvd[0].value == pytest.approx(0.25, abs=0.03)
    assert tvd[0].detail["new"] == {"new": 250}
    assert tvd[1].value == pytest.approx(1.0)
    assert found[1].state is State.VIOLATED


def test_the_baseline_states_what_the_rule_comes_to() -> None:
    what = definition(rows=600)
    reference = TableWindow(table(20_000), start=0.0, end=20 * 86_400.0)
    told = KIND.baseline(what, reference, CONTEXT).summary["calibration"]
    assert told["windows"] == 200 and told["rows"] == 600
    assert told["windows_a_month"] == 50.0
    assert told["false_alerts_a_month"] < 0.1
    assert told["in_order"]["windows"] == 33
    assert told["in_order"]["false_alerts_a_month"] == 0.0


def test_rows_that_follow_one_another_are_told_as_false_alerts_or_raise_the_limits() -> None:
    slow = np.sin(np.arange(20_000) / 3000) + np.random.default_rng(0).normal(0, 0.3, 20_000)
    reference = pa.table({"a": slow})
    window = pa.table({"a": slow[3000:4000]})
    found = run(definition(), [window, window], reference)
    assert found[1].state is State.VIOLATED
    raised = run(definition(calibrate="raise"), [window, window], reference)
    assert raised[1].state is State.OK
    far = pa.table({"a": slow[3000:4000] + 5})
    assert run(definition(calibrate="raise"), [far, far], reference)[1].state is State.VIOLATED


def test_sagemakers_way() -> None:
    (found,) = run(definition(profile="sagemaker"), [table(1000, 1, 0.5)], table(20_000))
    (violation,) = found.violations
    assert violation.description.startswith("Baseline drift distance: 0.1")
    assert violation.description.endswith("exceeds threshold: 0.1")
    constraints = found.files["constraints.json"]["monitoring_config"]
    assert constraints["distribution_constraints"]["comparison_method"] == "Robust"


@pytest.mark.parametrize(
    ("data", "where", "says"),
    [
        ({"efect": 0.1}, "monitors.m.efect", "did you mean effect?"),
        ({"votes": "3 of 2"}, "monitors.m.votes", "such as 2 of 3"),
        ({"votes": True}, "monitors.m.votes", "such as 2 of 3"),
        ({"seasonal": "hour_of_weak"}, "monitors.m.seasonal", "did you mean hour_of_week?"),
        ({"timezone": "Mars"}, "monitors.m.timezone", "such as Europe/Berlin"),
        ({"metrics": ["ks", "pis"]}, "monitors.m.metrics[1]", "did you mean psi?"),
        ({"q": "many"}, "monitors.m.q", ""),
    ],
)
def test_wrong_settings_are_told(data: dict[str, Any], where: str, says: str) -> None:
    problems = Problems()
    KIND.read(problems, "monitors.m", data)
    assert [(each.where, each.hint) for each in problems.found] == [(where, says)]


def test_votes_as_they_are_written() -> None:
    assert (settings(votes="3 of 5").m, settings(votes="3 of 5").n) == (3, 5)
    assert (settings(votes=1).m, settings(votes=1).n) == (1, 1)
