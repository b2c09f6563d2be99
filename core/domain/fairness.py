"""Bias of a model between groups of people, as it is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NO_TESTS = ("CI", "GE", "FT")
"""Metrics that are no test of a difference in treatment: how many there are, that there are
errors at all, and one whose interval knows only a part of its noise."""


@dataclass(frozen=True, slots=True)
class BiasValue:
    """One of Clarify's metrics of one group, with its interval. `value` is NaN where it is not
    defined (`error` says why) and may be infinite. `neutral` is the value of no bias. `few` says
    that there are too few rows for a statement. `says` is one line for a person."""

    name: str
    description: str
    stage: str
    value: float
    low: float
    high: float
    neutral: float
    says: str
    error: str = ""
    few: bool = False

    @property
    def clear(self) -> bool:
        """Whether it is a difference that chance does not explain, as far as the interval goes."""
        if self.error or self.few or self.name in NO_TESTS:
            return False
        return not self.low <= self.neutral <= self.high

    @property
    def chance(self) -> bool:
        """Whether it is one that chance may explain."""
        return not (self.error or self.few or self.clear or self.name in NO_TESTS)

    @property
    def shown(self) -> str | None:
        """The value as Clarify's files have it: infinity as text."""
        if math.isnan(self.value):
            return None
        if math.isinf(self.value):
            return "Infinity" if self.value > 0 else "-Infinity"
        return f"{self.value:.6g}"


@dataclass(frozen=True, slots=True)
class BiasGroup:
    """One group against all other rows. `name` is as one writes it (`sex=F & age>40`); `few`
    says that there are too few rows for a statement."""

    name: str
    facet: str
    value: str
    rows: int
    others: int
    metrics: tuple[BiasValue, ...]
    few: str = ""


@dataclass(frozen=True, slots=True)
class ModelBias:
    """The bias of a model version's predictions, and of the labels, in some rows.

    `data` says which rows, `label` and `positive` what counts as positive; `predictions` are
    the model's, or those of a column. `analysis` is Clarify's analysis.json.
    """

    model: str
    version: int
    data: str
    label: str
    positive: str
    predictions: str
    rows: int
    labelled: int
    confidence: float
    groups: tuple[BiasGroup, ...]
    notes: tuple[str, ...]
    analysis: Mapping[str, Any]
