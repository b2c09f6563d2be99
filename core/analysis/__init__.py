"""Judging a release by its numbers: alarms and anytime-valid comparisons. Pure: no clock, no
files, standard library only."""

from core.analysis.alarms import Alarm, Period, datapoint
from core.analysis.arms import Arm, Moments, Share
from core.analysis.paired import Paired
from core.analysis.ratio import RatioTest
from core.analysis.verdict import Evidence, judge

__all__ = [
    "Alarm",
    "Arm",
    "Evidence",
    "Moments",
    "Paired",
    "Period",
    "RatioTest",
    "Share",
    "datapoint",
    "judge",
]
