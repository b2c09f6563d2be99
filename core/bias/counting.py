"""Counting rows into the tables that the metrics are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from core.bias.flips import flips
from core.bias.groups import Group
from core.bias.tables import Counts, Mask, Table, Tables, by_group, cross


@dataclass(frozen=True, slots=True)
class Outcome:
    """Which rows have an outcome (a label or a prediction), and which of them a positive one."""

    positive: Mask
    known: Mask

    @property
    def constant(self) -> str:
        """`positive` or `negative` where every known one is, else nothing."""
        if not self.known.any():
            return ""
        seen = self.positive[self.known]
        return "positive" if seen.all() else "" if seen.any() else "negative"


@dataclass(frozen=True, slots=True)
class Rows:
    """Everything that is known of the rows. `codes` number the values of the group variable
    (-1: missing), `features` are the columns of numbers by which neighbours are found."""

    labels: Outcome | None = None
    predictions: Outcome | None = None
    codes: npt.NDArray[np.int64] | None = None
    features: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)


def count(group: Group, rows: Rows, wanted: Iterable[Table]) -> Tables:
    """The tables of one group that are wanted and can be had; why not, for the others."""
    counts: dict[Table, Counts] = {}
    reasons: dict[Table, str] = {}
    for table in wanted:
        found = _COUNTERS[table](group, rows)
        if isinstance(found, str):
            reasons[table] = found
        else:
            counts[table] = found
    return Tables(counts, reasons)


def _labels(group: Group, rows: Rows) -> Counts | str:
    return _one(group, rows.labels, "labels")


def _predictions(group: Group, rows: Rows) -> Counts | str:
    return _one(group, rows.predictions, "predictions")


def _one(group: Group, outcome: Outcome | None, what: str) -> Counts | str:
    if outcome is None:
        return f"no {what}"
    rows = group.known & outcome.known
    return cross(group.members[rows], outcome.positive[rows], shape=(2, 2))


def _outcomes(group: Group, rows: Rows) -> Counts | str:
    labels, predictions = rows.labels, rows.predictions
    if labels is None or predictions is None:
        return "no labels" if labels is None else "no predictions"
    at = group.known & labels.known & predictions.known
    return cross(group.members[at], labels.positive[at], predictions.positive[at], shape=(2, 2, 2))


def _label_groups(group: Group, rows: Rows) -> Counts | str:
    return _grouped(group, rows, rows.labels, "labels")


def _prediction_groups(group: Group, rows: Rows) -> Counts | str:
    return _grouped(group, rows, rows.predictions, "predictions")


def _grouped(group: Group, rows: Rows, outcome: Outcome | None, what: str) -> Counts | str:
    if rows.codes is None:
        return "no group variable"
    if outcome is None:
        return f"no {what}"
    at = group.known & outcome.known & (rows.codes >= 0)
    if not at.any():
        return "no rows with the group variable"
    values, codes = np.unique(rows.codes[at], return_inverse=True)
    return by_group(codes, len(values), group.members[at], outcome.positive[at])


def _flips(group: Group, rows: Rows) -> Counts | str:
    if rows.predictions is None:
        return "no predictions"
    own = {condition.column for condition in group.conditions}
    features = [column for name, column in rows.features.items() if name not in own]
    if not features:
        return "no numeric features to find neighbours by"
    matrix = np.column_stack(features)
    at = group.known & rows.predictions.known & np.isfinite(matrix).all(axis=1)
    members = group.members[at]
    if not members.any():
        return "no rows in the facet"
    if members.all():
        return "no rows outside the facet"
    return flips(matrix[at], members, rows.predictions.positive[at])


_COUNTERS: dict[Table, Callable[[Group, Rows], Counts | str]] = {
    Table.LABELS: _labels,
    Table.PREDICTIONS: _predictions,
    Table.OUTCOMES: _outcomes,
    Table.LABEL_GROUPS: _label_groups,
    Table.PREDICTION_GROUPS: _prediction_groups,
    Table.FLIPS: _flips,
}
