"""Between readers and a batch: what reads a file, its rows with the batch's columns, a look at
them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from core.ingest.convert import text_to
from core.ingest.csvfile import CsvFile
from core.ingest.jsonfile import JsonLines
from core.ingest.options import ReadOptions
from core.ingest.parquetfile import ParquetReader
from core.ingest.planning import Plan
from core.ingest.reading import CsvReader, Reader, ValueReader
from core.ingest.sources import Source

_SHOWN = 60  # characters of a value in a preview


def reader_of(source: Source, options: ReadOptions) -> Reader:
    """What reads a file of this kind; raises `BadRows` where its beginning is broken."""
    if source.format == "parquet":
        return ParquetReader(source)
    if source.format == "jsonl":
        return ValueReader(JsonLines(source, options), options)
    return CsvReader(CsvFile(source, options), options)


def fitted(
    table: pa.Table, made: Plan, rename: Mapping[str, str], constants: Mapping[str, str]
) -> pa.Table:
    """Rows with the columns of the plan: renamed, ordered, those of folders (`constants`) put
    in, absent ones empty."""
    ours = {
        rename.get(name, name): column
        for name, column in zip(table.schema.names, table.columns, strict=True)
    }
    columns = []
    for name, kind in made.types.items():
        if name in ours:
            columns.append(ours[name])
        elif name in constants:
            text = pa.array([constants[name]] * table.num_rows, pa.string())
            columns.append(text_to(text, kind).array)
        else:
            columns.append(pa.nulls(table.num_rows, kind))
    return pa.table(columns, schema=made.schema)


def partitions_of(sources: Sequence[Source]) -> dict[str, list[str]]:
    """The values of folders' names, by column."""
    found: dict[str, list[str]] = {}
    for source in sources:
        for name, value in source.partitions:
            found.setdefault(name, []).append(value)
    return found


def preview_of(table: pa.Table, rows: int) -> list[Mapping[str, Any]]:
    """The first rows as text."""
    found = table.slice(0, max(0, rows)).to_pylist()
    return [
        {name: None if value is None else _text(value) for name, value in row.items()}
        for row in found
    ]


def _text(value: Any) -> str:
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
