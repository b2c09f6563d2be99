"""Every number equals SciPy's, whatever the values are and however they are cut into batches."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]
from scipy.spatial.distance import jensenshannon  # type: ignore[import-untyped]

from core.drift import distances
from core.drift.baseline import Baseline, restored
from core.drift.building import Plan, built
from core.drift.pvalues import adjusted, chi_square_p_value, ks_p_value
from core.drift.values import Floats
from core.drift.window import WindowTally, count_window

NUMBER = st.one_of(
    st.integers(-5, 5).map(float),
    st.floats(-1e6, 1e6, allow_nan=False),
    st.floats(-1e-3, 1e-3, allow_nan=False),
)
NUMBERS = st.lists(NUMBER, min_size=1, max_size=60)


def baseline_of(values: Floats, **plan: int) -> Baseline:
    batch = pa.table({"v": values}).to_batches()
    return built(lambda: batch, Plan(("v",), **plan))[0]  # type: ignore[arg-type]


def counted(baseline: Baseline, values: Floats, chunk: int = 7):  # type: ignore[no-untyped-def]
    batches = pa.table({"v": values}).to_batches(max_chunksize=chunk)
    found = count_window(baseline, batches).columns["v"].numbers
    assert found is not None
    return found


@settings(max_examples=150, deadline=None)
@given(NUMBERS, NUMBERS)
def test_numbers_are_scipys(then: list[float], now: list[float]) -> None:
    one, two = np.array(then), np.array(now)
    baseline = baseline_of(one)
    before = baseline.columns[0].numbers
    after = counted(baseline, two)
    assert before is not None
    ks = distances.ks(before, after)
    assert ks is not None and ks.exact
    assert ks.value == pytest.approx(stats.ks_2samp(one, two, method="asymp").statistic, abs=1e-12)
    area = distances.wasserstein(before, after)
    assert area == pytest.approx(stats.wasserstein_distance(one, two), rel=1e-9, abs=1e-9)
    assert after.mean == pytest.approx(two.mean(), rel=1e-9, abs=1e-9)
    assert after.std == pytest.approx(two.std(), rel=1e-9, abs=1e-8)


@settings(max_examples=80, deadline=None)
@given(NUMBERS, NUMBERS)
def test_a_window_too_large_to_hold_comes_to_the_same(then: list[float], now: list[float]) -> None:
    one, two = np.array(then), np.array(now)
    baseline = baseline_of(one)
    before = baseline.columns[0].numbers
    with WindowTally(baseline, threads=1, keep=False) as tally:
        for batch in pa.table({"v": two}).to_batches(max_chunksize=5):
            tally.add(batch)
        after = tally.finish().columns["v"].numbers
    assert before is not None and after is not None and after.kept is None
    ks = distances.ks(before, after)
    assert ks is not None
    assert ks.value == pytest.approx(stats.ks_2samp(one, two, method="asymp").statistic, abs=1e-12)
    area = distances.wasserstein(before, after)
    assert area is not None
    # Only where the functions cross between two knots is it not exact, and then not by more
    # than what lies there.
    span = float(np.ptp(np.concatenate([one, two])))
    assert area == pytest.approx(stats.wasserstein_distance(one, two), abs=span * 0.26 + 1e-9)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(NUMBER, min_size=40, max_size=200),
    st.lists(NUMBER, min_size=1, max_size=100),
    st.integers(3, 12),
)
def test_a_sketch_bounds_the_distance(then: list[float], now: list[float], knots: int) -> None:
    one, two = np.array(then), np.array(now)
    baseline = baseline_of(one, exact_limit=2, sketch=knots)
    before = baseline.columns[0].numbers
    assert before is not None
    ks = distances.ks(before, counted(baseline, two))
    assert ks is not None
    exact = stats.ks_2samp(one, two, method="asymp").statistic
    assert ks.low - 1e-12 <= exact <= ks.high + 1e-12


def test_a_sketch_is_near_on_many_rows() -> None:
    draws = np.random.default_rng(0)
    one, two = draws.gamma(2, 3, 200_000), draws.gamma(2.1, 3, 300_000)
    baseline = baseline_of(one)
    before, after = baseline.columns[0].numbers, counted(baseline, two, 50_000)
    assert before is not None and not before.knots.exact and len(before.knots.at) <= 1024
    ks = distances.ks(before, after)
    assert ks is not None
    exact = stats.ks_2samp(one, two, method="asymp").statistic
    assert ks.low <= exact <= ks.high < ks.low + 0.003
    assert ks.value == pytest.approx(exact, abs=3e-4)
    area = distances.wasserstein(before, after)
    assert area == pytest.approx(stats.wasserstein_distance(one, two), rel=1e-3)


@settings(max_examples=100, deadline=None)
@given(st.floats(0.001, 1.0), st.integers(60, 4000), st.integers(60, 4000))
def test_the_p_value_is_scipys(distance: float, n: int, m: int) -> None:
    expected = stats.kstwo.sf(distance, round(n * m / (n + m)))
    assert ks_p_value(distance, n, m) == pytest.approx(expected, rel=3e-3, abs=1e-250)


@given(st.lists(st.floats(0, 1), max_size=40))
def test_false_discoveries_are_scipys(p_values: list[float]) -> None:
    expected = stats.false_discovery_control(p_values) if p_values else []
    assert adjusted(p_values) == pytest.approx(expected)


COUNTS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=2, max_size=12)


@given(COUNTS)
def test_categories_are_scipys(pairs: list[tuple[int, int]]) -> None:
    then, now = (np.array(each, float) for each in zip(*pairs, strict=True))
    if not then.sum() or not now.sum():
        return
    p, q = then / then.sum(), now / now.sum()
    assert distances.js_distance(p, q) == pytest.approx(
        jensenshannon(p, q, base=2), rel=1e-7, abs=1e-7
    )
    some = then + now > 0
    if some.sum() > 1:
        found, freedom = distances.chi_square(then, now, least=0)
        expected = stats.chi2_contingency([then[some], now[some]], correction=False)
        assert found == pytest.approx(expected.statistic, rel=1e-9, abs=1e-9)
        assert freedom == expected.dof
        assert chi_square_p_value(found, freedom) == pytest.approx(
            expected.pvalue, rel=1e-6, abs=1e-12
        )


def test_psi_by_its_formula() -> None:
    p, q = np.array([0.5, 0.3, 0.2, 0.0]), np.array([0.4, 0.3, 0.2, 0.1])
    floor = 1e-4
    expected = (0.4 - 0.5) * np.log(0.4 / 0.5) + (0.1 - floor) * np.log(0.1 / floor)
    assert distances.psi(p, q) == pytest.approx(expected)


@given(st.floats(0, 1), st.integers(1, 10_000), st.integers(1, 10_000))
def test_sagemakers_robust_distance(distance: float, n: int, m: int) -> None:
    expected = max(0.0, distance - 1.8 * np.sqrt((n + m) / (n * m)))
    assert distances.robust(distance, n, m) == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(NUMBER, st.none(), st.just(float("nan")), st.just(float("inf"))), max_size=80
    )
)
def test_what_is_stored_is_what_was_made(values: list[float | None]) -> None:
    table = pa.table({"v": pa.array(values, pa.float64()), "t": pa.array([str(v) for v in values])})
    made, _ = built(lambda: table.to_batches(), Plan(("v", "t"), segments=("t",)))
    again = restored(*made.stored())
    for one, two in zip(made.columns, again.columns, strict=True):
        assert (one.rows, one.missing, one.distinct) == (two.rows, two.missing, two.distinct)
        if one.numbers is not None and two.numbers is not None:
            assert np.array_equal(one.numbers.counts, two.numbers.counts)
            assert one.numbers.mean == two.numbers.mean
            assert one.numbers.minimum == two.numbers.minimum
    one_found, two_found = (count_window(each, table.to_batches()) for each in (made, again))
    assert one_found.group_rows[0].tolist() == two_found.group_rows[0].tolist()
