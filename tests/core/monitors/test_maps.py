"""The map of features over windows: which measurement stands for a feature, and the order."""

from __future__ import annotations

import pytest

from core.domain.monitor import State, row_name
from core.ops import Ops
from core.reads.monitormaps import distribution, heat_map
from core.state.monitor_tables import monitor_measurements, monitor_runs


def measured(ops: Ops, *rows: tuple[str, str, float, float, str], segment: str = "") -> None:
    """A window with these measurements: feature, metric, value, threshold, comparison."""
    with ops.session.change("test") as tx:
        tx.execute(
            monitor_runs.insert().values(
                id="r", monitor="m", kind="model_quality", window_key="w", window_start=0.0,
                window_end=1.0, status="done", state="violated", cause="schedule", started_at=1.0,
            )
        )  # fmt: skip
        for place, (feature, metric, value, threshold, comparison) in enumerate(rows):
            tx.execute(
                monitor_measurements.insert().values(
                    run="r", place=place, monitor="m", metric=metric, feature=feature,
                    segment=segment, value=value, threshold=threshold, state=State.VIOLATED.value,
                    comparison=comparison, definition="", detail="{}",
                )
            )  # fmt: skip


def test_where_less_is_worse_the_smallest_value_is_the_worst(ops: Ops) -> None:
    less, greater = "LessThanThreshold", "GreaterThanThreshold"
    measured(
        ops,
        ("all", "f1", 0.85, 0.9, less),
        ("all", "accuracy", 0.3, 0.9, less),
        ("a", "ndcg", 0.8, 0.9, less),
        ("b", "drift", 0.4, 0.2, greater),
        ("c", "recall", 0.0, 0.9, less),
    )
    found = heat_map(ops.session.reader, "m")
    assert found.features == ("c", "all", "b", "a")
    assert found.cells["all", "w"].metric == "accuracy"


@pytest.mark.parametrize(
    ("feature", "segment", "name"),
    [
        ("sex", "sex=F", "sex=F"),
        ("sex & age", "sex=F & age>45", "sex=F & age>45"),
        ("hour", "label=high", "hour label=high"),
        ("", "label=high", "label=high"),
        ("x", "", "x"),
    ],
)
def test_what_a_row_of_the_map_is_called(feature: str, segment: str, name: str) -> None:
    assert row_name(feature, segment) == name


def test_where_only_groups_are_measured_they_are_the_rows(ops: Ops) -> None:
    measured(ops, ("sex", "DPL", -0.2, -0.1, "LessThanThreshold"), segment="sex=F")
    found = heat_map(ops.session.reader, "m")
    assert found.features == ("sex=F",)
    assert found.cells["sex=F", "w"].value == -0.2
    assert metrics_of(ops, "sex=F") == metrics_of(ops, "sex") == ["DPL"]
    assert heat_map(ops.session.reader, "m", segment="sex=M").features == ()


def test_segments_are_no_rows_beside_the_whole(ops: Ops) -> None:
    measured(ops, ("", "mae", 5.0, 4.0, "GreaterThanThreshold"))
    with ops.session.change("test") as tx:
        tx.execute(
            monitor_measurements.insert().values(
                run="r", place=1, monitor="m", metric="mae", feature="", segment="hr=1", value=9.0,
                state="violated", comparison="", definition="", detail="{}",
            )
        )  # fmt: skip
    assert heat_map(ops.session.reader, "m").features == ("",)
    assert heat_map(ops.session.reader, "m", segment="hr=1").cells["", "w"].value == 9.0


def metrics_of(ops: Ops, feature: str) -> list[str]:
    """The metrics that are kept of it."""
    found = distribution(ops.session.reader, "m", feature)
    return [each.metric for each in found.measurements]
