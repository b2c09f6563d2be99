"""What a model's predictions are made of, as it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FeatureShare:
    """A feature's part: of many rows the mean of |SHAP|, of one row its SHAP value, with a
    sign. `given` is the row's own value, as text."""

    feature: str
    shap: float
    given: str = ""


@dataclass(frozen=True, slots=True)
class LabelExplanation:
    """The features of one output, the most important first. `expected` is the expected value;
    of one row `total` is what it and all SHAP values add up to, the prediction."""

    label: str
    expected: float
    features: tuple[FeatureShare, ...]
    total: float | None = None


@dataclass(frozen=True, slots=True)
class ModelExplanation:
    """SHAP values of a model version. `data` says of which rows (`rows` of `of` were explained),
    `units` what the values add up to, `note` why it was not done exactly. `inference_id` is set
    where it is of one captured request. `analysis` is Clarify's analysis.json, of many rows.
    """

    model: str
    version: int
    data: str
    method: str
    units: str
    rows: int
    of: int
    background: int
    seconds: float
    labels: tuple[LabelExplanation, ...]
    note: str = ""
    inference_id: str = ""
    analysis: Mapping[str, Any] | None = None
