"""Mixing strata, splitting alpha, and what a verdict needs."""

from __future__ import annotations

import json
import math
import random
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.analysis.arms import Arm, Moments, Share, mix_moments, mix_shares
from core.analysis.buckets import class_bucket, idle_class, latency_bucket, latency_ms, score_bucket
from core.analysis.paired import Paired
from core.analysis.verdict import Evidence, judge, judge_metric, shares
from core.domain.analysis import AnalysisPlan, MetricRule, MetricStatus, Verdict


def arm(requests: int, errors: int, **more: object) -> Arm:
    return Arm(requests, errors, **more)  # type: ignore[arg-type]


def status(
    rule: MetricRule, *strata: tuple[Arm, Arm], minimum: int = 100, paired: Paired | None = None
) -> MetricStatus:
    return judge_metric(rule, 0.01, minimum, Evidence(strata, paired or Paired(), 100.0))


ERRORS = MetricRule("error_rate", 0.01)


def test_the_three_verdicts() -> None:
    worse = status(ERRORS, (arm(400, 40), arm(3600, 36)))
    fine = status(ERRORS, (arm(20_000, 200), arm(180_000, 1_800)))
    open_ = status(ERRORS, (arm(400, 4), arm(3600, 36)))
    assert [s.verdict for s in (worse, fine, open_)] == [
        Verdict.WORSE, Verdict.NON_INFERIOR, Verdict.UNDECIDED,
    ]  # fmt: skip
    assert worse.difference == pytest.approx(0.09)
    assert worse.low is not None and worse.low > 0.01
    assert open_.eta is not None and 100 < open_.eta < 10_000 and "surely" in open_.note


def test_no_verdict_before_the_minimum() -> None:
    found = status(ERRORS, (arm(99, 99), arm(900, 0)))
    assert found.verdict is Verdict.UNDECIDED
    assert found.note == "99 of 100 requests of the candidate"
    assert found.eta == pytest.approx(1 / 0.99)
    assert status(ERRORS, (arm(100, 100), arm(900, 0))).verdict is Verdict.WORSE


def test_nothing_to_compare_with() -> None:
    found = status(ERRORS, (arm(5000, 10), arm(0, 0)))
    assert found.verdict is Verdict.UNDECIDED and "both arms" in found.note


@pytest.mark.parametrize(
    ("direction", "shift", "verdict"),
    [
        ("higher", 1.0, Verdict.WORSE),
        ("higher", -1.0, Verdict.NON_INFERIOR),
        ("lower", -1.0, Verdict.WORSE),
        ("lower", 1.0, Verdict.NON_INFERIOR),
        ("both", 1.0, Verdict.WORSE),
        ("both", -1.0, Verdict.WORSE),
        ("both", 0.0, Verdict.NON_INFERIOR),
    ],
)
def test_directions(direction: str, shift: float, verdict: Verdict) -> None:
    arms = (
        Arm(5000, 0, score=Moments(5000, 10 + shift, 5000)),
        Arm(50_000, 0, score=Moments(50_000, 10, 50_000)),
    )
    rule = MetricRule("score", 0.03, relative=True, worse_when=direction)
    found = status(rule, arms)
    assert found.verdict is verdict and found.margin == pytest.approx(0.3)


def test_latency_is_compared_in_shares_of_the_champions() -> None:
    def arms(slower: float) -> tuple[Arm, Arm]:
        mean = math.log(20.0)
        return (
            Arm(20_000, 0, latency={3: Moments(20_000, mean + math.log(slower), 20_000 * 0.2)}),
            Arm(90_000, 0, latency={3: Moments(90_000, mean, 90_000 * 0.2)}),
        )

    rule = MetricRule("latency", 0.1, relative=True)
    assert status(rule, arms(1.2)).verdict is Verdict.WORSE
    assert status(rule, arms(1.02)).verdict is Verdict.NON_INFERIOR
    assert status(rule, arms(1.2)).margin == pytest.approx(math.log(1.1))


def test_a_rarely_asked_arm_is_held_against_requests_after_as_long_a_pause() -> None:
    """Both arms take 10 ms when busy and 14 ms after a pause; the canary mostly pauses."""

    def times(busy: int, paused: int) -> dict[int, Moments]:
        return {
            2: Moments(busy, math.log(10), busy * 0.05),
            7: Moments(paused, math.log(14), paused * 0.05),
        }

    arms = Arm(latency=times(100, 900)), Arm(latency=times(8000, 1000))
    found = status(MetricRule("latency", 0.1, relative=True), arms)
    assert found.difference == pytest.approx(0) and found.verdict is Verdict.NON_INFERIOR
    assert (found.candidate_count, found.champion_count) == (1000, 9000)
    assert idle_class(-3) == 0 and idle_class(1e9) == idle_class(5000) == 24


def test_losses_of_classes_are_judged_exactly() -> None:
    def losses(count: int, wrong: int) -> Moments:
        return Moments.of(count, wrong, wrong)

    arms = (arm(0, 0, losses=losses(300, 90)), arm(0, 0, losses=losses(3000, 300)))
    found = status(MetricRule("ground_truth", 0.02), arms)
    assert found.verdict is Verdict.WORSE and found.candidate == pytest.approx(0.3)
    assert "labels" in status(MetricRule("ground_truth", 0.02), (arm(9, 9), arm(9, 9))).note


def test_distributions_and_pairs() -> None:
    first = {score_bucket(1.0): 3000.0, score_bucket(2.0): 1000.0}
    second = {score_bucket(1.0): 30_000.0}
    rule = MetricRule("score_distribution", 0.1)
    found = status(rule, (Arm(4000, 0, scores=first), Arm(30_000, 0, scores=second)))
    assert found.verdict is Verdict.WORSE and found.difference == pytest.approx(0.25)
    pairs = MetricRule("disagreements", 0.0)
    assert "labels" in status(pairs).note
    assert status(pairs, paired=Paired(900, 60, 10)).verdict is Verdict.WORSE
    assert status(pairs, paired=Paired(900, 10, 60)).verdict is Verdict.NON_INFERIOR


def test_alpha_is_split_by_shares() -> None:
    plan = AnalysisPlan((MetricRule("error_rate", 0.01, share=3), MetricRule("latency", 0.1)))
    assert shares(plan) == pytest.approx([0.0375, 0.0125])
    found = judge(plan, Evidence([]))
    assert [s.metric for s in found] == ["error_rate", "latency"]


def test_a_bad_hour_does_not_fall_on_the_arm_that_got_most_of_it() -> None:
    """Equal arms; errors rose from 1 to 10 % when the candidate got half of the traffic."""
    strata = [
        (arm(1000, 10), arm(9000, 90)),
        (arm(5000, 500), arm(5000, 500)),
    ]
    found = status(ERRORS, *strata)
    assert found.difference == pytest.approx(0.0, abs=1e-12)
    assert found.verdict is not Verdict.WORSE
    summed = strata[0][0].merge(strata[1][0]), strata[0][1].merge(strata[1][1])
    assert status(ERRORS, summed).verdict is Verdict.WORSE  # what it would be without strata


@given(
    st.lists(
        st.tuples(st.integers(1, 500), st.integers(1, 500), st.integers(0, 9)), min_size=1,
        max_size=5,
    )
)  # fmt: skip
def test_more_strata_never_know_less(rows: list[tuple[int, int, int]]) -> None:
    pairs = [(Share(a, min(a, e)), Share(b, min(b, e))) for a, b, e in rows]
    first, second = mix_shares(pairs)
    best = max(a.count * b.count / (a.count + b.count) for a, b in pairs)
    assert first.count * second.count / (first.count + second.count) >= best * (1 - 1e-9)
    assert first.count <= sum(a.count for a, _ in pairs) * (1 + 1e-9)
    if len(pairs) == 1:
        assert (first.count, second.count) == pytest.approx((pairs[0][0].count, pairs[0][1].count))


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50), st.integers(0, 50))
def test_moments_merge(values: list[float], cut: int) -> None:
    def of(part: list[float]) -> Moments:
        shift = part[0] if part else 0.0
        return Moments.of(
            len(part), sum(v - shift for v in part), sum((v - shift) ** 2 for v in part), shift
        )

    whole, merged = of(values), of(values[:cut]).merge(of(values[cut:]))
    assert merged.count == whole.count
    assert merged.mean == pytest.approx(whole.mean, rel=1e-6, abs=1e-6)
    assert merged.squares == pytest.approx(whole.squares, rel=1e-6, abs=1e-2)


def test_mixed_moments_keep_the_noise_within_strata_only() -> None:
    rng = random.Random(1)

    def draw(mean: float, count: int) -> Moments:
        values = [rng.gauss(mean, 1) for _ in range(count)]
        return Moments.of(count, sum(values), sum(v * v for v in values))

    strata = [(draw(0, 100), draw(0, 900)), (draw(50, 500), draw(50, 500))]
    first, second = mix_moments(strata)
    assert first.mean - second.mean == pytest.approx(0, abs=0.5)
    assert first.variance == pytest.approx(1, abs=0.3)
    assert second.variance == pytest.approx(1, abs=0.3)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1e9, 1e9))
def test_score_buckets_keep_the_order(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert score_bucket(low) <= score_bucket(high)


@given(st.floats(0.02, 1e5))
def test_latencies_come_back_within_four_percent(milliseconds: float) -> None:
    assert latency_ms(latency_bucket(milliseconds)) == pytest.approx(milliseconds, rel=0.04)


def test_classes_are_apart_from_numbers_and_each_other() -> None:
    names = {class_bucket(name) for name in ("cat", "dog", "", "猫")}
    assert len(names) == 4 and min(names) > score_bucket(1e300)


def test_an_arm_survives_json() -> None:
    one = Arm(
        5, 1, {4: Moments(5, 1.5, 0.5)}, Moments(5, 2, 1), {score_bucket(2.0): 5}, Moments(1, 0, 0)
    )
    assert Arm.from_json(json.loads(json.dumps(asdict(one)))) == one
