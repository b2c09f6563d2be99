"""The three files of SageMaker Model Monitor, of a baseline and a window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from core.domain.monitor import Violation

if TYPE_CHECKING:
    from core.drift.baseline import Baseline
    from core.drift.window import WindowCounts


def monitor_files(
    baseline: Baseline,
    window: WindowCounts,
    violations: Iterable[Violation],
    *,
    name: str,
    at: float,
    distribution: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`statistics.json` of the window, `constraints.json` of the baseline, and
    `constraint_violations.json`. `distribution` replaces parts of the constraints'
    `distribution_constraints`."""
    from core.drift.profiles import profile_of_baseline, profile_of_window
    from core.quality import modelmonitor

    constraints = modelmonitor.constraints(profile_of_baseline(baseline, name, at), None)
    constraints["monitoring_config"]["distribution_constraints"].update(distribution or {})
    return {
        "statistics.json": modelmonitor.statistics(profile_of_window(baseline, window, name, at)),
        "constraints.json": constraints,
        "constraint_violations.json": violations_file(violations),
    }


def violations_file(violations: Iterable[Violation]) -> dict[str, Any]:
    """The content of `constraint_violations.json`."""
    return {
        "violations": [
            {
                "feature_name": each.feature or "Dataset",
                "constraint_check_type": each.check,
                "description": each.description,
            }
            for each in violations
        ]
    }
