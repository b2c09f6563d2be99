"""JSON Schemas (2020-12) of request and answer bodies, from a model's signature.

A schema cannot say everything: that lists are as long as a shape says, or that columns may
stand in any order. Where it cannot, it describes the plain case, and its description says what
is taken besides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from core.serving.http.tensors import OF_COLUMN, output_name
from core.serving.model.schema import WHOLE, Column, Signature

Schema = dict[str, Any]

_SHAPES = ("dataframe_split", "dataframe_records", "instances", "inputs")
_DOUBLE, _FLOAT = 1.7976931348623157e308, 3.4028234663852886e38

ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}
RUNTIME_ERROR: Schema = {
    "type": "object",
    "required": ["error", "Message"],
    "properties": {
        **ERROR["properties"],
        "Message": {"type": "string"},
        "OriginalStatusCode": {"type": "integer"},
        "OriginalMessage": {"type": "string"},
        "LogStreamArn": {"type": "string"},
    },
}
V2_ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}},
}
PREDICTIONS: Schema = {
    "type": "object",
    "required": ["predictions"],
    "properties": {
        "predictions": {
            "description": "One for each row. NaN and the infinities, which JSON has not, are null."
        }
    },
}
V2_ANSWER: Schema = {
    "type": "object",
    "required": ["model_name", "model_version", "outputs"],
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"type": "string"},
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "shape", "datatype", "data"],
                "properties": {
                    "name": {"type": "string"},
                    "shape": {"type": "array", "items": {"type": "integer"}},
                    "datatype": {"enum": ["BOOL", "INT64", "FP64", "BYTES"]},
                    "data": {"type": "array"},
                },
            },
        },
    },
}
TENSOR_METADATA: Schema = {
    "type": "object",
    "required": ["name", "datatype", "shape"],
    "properties": {
        "name": {"type": "string"},
        "datatype": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
    },
}


def cell(column: Column, signature: Signature) -> Schema:
    """The values of one column."""
    most = _FLOAT if column.type == "float" or signature.single else _DOUBLE
    by_type: dict[str, Schema] = {
        "boolean": {"type": "boolean"},
        **{name: _whole(low, high) for name, (low, high) in WHOLE.items()},
        "float": {"type": "number", "minimum": -most, "maximum": most},
        "double": {"type": "number", "minimum": -most, "maximum": most},
        "string": {"type": "string"},
    }
    found = by_type.get(column.type, {"description": f"MLflow's type {column.type}"})
    if "type" in found and nullable(column, signature):
        found["type"] = [found["type"], "null"]
    return found


def _whole(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def nullable(column: Column, signature: Signature) -> bool:
    """Whether null may stand in a column; without a trial, only where it may be left out."""
    if column.type in ("boolean", "integer", "long"):
        return False
    return not column.required if signature.nulls is None else column.name in signature.nulls


def scoring(signature: Signature) -> Schema:
    """The body of `/invocations`."""
    if signature.columns is None:
        return {
            "type": "object",
            "description": "MLflow's scoring protocol; the model has no named columns",
        }
    columns = signature.columns.columns
    values = {
        "dataframe_split": _split(columns, signature),
        "dataframe_records": _records(columns, signature),
        "instances": {"anyOf": [_records(columns, signature), _by_column(columns, signature)]},
        "inputs": {"anyOf": [_records(columns, signature), _by_column(columns, signature)]},
    }
    return {
        "oneOf": [
            {
                "title": shape,
                "type": "object",
                "required": [shape],
                "properties": {
                    shape: values[shape],
                    **{other: False for other in _SHAPES if other != shape},
                },
            }
            for shape in _SHAPES
        ]
    }


def _must(columns: Sequence[Column], signature: Signature) -> list[str]:
    return [c.name for c in columns if c.required or not nullable(c, signature)]


def _split(columns: Sequence[Column], signature: Signature) -> Schema:
    # MLflow, by which goes what was not tried, takes no keys besides.
    only: Schema = {"additionalProperties": False} if signature.nulls is None else {}
    return {
        **only,
        "type": "object",
        "required": ["columns", "data"],
        "description": "The columns may stand in any order, and others among them.",
        "properties": {
            "columns": _exactly([{"const": column.name} for column in columns]),
            "data": {
                "type": "array",
                "minItems": 1,
                "items": _exactly([cell(column, signature) for column in columns]),
            },
        },
    }


def _exactly(items: list[Schema]) -> Schema:
    size = len(items)
    return {"type": "array", "prefixItems": items, "minItems": size, "maxItems": size}


def _records(columns: Sequence[Column], signature: Signature) -> Schema:
    return {
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "required": _must(columns, signature),
            "properties": {column.name: cell(column, signature) for column in columns},
        },
    }


def _by_column(columns: Sequence[Column], signature: Signature) -> Schema:
    one: Schema = {"type": "array", "minItems": 1, "maxItems": 1}
    of = {column.name: {**one, "items": cell(column, signature)} for column in columns}
    found: Schema = {
        "type": "object",
        "description": "Lists may be longer, all of the same length.",
        "required": [column.name for column in columns],
        "properties": of,
        "additionalProperties": {**one, "items": {"type": ["string", "number", "null"]}},
    }
    if signature.nulls is not None:  # ours, not MLflow, reads it: lists of one, or their values
        plain = {"type": ["string", "number", "boolean", "null", "object"]}
        found["properties"] = {
            column.name: {"anyOf": [cell(column, signature), of[column.name]]} for column in columns
        }
        found["additionalProperties"] = {"anyOf": [plain, one]}
    return found


def table(signature: Signature) -> Schema:
    """The body of `/invocations` as CSV."""
    if signature.columns is None:
        return {"type": "string"}
    columns = signature.columns.columns
    header = ",".join(re.escape(_quoted(column.name)) for column in columns)
    by_type = {
        "boolean": "(true|false)",
        "integer": "-?[0-9]{1,9}",
        "long": "-?[0-9]{1,15}",
        "float": r"-?[0-9]{1,9}(\.[0-9]{1,6})?",
        "double": r"-?[0-9]{1,9}(\.[0-9]{1,6})?",
    }
    row = ",".join(by_type.get(column.type, "[a-zA-Z]{1,10}") for column in columns)
    return {
        "type": "string",
        "description": "The first line names the columns, in any order. Quoting as in RFC 4180.",
        "pattern": f"^{header}\n({row}\n){{1,5}}$",
    }


def _quoted(name: str) -> str:
    special = any(character in name for character in ',"\r\n')
    return '"' + name.replace('"', '""') + '"' if special else name


def inference(signature: Signature) -> Schema:
    """The body of `/v2/models/…/infer`."""
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": ["string", "null"]},
            "parameters": {"type": ["object", "null"]},
            "inputs": _inputs(signature),
            "outputs": {
                "type": ["array", "null"],
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"const": output_name(signature)}},
                },
            },
        },
    }


def _inputs(signature: Signature) -> Schema:
    if signature.columns is None:
        return {"type": "array", "minItems": 1, "items": {"type": "object"}}
    columns = signature.columns.columns
    must = [column for column in columns if column.name in _must(columns, signature)] or columns
    each = _exactly(
        [
            _tensor({"const": c.name}, OF_COLUMN.get(c.type, "BYTES"), [1], [cell(c, signature)])
            for c in must
        ]
    )
    each["description"] = "One tensor a column, [n] or [n, 1]; here one row."
    if not signature.columns.numeric:
        return each
    name: Schema = {"type": "string", "pattern": "^x[0-9]*$", "not": {"enum": _names(columns)}}
    cells = [cell(column, signature) for column in columns]
    one = _exactly([_tensor(name, "FP64", [1, len(columns)], cells)])
    one["description"] = "One tensor [n, columns], in the signature's order; here one row."
    return {"anyOf": [each, one]}


def _names(columns: Sequence[Column]) -> list[str]:
    return [column.name for column in columns]


def _tensor(name: Schema, datatype: str, shape: list[int], data: list[Schema]) -> Schema:
    return {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": name,
            "shape": {"const": shape},
            "datatype": {"const": datatype},
            "parameters": {
                "type": ["object", "null"],
                "properties": {"binary_data_size": False},
            },
            "data": _exactly(data),
        },
    }
