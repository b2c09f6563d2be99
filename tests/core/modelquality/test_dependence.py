"""Rows that follow each other and are alike are worth fewer, and raise fewer false alarms."""

from __future__ import annotations

import numpy as np
import pytest

from core.modelquality.dependence import MOST, dependence
from core.modelquality.measuring import measure
from core.modelquality.pairs import Pairs
from core.modelquality.stream import blocks, follow, learn
from core.modelquality.task import Task
from core.modelquality.thresholds import from_baseline


def alike(generator: np.random.Generator, rows: int, rho: float = 0.7) -> np.ndarray:
    """Errors, each of which is much like the one before."""
    noise = generator.normal(size=rows) * np.sqrt(1 - rho * rho)
    found = np.empty(rows)
    found[0] = generator.normal()
    for place in range(1, rows):
        found[place] = rho * found[place - 1] + noise[place]
    return found


def test_independent_rows_are_worth_themselves() -> None:
    found = [dependence(np.random.default_rng(seed).normal(size=1000)) for seed in range(40)]
    assert np.mean(found) < 1.05
    shuffled = alike(np.random.default_rng(1), 5000)
    np.random.default_rng(2).shuffle(shuffled)
    assert dependence(shuffled) < 1.2


@pytest.mark.parametrize("rho", [0.3, 0.6, 0.8])
def test_rows_that_are_alike_are_worth_what_theory_says(rho: float) -> None:
    found = [dependence(alike(np.random.default_rng(seed), 4000, rho)) for seed in range(10)]
    assert np.mean(found) == pytest.approx((1 + rho) / (1 - rho), rel=0.2)


def test_edges() -> None:
    assert dependence(np.zeros(0)) == 1.0
    assert dependence(np.ones(500)) == 1.0
    assert dependence(np.arange(20.0)) == 1.0
    assert dependence(np.repeat([0.0, 1.0], 5000)) == MOST


def test_thresholds_hold_where_rows_are_alike() -> None:
    passed = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        error = 5 + alike(generator, 2500)
        before, now = error[:2000], error[2000:]
        worth = dependence(np.abs(before))
        made = [
            measure(
                Pairs(Task.REGRESSION, np.zeros(len(e)), e), spread=False, dependence=worth
            ).metrics["mae"]
            for e in (before, now)
        ]
        threshold = from_baseline("mae", *made, margin=0.0)
        assert threshold is not None
        passed += threshold.breached(made[1].value)
    assert passed <= 8  # 1 % of 200 is 2; taken for independent rows it is 21


def test_streams_that_are_alike_raise_hardly_an_alarm() -> None:
    raised = 0
    for seed in range(10):
        generator = np.random.default_rng(seed)
        error = np.exp(0.5 * alike(generator, 8000))
        pairs = Pairs(Task.REGRESSION, np.zeros(8000), error)
        baseline = learn(pairs.take(np.arange(2000)), None, 0.002)
        assert baseline is not None
        assert baseline.dependence > 3
        rest = pairs.take(np.arange(2000, 8000))
        now = blocks(baseline, rest, np.arange(6000.0))
        raised += follow(baseline, [], now).opened
    assert raised <= 1
