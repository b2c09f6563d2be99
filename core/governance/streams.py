"""Streams of Arrow batches through a statement: nothing is held but a few batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from core.governance.errors import PolicyBroken

BATCH_ROWS = 65_536
_SETTINGS = (
    "SET enable_external_access=false",
    "SET autoinstall_known_extensions=false",
    "SET autoload_known_extensions=false",
    "SET python_enable_replacements=false",
    "SET TimeZone='UTC'",
    "SET memory_limit='1GB'",
    "SET threads=2",
    "SET lock_configuration=true",
)
SOURCE = "source"


class _Watched:
    """The batches of a reader, their columns renamed c0, c1, …; remembers how it failed."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self._reader = reader
        self.schema = pa.schema(
            [(f"c{index}", field.type) for index, field in enumerate(reader.schema)]
        )
        self.error: BaseException | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._reader:
                yield pa.RecordBatch.from_arrays(batch.columns, schema=self.schema)
        except Exception as error:
            self.error = error
            raise


def through(
    dataset: str,
    reader: pa.RecordBatchReader,
    sql: str,
    schema: pa.Schema,
    parameters: Mapping[str, Any] | None = None,
) -> pa.RecordBatchReader:
    """What `sql` makes of `SOURCE`, whose columns are those of `reader` by position, as a stream
    of `schema`. A failure says nothing of the values that it met: raises `PolicyBroken`."""
    return pa.RecordBatchReader.from_batches(
        schema, _run(dataset, reader, sql, schema, dict(parameters or {}))
    )


def _run(
    dataset: str,
    reader: pa.RecordBatchReader,
    sql: str,
    schema: pa.Schema,
    parameters: dict[str, Any],
) -> Iterator[pa.RecordBatch]:
    watched = _Watched(reader)
    connection = duckdb.connect(":memory:")
    try:
        for setting in _SETTINGS:
            connection.execute(setting)
        source = pa.RecordBatchReader.from_batches(watched.schema, watched.batches())
        connection.register(SOURCE, source)
        used = {key: value for key, value in parameters.items() if f"${key}" in sql}
        found = connection.sql(sql, params=used or None).to_arrow_reader(BATCH_ROWS)
        for batch in found:
            yield conform(batch, schema)
    except duckdb.Error as error:
        if watched.error is not None:
            raise watched.error from None
        raise PolicyBroken(
            f"dataset {dataset}: a row filter, mask or condition cannot be applied to its rows",
            f"see: opsdeck data grants {dataset}",
        ) from None if not _harmless(error) else error
    except OSError:
        if watched.error is not None:
            raise watched.error from None
        raise
    finally:
        connection.close()


def _harmless(error: duckdb.Error) -> bool:
    """Whether an error is about the statement and not about a value of some row."""
    return isinstance(error, duckdb.BinderException | duckdb.OutOfMemoryException)


def picked(reader: pa.RecordBatchReader, schema: pa.Schema) -> pa.RecordBatchReader:
    """The columns that `schema` names, in its order and types."""
    if reader.schema.equals(schema):
        return reader
    return pa.RecordBatchReader.from_batches(
        schema, (conform(batch.select(schema.names), schema) for batch in reader)
    )


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with exactly the names and types of `schema`; nothing is copied that fits."""
    columns: Sequence[Any] = [
        column if column.type == field.type else column.cast(field.type)
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
