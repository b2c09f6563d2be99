"""Profiles against what numpy and polars say of the same rows."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain.profile import ColumnKind, DatasetProfile
from core.explore import _shape
from core.explore._sample import RowSample
from core.explore._together import cramers_v, pairwise_correlation
from core.explore.profiling import Profiler, profile_frame
from core.explore.sketch import DistinctSketch
from core.explore.timeline import time_stats

HOUR = 3_600_000_000
numbers = st.floats(-1e12, 1e12, allow_nan=False) | st.sampled_from(
    [0.0, -0.0, 1e-300, math.nan, math.inf, -math.inf]
)


@given(st.lists(st.none() | numbers, min_size=1, max_size=200), st.integers(1, 50))
@settings(max_examples=60)
def test_a_columns_numbers_are_those_of_numpy(values: list[float | None], part: int) -> None:
    frame = pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64)})
    profiler = Profiler("d", frame.schema)
    for piece in frame.iter_slices(part):
        profiler.add(piece)
    column = profiler.finish().columns[0]
    stats = column.number
    assert stats is not None
    present = np.array([v for v in values if v is not None], dtype=float)
    finite = present[np.isfinite(present)]
    assert column.missing == sum(v is None for v in values)
    assert stats.nan == int(np.isnan(present).sum())
    assert stats.infinite == int(np.isinf(present).sum())
    assert stats.zeros == int((present == 0).sum())
    assert column.distinct == len(np.unique(finite))
    if not len(finite):
        assert stats.mean is None and stats.histogram is None
        return
    scale = max(1.0, float(np.abs(finite).max()))
    assert stats.minimum == finite.min() and stats.maximum == finite.max()
    assert stats.mean == pytest.approx(finite.mean(), abs=scale * 1e-9)
    if len(finite) > 1:
        assert stats.std == pytest.approx(finite.std(ddof=1), abs=scale * 1e-6)
    for share, value in stats.quantiles:
        assert value == pytest.approx(float(np.quantile(finite, share)), abs=scale * 1e-9)
    bins = stats.histogram
    assert bins is not None and bins.total == len(finite)
    expected, _ = np.histogram(finite, np.array(bins.edges))
    assert bins.counts == tuple(expected)


@given(st.lists(st.sampled_from(["a", "b", "", " ", "é", None]), max_size=100))
@settings(max_examples=40)
def test_texts(values: list[str | None]) -> None:
    column = profile_frame("d", pl.DataFrame({"t": pl.Series(values, dtype=pl.String)})).columns
    present = [v for v in values if v is not None]
    if not values:
        return
    one = column[0]
    assert one.text is not None and dict(one.top) == {v: present.count(v) for v in set(present)}
    assert one.top_complete and one.distinct == len(set(present))
    assert one.text.blank == sum(not v.strip() for v in present)
    if present:
        assert one.text.max_length == max(map(len, present))


def test_a_sample_stands_for_what_is_too_much_to_hold() -> None:
    draws = np.random.default_rng(3)
    values = draws.normal(size=40_000)
    frame = pl.DataFrame({"x": values, "k": np.arange(40_000), "s": ["v"] * 40_000})
    profiler = Profiler("d", frame.schema, limit=4000)
    for piece in frame.iter_slices(1500):
        profiler.add(piece)
    profile = profiler.finish()
    x, k, s = profile.columns
    assert profile.rows == 40_000 and profile.sampled_rows == 4000
    assert x.number is not None and x.number.mean == pytest.approx(values.mean())
    assert x.number.quantile(0.5) == pytest.approx(0, abs=0.08)
    assert k.distinct_approximate and k.distinct == pytest.approx(40_000, rel=0.03)
    assert s.distinct == 1 and not s.top_complete
    assert profile.duplicate_rows == 0


def test_repeated_rows_are_counted() -> None:
    frame = pl.DataFrame({"a": [1, 1, 2, None, None], "b": ["x", "x", "x", None, None]})
    assert profile_frame("d", frame).duplicate_rows == 2


def test_bins_of_an_earlier_profile_are_kept_until_they_no_longer_fit() -> None:
    first = profile_frame("d", pl.DataFrame({"x": np.linspace(0, 1, 500)}))
    edges = {"x": _edges(first)}
    near = profile_frame("d", pl.DataFrame({"x": np.linspace(0.1, 1.1, 500)}), edges=edges)
    assert _edges(near) == edges["x"]
    far = profile_frame("d", pl.DataFrame({"x": np.linspace(50, 51, 500)}), edges=edges)
    assert _edges(far) != edges["x"]


def _edges(profile: DatasetProfile) -> tuple[float, ...]:
    stats = profile.columns[0].number
    assert stats is not None and stats.histogram is not None
    return stats.histogram.edges


@given(st.sets(st.integers(0, 400), min_size=3, max_size=300))
@settings(max_examples=60)
def test_gaps_add_up(hours: set[int]) -> None:
    moments = np.array(sorted(hours), dtype=np.int64) * HOUR
    stats = time_stats(moments)
    if stats.step is None:
        return
    step = int(stats.step * 1_000_000)
    if np.all(np.diff(moments) % step == 0):
        asked = (moments[-1] - moments[0]) // step + 1
        assert stats.missing == asked - len(moments)
    assert stats.missing == sum(gap.missing for gap in stats.gaps)
    for gap in stats.gaps:
        assert gap.last - gap.first == pytest.approx((gap.missing - 1) * stats.step)


def test_months_and_days_have_steps_too() -> None:
    months = [datetime(2020 + m // 12, m % 12 + 1, 1, tzinfo=UTC) for m in range(30) if m != 7]
    frame = pl.DataFrame({"at": months})
    times = profile_frame("d", frame).columns[0].time
    assert times is not None and times.calendar == "month"
    assert (times.missing, times.gap_count) == (1, 1)
    assert datetime.fromtimestamp(times.gaps[0].first, UTC) == datetime(2020, 8, 1, tzinfo=UTC)


def test_texts_that_read_as_times_have_coverage() -> None:
    start = datetime(2024, 3, 1)
    texts = [(start + timedelta(hours=h)).isoformat() for h in range(100) if h not in (5, 6, 40)]
    column = profile_frame("d", pl.DataFrame({"at": texts})).columns[0]
    assert column.kind is ColumnKind.TEXT and column.time is not None
    assert (column.time.step, column.time.missing, column.time.gap_count) == (3600.0, 3, 2)


@given(st.integers(0, 5000))
@settings(max_examples=20)
def test_the_estimate_of_distinct_values_is_near(count: int) -> None:
    sketch = DistinctSketch()
    hashes = pl.Series(range(count), dtype=pl.Int64).hash().to_numpy()
    sketch.add(hashes.astype(np.uint64))
    sketch.add(hashes.astype(np.uint64))
    assert sketch.count() == pytest.approx(count, rel=0.05, abs=3)


def test_merged_sketches_have_seen_both() -> None:
    one, two = DistinctSketch(), DistinctSketch()
    hashes = pl.Series(range(100_000)).hash().to_numpy()
    one.add(hashes[:60_000])
    two.add(hashes[40_000:])
    one.merge(two)
    assert one.count() == pytest.approx(100_000, rel=0.03)


def test_correlations_leave_out_rows_where_one_is_missing() -> None:
    draws = np.random.default_rng(5)
    x = draws.normal(size=500)
    y = 2 * x + draws.normal(size=500)
    x[::7], y[::5] = np.nan, np.nan
    both = ~np.isnan(x) & ~np.isnan(y)
    made = pairwise_correlation(np.column_stack([x, y, np.ones(500)]))
    assert made[0, 1] == pytest.approx(np.corrcoef(x[both], y[both])[0, 1], abs=1e-9)
    assert np.isnan(made[0, 2])


def test_cramers_v_of_what_goes_together_and_what_does_not() -> None:
    assert cramers_v(np.diag([50, 50, 50])) == pytest.approx(1.0, abs=0.01)
    assert cramers_v(np.full((3, 3), 50)) == 0.0
    assert cramers_v(np.array([[5, 0], [0, 0]])) == 0.0


@given(st.lists(st.integers(1, 200), min_size=1, max_size=20), st.integers(1, 100))
@settings(max_examples=40)
def test_every_row_may_be_in_the_sample_and_none_twice(parts: list[int], limit: int) -> None:
    sample = RowSample(limit, seed=1)
    start = 0
    for size in parts:
        sample.add(pl.DataFrame({"n": range(start, start + size)}))
        start += size
    kept = sample.frame()["n"].to_list()
    assert len(kept) == min(limit, start) and kept == sorted(set(kept))
    assert sample.whole == (start <= limit)


def test_outliers_are_beyond_tukeys_fences() -> None:
    values = np.sort(np.concatenate([np.linspace(0, 100, 1001), [1000.0, -900.0]]))
    found = _shape.outliers(values, len(np.unique(values)))
    assert found is not None and found.count == 2
    assert found.low == pytest.approx(-50, abs=1) and found.high == pytest.approx(150, abs=1)


def test_a_column_of_nothing_and_of_one_value() -> None:
    frame = pl.DataFrame({"none": [None, None], "same": [5, 5], "list": [[1], [2]]})
    profile = profile_frame("d", frame)
    none, same, nested = profile.columns
    assert none.missing == 2 and same.distinct == 1
    assert nested.kind is ColumnKind.OTHER and "list" in profile.notes[0]
    assert profile_frame("d", frame.clear()).rows == 0
