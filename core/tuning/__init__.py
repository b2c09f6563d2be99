"""Hyperparameter tuning as numbers: ranges, which values to try next, when a trial is hopeless.

Knows nothing of runs and processes: `core.engine.tunework` executes what is proposed here.
"""

from core.tuning.errors import (
    ObjectiveMissing,
    TrialsFailed,
    TuningInvalid,
    WarmStartInvalid,
)
from core.tuning.ranges import Choices, Numbers, Range, range_from, range_to
from core.tuning.spec import GOALS, STOPPING, STRATEGIES, TuneSpec, spec_from

__all__ = [
    "GOALS",
    "STOPPING",
    "STRATEGIES",
    "Choices",
    "Numbers",
    "ObjectiveMissing",
    "Range",
    "TrialsFailed",
    "TuneSpec",
    "TuningInvalid",
    "WarmStartInvalid",
    "range_from",
    "range_to",
    "spec_from",
]
