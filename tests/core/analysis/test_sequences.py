"""The intervals: known figures, coverage at all times, invariances."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.analysis.arms import Moments, Share
from core.analysis.bands import band_radius, distance
from core.analysis.paired import Paired, p_value, paired_difference
from core.analysis.ratio import RatioTest
from core.analysis.sequences import (
    mean_difference,
    mixture_radius,
    share_difference,
    share_interval,
)


def test_the_mixture_is_tightest_where_it_is_tuned() -> None:
    def width(tuned: float) -> float:
        return mixture_radius(500, tuned, 0.05)

    assert width(500) < width(100) and width(500) < width(3000)
    # The paper's boundary written out: sigma = 1, t = 500, rho tuned at 500, alpha = 0.05.
    rho2 = (-2 * math.log(0.05) + math.log(-2 * math.log(0.05)) + 1) / 500
    inside = 2 * (500 * rho2 + 1) / (500**2 * rho2) * math.log(math.sqrt(500 * rho2 + 1) / 0.05)
    assert width(500) == pytest.approx(math.sqrt(inside) * math.sqrt(500))


def test_means_are_covered_at_all_times() -> None:
    rng = random.Random(7)
    missed = 0
    for _ in range(200):
        a, b = Moments(), Moments()
        for step in range(60):
            a = a.merge(_draw(rng, 10))
            b = b.merge(_draw(rng, 40))
            low, high = mean_difference(a, b, 0.1, 200)
            if step >= 5 and not low <= 0 <= high:
                missed += 1
                break
    assert missed <= 20  # 0.1 of 200, and in truth far fewer


def _draw(rng: random.Random, count: int) -> Moments:
    values = [rng.lognormvariate(0, 0.7) for _ in range(count)]
    return Moments.of(count, sum(values), sum(v * v for v in values))


def test_proportions_are_covered_from_the_first_request_on() -> None:
    rng = random.Random(11)
    missed = 0
    for _ in range(200):
        hits = [0, 0]
        for step in range(1, 61):
            for arm, count in enumerate((5, 45)):
                hits[arm] += sum(rng.random() < 0.02 for _ in range(count))
            a, b = Share(step * 5, hits[0]), Share(step * 45, hits[1])
            low, high = share_difference(a, b, 0.2)
            if not low <= 0 <= high:
                missed += 1
                break
    assert missed <= 40


def test_ten_times_the_errors_show_within_200_requests() -> None:
    low, high = share_difference(Share(200, 20), Share(1800, 18), 0.01)
    assert 0.01 < low < 0.09 < high


def test_a_proportion_alone() -> None:
    # Every p is excluded at which B(S + 1/2, F + 1/2) / B(1/2, 1/2) > p^S (1 - p)^F / alpha.
    low, high = share_interval(Share(100, 0), 0.05)
    mixture = math.lgamma(100.5) + math.lgamma(0.5) - math.lgamma(101)
    mixture -= 2 * math.lgamma(0.5)
    assert low == 0
    assert high == pytest.approx(1 - math.exp((mixture + math.log(0.05)) / 100), abs=1e-6)
    assert share_interval(Share(100, 100), 0.05).low == pytest.approx(1 - high, abs=1e-6)
    assert share_interval(Share(), 0.05) == (0.0, 1.0)


counts = st.integers(0, 5000)


@given(counts, st.floats(0, 1), counts, st.floats(0, 1), st.floats(0.001, 0.5))
def test_intervals_of_proportions_are_sound(
    n: int, p: float, m: int, q: float, alpha: float
) -> None:
    a, b = Share(n, round(n * p)), Share(m, round(m * q))
    low, high = share_difference(a, b, alpha)
    assert -1 <= low <= high <= 1
    if n and m:
        assert low - 1e-6 <= a.value - b.value <= high + 1e-6
    mirrored = share_difference(b, a, alpha)
    assert (-mirrored.high, -mirrored.low) == pytest.approx((low, high))
    narrower = share_difference(a, b, min(0.9, alpha * 1.5))
    assert narrower.low >= low - 1e-6 and narrower.high <= high + 1e-6


def test_the_band_is_the_published_one() -> None:
    expected = 0.85 * math.sqrt((math.log(math.log(math.e * 5000 / 100))
                                 + 0.8 * math.log(1612 / 0.05)) / 5000)  # fmt: skip
    assert band_radius(5000, 100, 0.05) == pytest.approx(expected)
    assert band_radius(99, 100, 0.05) == 1


def test_distances_between_histograms() -> None:
    first, second = (10_000.0, {1: 0.5, 2: 0.5}), (90_000.0, {2: 0.5, 3: 0.5})
    apart = distance(first, second, 100, 0.05)
    assert apart.value == 0.5
    assert apart.low > 0.4 and apart.high < 0.6
    assert distance(first, first, 100, 0.05)[:2] == (0, 0)


def test_equal_distributions_stay_within_the_band() -> None:
    rng = random.Random(3)
    for _ in range(20):
        first: dict[int, float] = {}
        for n in range(1, 2001):
            bucket = rng.randrange(50)
            first[bucket] = first.get(bucket, 0) + 1
            if n % 50 == 0 and n >= 100:
                shape = {key: value / n for key, value in first.items()}
                truth = dict.fromkeys(range(50), 1 / 50)
                assert distance((n, shape), (1e12, truth), 100, 0.1).low == 0


def test_pairs_decide_on_what_differs_alone() -> None:
    assert p_value(Paired()) == 1
    assert p_value(Paired(1000, 10, 10)) == 1
    assert p_value(Paired(1000, 40, 10)) < 0.001
    low, high = paired_difference(Paired(900, 60, 10), 0.05)
    assert 0 < low < 50 / 900 < high < 0.15


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 5000))
def test_the_paired_interval_and_the_paired_test_agree(b: int, c: int, same: int) -> None:
    paired = Paired(b + c + same, b, c)
    low, high = paired_difference(paired, 0.1)
    assert low - 1e-6 <= paired.difference <= high + 1e-6
    if p_value(paired) > 0.05 * 1.001:
        assert low <= 1e-9 and high >= -1e-9
    if 0 < p_value(paired) < 0.05 * 0.999:
        assert low > -1e-9 or high < 1e-9


def test_fair_pairs_are_rarely_called() -> None:
    rng = random.Random(5)
    called = 0
    for _ in range(300):
        b = c = 0
        for _ in range(150):
            b, c = (b + 1, c) if rng.random() < 0.5 else (b, c + 1)
            if p_value(Paired(b + c, b, c)) <= 0.1:
                called += 1
                break
    assert called <= 30


def test_a_split_that_is_as_set_passes_through_all_steps_of_a_rollout() -> None:
    rng = random.Random(9)
    failed = 0
    for _ in range(100):
        test = RatioTest()
        for share in (0.1, 0.25, 0.5, 0.75):
            for _ in range(20):
                candidate = sum(rng.random() < share for _ in range(50))
                test.add(share, candidate, 50 - candidate)
        status = test.status(0.05)
        assert status is not None and status.expected == pytest.approx(0.4)
        failed += not status.ok
    assert failed <= 5


def test_a_split_that_is_not_as_set_is_found() -> None:
    test = RatioTest()
    test.add(0.1, 100, 900)
    assert test.status() is not None and test.status().ok  # type: ignore[union-attr]
    test.add(0.5, 400, 600)
    status = test.status()
    assert status is not None and not status.ok and status.p_value < 1e-6


def test_no_split_no_test() -> None:
    test = RatioTest()
    test.add(0.0, 0, 100)
    test.add(1.0, 100, 0)
    assert test.status() is None
