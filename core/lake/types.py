"""Columns as people write them (`amount:decimal(10,2)`), or as a file has them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from core.errors import BadInput

_TYPES = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "string": pa.large_string(),
    "binary": pa.large_binary(),
}
_ALIASES = {"bool": "boolean", "integer": "int", "bigint": "long", "text": "string"}
_DECIMAL = re.compile(r"decimal\((\d{1,2}),\s*(\d{1,2})\)")
_SNIFF_BYTES = 1 << 20


def type_of(column: str, text: str) -> pa.DataType:
    """A type by its name; raises `BadInput`."""
    word = text.strip().lower()
    found = _TYPES.get(_ALIASES.get(word, word))
    if found is not None:
        return found
    decimal = _DECIMAL.fullmatch(word)
    if decimal:
        precision, scale = int(decimal[1]), int(decimal[2])
        if 1 <= precision <= 38 and scale <= precision:
            return pa.decimal128(precision, scale)
        raise BadInput(f"column {column!r}: decimal({precision},{scale})", "at most decimal(38,38)")
    close = difflib.get_close_matches(word, [*_TYPES, *_ALIASES], n=1)
    hint = (
        f"did you mean {close[0]}?" if close else "types: " + ", ".join(_TYPES) + ", decimal(p,s)"
    )
    raise BadInput(f"column {column!r}: unknown type {text!r}", hint)


def schema_of(columns: Sequence[tuple[str, str]]) -> pa.Schema:
    """Columns of names and types; a type that ends in `!` must have values."""
    return pa.schema(
        [
            pa.field(name, type_of(name, kind.removesuffix("!")), not kind.endswith("!"))
            for name, kind in columns
        ]
    )


def schema_like(file: str) -> pa.Schema:
    """The columns of a Parquet, CSV or JSON Lines file; raises `BadInput`."""
    path = Path(file).expanduser()
    try:
        return _read_schema(path)
    except FileNotFoundError as error:
        raise BadInput(f"{file}: no such file") from error
    except (OSError, pa.ArrowException) as error:
        text = " ".join(str(error).split())[:160]
        raise BadInput(f"{file}: its columns cannot be read: {text}") from error


def _read_schema(path: Path) -> pa.Schema:
    import pyarrow.csv as pacsv
    import pyarrow.json as pajson
    import pyarrow.parquet as pq

    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return pq.read_schema(path)
    if name.endswith((".csv", ".tsv")):
        options = pacsv.ParseOptions(delimiter="\t" if name.endswith(".tsv") else ",")
        with pacsv.open_csv(path, parse_options=options) as reader:
            return reader.schema
    if name.endswith((".jsonl", ".ndjson", ".json")):
        return pajson.read_json(
            path, read_options=pajson.ReadOptions(block_size=_SNIFF_BYTES)
        ).schema
    raise BadInput(f"{path}: neither Parquet, CSV nor JSON Lines", "name it by its kind")
