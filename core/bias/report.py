"""A report of bias: every metric of every group, with its interval and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from core.bias.columns import (
    Column,
    Columns,
    column_of,
    distinct,
    known,
    matching,
    numeric,
)
from core.bias.conditions import Condition
from core.bias.counting import Outcome, Rows, count
from core.bias.errors import BiasInvalid
from core.bias.groups import Group, groups_of, value_text
from core.bias.intervals import interval
from core.bias.metrics import Metric, Stage, chosen
from core.bias.tables import Counts, Table, Tables

MINIMUM = 30
"""Rows that each of two groups must have for a statement."""
MOST_GROUPED = 1_000
"""Values of the group variable."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `label` says which outcome is the positive one, `facets` who is looked at,
    `group` is Clarify's group variable (for CDDL and CDDPL), `features` the columns of the flip
    test (none: it is left out). `metrics` are names; none are all. A `lenient` question is
    answered as far as it goes: what cannot be asked of the rows becomes a note."""

    label: Condition
    facets: tuple[Condition, ...]
    group: str = ""
    features: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    intersections: bool = False
    confidence: float = 0.95
    minimum: int = MINIMUM
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """One metric of one group. `value` is NaN where it is not defined, and `error` says why."""

    metric: Metric
    value: float
    low: float
    high: float
    error: str = ""
    note: str = ""

    @property
    def says(self) -> str:
        """One line for a person."""
        return self.error or self.note or self.metric.says(self.value)


@dataclass(frozen=True, slots=True)
class GroupBias:
    """The metrics of one group against all others. `few` says that there are too few rows for
    a statement (empty where there are enough)."""

    group: Group
    rows: int
    others: int
    results: tuple[Result, ...]
    tables: Tables
    few: str = ""

    def result(self, name: str) -> Result | None:
        """The result of a metric by name."""
        return next((r for r in self.results if r.metric.name == name), None)


@dataclass(frozen=True, slots=True)
class BiasReport:
    """The answer to a question. `rows` were looked at, of which `labelled` have a label and
    `predicted` a prediction; rows without a facet's value are left out of that facet."""

    question: Question
    positive: str
    rows: int
    labelled: int
    predicted: int
    groups: tuple[GroupBias, ...]
    notes: tuple[str, ...] = field(default=())


def report(
    columns: Columns,
    question: Question,
    labels: Column | None = None,
    predictions: Column | None = None,
) -> BiasReport:
    """The bias of labels (before training), of predictions, or of both.

    `columns` hold the facets, the group variable and the features, all of one length; `labels`
    and `predictions` are null where there is none. Raises `BiasInvalid` for what cannot be
    asked of these rows: none of them, no such column, a facet that is the same in every row, a
    label that never is the positive value or always is.
    """
    total = max(
        (len(c) for c in (*columns.values(), labels, predictions) if c is not None), default=0
    )
    if total == 0:
        raise BiasInvalid("there are no rows")
    if labels is None and predictions is None:
        raise BiasInvalid("neither labels nor predictions", "name the column that holds them")
    notes: list[str] = []
    metrics = chosen(question.metrics, _stages(labels, predictions))
    rows = _rows(columns, question, labels, predictions, metrics, notes)
    groups = groups_of(
        columns, question.facets, question.intersections, notes if question.lenient else None
    )
    return BiasReport(
        question,
        positive_text(question.label),
        total,
        int(rows.labels.known.sum()) if rows.labels else 0,
        int(rows.predictions.known.sum()) if rows.predictions else 0,
        tuple(_judge(group, rows, metrics, question) for group in groups),
        tuple(notes),
    )


def positive_text(label: Condition) -> str:
    """Clarify's label_value_or_threshold."""
    return value_text(label)


def _stages(labels: Column | None, predictions: Column | None) -> tuple[Stage, ...]:
    found = []
    if labels is not None:
        found.append(Stage.PRE_TRAINING)
    if predictions is not None:
        found.append(Stage.POST_TRAINING)
    return tuple(found)


def _rows(
    columns: Columns,
    question: Question,
    labels: Column | None,
    predictions: Column | None,
    metrics: Sequence[Metric],
    notes: list[str],
) -> Rows:
    label = _outcome(labels, question, "label", notes)
    prediction = _outcome(predictions, question, "prediction", notes)
    codes = _codes(columns, question, notes) if question.group else None
    flips = any(metric.table is Table.FLIPS for metric in metrics)
    features = _features(columns, question, notes) if flips else {}
    return Rows(label, prediction, codes, features)


def _outcome(
    column: Column | None, question: Question, what: str, notes: list[str]
) -> Outcome | None:
    if column is None:
        return None
    found = Outcome(matching(column, question.label, what), known(column))
    side = found.constant
    if not side:
        return found
    said = f"every {what} is {side} ({question.label.text()})"
    if what == "label" and not question.lenient:
        shown = ", ".join(str(value) for value in distinct(column)[:6])
        raise BiasInvalid(said, f"the labels are {shown}: say which one is positive")
    notes.append(said)
    return found


def _codes(columns: Columns, question: Question, notes: list[str]) -> npt.NDArray[np.int64] | None:
    """The values of the group variable as numbers, -1 where there is none."""
    try:
        column = column_of(columns, question.group, "the group variable")
        values = {value: code for code, value in enumerate(distinct(column))}
        if len(values) > MOST_GROUPED:
            raise BiasInvalid(
                f"the group variable {question.group} has {len(values)} values",
                f"at most {MOST_GROUPED}: rows are only compared within one",
            )
    except BiasInvalid as error:
        if not question.lenient:
            raise
        notes.append(error.message)
        return None
    there = known(column)
    codes = np.full(len(column), -1, np.int64)
    codes[there] = [values[value] for value in column[there].tolist()]
    return codes


def _features(columns: Columns, question: Question, notes: list[str]) -> dict[str, Counts]:
    """The numeric features by which the flip test goes."""
    names = [n for n in question.features if n in columns and n != question.label.column]
    numbers = {name: found for name in names if (found := numeric(columns[name])) is not None}
    if not numbers:
        return {}
    if len(numbers) < len(names):
        notes.append(f"FT goes by {len(numbers)} numeric columns of {len(names)}")
    without = ~np.isfinite(np.column_stack(list(numbers.values()))).all(axis=1)
    if without.any():
        notes.append(f"FT leaves out {int(without.sum())} rows without all numbers")
    return numbers


def _judge(group: Group, rows: Rows, metrics: Sequence[Metric], question: Question) -> GroupBias:
    tables = count(group, rows, {metric.table for metric in metrics})
    at = int((group.members & group.known).sum())
    others = int(group.known.sum()) - at
    few = _few(at, others, question.minimum)
    results = tuple(_result(metric, tables, question, few) for metric in metrics)
    return GroupBias(group, at, others, results, tables, few)


def _few(rows: int, others: int, minimum: int) -> str:
    if rows >= minimum and others >= minimum:
        return ""
    where = "in the group" if rows < minimum else "outside the group"
    return f"only {min(rows, others)} rows {where}, fewer than {minimum}"


def _result(metric: Metric, tables: Tables, question: Question, few: str) -> Result:
    counts = tables.get(metric.table)
    nan = float("nan")
    if counts is None:
        return Result(metric, nan, nan, nan, tables.reasons[metric.table])
    value = metric.value(counts)
    if np.isnan(value):
        return Result(metric, value, nan, nan, metric.undefined(counts))
    found = interval(metric, counts, question.confidence)
    assert found is not None  # it has a value
    note = few or _note(metric, counts, question)
    return Result(metric, value, found.low, found.high, "", note)


def _note(metric: Metric, counts: Counts, question: Question) -> str:
    """A group with too few rows of those that the metric counts."""
    if metric.table is Table.FLIPS:
        return ""
    axis = -2 if metric.table is not Table.OUTCOMES else -3
    per = np.moveaxis(counts, axis, 0).reshape(2, -1).sum(axis=1)
    return _few(int(per[1]), int(per[0]), question.minimum)
