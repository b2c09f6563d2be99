"""Explaining a model's predictions for some rows, within a budget."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from core.attribution import agnostic, trees
from core.attribution.errors import CannotExplain
from core.attribution.explanation import Budget, Explainable, Explanation, labels_of, sample


def explain(
    model: Explainable,
    rows: pa.Table,
    background: pa.Table | None = None,
    budget: Budget | None = None,
) -> Explanation:
    """SHAP values of (a sample of) `rows`: exact where the model is an ensemble of trees, else
    by asking the model about rows mixed with `background` (`rows` themselves where there is
    none). The explanation says which, and of how many rows.

    Raises `CannotExplain`: no rows, an input that the rows lack, a model that cannot answer.
    """
    budget = budget or Budget()
    begun = time.monotonic()
    rows = _inputs(rows, model.inputs, "rows")
    if not rows.num_rows:
        raise CannotExplain("there are no rows to explain")
    others = rows if background is None else _inputs(background, model.inputs, "background")
    if not others.num_rows:
        raise CannotExplain("there are no background rows")
    rows = _like(rows, others.schema)
    others = others.take(sample(others.num_rows, budget.background))
    picked = sample(rows.num_rows, budget.rows)
    found = trees.tree_values(model, rows.take(picked), others)
    if isinstance(found, trees.TreeValues):
        method, note, values, base, units = trees.METHOD, "", found.values, found.base, found.units
    else:
        picked = sample(rows.num_rows, min(budget.rows, budget.slow_rows))
        # Out of order, so that what is done when the time is over is a sample of all.
        picked = np.random.default_rng(1).permutation(picked)
        asked = agnostic.asked_values(model, rows.take(picked), others, budget)
        method, note = agnostic.METHOD, found
        values, base, units = asked.values, asked.base, asked.units
        picked = picked[: len(values)]
        values, picked = values[np.argsort(picked)], np.sort(picked)
    if not np.isfinite(values).all():
        raise CannotExplain("the predictions are not finite", "look at the rows it is given")
    labels = labels_of(model.classes)
    if len(labels) != values.shape[2]:
        labels = tuple(f"label{at}" for at in range(values.shape[2]))
    return Explanation(
        method, units, tuple(model.inputs), labels, base, values, picked, rows.num_rows,
        others.num_rows, time.monotonic() - begun, note,
        str(model.classes[1]) if len(model.classes) == 2 else "",
    )  # fmt: skip


def _like(rows: pa.Table, known: pa.Schema) -> pa.Table:
    """The rows with the types of the background, where they are of another kind: numbers that
    came as text, or the other way round. Raises `CannotExplain` where they cannot be."""
    for at, field in enumerate(known):
        kind = rows.schema.field(at).type
        if (
            kind == field.type
            or (_numeric(kind) and _numeric(field.type))
            or pa.types.is_null(kind)
        ):
            continue
        try:
            rows = rows.set_column(at, field, rows.column(at).cast(field.type))
        except pa.ArrowException as error:
            raise CannotExplain(
                f"column {field.name} holds {kind}, where the model was trained on {field.type}"
            ) from error
    return rows


def _numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _inputs(rows: pa.Table, inputs: Sequence[str], what: str) -> pa.Table:
    if not inputs:
        raise CannotExplain(
            "the model has no signature with named inputs", "log it with an input example"
        )
    missing = [name for name in inputs if name not in rows.schema.names]
    if missing:
        raise CannotExplain(
            f"the {what} have no column {', '.join(missing[:5])}", "they are inputs of the model"
        )
    return rows.select(list(inputs))
