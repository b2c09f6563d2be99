"""Which values a search tries: within their ranges, and the same for the same seed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.tuning import Choices, Numbers, Range, TuneSpec, range_from, range_to
from core.tuning.proposals import Known, hopeless, propose
from core.tuning.ranges import faults

WHOLE = st.integers(-50, 50).flatmap(
    lambda low: st.builds(
        Numbers, st.just("a"), st.just(low), st.integers(low + 4, low + 90), st.just(True),
        step=st.none() | st.integers(1, 4),
    )
)  # fmt: skip
REAL = st.floats(0.001, 10).flatmap(
    lambda low: st.builds(
        Numbers, st.just("b"), st.just(low), st.floats(low * 2, low * 100), log=st.booleans()
    )
)
VALUES = st.text("xyz", max_size=2) | st.integers(0, 3) | st.booleans() | st.just(0.5)
CHOICES = st.lists(VALUES, min_size=2, max_size=4, unique_by=lambda v: (type(v), v)).map(
    lambda values: Choices("c", tuple(values))
)


def spec_of(*ranges: Range, **more: Any) -> TuneSpec:
    return TuneSpec("loss", more.pop("minimize", True), ranges, **more)


def made(spec: TuneSpec, trials: int) -> list[Known]:
    """A search whose trials come to a sum of what they were given."""
    known: list[Known] = []
    for number in range(trials):
        params = propose(spec, number, known)
        numbers = [v for v in params.values() if isinstance(v, int | float)]
        known.append(Known(params, float(sum(numbers))))
    return known


@settings(max_examples=15, deadline=None)
@given(WHOLE, REAL, CHOICES, st.sampled_from(["bayesian", "random"]), st.integers(0, 9))
def test_values_lie_in_their_ranges_and_depend_on_the_seed_alone(
    whole: Numbers, real: Numbers, choices: Choices, strategy: str, seed: int
) -> None:
    for each in (whole, real, choices):
        assert faults(each) == []
        assert range_from(each.name, range_to(each)) == each
    spec = spec_of(whole, real, choices, strategy=strategy, seed=seed, max_trials=8)
    trials = made(spec, 8)
    assert all(spec.fits(each.params) for each in trials)
    assert made(spec, 8) == trials
    assert len({str(each.params) for each in trials}) > 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (Numbers("a", 3, 3), "max"),
        (Numbers("a", 0, 1, log=True), "min"),
        (Numbers("a", 1, 2, log=True, step=0.5), "step"),
        (Numbers("a", 0, 1, step=2), "step"),
        (Numbers("a", 0.5, 3, whole=True), "min"),
        (Choices("a", ("x",)), ""),
        (Choices("a", ("x", "x")), ""),
    ],
)
def test_what_is_no_range_is_told(given: Range, told: str) -> None:
    assert told in {key for key, _, _ in faults(given)}


def test_one_and_true_are_two_choices() -> None:
    spec = spec_of(Choices("c", (1, True, "1")), strategy="random")
    values = [propose(spec, number, [])["c"] for number in range(30)]
    assert {(type(v).__name__, v) for v in values} == {("int", 1), ("bool", True), ("str", "1")}
    known = [Known({"c": value}, float(n)) for n, value in enumerate(values[:12])]
    assert spec.fits(propose(spec_of(Choices("c", (1, True, "1"))), 12, known))


def test_a_bayesian_search_finds_more_than_chance() -> None:
    def best(strategy: str, seed: int) -> float:
        spec = spec_of(
            Numbers("x", -5.0, 5.0), Numbers("y", 0.001, 10.0, log=True), strategy=strategy,
            seed=seed, max_trials=30,
        )  # fmt: skip
        known: list[Known] = []
        for number in range(30):
            p = propose(spec, number, known)
            known.append(Known(p, (p["x"] - 2) ** 2 + abs(p["y"] - 0.1)))
        return min(each.value or 0.0 for each in known)

    seeds = range(8)
    assert sum(best("bayesian", s) for s in seeds) < 0.7 * sum(best("random", s) for s in seeds)


@pytest.mark.parametrize("minimize", [True, False])
def test_a_trial_worse_than_half_is_hopeless(minimize: bool) -> None:
    spec = spec_of(Numbers("x", 0.0, 1.0), early_stopping="median", minimize=minimize)
    sign = 1 if minimize else -1
    known = [Known({"x": 0.5}, sign * n, {0: sign * (n + 2.0), 1: sign * n}) for n in range(6)]
    assert not hopeless(spec, known[:4], {1: sign * 99.0})  # too few to say
    assert hopeless(spec, known, {0: sign * 99.0, 1: sign * 99.0})
    assert not hopeless(spec, known, {0: sign * 99.0, 1: sign * 0.5})
    assert hopeless(spec, known, {1: sign * 99.0, 50: sign * 99.0})  # none has come so far
    assert not hopeless(spec, known, {})
    off = spec_of(Numbers("x", 0.0, 1.0), minimize=minimize)
    assert not hopeless(off, known, {1: sign * 99.0})


def test_failed_and_stopped_trials_are_no_results() -> None:
    spec = spec_of(Numbers("x", 0.0, 1.0), max_trials=8)
    known = [Known({"x": 0.1 * n}, None, {}, stopped=n % 2 == 0) for n in range(6)]
    known.append(Known({"x": 0.9}, None, {0: 1.0}, stopped=True))
    assert spec.fits(propose(spec, 7, known))
