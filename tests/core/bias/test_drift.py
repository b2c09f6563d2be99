"""Bias that has grown is found; noise, and bias that has shrunk, are not."""

from __future__ import annotations

import numpy as np
import pytest

from core.bias.analysis import violations
from core.bias.conditions import Condition
from core.bias.drift import Drift, compare, p_value
from core.bias.metrics import METRICS
from core.bias.report import GroupBias, Question, report
from core.bias.tables import Counts

SHARES = np.array([[[0.35, 0.08], [0.07, 0.30]], [[0.08, 0.02], [0.03, 0.07]]])


def table(rows: int, seed: int, shares: Counts = SHARES) -> Counts:
    drawn = np.random.default_rng(seed).multinomial(rows, shares.ravel() / shares.sum())
    return drawn.reshape(shares.shape).astype(float)


def group(gap: float, rows: int, seed: int) -> GroupBias:
    """Predictions in which the group is accepted less often, by `gap`."""
    rng = np.random.default_rng(seed)
    facet = rng.random(rows) < 0.3
    predicted = rng.random(rows) < np.where(facet, 0.5 - gap, 0.5)
    question = Question(Condition("y", (True,)), (Condition("g", (True,)),))
    return report({"g": facet}, question, None, predicted).groups[0]


def breached(now: GroupBias, then: GroupBias) -> list[Drift]:
    metrics = [METRICS["DPPL"], METRICS["DI"]]
    found = compare([now], {then.group.name: then.tables}, metrics)
    return [drift for drift in found if drift.breached]


def test_a_gap_that_opens_is_found_with_both_values_named() -> None:
    found = breached(group(0.25, 2_000, 1), group(0.0, 10_000, 2))
    assert {drift.metric.name for drift in found} == {"DPPL", "DI"}
    written = violations(found)["violations"]
    assert written[0]["constraint_check_type"] == "bias_drift_check"
    assert (written[0]["facet"], written[0]["facet_value"]) == ("g", "True")
    assert written[0]["description"].startswith(f"Value {found[0].value} does not meet")


def test_a_gap_that_closes_stays_or_is_hardly_wider_is_none() -> None:
    then = group(0.2, 10_000, 2)
    assert breached(group(0.0, 5_000, 1), then) == []
    assert breached(group(0.2, 5_000, 1), then) == []
    assert breached(group(0.21, 200_000, 1), then) == []  # certain, and within the margin


def test_small_windows_of_the_same_distribution_do_not_fire() -> None:
    then = group(0.05, 20_000, 99)
    assert sum(bool(breached(group(0.05, 300, seed), then)) for seed in range(60)) <= 1


@pytest.mark.parametrize("name", ["DPPL", "DI", "RD", "SD", "AD", "TE", "GE", "KL", "TVD", "CI"])
def test_p_values_are_honest(name: str) -> None:
    """Of windows like the baseline a share of at most about p comes below p."""
    metric = METRICS[name]
    axis = {"labels": 2, "predictions": 1}.get(str(metric.table))
    values = []
    for seed in range(60):
        now, then = table(600, seed), table(6_000, seed + 1_000)
        if axis is not None:
            now, then = now.sum(axis), then.sum(axis)
        values.append(p_value(metric, now, then))
    assert np.mean(np.array(values) < 0.1) <= 0.22


def test_few_rows_are_no_drift_at_all() -> None:
    assert compare([group(0.4, 60, 1)], {"g=True": group(0.0, 9_000, 2).tables},
                   list(METRICS.values())) == []  # fmt: skip


def test_the_flip_test_is_shown_and_not_judged() -> None:
    """It comes out otherwise by how many rows there are to find neighbours among."""
    rng = np.random.default_rng(0)

    def bias(rows: int) -> GroupBias:
        facet, label = rng.random(rows) < 0.3, rng.random(rows) < 0.6
        columns = {"g": facet, "x": rng.normal(size=rows)}
        question = Question(
            Condition("y", (True,)), (Condition("g", (True,)),), features=("x",), metrics=("FT",)
        )
        return report(columns, question, None, label).groups[0]

    now, then = bias(600), bias(6_000)
    result = now.result("FT")
    assert result is not None and np.isfinite(result.value)
    assert compare([now], {"g=True": then.tables}, [METRICS["FT"]]) == []
