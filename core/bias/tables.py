"""Counts that the bias metrics are made of: how many rows of each group have which outcome.

Every metric is a function of a small table of counts, so that a million rows are counted once
and a thousand resamples of them cost a thousand small tables. The first axis of a table is the
group: 0 the favoured one (a), 1 the disadvantaged one (d), the one that the facet names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Counts: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]

A, D = 0, 1
"""The favoured group and the disadvantaged one, on a table's first axis."""


class Table(StrEnum):
    """The tables, by what they count; the axes follow the name."""

    LABELS = "labels"  # group, label
    PREDICTIONS = "predictions"  # group, predicted label
    OUTCOMES = "outcomes"  # group, label, predicted label
    LABEL_GROUPS = "label_groups"  # value of the group variable, group, label
    PREDICTION_GROUPS = "prediction_groups"  # value of the group variable, group, predicted label
    FLIPS = "flips"  # of d by a's neighbours: to positive, to negative, not at all


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables that could be counted; one that is missing says why in `reasons`."""

    counts: Mapping[Table, Counts]
    reasons: Mapping[Table, str]

    def get(self, table: Table) -> Counts | None:
        """The counts, where there are any."""
        return self.counts.get(table)

    def jsonable(self) -> dict[str, Any]:
        """For keeping: `from_json` makes the same tables of it."""
        return {
            "counts": {str(name): counts.tolist() for name, counts in self.counts.items()},
            "reasons": {str(name): reason for name, reason in self.reasons.items()},
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Tables:
        """What `jsonable` has kept."""
        return Tables(
            {Table(k): np.asarray(v, np.float64) for k, v in data["counts"].items()},
            {Table(k): str(v) for k, v in data["reasons"].items()},
        )


def cross(*axes: npt.NDArray[Any], shape: tuple[int, ...]) -> Counts:
    """How often each combination of codes occurs, as an array of that shape."""
    flat = np.zeros(len(axes[0]), np.int64)
    for codes, size in zip(axes, shape, strict=True):
        flat = flat * size + codes.astype(np.int64)
    counted = np.bincount(flat, minlength=int(np.prod(shape)))
    return counted.astype(np.float64).reshape(shape)


def by_group(codes: npt.NDArray[np.int64], groups: int, members: Mask, positive: Mask) -> Counts:
    """The table of a group variable: its value, the group, the outcome."""
    return cross(codes, members, positive, shape=(groups, 2, 2))
