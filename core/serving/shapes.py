"""The bodies that `/invocations` takes: four JSON shapes and CSV, read into one table.

The shapes are those of MLflow's scoring protocol: dataframe_split, dataframe_records,
instances and inputs (https://mlflow.org/docs/latest/genai/serving, "Accepted input formats").
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

_SHAPES = ("dataframe_split", "dataframe_records", "instances", "inputs")


class BadRequest(Exception):
    """A request that cannot be answered, and why, in one line; becomes a 4xx."""

    def __init__(self, message: str, code: str = "bad_input", status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under named columns, as the request gave them."""

    names: list[str]
    rows: Sequence[Sequence[Any]]
    text: bool = False  # every cell is text (CSV) that the column's type must give a meaning


def read_table(body: bytes, content_type: str) -> Table:
    """The table in a request's body. Raises `BadRequest` (415 for another content type)."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in ("application/json", "", "text/json"):
        return read_json(body)
    if kind == "text/csv":
        return _read_csv(body)
    raise BadRequest(
        f"Content type {kind} is not served; send application/json or text/csv",
        "unsupported_media_type",
        415,
    )


def read_json(body: bytes) -> Table:
    """The table in a JSON body."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not valid JSON: {error}") from None
    if not isinstance(data, dict):
        raise BadRequest(f"The body is a JSON {_kind(data)}, not an object with one of {_names()}")
    found = [shape for shape in _SHAPES if shape in data]
    if len(found) != 1:
        shown = ", ".join(found) or "none of them"
        raise BadRequest(f"The body needs exactly one of {_names()}; it has {shown}")
    value = data[found[0]]
    if found[0] == "dataframe_split":
        return _split(value)
    if found[0] == "dataframe_records":
        return _records(value, "dataframe_records")
    return _columns(value, found[0]) if isinstance(value, dict) else _records(value, found[0])


def _split(value: Any) -> Table:
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise BadRequest('dataframe_split needs "columns" and "data", a list of rows')
    names = value.get("columns")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadRequest('dataframe_split needs "columns", a list of column names')
    if len(set(names)) < len(names):
        raise BadRequest("dataframe_split names a column twice")
    for number, row in enumerate(value["data"]):
        if not isinstance(row, list) or len(row) != len(names):
            size = len(row) if isinstance(row, list) else "no"
            raise BadRequest(f"Row {number} has {size} values; {len(names)} columns are named")
    return Table(names, value["data"])


def _records(value: Any, shape: str) -> Table:
    if not isinstance(value, list):
        raise BadRequest(f"{shape} must be a list of rows, not a JSON {_kind(value)}")
    names: dict[str, None] = {}
    for number, record in enumerate(value):
        if not isinstance(record, dict):
            raise BadRequest(
                f"Row {number} of {shape} is a JSON {_kind(record)}; "
                "the model takes named columns, so it must be an object"
            )
        names.update(dict.fromkeys(record))
    listed = list(names)
    return Table(listed, [[record.get(name) for name in listed] for record in value])


def _columns(value: Mapping[str, Any], shape: str) -> Table:
    cells = [item if isinstance(item, list) else [item] for item in value.values()]
    if len({len(column) for column in cells}) > 1:
        raise BadRequest(f"The columns of {shape} differ in length")
    return Table(list(value), list(zip(*cells, strict=True)))


def _read_csv(body: bytes) -> Table:
    try:
        lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig")), strict=True))
    except UnicodeDecodeError:
        raise BadRequest("The CSV is not UTF-8") from None
    except csv.Error as error:
        raise BadRequest(f"The CSV cannot be read: {error}") from None
    lines = [line for line in lines if line]
    if not lines:
        raise BadRequest("The CSV is empty; its first line must name the columns")
    names, *rows = lines
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise BadRequest(f"Row {number} has {len(row)} values; {len(names)} columns are named")
    return Table(names, rows, text=True)


def cell(text: str) -> Any:
    """A CSV cell of a column that isn't text, as JSON would have given it."""
    if text == "":
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return {"true": True, "false": False}.get(text.lower(), text)


def _kind(value: Any) -> str:
    kinds = {list: "array", dict: "object", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")


def _names() -> str:
    return ", ".join(_SHAPES)
