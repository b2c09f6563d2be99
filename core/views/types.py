"""Types of the lake's columns as SQL's, for tracing and analysing a query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from core.domain.dataset import Column

_SQL: Mapping[str, str] = {
    "boolean": "BOOLEAN", "int": "INT", "long": "BIGINT", "float": "FLOAT", "double": "DOUBLE",
    "date": "DATE", "time": "TIME", "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMPTZ",
    "timestamp_ns": "TIMESTAMP_NS", "string": "VARCHAR", "uuid": "UUID", "binary": "BLOB",
}  # fmt: skip


def sql_types(columns: Iterable[Column]) -> dict[str, str]:
    """Column to DuckDB's type; what has no simple one is taken for text, which is enough to
    find columns by name."""
    return {
        column.name: column.type.upper()
        if column.type.startswith("decimal")
        else _SQL.get(column.type, "VARCHAR")
        for column in columns
    }
