"""Which columns of which tables an SQL query's columns are made from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from core.errors import BadInput
from core.lineage._sqltree import named_windows_written_out, trace_columns

DIALECT = "duckdb"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # sqlglot underlines where it stopped


class LineageUnknown(BadInput):
    """The columns of a query cannot be traced."""

    code: ClassVar[str] = "E585"


@dataclass(frozen=True, slots=True)
class SqlLineage:
    """`tables` are all that the query reads. `columns` maps each of its columns to the pairs of
    table and column that its values are computed from; `indirect` are those that decide which
    rows there are (filters, joins, groups, order), whatever the column. `copied` are the columns
    that are one of a table's as it is."""

    tables: tuple[str, ...]
    columns: Mapping[str, tuple[tuple[str, str], ...]]
    indirect: tuple[tuple[str, str], ...]
    copied: frozenset[str] = frozenset()

    def of_table(self, table: str) -> dict[str, tuple[str, ...]]:
        """What the query's columns take from one table: column to columns of that table. What
        the table decides without giving a value stands under the empty name."""
        found = {
            made: tuple(column for name, column in origins if name == table)
            for made, origins in self.columns.items()
        }
        found[""] = tuple(column for name, column in self.indirect if name == table)
        return {made: origins for made, origins in found.items() if origins}


def lineage_of_sql(sql: str, schemas: Mapping[str, Mapping[str, str]]) -> SqlLineage:
    """Trace a query in DuckDB's dialect; `schemas` maps a table to its columns' SQL types.

    Raises `LineageUnknown` where it does not parse, or names what the schemas have not.
    """
    import sqlglot
    from sqlglot import expressions as exp
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.qualify import qualify

    try:
        parsed = sqlglot.parse_one(sql, dialect=DIALECT)
        if not isinstance(parsed, exp.Query):
            raise LineageUnknown("the SQL is not a query", "begin it with SELECT or WITH")
        tables = tables_of(parsed)
        for name in sorted(tables - schemas.keys()):
            what = name or "a file or a function"  # read_csv(…) has no name
            raise LineageUnknown(
                f"the SQL reads {what}, which is no dataset", "see: opsdeck data list"
            )
        written = [*(c for columns in schemas.values() for c in columns), *parsed.named_selects]
        query = qualify(
            named_windows_written_out(parsed),
            schema={t: dict(c) for t, c in schemas.items()},
            dialect=DIALECT, quote_identifiers=False,
        )  # fmt: skip
        if "*" in query.named_selects:
            raise LineageUnknown("the SQL selects * of nothing that is known")
        traced = trace_columns(query, {t: schemas[t] for t in tables})
        indirect = sorted({pair for each in _deciding(query) for pair in _sources(each, query)})
    except (SqlglotError, AssertionError, LookupError, ValueError, RecursionError) as error:
        message = " ".join(_COLOURS.sub("", str(error)).split())
        raise LineageUnknown(f"the columns of the SQL cannot be traced: {message}") from error
    case = {name.lower(): name for name in written}  # sqlglot has made them all small
    named = {case.get(name, name): each for name, each in traced.items()}
    stored = {(t.lower(), c.lower()): (t, c) for t in tables for c in schemas[t]}
    return SqlLineage(
        tuple(sorted(tables)),
        {name: each.origins for name, each in named.items()},
        tuple(sorted({stored.get(pair, pair) for pair in indirect})),
        frozenset(name for name, each in named.items() if each.copied),
    )


def tables_of(query: Any) -> set[str]:
    """The tables that a parsed query reads, without what it defines itself."""
    from sqlglot import expressions as exp

    defined = {cte.alias for cte in query.find_all(exp.CTE)}
    return {each.name for each in query.find_all(exp.Table)} - defined


def _deciding(query: Any) -> Iterator[Any]:
    """Every clause, at any depth, that decides about rows and not about values."""
    from sqlglot import expressions as exp

    kinds = (exp.Where, exp.Having, exp.Group, exp.Join, exp.Qualify, exp.Order, exp.Distinct)
    for kind in kinds:
        for found in query.find_all(kind):
            if isinstance(found, exp.Order) and isinstance(found.parent, exp.Window):
                continue  # part of a value
            yield found.args.get("on") if isinstance(found, exp.Join | exp.Distinct) else found


def _sources(clause: Any, query: Any) -> Iterator[tuple[str, str]]:
    """The table columns that a clause names, as far as they are of tables at once."""
    from sqlglot import expressions as exp

    if clause is None:
        return
    tables: dict[str, str] = {}
    select = clause.find_ancestor(exp.Select)
    while select is not None:  # a clause of an inner query may name the tables of the outer one
        tables = {**_aliases(select), **tables}
        select = select.find_ancestor(exp.Select)
    for column in clause.find_all(exp.Column):
        if column.table in tables:
            yield tables[column.table], column.name


def _aliases(select: Any) -> dict[str, str]:
    from sqlglot import expressions as exp

    with_ = {cte.alias for cte in select.root().find_all(exp.CTE)}
    return {
        table.alias_or_name: table.name
        for table in select.find_all(exp.Table)
        if table.name not in with_
    }
