"""A supervisor's slot as points: counts, shares, latencies, and what there was nothing of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.series import Point
from core.series.endpoints import points_of
from core.series.recording import statistics_of
from core.series.sets import statistic


def row(requests: int, errors: int = 0, **values: Any) -> dict[str, Any]:
    good = requests - errors
    return {
        "requests": requests, "errors": errors, "rejected": 0, "answered": good,
        "milliseconds": 30.0 * good, "latencies": {"120": good} if good else {},
        "score_count": 0, "score_sum": 0.0, "scores": {}, **values,
    }  # fmt: skip


def slot(**values: Any) -> dict[str, Any]:
    return {
        "at": 1000.0, "servers": 2, "in_flight": [10, 30, 1, 9], "workers": 4,
        "weights": {"7": 90.0, "8": 10.0}, "revisions": {"7": row(90), "8": row(10, 5)},
        "shed": 1, "crashes": 0, "dropped": 2, **values,
    }  # fmt: skip


def value(points: list[Point], metric: str, stat: str, variant: str = "") -> float | None:
    dims = {"variant": variant} if variant else {}
    (found,) = [each for each in points if (each.metric, dict(each.dims)) == (metric, dims)]
    return statistic([statistics_of(found)], stat)


def test_the_whole_its_variants_and_their_roles() -> None:
    points = points_of(slot(), {7: "champion", 8: "candidate"})
    assert value(points, "requests", "Sum") == 100
    assert value(points, "errors", "Average") == 0.05
    for name in ("r8", "candidate"):
        assert value(points, "errors", "Average", name) == 0.5
        assert value(points, "weight", "Average", name) == 10
    assert value(points, "latency", "Average", "champion") == pytest.approx(30)
    assert value(points, "latency", "p99") == pytest.approx(31, rel=0.08)
    assert value(points, "in_flight", "Maximum") == 9
    assert value(points, "saturation", "Average") == 0.75
    assert (value(points, "shed", "Sum"), value(points, "capture_dropped", "Sum")) == (1, 2)


def test_a_slot_without_requests_measures_no_latency() -> None:
    points = points_of(slot(revisions={"7": row(0)}, in_flight=[0, 0, 0, 0]), {})
    assert value(points, "requests", "Sum") == 0
    assert value(points, "errors", "Sum") is None
    assert value(points, "latency", "p99") is None
    assert "in_flight" not in {each.metric for each in points}
    assert value(points, "requests", "Sum", "r8") == 0, "it is routed, and was not asked"


def test_numbers_are_scores_and_classes_are_not() -> None:
    scores = {"1000": 3, "1000005": 7}
    found = row(10, score_count=3, score_sum=6.0, scores=scores)
    points = points_of(slot(revisions={"7": found}), {})
    assert value(points, "score", "Average", "r7") == 2
    assert value(points, "score", "SampleCount", "r7") == 3
    assert "score" not in {each.metric for each in points_of(slot(), {})}


@given(st.lists(st.tuples(st.integers(0, 1000), st.floats(0, 1)), max_size=5))
def test_the_whole_is_the_sum_of_its_variants(counts: list[tuple[int, float]]) -> None:
    rows = {str(n): row(many, int(many * share)) for n, (many, share) in enumerate(counts)}
    points = points_of(slot(revisions=rows, weights={}), {})
    for metric in ("requests", "errors"):
        parts = [value(points, metric, "Sum", f"r{n}") or 0 for n in range(len(counts))]
        assert (value(points, metric, "Sum") or 0) == sum(parts)
