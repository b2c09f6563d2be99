"""A view's rows by DuckDB: all of them, or those of the keys that changes touch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.views.errors import ViewFailed
from core.views.incremental import RefreshPlan

MEMORY_LIMIT = "2GB"


def connect() -> Any:
    """A DuckDB connection that reaches nothing but what is registered with it."""
    import duckdb

    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "memory_limit": MEMORY_LIMIT,
        }
    )
    connection.execute("SET enable_external_access=false")
    connection.execute("SET TimeZone='UTC'")
    connection.execute("SET lock_configuration=true")
    return connection


def touched_keys(connection: Any, plan: RefreshPlan, changed: Mapping[str, Any]) -> Any:
    """The keys (an Arrow table, one row a key) that new rows of the sources touch.

    `changed` maps a source to its new rows; each has to be in `plan.touched`.
    """
    parts = []
    for source, rows in changed.items():
        connection.register("changed", rows)
        parts.append(connection.sql(plan.touched[source]).to_arrow_table())
        connection.unregister("changed")
    for number, part in enumerate(parts):
        connection.register(f"part_{number}", part)
    union = " UNION ".join(f"SELECT * FROM part_{number}" for number in range(len(parts)))
    keep = " AND ".join(f"{quoted(key)} IS NOT NULL" for key in plan.keys)
    found = connection.sql(f"SELECT * FROM ({union}) WHERE {keep}").to_arrow_table()
    for number in range(len(parts)):
        connection.unregister(f"part_{number}")
    return found


def rows_of(
    connection: Any, sql: str, sources: Mapping[str, Any], keys: Sequence[str], touched: Any = None
) -> Any:
    """The view's rows as an Arrow table; with `touched` only those of these keys.

    Raises `ViewFailed` where the SQL fails, or a key is null or is not unique.
    """
    import duckdb

    for name, rows in sources.items():
        connection.register(name, rows)
    try:
        if touched is None:
            table = connection.sql(sql).to_arrow_table()
        else:
            connection.register("touched", touched)
            listed = ", ".join(quoted(key) for key in keys)
            nulls = " OR ".join(f"{quoted(key)} IS NULL" for key in keys)
            table = connection.sql(
                f"SELECT * FROM ({sql}) WHERE ({listed}) IN (SELECT ({listed}) FROM touched)"
                f" OR {nulls}"
            ).to_arrow_table()
            connection.unregister("touched")
        _check_keys(connection, table, keys)
    except duckdb.Error as error:
        message = str(error).splitlines()[0]
        raise ViewFailed(
            f"the view's SQL failed: {message}", "its rows are as they were"
        ) from error
    finally:
        for name in sources:
            connection.unregister(name)
    return table


def without(connection: Any, rows: Any, keys: Sequence[str], touched: Any) -> tuple[Any, int]:
    """The rows whose keys were not touched, and how many were."""
    connection.register("present", rows)
    connection.register("touched", touched)
    listed = ", ".join(quoted(key) for key in keys)
    kept = connection.sql(
        f"SELECT * FROM present WHERE ({listed}) NOT IN (SELECT ({listed}) FROM touched)"
    ).to_arrow_table()
    connection.unregister("present")
    connection.unregister("touched")
    return kept, rows.num_rows - kept.num_rows


def shared(connection: Any, rows: Any, others: Any, keys: Sequence[str]) -> int:
    """How many rows have keys that others have too."""
    connection.register("present", rows)
    connection.register("others", others)
    listed = ", ".join(quoted(key) for key in keys)
    [(count,)] = connection.execute(
        f"SELECT count(*) FROM present WHERE ({listed}) IN (SELECT ({listed}) FROM others)"
    ).fetchall()
    connection.unregister("present")
    connection.unregister("others")
    return int(count)


def together(connection: Any, rows: Any, more: Any) -> Any:
    """Both, by the names of their columns."""
    connection.register("present", rows)
    connection.register("others", more)
    made = connection.sql(
        "SELECT * FROM present UNION ALL BY NAME SELECT * FROM others"
    ).to_arrow_table()
    connection.unregister("present")
    connection.unregister("others")
    return made


def _check_keys(connection: Any, table: Any, keys: Sequence[str]) -> None:
    if not keys:
        return
    connection.register("made", table)
    listed = ", ".join(quoted(key) for key in keys)
    nulls = " OR ".join(f"{quoted(key)} IS NULL" for key in keys)
    [(null, twice)] = connection.execute(
        f"SELECT count(*) FILTER (WHERE {nulls}), count(*) - count(DISTINCT ({listed})) FROM made"
    ).fetchall()
    connection.unregister("made")
    if null:
        raise ViewFailed(f"the key {', '.join(keys)} is null in {null} rows", "filter them out")
    if twice:
        raise ViewFailed(
            f"the key {', '.join(keys)} is not unique: {twice} rows too many",
            "name all columns that make a row unique, or group by the key",
        )


def quoted(name: str) -> str:
    """A column's name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
