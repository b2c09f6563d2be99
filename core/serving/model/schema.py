"""The columns a model takes, checked once for all rows of a request, in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.serving.http.shapes import BadRequest, Table, cell

Matrix = npt.NDArray[np.float64]
Columns = dict[str, Any]  # a NumPy array, or a list of text, for each column's name

WHOLE = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}
_EXACT = 2.0**53  # whole numbers beyond are rounded in a double
_NUMBERS = {"double", "integer", "long"}
_FRAME_TYPES = _NUMBERS | {"float", "boolean", "string"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a model's signature, with MLflow's name of its type."""

    name: str
    type: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class ModelSchema:
    """A column-based signature."""

    columns: tuple[Column, ...]

    @property
    def numeric(self) -> bool:
        """Whether one float64 matrix holds every row exactly as MLflow would."""
        return all(column.type in _NUMBERS for column in self.columns)

    @property
    def framable(self) -> bool:
        """Whether `frame` knows every type."""
        return all(column.type in _FRAME_TYPES for column in self.columns)

    def cells(self, table: Table) -> list[list[Any]]:
        """The rows in the signature's order; extra columns are left out, as MLflow does.

        Raises `BadRequest` for no rows, and for a required column that is missing.
        """
        if not table.rows:
            raise BadRequest("There are no rows in the request")
        place = {name: index for index, name in enumerate(table.names)}
        missing = [c.name for c in self.columns if c.required and c.name not in place]
        if missing:
            raise BadRequest(f"The request lacks column {', '.join(missing)}")
        if table.gaps:
            for column in self.columns:
                if column.required and column.name in table.gaps:
                    row = table.gaps[column.name]
                    raise BadRequest(f"Row {row} lacks column {column.name}")
        if table.text:
            return self._typed(table, place)
        if table.names == [column.name for column in self.columns]:
            return [list(row) for row in table.rows]
        order = [place.get(column.name, -1) for column in self.columns]
        return [[None if i < 0 else row[i] for i in order] for row in table.rows]

    def _typed(self, table: Table, place: dict[str, int]) -> list[list[Any]]:
        """The cells of a CSV: text stays text only in a column of strings."""
        wanted = [(place.get(column.name, -1), column.type == "string") for column in self.columns]
        return [
            [
                None if i < 0 or not row[i] else row[i] if text else cell(row[i])
                for i, text in wanted
            ]
            for row in table.rows
        ]

    def matrix(self, table: Table) -> Matrix:
        """The rows as float64, null as NaN. Raises `BadRequest` naming the column at fault."""
        cells = self.cells(table)
        for number, row in enumerate(cells):
            if bool in map(type, row):
                index = list(map(type, row)).index(bool)
                raise _wrong(self.columns[index], number, row[index])
        try:
            raw = np.asarray(cells)
        except ValueError:
            raw = np.asarray([None])
        if raw.ndim == 2 and raw.dtype.kind in "iuf":
            matrix = raw.astype(np.float64)
        else:
            matrix = self._slow_matrix(cells)
        for index, column in enumerate(self.columns):
            if column.type in WHOLE:
                _check_whole(column, matrix[:, index], _reader(cells, index))
        return matrix

    def _slow_matrix(self, cells: list[list[Any]]) -> Matrix:
        """The same one by one, to let nulls through and to name what does not belong."""
        matrix = np.empty((len(cells), len(self.columns)))
        for number, row in enumerate(cells):
            for index, value in enumerate(row):
                if value is None:
                    matrix[number, index] = np.nan
                elif isinstance(value, int | float):
                    matrix[number, index] = value
                else:
                    raise _wrong(self.columns[index], number, value)
        return matrix

    def split(self, table: Table) -> Columns:
        """The rows as columns with the signature's types. Raises `BadRequest`."""
        cells = self.cells(table)
        return {
            column.name: _series(column, [row[index] for row in cells])
            for index, column in enumerate(self.columns)
        }


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a tensor-based signature: NumPy's name of its type, -1 for any length."""

    name: str  # "" for the only one
    type: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model says it takes and gives."""

    columns: ModelSchema | None = None  # None without named columns
    tensors: tuple[Tensor, ...] = ()
    outputs: tuple[Column, ...] = ()
    nulls: frozenset[str] | None = None  # the columns that were seen to take null; None: not tried
    single: bool = False  # numbers beyond float32 were seen to be refused


def read_signature(metadata: Any) -> Signature:
    """The signature in a loaded MLflow model's metadata."""
    inputs, outputs = metadata.get_input_schema(), metadata.get_output_schema()
    columns: ModelSchema | None = None
    tensors: tuple[Tensor, ...] = ()
    if inputs is not None and inputs.is_tensor_spec():
        tensors = tuple(
            Tensor(spec.name or "", str(spec.type), tuple(spec.shape)) for spec in inputs.inputs
        )
    elif inputs is not None and inputs.has_input_names():
        columns = ModelSchema(tuple(_column(spec) for spec in inputs.inputs))
    given = outputs is not None and not outputs.is_tensor_spec()
    return Signature(
        columns, tensors, tuple(_column(spec) for spec in outputs.inputs) if given else ()
    )


def _column(spec: Any) -> Column:
    return Column(
        spec.name or "", getattr(spec.type, "name", str(spec.type)), getattr(spec, "required", True)
    )


def frame(parts: Sequence[Columns]) -> Any:
    """One DataFrame of the rows of several requests (one concat a column: pandas' own takes
    a tenth of a millisecond a request)."""
    import pandas as pd

    if len(parts) == 1:
        return pd.DataFrame(parts[0])
    data: dict[str, Any] = {}
    for name, first in parts[0].items():
        columns = [part[name] for part in parts]
        if isinstance(first, list):
            data[name] = [value for column in columns for value in column]
        else:
            data[name] = np.concatenate(columns)
    return pd.DataFrame(data)


def _series(column: Column, values: list[Any]) -> Any:
    allowed: tuple[type, ...] = (int, float)
    if column.type in ("string", "boolean"):
        allowed = (str,) if column.type == "string" else (bool,)
    for number, value in enumerate(values):
        fits = isinstance(value, allowed) and (bool in allowed or not isinstance(value, bool))
        if not (fits or (value is None and column.type != "boolean")):
            raise _wrong(column, number, value)
    if column.type == "string":
        return values
    if column.type == "boolean":
        return np.asarray(values, dtype=bool)
    numbers = np.asarray([np.nan if value is None else value for value in values], np.float64)
    if column.type in WHOLE:
        _check_whole(column, numbers, values.__getitem__)
        return np.asarray(values, dtype=np.int64 if column.type == "long" else np.int32)
    return numbers.astype(np.float32) if column.type == "float" else numbers


def _reader(cells: Sequence[Sequence[Any]], index: int) -> Callable[[int], Any]:
    """Reads one column by its rows."""
    return lambda row: cells[row][index]


def _check_whole(column: Column, values: Matrix, given: Callable[[int], Any]) -> None:
    """Whole numbers within the column's type, judged by the cells where doubles are too coarse."""
    low, high = WHOLE[column.type]
    good = (values == np.floor(values)) & (values >= low) & (values <= high)
    if not good.all():
        number = int(np.argmin(good))
        raise _wrong(column, number, given(number))
    if high > _EXACT and np.abs(values).max() >= _EXACT:
        for number in range(len(values)):
            value = given(number)
            # A whole number that 64 bits do not hold was read as a float.
            rounded = isinstance(value, float) and abs(value) >= 2.0**63
            if rounded or not low <= value <= high:
                raise _wrong(column, number, value)


def _wrong(column: Column, number: int, value: Any) -> BadRequest:
    if isinstance(value, list | dict):  # it may be nested too deeply to be shown
        shown = "an array" if isinstance(value, list) else "an object"
    else:
        shown = "null" if value is None else repr(value)
    if len(shown) > 60:
        shown = shown[:57] + "..."
    return BadRequest(f"Column {column.name}, row {number}: {shown} is not a {column.type}")
