"""SHAP values of any model, by asking it about mixed rows: shap's PermutationExplainer.

"Not known" is a feature of another row (the background); each row is walked through in a random
order of the features and back, which is exact for interactions of two features and always adds
up. It costs some 2 × features × background predictions a row, so rows are done one after the
other until the time is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.attribution.errors import CannotExplain
from core.attribution.explanation import Budget, Explainable, Values

METHOD = "PermutationExplainer"
CHUNK = 8
ROUNDS = 2
"""Walks there and back through the features for each row."""


@dataclass(frozen=True, slots=True)
class AskedValues:
    """Values of as many of the rows, from the first, as there was time for."""

    values: Values
    base: Values
    units: str


def asked_values(
    model: Explainable, rows: pa.Table, background: pa.Table, budget: Budget
) -> AskedValues:
    """SHAP values of `rows`, the chance of each class or the prediction explained.

    Raises `CannotExplain` where the model raises on rows that are mixed of real ones.
    """
    import shap

    coding = Coding.of(pa.concat_tables([background, rows], promote_options="permissive"))
    known, matrix = coding.encode(background), coding.encode(rows)
    ask, units = _function(model, coding)
    masker = shap.maskers.Independent(known, max_samples=len(known))
    explainer = shap.PermutationExplainer(ask, masker, seed=0)
    until, done, base = time.monotonic() + budget.seconds, [], None
    for at in range(0, len(matrix), CHUNK):
        try:
            with np.errstate(invalid="ignore"):  # infinite predictions are told of by the caller
                found = explainer(
                    matrix[at : at + CHUNK],
                    max_evals=ROUNDS * (2 * matrix.shape[1] + 1),
                    silent=True,
                )
        except Exception as error:
            raise CannotExplain(
                f"the model fails on rows mixed of real ones: {' '.join(str(error).split())[:160]}",
                "explain it with rows that it was trained on",
            ) from error
        values = np.asarray(found.values, np.float64)
        done.append(values.reshape(*values.shape[:2], -1))
        base = np.asarray(found.base_values, np.float64).reshape(len(values), -1)[0]
        if time.monotonic() > until:
            break
    assert base is not None  # there is a row at least
    return AskedValues(np.concatenate(done), base, units)


def _function(
    model: Explainable, coding: Coding
) -> tuple[Callable[[npt.NDArray[Any]], npt.NDArray[Any]], str]:
    """What is explained, as a function of a matrix, and in what units it is."""
    if not model.classes:
        return lambda matrix: _numbers(model.predict(coding.decode(matrix))), "the prediction"
    if model.scores(coding.decode(coding.rows[:1])) is None:
        if len(model.classes) != 2:
            raise CannotExplain(
                "the model gives classes and no probabilities", "log it with predict_proba"
            )
        second = str(model.classes[1])
        return lambda matrix: _numbers(
            np.asarray([str(p) == second for p in model.predict(coding.decode(matrix))])
        ), "being predicted"

    def chances(matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
        found = np.asarray(model.scores(coding.decode(matrix)), np.float64)
        return found[:, 1] if found.shape[1] == 2 else found

    return chances, "probability"


def _numbers(predicted: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return np.asarray(predicted, np.float64).reshape(len(predicted))


@dataclass(frozen=True, slots=True)
class Coding:
    """Columns as numbers and back: what is no number is numbered, for rows are only mixed and
    every value comes back as it was. `rows` are all rows, encoded."""

    schema: pa.Schema
    values: tuple[pa.Array | None, ...]
    rows: npt.NDArray[np.float64]

    @staticmethod
    def of(table: pa.Table) -> Coding:
        """For these rows."""
        values: list[pa.Array | None] = []
        columns = []
        for column in table.columns:
            if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
                values.append(None)
                columns.append(_floats(column))
            else:
                coded = column.combine_chunks().dictionary_encode()
                values.append(coded.dictionary)
                columns.append(_floats(coded.indices))
        return Coding(table.schema, tuple(values), np.column_stack(columns))

    def encode(self, table: pa.Table) -> npt.NDArray[np.float64]:
        """Rows whose values are all among those of `of`, as a matrix; NaN is null."""
        import pyarrow.compute as pc

        return np.column_stack(
            [
                _floats(column if known is None else pc.index_in(column, value_set=known))
                for column, known in zip(table.columns, self.values, strict=True)
            ]
        )

    def decode(self, matrix: npt.NDArray[np.float64]) -> pa.Table:
        """The rows of a matrix."""
        arrays = []
        for numbers, known, field in zip(matrix.T, self.values, self.schema, strict=True):
            kind = field.type if known is None else pa.int32()
            whole = pa.types.is_integer(kind)
            array = pa.array(
                np.nan_to_num(numbers).astype(np.int64) if whole else numbers,
                mask=np.isnan(numbers) if whole or known is not None else None,
            ).cast(kind)
            arrays.append(array if known is None else known.take(array))
        return pa.table(arrays, names=self.schema.names)


def _floats(column: Any) -> npt.NDArray[np.float64]:
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False)
                      if isinstance(column, pa.Array)
                      else column.cast(pa.float64()).to_numpy(), np.float64)  # fmt: skip
