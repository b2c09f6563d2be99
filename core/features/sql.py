"""DuckDB as feature views need it: closed to files and the network, in UTC, and the SQL that
turns a source's rows into those of a view. Heavy: imports DuckDB."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from core.domain.features import Feature, FeatureSpec
from core.features.errors import TransformFailed

ROWS = "opsdeck_rows"
"""The table of a view's rows: k0, k1, … (the key), et (event time, µs), x (event and created
time as one number), av (when the row could be known, µs), del, and the features f0, f1, …"""

KEY_SQL = {"string": "VARCHAR", "int": "BIGINT", "bool": "BOOLEAN", "date": "DATE"}
FEATURE_SQL = {
    "float": "DOUBLE",
    "int": "BIGINT",
    "string": "VARCHAR",
    "bool": "BOOLEAN",
    "timestamp": "TIMESTAMP",
}
_SHIFT = 2**63
_HALF = 2**61  # µs: 73,000 years
MEMORY_SHARE = 0.6


@contextmanager
def connection(spill: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that reads what is registered and nothing else.

    What does not fit into memory goes to the folder `spill`.
    """
    con = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
    try:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("SET preserve_insertion_order = false")
        con.execute("SET python_enable_replacements = false")
        con.execute(f"SET memory_limit = '{_memory() >> 20}MiB'")
        if spill is not None:
            spill.mkdir(mode=0o700, parents=True, exist_ok=True)
            con.execute(f"SET temp_directory = {literal(str(spill))}")
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        yield con
    finally:
        con.close()


def _memory() -> int:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(total * MEMORY_SHARE)


def scalar(con: duckdb.DuckDBPyConnection, text: str) -> Any:
    """The only value of a query's only row."""
    return con.execute(text).fetchall()[0][0]


def literal(value: Any) -> str:
    """A value as SQL writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def key_columns(count: int) -> list[str]:
    """The names of the key's columns in `ROWS`."""
    return [f"k{number}" for number in range(count)]


def feature_columns(count: int) -> list[str]:
    """The names of the features' columns in `ROWS`."""
    return [f"f{number}" for number in range(count)]


def tie(features: Sequence[Feature]) -> str:
    """What decides between rows of the same key, event and created time: a number of their
    values, so that the order of files never does."""
    packed = ", ".join(f"f{i} := f{i}" for i in range(len(features)))
    return f"(md5_number_lower(to_json(struct_pack({packed})))::HUGEINT - {_SHIFT})::BIGINT"


def upper(time: str) -> str:
    """The largest `x` of rows whose event is not after a time (µs)."""
    return f"({time}::HUGEINT * {_SHIFT} + {_SHIFT - 1})"


def make_rows(
    con: duckdb.DuckDBPyConnection,
    spec: FeatureSpec,
    source: pa.Table | pa.RecordBatchReader,
    *,
    since: int | None = None,
    until: int | None = None,
) -> int:
    """Fill `ROWS` from a source's rows; returns how many were left out for want of a key or an
    event time. `since` and `until` (µs, the latter excluded) bound the event time.

    Raises `TransformFailed`, naming the view's key at fault.
    """
    inner = _transformed(con, spec, source)
    types = described(con, inner, spec)
    keys = [key_value(k.name, types[k.name], k.type) for k in spec.entity]
    event = micros(spec.event_time, types[spec.event_time], "event_time")
    created = "NULL::BIGINT"
    if spec.created_time is not None:
        created = micros(spec.created_time, types[spec.created_time], "created_time")
    deleted = f"coalesce({quoted(spec.deleted)}::BOOLEAN, FALSE)" if spec.deleted else "FALSE"
    names = [f"{value} AS {n}" for value, n in zip(keys, key_columns(len(keys)), strict=True)]
    values = [
        f"{_feature(feature, types)} AS f{number}" for number, feature in enumerate(spec.features)
    ]
    columns = ", ".join(
        [*names, f"{event} AS et", f"{created} AS cr", f"{deleted} AS del", *values]
    )
    there = " AND ".join(f"{name} IS NOT NULL" for name in [*key_columns(len(keys)), "et"])
    bounds = "".join(
        f" AND et {sign} {bound}"
        for sign, bound in ((">=", since), ("<", until))
        if bound is not None
    )
    feats = ", ".join(feature_columns(len(spec.features)))
    # A stream can be read once; a table as often as need be, which beats keeping a copy.
    kind = "VIEW" if isinstance(source, pa.Table) and spec.sql is None else "TABLE"
    try:
        con.execute(f"CREATE TEMP {kind} opsdeck_all AS SELECT {columns} FROM ({inner}) AS given")
        skipped = scalar(con, f"SELECT count(*) FROM opsdeck_all WHERE NOT ({there})")
        con.execute(
            f"CREATE TEMP VIEW {ROWS} AS SELECT"
            f" {', '.join(key_columns(len(keys)))}, et, {_packed()} AS x,"
            f" greatest(et, coalesce(cr, et)) AS av, del, cr, {feats}"
            f" FROM opsdeck_all WHERE {there}{bounds}"
        )
    except duckdb.Error as error:
        raise failed(spec, error) from error
    return int(skipped)


def _packed() -> str:
    """Event time, and among equal ones created time (none is before all), in one number."""
    created = f"coalesce(least(greatest(cr, -{_HALF}), {_HALF}) + {_HALF} + 1, 0)"
    return f"(et::HUGEINT * {_SHIFT} + {created})"


def _transformed(
    con: duckdb.DuckDBPyConnection, spec: FeatureSpec, source: pa.Table | pa.RecordBatchReader
) -> str:
    """The SQL of the view's rows with the names of its definition."""
    con.register("opsdeck_source", source)
    if spec.sql is not None:
        # As a table of its own: SQL may read it twice, a stream can be read once.
        name = quoted(spec.source)
        con.execute(f"CREATE TEMP TABLE {name} AS SELECT * FROM opsdeck_source")
        return spec.sql
    where = f" WHERE {spec.where}" if spec.where else ""
    if not spec.transform:
        return f"SELECT * FROM opsdeck_source{where}"
    made = ", ".join(f"({text}) AS {quoted(name)}" for name, text in spec.transform.items())
    have = set(source.schema.names)
    replaced = [quoted(name) for name in spec.transform if name in have]
    exclude = f" EXCLUDE ({', '.join(replaced)})" if replaced else ""
    return f"SELECT *{exclude}, {made} FROM opsdeck_source{where}"


def described(con: duckdb.DuckDBPyConnection, sql: str, spec: FeatureSpec) -> dict[str, str]:
    """The columns that SQL gives, with DuckDB's names of their types. Raises
    `TransformFailed`, also where one that the view needs is not among them."""
    try:
        found = con.execute(f"DESCRIBE SELECT * FROM ({sql}) AS given").fetchall()
    except duckdb.Error as error:
        raise failed(spec, error) from error
    types = {str(row[0]): str(row[1]) for row in found}
    needed = {"entity": list(spec.keys), "event_time": [spec.event_time]}
    needed["created_time"] = [spec.created_time] if spec.created_time else []
    needed["deleted"] = [spec.deleted] if spec.deleted else []
    needed["features"] = [feature.name for feature in spec.features]
    for key, names in needed.items():
        for name in names:
            if name not in types:
                from core.pipelines._report import did_you_mean

                where = f"features.{name}" if key == "features" else key
                raise TransformFailed(
                    f"feature view {spec.name}: {where}: {spec.source} gives no column {name}",
                    did_you_mean(name, types),
                    where,
                )
    return types


def key_value(name: str, kind: str, wanted: str) -> str:
    """A column as a part of the key; a number that is not whole is nobody's key. Raises
    `TransformFailed` for a fraction where text is wanted: 5 and 5.0 would differ."""
    column = quoted(name)
    fraction = kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL")
    if fraction and wanted == "int":
        return f"CASE WHEN {column} = floor({column}) THEN {column}::BIGINT END"
    if fraction:
        raise TransformFailed(
            f"entity: {name}: fractions ({kind.lower()}) are no key of type {wanted}",
            f"declare it as a whole number: entity: {{{name}: int}}",
            "entity",
        )
    return f"{column}::{KEY_SQL[wanted]}"


def micros(name: str, kind: str, key: str) -> str:
    """A column of times as µs since 1970 (UTC where it has no zone); infinite ones are null.
    Raises `TransformFailed` where it holds no times."""
    column = quoted(name)
    if kind == "VARCHAR":
        column, kind = f"{column}::TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"
    if not kind.startswith("TIMESTAMP") and kind != "DATE":
        raise TransformFailed(
            f"{key}: {name} ({kind.lower()}) is no time", "use a timestamp, a date or ISO text", key
        )
    if kind != "TIMESTAMP WITH TIME ZONE":
        column = f"{column}::TIMESTAMP"
    return f"CASE WHEN isfinite({column}) THEN epoch_us({column}) END"


def _feature(feature: Feature, types: dict[str, str]) -> str:
    column, kind = quoted(feature.name), types[feature.name]
    if feature.type == "timestamp" and kind == "TIMESTAMP WITH TIME ZONE":
        return f"timezone('UTC', {column})"
    if feature.type == "float":  # so that one null stands for every kind of nothing
        return f"CASE WHEN NOT isnan({column}::DOUBLE) THEN {column}::DOUBLE END"
    return f"{column}::{FEATURE_SQL[feature.type]}"


def failed(spec: FeatureSpec, error: duckdb.Error) -> TransformFailed:
    """DuckDB's error as one of ours, in one line, at the key that it is about."""
    text = next((line for line in str(error).splitlines() if line.strip()), "")
    text = text.split(" LINE 1:")[0].strip()[:300]
    key = "transform" if spec.sql else "where" if spec.where else "features"
    if spec.transform:
        key = next((f"transform.{n}" for n, made in spec.transform.items() if made in str(error)),
                   "transform")  # fmt: skip
    return TransformFailed(f"feature view {spec.name}: {key}: {text}", "mend its definition", key)
