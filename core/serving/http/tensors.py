"""Tensors of the Open Inference Protocol, read into what `/invocations` takes, and written.

Data types and shapes are those of its REST specification
(https://github.com/kserve/open-inference-protocol, "Tensor Data Types").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import orjson

from core.serving.http.shapes import BadRequest
from core.serving.model.schema import ModelSchema, Signature

_RANGES = {
    **{f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}
_REALS = {"FP16": 65504.0, "FP32": 3.4028234663852886e38, "FP64": 1.7976931348623157e308}
DATATYPES = ("BOOL", *_RANGES, *_REALS, "BYTES")

OF_COLUMN = {
    "boolean": "BOOL", "integer": "INT32", "long": "INT64", "float": "FP32", "double": "FP64",
}  # fmt: skip
_OF_NUMPY = {
    "bool": "BOOL", "float16": "FP16", "float32": "FP32", "float64": "FP64",
    **{f"{sign}int{bits}": f"{sign.upper()}INT{bits}"
       for sign in ("", "u") for bits in (8, 16, 32, 64)},
}  # fmt: skip
_DEEPEST = 32
_NUMERIC = ("integer", "long", "float", "double")


@dataclass(frozen=True, slots=True)
class Given:
    """One tensor of a request, its data flat in row-major order."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any]

    def rows(self) -> list[Any]:
        """The data nested as the shape says."""
        return _nested(self.data, self.shape)


def read_tensors(value: Any) -> list[Given]:
    """The `inputs` of a request. Raises `BadRequest`."""
    if not isinstance(value, list) or not value:
        raise BadRequest('"inputs" must be a list of at least one tensor')
    tensors = [_tensor(item, number) for number, item in enumerate(value)]
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise BadRequest("Two input tensors have the same name")
    return tensors


def _tensor(value: Any, number: int) -> Given:
    if not isinstance(value, dict):
        raise BadRequest(f"Input {number} is not an object")
    name, datatype, shape = (value.get(key) for key in ("name", "datatype", "shape"))
    if not isinstance(name, str) or not name:
        raise BadRequest(f'Input {number} has no "name"')
    shown = name[:60]
    if datatype not in DATATYPES:
        raise BadRequest(f'Input {shown!r}: "datatype" must be one of {", ".join(DATATYPES)}')
    if not isinstance(shape, list) or not shape or not all(_is_size(size) for size in shape):
        raise BadRequest(f'Input {shown!r}: "shape" must be a list of whole numbers from 0')
    parameters = parameters_of(value, f"Input {shown!r}")
    if "binary_data_size" in parameters or "data" not in value:
        raise BadRequest(f'Input {shown!r} needs its values in "data"; binary data is not served')
    if not isinstance(value["data"], list):
        raise BadRequest(f'Input {shown!r}: "data" must be a list')
    data = _flat(value["data"], tuple(shape), shown)
    for place, item in enumerate(data):
        if not _fits(item, datatype):
            raise BadRequest(f"Input {shown!r}, element {place} is not of type {datatype}")
    return Given(name, datatype, tuple(shape), data)


def parameters_of(value: Mapping[str, Any], whose: str) -> Mapping[str, Any]:
    """Its `parameters`; none at all when they are null or not there. Raises `BadRequest`."""
    found = value.get("parameters")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadRequest(f'{whose}: "parameters" must be an object')
    return found


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _flat(data: list[Any], shape: tuple[int, ...], name: str) -> list[Any]:
    """The elements of flat or nested data. Raises `BadRequest` when they do not fill the shape."""
    wrong = BadRequest(f"Input {name!r}: data does not have the shape {list(shape)}")
    if len(shape) > _DEEPEST:
        raise BadRequest(f"Input {name!r} has more than {_DEEPEST} dimensions")
    if len(shape) == 1 or not any(isinstance(item, list) for item in data):
        if len(data) != prod(shape):
            raise wrong
        return data
    for inner in shape[1:]:
        if not all(isinstance(item, list) and len(item) == inner for item in data):
            raise wrong
        data = [part for item in data for part in item]
    if len(data) != prod(shape):
        raise wrong
    return data


def _fits(value: Any, datatype: str) -> bool:
    if datatype == "BYTES":
        return isinstance(value, str) or value is None  # as a string column takes it
    if datatype == "BOOL":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if datatype in _RANGES:
        low, high = _RANGES[datatype]
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return whole and low <= value <= high
    # null stands for NaN, which JSON has not.
    return value is None or (isinstance(value, int | float) and abs(value) <= _REALS[datatype])


def _nested(data: Sequence[Any], shape: tuple[int, ...]) -> list[Any]:
    if len(shape) <= 1:
        return list(data)
    step = prod(shape[1:])
    return [_nested(data[at * step : (at + 1) * step], shape[1:]) for at in range(shape[0])]


def to_scoring(tensors: Sequence[Given], signature: Signature) -> dict[str, Any]:
    """The same request in a shape of MLflow's. Raises `BadRequest`."""
    if signature.columns is not None:
        return {"dataframe_split": _frame(tensors, signature.columns)}
    if any(tensor.name for tensor in signature.tensors):
        return {"inputs": {tensor.name: tensor.rows() for tensor in tensors}}
    if len(tensors) > 1 and not signature.tensors:
        columns = [_column(tensor) for tensor in tensors]
        names = [tensor.name for tensor in tensors]
        return {"dataframe_split": {"columns": names, "data": _transposed(columns)}}
    if len(tensors) > 1:
        raise BadRequest("The model takes one tensor")
    return {"inputs": tensors[0].rows()}


def _frame(tensors: Sequence[Given], schema: ModelSchema) -> dict[str, Any]:
    names = [column.name for column in schema.columns]
    first = tensors[0]
    if len(tensors) == 1 and len(first.shape) == 2 and first.name not in names:
        if first.shape[1] != len(names):
            raise BadRequest(
                f"Input {first.name[:60]!r} has {first.shape[1]} columns; "
                f"the model takes {len(names)}: {', '.join(names)}"
            )
        for column in schema.columns:
            _check_type(column.type, first)
        return {"columns": names, "data": first.rows()}
    types = {column.name: column.type for column in schema.columns}
    for tensor in tensors:
        if tensor.name not in types:
            raise BadRequest(
                f"Input {tensor.name[:60]!r} is no column of the model: {', '.join(names)}"
            )
        _check_type(types[tensor.name], tensor)
    given = [tensor.name for tensor in tensors]
    return {"columns": given, "data": _transposed([_column(tensor) for tensor in tensors])}


def _check_type(kind: str, tensor: Given) -> None:
    """A column's type takes the tensor's. Whole numbers may come as FP*: one tensor of all
    columns has one type."""
    if kind in _NUMERIC:
        good = tensor.datatype in _RANGES or tensor.datatype in _REALS
    else:
        good = tensor.datatype == OF_COLUMN.get(kind, "BYTES")
    if not good:
        raise BadRequest(
            f"Input {tensor.name[:60]!r} is {tensor.datatype}; "
            f"the model takes {OF_COLUMN.get(kind, 'BYTES')} there"
        )


def _column(tensor: Given) -> list[Any]:
    if len(tensor.shape) == 1 or (len(tensor.shape) == 2 and tensor.shape[1] == 1):
        return tensor.data
    raise BadRequest(f"Input {tensor.name[:60]!r}: a column has the shape [n] or [n, 1]")


def _transposed(columns: Sequence[list[Any]]) -> list[list[Any]]:
    if len({len(column) for column in columns}) > 1:
        raise BadRequest("The input tensors differ in their number of rows")
    return [list(row) for row in zip(*columns, strict=True)]


def inputs_of(signature: Signature) -> list[dict[str, Any]]:
    """The input tensors for a model's metadata."""
    if signature.columns is not None:
        return [
            {"name": c.name, "datatype": OF_COLUMN.get(c.type, "BYTES"), "shape": [-1]}
            for c in signature.columns.columns
        ]
    return [
        {
            "name": tensor.name or "input",
            "datatype": _OF_NUMPY.get(tensor.type, "BYTES"),
            "shape": list(tensor.shape),
        }
        for tensor in signature.tensors
    ]


def output_name(signature: Signature) -> str:
    """What the one output is called: as in the signature, else `predictions`."""
    named = [column.name for column in signature.outputs if column.name]
    return named[0] if len(named) == 1 == len(signature.outputs) else "predictions"


def outputs_of(signature: Signature) -> list[dict[str, Any]]:
    """The output tensors for a model's metadata, as far as the signature tells."""
    named = [column for column in signature.outputs if column.name]
    if len(named) > 1:
        return [
            {"name": c.name, "datatype": OF_COLUMN.get(c.type, "BYTES"), "shape": [-1]}
            for c in named
        ]
    kind = signature.outputs[0].type if len(signature.outputs) == 1 else "double"
    return [
        {
            "name": output_name(signature),
            "datatype": OF_COLUMN.get(kind, "BYTES"),
            "shape": [-1],
        }
    ]


def write_tensors(predictions: Any, name: str) -> list[dict[str, Any]]:
    """Predictions as output tensors: one a key where they have keys."""
    if isinstance(predictions, Mapping):
        return [_written(str(key), _listed(value)) for key, value in predictions.items()]
    rows = _listed(predictions)
    if rows and all(isinstance(row, Mapping) for row in rows):
        keys = dict.fromkeys(key for row in rows for key in row)
        return [_written(str(key), [row.get(key) for row in rows]) for key in keys]
    return [_written(name, rows)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _written(name: str, data: list[Any]) -> dict[str, Any]:
    shape = [len(data)]
    while data and all(isinstance(row, list) and len(row) == len(data[0]) for row in data):
        shape.append(len(data[0]))
        data = [element for row in data for element in row]
    kinds = {type(element) for element in data}
    if kinds == {bool}:
        datatype = "BOOL"
    elif kinds == {int}:
        datatype = "INT64"
    elif kinds <= {int, float, type(None)}:
        datatype = "FP64"
    else:
        datatype = "BYTES"
        data = [x if isinstance(x, str) else orjson.dumps(x).decode() for x in data]
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}
