"""How far distributions have moved, against numpy and known values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.profile import Histogram
from core.explore.shift import coarsened, js_distance, ks, psi, respread, shift_of_histograms

counts = st.lists(st.integers(0, 1000), min_size=2, max_size=40)
pairs = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 1000), min_size=n, max_size=n).filter(any),
        st.lists(st.integers(0, 1000), min_size=n, max_size=n).filter(any),
    )
)


@given(pairs)
def test_psi_js_and_ks_are_those_of_numpy(pair: tuple[list[int], list[int]]) -> None:
    p, q = (np.array(each) / sum(each) for each in pair)
    floor_p, floor_q = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    told = (p > 0) | (q > 0)
    expected = ((floor_q - floor_p) * np.log(floor_q / floor_p))[told].sum()
    assert psi(*pair) == pytest.approx(expected, abs=1e-9)
    middle = (p + q) / 2
    with np.errstate(all="ignore"):
        terms = np.nan_to_num(p * np.log2(p / middle)) + np.nan_to_num(q * np.log2(q / middle))
    assert js_distance(*pair) == pytest.approx(math.sqrt(max(0.0, terms.sum() / 2)), abs=1e-6)
    assert ks(*pair) == pytest.approx(np.abs(np.cumsum(p) - np.cumsum(q)).max(), abs=1e-9)


@given(pairs)
def test_they_are_symmetric_and_zero_only_for_equals(pair: tuple[list[int], list[int]]) -> None:
    one, two = pair
    for measure in (psi, js_distance, ks):
        assert measure(one, two) == pytest.approx(measure(two, one), abs=1e-9)
        assert measure(one, one) == pytest.approx(0, abs=1e-7)
        assert measure(one, two) >= -1e-12
    assert js_distance(one, two) <= 1 and ks(one, two) <= 1


@given(counts.filter(any), st.integers(2, 60), st.floats(-0.5, 0.5), st.floats(0.5, 2))
def test_spreading_over_other_edges_loses_nothing(
    values: list[int], bins: int, move: float, stretch: float
) -> None:
    edges = tuple(float(i) for i in range(len(values) + 1))
    given_ = Histogram(edges, tuple(values), 3, 5)
    low = move * len(values)
    target = np.linspace(low, low + stretch * len(values), bins + 1)
    made = respread(given_, list(target))
    assert made.total == given_.total
    assert min(made.counts) >= 0 and made.below >= 0 and made.above >= 0
    finer = np.linspace(0, len(values), len(values) * 3 + 1)
    back = respread(respread(given_, list(finer)), edges)
    assert all(abs(a - b) <= 2 for a, b in zip(back.counts, values, strict=True))


@given(pairs)
def test_merged_bins_hold_as_much_as_they_should(pair: tuple[list[int], list[int]]) -> None:
    one, two = coarsened(*pair)
    assert sum(one) == sum(pair[0]) and sum(two) == sum(pair[1])
    assert all(each >= 0.05 * sum(one) - 1e-9 for each in one)


def test_a_histogram_that_moved_is_told_from_one_that_did_not() -> None:
    draws = np.random.default_rng(1)
    edges = np.linspace(-4, 4, 41)

    def of(values: np.ndarray) -> Histogram:  # type: ignore[type-arg]
        inside, _ = np.histogram(values, edges)
        below, above = int((values < -4).sum()), int((values > 4).sum())
        return Histogram(tuple(edges), tuple(int(n) for n in inside), below, above)

    base = of(draws.normal(size=20_000))
    assert shift_of_histograms(base, of(draws.normal(size=20_000))).psi < 0.01
    moved = shift_of_histograms(base, of(draws.normal(1.0, size=20_000)))
    assert moved.psi > 0.5 and moved.ks == pytest.approx(0.383, abs=0.02) and moved.exact


def test_empty_distributions() -> None:
    assert psi([0, 0], [0, 0]) == 0 and psi([1, 0], [0, 0]) == math.inf
    assert js_distance([0], [1]) == 1 and ks([0], [0]) == 0
