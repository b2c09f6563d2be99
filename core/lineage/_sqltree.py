"""sqlglot's trees of where a query's columns are from, with what they leave out.

They do not follow the conditions of a nested query in an expression, windows that are named, or a
table that is named as a value (its row as a whole). Nothing may be missing here: labels such as
`pii` go by it. What cannot be told is taken to be made from everything that the query reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Pair = tuple[str, str]
Schemas = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class TracedColumn:
    """The table columns that one of a query's is made from; `copied`: it is one of them as it
    is."""

    origins: tuple[Pair, ...]
    copied: bool


def trace_columns(query: Any, schemas: Schemas) -> dict[str, TracedColumn]:
    """Every column of a qualified query; `schemas` are of the tables that it reads."""
    from sqlglot import expressions as exp
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.scope import build_scope

    typed = {table: dict(columns) for table, columns in schemas.items()}
    roots = lineage(
        None, query, schema=typed, dialect="duckdb", scope=build_scope(query),
        trim_selects=False, copy=False,
    )  # fmt: skip
    assert isinstance(roots, dict)
    reader = _Reader(query, schemas)
    by_name = any(each.args.get("by_name") for each in query.find_all(exp.SetOperation))
    found = {}
    for name, root in roots.items():
        pairs = {pair for node in root.walk() for pair in reader.of(node)}
        if by_name:  # sqlglot lays the halves of a union over each other by their order
            pairs |= reader.everything
        origins = tuple(sorted(pairs))
        copied = len(origins) == 1 and all(_plain(node, exp) for node in root.walk())
        found[name] = TracedColumn(origins, copied)
    return found


def named_windows_written_out(query: Any) -> Any:
    """The parsed query with `OVER w` as what `WINDOW w AS (…)` says, in place."""
    from sqlglot import expressions as exp

    for select in query.find_all(exp.Select):
        named = {each.name: each for each in select.args.get("windows") or ()}
        for window in select.find_all(exp.Window):
            said = named.get(window.alias)
            if said is None or window is said:
                continue
            for part in ("partition_by", "order", "spec"):
                if said.args.get(part) and not window.args.get(part):
                    value = said.args[part]
                    copied = [v.copy() for v in value] if isinstance(value, list) else value.copy()
                    window.set(part, copied)
            window.set("alias", None)
    return query


class _Reader:
    """What one node of such a tree takes from tables by itself."""

    def __init__(self, query: Any, schemas: Schemas) -> None:
        from sqlglot import expressions as exp

        self._exp = exp
        self._defined = {cte.alias for cte in query.find_all(exp.CTE)}
        self._known = {
            (table.lower(), column.lower()): (table, column)
            for table, columns in schemas.items()
            for column in columns
        }
        self.everything = frozenset(self._known.values())
        self._named: dict[int, dict[str, str]] = {}

    def of(self, node: Any) -> frozenset[Pair]:
        exp = self._exp
        if isinstance(node.source, exp.Table):
            pair = self._pair(node.source.name, node.name.rpartition(".")[2].strip('"'))
            return frozenset({pair}) if pair else self.everything
        if isinstance(node.source, exp.Placeholder) or self._starred(node.expression):
            return self.everything
        names = self._tables(node)
        found: set[Pair] = set()
        for row in node.expression.find_all(exp.TableColumn):
            table = names.get(row.name.lower())
            if not table:
                return self.everything
            found |= {pair for key, pair in self._known.items() if key[0] == table}
        for column in self._nested(node.expression):
            pair = self._pair(names.get(column.table.lower(), ""), column.name)
            if pair is None:
                return self.everything
            found.add(pair)
        return frozenset(found)

    def _pair(self, table: str, column: str) -> Pair | None:
        """The column as it is really written."""
        return self._known.get((table.lower(), column.lower()))

    def _starred(self, expression: Any) -> bool:
        """Whether all columns of something stand in it as one value."""
        exp = self._exp
        stars = expression.find_all(exp.Star)
        return any(not isinstance(star.parent, exp.Count) for star in stars)

    def _nested(self, expression: Any) -> Iterator[Any]:
        """The columns that queries within an expression name, in conditions, too."""
        exp = self._exp
        if not isinstance(expression, exp.Query):
            for query in expression.find_all(exp.Query):
                yield from query.find_all(exp.Column)

    def _tables(self, node: Any) -> dict[str, str]:
        """Alias to table, of all that is named in the query of a node; not those that stand for
        two."""
        found = self._named.get(id(node.source))
        if found is None:
            meant: dict[str, set[str]] = {}
            for table in node.source.find_all(self._exp.Table):
                name = "" if table.name in self._defined else table.name.lower()
                meant.setdefault(table.alias_or_name.lower(), set()).add(name)
            found = {alias: names.pop() for alias, names in meant.items() if len(names) == 1}
            self._named[id(node.source)] = found
        return found


def _plain(node: Any, exp: Any) -> bool:
    """Whether a node hands on one column as it is."""
    if isinstance(node.source, exp.Table):
        return True
    value = node.expression.unalias()
    return isinstance(value, exp.Column) and len(node.downstream) == 1
