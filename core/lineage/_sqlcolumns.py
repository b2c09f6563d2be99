"""Which columns of which tables an SQL query's columns are made from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from core.errors import BadInput

DIALECT = "duckdb"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # sqlglot underlines where it stopped


class LineageUnknown(BadInput):
    """The columns of a query cannot be traced."""

    code: ClassVar[str] = "E585"


@dataclass(frozen=True, slots=True)
class SqlLineage:
    """`tables` are all that the query reads. `columns` maps each of its columns to the pairs of
    table and column that its values are computed from; `indirect` are those that decide which
    rows there are (filters, joins, groups, order), whatever the column."""

    tables: tuple[str, ...]
    columns: Mapping[str, tuple[tuple[str, str], ...]]
    indirect: tuple[tuple[str, str], ...]

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
        query = qualify(
            parsed, schema={t: dict(c) for t, c in schemas.items()}, dialect=DIALECT,
            quote_identifiers=False,
        )  # fmt: skip
        if "*" in query.named_selects:
            raise LineageUnknown("the SQL selects * of nothing that is known")
        columns = {name: _origins(name, query, schemas) for name in query.named_selects}
        indirect = sorted({pair for each in _deciding(query) for pair in _sources(each, query)})
    except SqlglotError as error:
        message = " ".join(_COLOURS.sub("", str(error)).split())
        raise LineageUnknown(f"the columns of the SQL cannot be traced: {message}") from error
    return SqlLineage(tuple(sorted(tables)), columns, tuple(indirect))


def tables_of(query: Any) -> set[str]:
    """The tables that a parsed query reads, without what it defines itself."""
    from sqlglot import expressions as exp

    defined = {cte.alias for cte in query.find_all(exp.CTE)}
    return {each.name for each in query.find_all(exp.Table)} - defined


def _origins(
    name: str, query: Any, schemas: Mapping[str, Mapping[str, str]]
) -> tuple[tuple[str, str], ...]:
    """The table columns at the ends of sqlglot's tree for one column of the query."""
    from sqlglot import expressions as exp
    from sqlglot.lineage import lineage

    root = lineage(name, query, schema={t: dict(c) for t, c in schemas.items()}, dialect=DIALECT)
    found = set()
    for node in root.walk():
        if not node.downstream and isinstance(node.source, exp.Table):
            found.add((node.source.name, node.name.rpartition(".")[2].strip('"')))
    return tuple(sorted(found))


def _deciding(query: Any) -> Iterator[Any]:
    """Every clause, at any depth, that decides about rows and not about values."""
    from sqlglot import expressions as exp

    for kind in (exp.Where, exp.Having, exp.Group, exp.Join, exp.Qualify, exp.Order):
        for found in query.find_all(kind):
            if isinstance(found, exp.Order) and isinstance(found.parent, exp.Window):
                continue  # part of a value
            yield found.args.get("on") if isinstance(found, exp.Join) else found


def _sources(clause: Any, query: Any) -> Iterator[tuple[str, str]]:
    """The table columns that a clause names, as far as they are of tables at once."""
    from sqlglot import expressions as exp

    if clause is None:
        return
    select = clause.find_ancestor(exp.Select)
    tables = {} if select is None else _aliases(select)
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
