"""Arrow data as the lake keeps it: types that Iceberg has, columns as the dataset has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types as pt

from core.errors import BadInput
from core.lake.errors import SchemaMismatch

_MAX_NAME = 255


def storable(schema: pa.Schema) -> pa.Schema:
    """The schema with each type replaced by one that Iceberg has and that holds its values.

    Raises `BadInput` for a type that has no place there, and for unusable column names.
    """
    seen: dict[str, str] = {}
    for name in schema.names:
        if not name or len(name) > _MAX_NAME or any(ord(letter) < 32 for letter in name):
            raise BadInput(f"column name {name!r}: not allowed", "use 1 to 255 printable letters")
        if name.lower() in seen:
            raise BadInput(
                f"columns {seen[name.lower()]!r} and {name!r}: the same name",
                "names of columns must differ in more than case",
            )
        seen[name.lower()] = name
    return pa.schema(
        [
            pa.field(
                field.name,
                storable_type(field.name, field.type),
                field.nullable,
                _without_ids(field.metadata),
            )
            for field in schema
        ]
    )


def _without_ids(metadata: dict[bytes, bytes] | None) -> dict[bytes, bytes] | None:
    """Field ids of another table mean nothing here."""
    return {key: value for key, value in (metadata or {}).items() if key == b"doc"} or None


def storable_type(name: str, kind: pa.DataType) -> pa.DataType:
    """A type that Iceberg has for values of `kind`; raises `BadInput`, naming the column."""
    if pt.is_dictionary(kind):
        return storable_type(name, kind.value_type)
    if pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind):
        return pa.large_list(storable_type(name, kind.value_type))
    if pt.is_map(kind):
        return pa.map_(storable_type(name, kind.key_type), storable_type(name, kind.item_type))
    if pt.is_struct(kind):
        return pa.struct(
            [pa.field(each.name, storable_type(name, each.type), each.nullable) for each in kind]
        )
    found = _scalar(kind)
    if found is None:
        raise BadInput(
            f"column {name!r}: the lake cannot keep values of type {kind}", "cast or leave it out"
        )
    return found


def _scalar(kind: pa.DataType) -> pa.DataType | None:
    if pt.is_boolean(kind) or pt.is_date32(kind):
        return kind
    if pt.is_integer(kind):
        return _integer(kind)
    if pt.is_floating(kind):
        return pa.float64() if kind == pa.float64() else pa.float32()
    if pt.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if pt.is_date64(kind):
        return pa.date32()
    if pt.is_time(kind):
        return pa.time64("us")
    if pt.is_decimal(kind) and kind.precision <= 38:
        return pa.decimal128(kind.precision, kind.scale)
    if pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind):
        return pa.large_string()
    if pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_binary_view(kind):
        return pa.large_binary()
    if pt.is_fixed_size_binary(kind):
        return kind
    if pt.is_null(kind):
        return pa.large_string()
    return pa.int64() if pt.is_duration(kind) else None


def _integer(kind: pa.DataType) -> pa.DataType:
    if kind == pa.uint64():
        return pa.decimal128(20, 0)
    return pa.int32() if kind.bit_width < 32 or kind == pa.int32() else pa.int64()


def cast(name: str, values: Any, target: pa.DataType) -> Any:
    """An array in another type; raises `SchemaMismatch` where a value would be lost."""
    if values.type == target:
        return values
    if pt.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pt.is_duration(values.type):
        values = pc.cast(values, pa.duration("us")).cast(pa.int64())
    try:
        if pt.is_timestamp(values.type) and pt.is_timestamp(target):
            return pc.cast(values, target, safe=False)  # nanoseconds are cut
        return pc.cast(values, target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaMismatch(
            f"column {name!r}: {values.type} cannot be kept as {target}: {str(error)[:120]}",
            "cast it, or allow the change with evolve any",
        ) from error


def fitted(data: pa.Table | pa.RecordBatchReader, target: pa.Schema) -> pa.RecordBatchReader:
    """The rows with exactly the columns of `target`: cast, ordered, absent ones empty.

    Streams; each batch is cast when it is asked for. Raises `SchemaMismatch` for absent
    columns that must have values.
    """
    for field in target:
        if field.name not in data.schema.names and not field.nullable:
            raise SchemaMismatch(
                f"column {field.name!r}: missing, and it must have values", "add it to the rows"
            )
    reader = data.to_reader() if isinstance(data, pa.Table) else data
    return pa.RecordBatchReader.from_batches(target, _batches(reader, target))


def _batches(reader: pa.RecordBatchReader, target: pa.Schema) -> Iterator[pa.RecordBatch]:
    given = set(reader.schema.names)
    for batch in reader:
        columns = []
        for field in target:
            if field.name in given:
                column = cast(field.name, batch.column(field.name), field.type)
                if not field.nullable and column.null_count:
                    raise SchemaMismatch(
                        f"column {field.name!r}: {column.null_count} missing values, and it must"
                        " have values",
                        "fill them, or leave those rows out",
                    )
                columns.append(column)
            else:
                columns.append(pa.nulls(batch.num_rows, field.type))
        yield pa.RecordBatch.from_arrays(columns, schema=target)
