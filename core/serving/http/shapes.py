"""The bodies that `/invocations` takes: four JSON shapes and CSV, read into one table.

The shapes are those of MLflow's scoring protocol: dataframe_split, dataframe_records,
instances and inputs (https://mlflow.org/docs/latest/genai/serving, "Accepted input formats").
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

JSON = "application/json"
CSV = "text/csv"
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
    gaps: Mapping[str, int] = field(default_factory=dict)  # a column some record lacks: its row
    text: bool = False  # every cell is text (CSV) that the column's type must give a meaning


def media_type(content_type: str) -> str:
    """`JSON` or `CSV`. Raises `BadRequest` (415) for everything else."""
    if content_type == JSON:
        return JSON
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') not in ("utf-8", "utf8", "us-ascii"):
            raise BadRequest(
                f"Charset {_shown(value)} is not served; send UTF-8", "unsupported_media_type", 415
            )
    if kind in (JSON, "", "text/json"):
        return JSON
    if kind == CSV:
        return CSV
    raise BadRequest(
        f"Content type {_shown(kind)} is not served; send application/json or text/csv",
        "unsupported_media_type",
        415,
    )


def read_table(body: bytes, content_type: str) -> Table:
    """The table in a request's body. Raises `BadRequest` (415 for another content type)."""
    return read_json(body) if media_type(content_type) == JSON else _read_csv(body)


def parse_json(body: bytes) -> Any:
    """JSON as RFC 8259 has it: no NaN, no infinity, no number beyond a double."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not valid JSON: {error}") from None


def read_json(body: bytes) -> Table:
    """The table in a JSON body."""
    data = parse_json(body)
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
    rows = [[record.get(name) for name in listed] for record in value]
    return Table(listed, rows, _gaps(value, listed))


def _gaps(records: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, int]:
    """The columns that some record does not have, with the first row that lacks each."""
    found: dict[str, int] = {}
    for number, record in enumerate(records):
        if len(record) < len(names):
            for name in names:
                if name not in record:
                    found.setdefault(name, number)
    return found


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
    if len(set(names)) < len(names):
        raise BadRequest("The CSV names a column twice")
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


def _shown(text: str) -> str:
    """Text of the client's, safe to repeat in one line."""
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return printable if len(printable) <= 60 else printable[:57] + "..."


def _kind(value: Any) -> str:
    kinds = {list: "array", dict: "object", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")


def _names() -> str:
    return ", ".join(_SHAPES)
