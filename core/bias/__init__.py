"""Bias between groups of people: the metrics of SageMaker Clarify, with intervals, and whether
they have grown. Pure: rows as NumPy columns, counts, numbers; no clock, no files, no pandas."""

from core.bias.analysis import analysis, json_number, violations
from core.bias.columns import Column, Columns, Condition, Value, parse
from core.bias.drift import Drift, compare
from core.bias.errors import BiasInvalid
from core.bias.groups import Group
from core.bias.intervals import Interval, interval
from core.bias.metrics import METRICS, Metric, Stage
from core.bias.report import BiasReport, GroupBias, Question, Result, report
from core.bias.tables import Table, Tables

__all__ = [
    "METRICS",
    "BiasInvalid",
    "BiasReport",
    "Column",
    "Columns",
    "Condition",
    "Drift",
    "Group",
    "GroupBias",
    "Interval",
    "Metric",
    "Question",
    "Result",
    "Stage",
    "Table",
    "Tables",
    "Value",
    "analysis",
    "compare",
    "interval",
    "json_number",
    "parse",
    "report",
    "violations",
]
