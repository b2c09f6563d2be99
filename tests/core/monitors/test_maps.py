"""The map of features over windows: which measurement stands for a feature, and the order."""

from __future__ import annotations

from core.domain.monitor import State
from core.ops import Ops
from core.reads.monitormaps import heat_map
from core.state.monitor_tables import monitor_measurements, monitor_runs


def measured(ops: Ops, *rows: tuple[str, str, float, float, str]) -> None:
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
                    run="r", place=place, monitor="m", metric=metric, feature=feature, segment="",
                    value=value, threshold=threshold, state=State.VIOLATED.value,
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
