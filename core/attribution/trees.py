"""Exact SHAP values of scikit-learn's tree ensembles, by shap's TreeExplainer.

Lundberg et al., "From Local Explanations to Global Understanding with Explainable AI for
Trees" (2020); path dependent, so no background is needed. The library is wrong on some models
without a word (native categories of HistGradientBoosting, for one), so what it says is only
believed where its values add up to what the model predicts, in every row explained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from core.attribution.explanation import Explainable, Values
from core.attribution.unwrapping import Unwrapped, unwrap

METHOD = "TreeExplainer"
CLOSE = 1e-4
"""How far a sum may be from the prediction, relative to how far predictions lie apart."""


@dataclass(frozen=True, slots=True)
class TreeValues:
    """Values, rows × features × labels, the expected values, and what they add up to."""

    values: Values
    base: Values
    units: str


def tree_values(model: Explainable, rows: pa.Table, background: pa.Table) -> TreeValues | str:
    """SHAP values of `rows` where the model is an ensemble of trees, perhaps behind steps that
    make columns of columns; else why not. `background` are other rows, to try the steps on."""
    import warnings

    names = list(model.inputs)
    frame, others = rows.select(names).to_pandas(), background.select(names).to_pandas()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inner = unwrap(model.native, frame, others)
        if isinstance(inner, str):
            return inner
        return _explained(model, inner, frame)


def _explained(model: Explainable, inner: Unwrapped, frame: Any) -> TreeValues | str:
    import shap

    try:
        explainer = shap.TreeExplainer(inner.estimator)
        found = explainer(inner.matrix, check_additivity=False)
    except Exception as error:  # noqa: BLE001 - whatever the library raises, it cannot do it
        return f"shap has no TreeExplainer for it: {' '.join(str(error).split())[:120]}"
    values = np.asarray(found.values, np.float64)
    values = values.reshape(*values.shape[:2], -1)
    base = np.asarray(explainer.expected_value, np.float64).reshape(-1)
    if len(model.classes) == 2 and values.shape[2] == 2:  # one is the other's mirror
        values, base = values[:, :, 1:], base[1:]
    units = _units(model, frame, base + values.sum(axis=1))
    if units is None:
        return "the values of shap's TreeExplainer do not add up to the predictions"
    gathered = _gathered(values, inner.sources, len(model.inputs))
    if gathered is None:
        return "its steps make columns of which nobody knows from what"
    return TreeValues(gathered, base, units)


def _gathered(values: Values, sources: Sequence[int], inputs: int) -> Values | None:
    """Values by the model's inputs: those of columns made of one input are added up. `None`
    where a column that counts has no input."""
    found = np.zeros((len(values), inputs, values.shape[2]))
    for column, source in enumerate(sources):
        if source >= 0:
            found[:, source] += values[:, column]
        elif values[:, column].any():
            return None
    return found


def _units(model: Explainable, frame: Any, total: Values) -> str | None:
    """What the sums are, found by looking: `None` where they are nothing that is predicted."""
    native = model.native
    with np.errstate(all="ignore"):
        if not model.classes:
            predicted = np.asarray(native.predict(frame), np.float64).reshape(len(total), -1)
            candidates = {"the prediction": predicted, "log of the prediction": np.log(predicted)}
        else:
            if not hasattr(native, "predict_proba"):
                return None
            chances = np.asarray(native.predict_proba(frame), np.float64)
            if total.shape[1] == 1:
                chance = chances[:, 1:]
                odds = np.log(chance / (1 - chance))
                candidates = {"probability": chance, "log-odds": odds}
            else:
                softmax = np.exp(total - total.max(axis=1, keepdims=True))
                softmax /= softmax.sum(axis=1, keepdims=True)
                if _same(softmax, chances):
                    return "log-odds (softmax)"
                candidates = {"probability": chances}
    return next((name for name, seen in candidates.items() if _same(total, seen)), None)


def _same(left: Values, right: Values) -> bool:
    if left.shape != right.shape:
        return False
    spread = max(float(np.nanstd(right)), 1e-9) if right.size else 1.0
    settled = np.isfinite(right)  # a chance of exactly 0 or 1 has no log-odds
    return bool(settled.any() and (np.abs(left - right)[settled] <= CLOSE * spread + 1e-7).all())
