"""Arrow data as polars frames."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pyarrow as pa


def frame_of(data: pa.Table | pa.RecordBatch) -> pl.DataFrame:
    """The same rows; texts that Arrow keeps as a dictionary are plain texts."""
    found = pl.from_arrow(data)
    assert isinstance(found, pl.DataFrame)
    return found.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))


def frames(reader: pa.RecordBatchReader) -> Iterator[pl.DataFrame]:
    """The batches of a reader, one after the other; empty ones are left out."""
    for batch in reader:
        if batch.num_rows:
            yield frame_of(batch)


def frame_schema(schema: pa.Schema) -> dict[str, pl.DataType]:
    """The polars types of an Arrow schema's columns."""
    return dict(frame_of(schema.empty_table()).schema)
