"""Reading a statement before it is run: one SELECT over datasets, and nothing else.

The tree is DuckDB's own (`core.governance.tree`), so that what is checked is what runs: comments,
quoting and Unicode cannot be read in one way here and in another there. The checks are there for
a clear answer; the sandbox (`core.query.sandbox`) has nothing else to reach.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.governance.tree import nodes, parse, statement_of, table_names
from core.query.errors import QueryInvalid, QueryRefused

MAX_LENGTH = 100_000
TABLE_FUNCTIONS = frozenset(
    ("range", "generate_series", "unnest", "repeat", "json_each", "json_tree")
)
_REFUSED_FUNCTIONS = frozenset(
    (
        *("getenv", "current_setting", "set_config", "getvariable", "write_log", "nextval"),
        *("currval", "pg_sleep", "sleep_ms", "setseed", "current_query", "json_serialize_plan"),
        *("getvariable", "current_connection_id", "parse_duckdb_log_message"),
    )
)
_EXPLAIN = re.compile(
    r"(?P<lead>(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*)EXPLAIN(?P<analyze>\s+ANALYZE)?(?=[\s(/-])",
    re.IGNORECASE | re.DOTALL,
)
_PLAIN_QUOTED = r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/"
_QUOTED = _PLAIN_QUOTED + r"|\$(\w*)\$.*?\$\2\$"
_AT_NAME = re.compile(
    rf"(?P<quoted>{_QUOTED})|(?<![\w@.])(?P<name>[A-Za-z]\w*)@(?P<ref>[A-Za-z0-9#][\w.:#+-]*)",
    re.DOTALL,
)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_HINT = "one SELECT over datasets, for example: SELECT * FROM rentals LIMIT 5"


@dataclass(frozen=True, slots=True)
class TableRef:
    """A table of the statement: its name there, the dataset, and the version (`None`: newest)."""

    table: str
    dataset: str
    at: str | None


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that was found harmless: `sql` is what runs, `tree` is of the SELECT in it."""

    sql: str
    tree: Mapping[str, Any]
    tables: tuple[TableRef, ...]
    explain: bool


def read_statement(sql: str, at: Mapping[str, str] | None = None) -> Statement:
    """The statement that `sql` is; `at` maps a dataset to the version that is meant where the
    statement does not say. Raises `QueryInvalid`, `QueryRefused`."""
    if len(sql) > MAX_LENGTH:
        raise QueryInvalid(f"query of {len(sql):,} characters: {MAX_LENGTH:,} at most")
    if "\0" in sql:
        raise QueryInvalid("query: a zero byte in it", _HINT)
    text = sql.strip().rstrip(";").rstrip()
    explain = _EXPLAIN.match(text)
    inner = text[explain.end() :] if explain else text
    if not inner.strip():
        raise QueryInvalid("query: empty", _HINT)
    tree, problem = parse(inner)
    if tree is None and '"@"' in problem:
        inner = _quoted_versions(inner)
        tree, problem = parse(inner)
    if tree is None:
        raise _unparsed(inner, problem)
    tree, changed = _named_versions(tree)
    if changed:
        inner = statement_of(tree)
    _check(tree)
    tables = _tables(tree, at or {})
    for name in at or {}:
        if name not in {table.dataset for table in tables}:
            raise QueryInvalid(f"--at {name}: the query reads no dataset of this name")
    head = "EXPLAIN ANALYZE " if explain and explain["analyze"] else "EXPLAIN "
    return Statement(head + inner if explain else inner, tree, tables, explain is not None)


def _unparsed(sql: str, problem: str) -> QueryInvalid | QueryRefused:
    if problem != "not a SELECT":
        hint = 'a version stands in quotes: "rentals@v1"' if '"@"' in problem else ""
        return QueryInvalid(f"query: {problem}", hint)
    found = re.search(r"[A-Za-z]+", re.sub(r"--[^\n]*|/\*.*?\*/", " ", sql, flags=re.DOTALL))
    word = found[0].upper() if found else "this"
    if word in ("PIVOT", "FROM", "WITH", "SELECT"):
        if ";" in re.sub(_PLAIN_QUOTED, " ", sql, flags=re.DOTALL):
            return QueryInvalid("query: several statements", _HINT)
        return QueryInvalid(
            "query: a PIVOT needs its values named", "PIVOT t ON x IN ('a', 'b') USING sum(y)"
        )
    return QueryRefused(f"query: {word} is not allowed, queries only read", _HINT)


def _check(tree: Mapping[str, Any]) -> None:
    for node in nodes(tree):
        kind = node.get("type")
        if kind == "TABLE_FUNCTION":
            name = str(node["function"].get("function_name", "")).lower()
            if name not in TABLE_FUNCTIONS:
                raise QueryRefused(
                    f"query: {name}() is not allowed, queries read datasets only",
                    f"allowed: {', '.join(sorted(TABLE_FUNCTIONS))}",
                )
        elif kind == "BASE_TABLE":
            if node.get("schema_name") or node.get("catalog_name"):
                path = ".".join(
                    part
                    for part in (
                        node.get("catalog_name"),
                        node.get("schema_name"),
                        node.get("table_name"),
                    )
                    if part
                )
                raise QueryRefused(f"query: {path}: datasets are named without a schema", _HINT)
        elif kind == "SHOW_REF" and node.get("show_type") == "SHOW_SPECIAL":
            raise QueryRefused("query: SHOW is not allowed", "see: opsdeck data list")
        elif node.get("class") == "FUNCTION":
            name = str(node.get("function_name", "")).lower()
            if name in _REFUSED_FUNCTIONS:
                raise QueryRefused(f"query: {name}() is not allowed", "queries read datasets only")


def _tables(tree: Mapping[str, Any], at: Mapping[str, str]) -> tuple[TableRef, ...]:
    found: dict[str, TableRef] = {}
    for name in table_names(tree):
        table = _table(name, at)
        other = found.setdefault(name.lower(), table)  # DuckDB's names are in no case
        if other.at != table.at:
            raise QueryInvalid(
                f"query: versions {other.at} and {table.at} of {table.dataset} differ in case only",
                "name one of them by its number",
            )
    return tuple(found[name] for name in sorted(found))


def _table(name: str, at: Mapping[str, str]) -> TableRef:
    dataset, sign, ref = name.partition("@")
    dataset = dataset.lower()
    if not _NAME.fullmatch(dataset) or (sign and not ref):
        raise QueryRefused(
            f"query: {name!r} is no dataset, and nothing else is read", "see: opsdeck data list"
        )
    return TableRef(name, dataset, ref if sign else at.get(dataset))


def _quoted_versions(sql: str) -> str:
    """`rentals@v1` as `"rentals@v1"`, outside of texts, names and comments."""

    def put(found: re.Match[str]) -> str:
        return found[0] if found["quoted"] else f'"{found["name"]}@{found["ref"]}"'

    return _AT_NAME.sub(put, sql)


def _named_versions(tree: Any) -> tuple[Any, bool]:
    """`rentals AT (VERSION => 'v1')` as the table `rentals@v1`; whether there was any."""
    changed = False

    def walk(node: Any) -> Any:
        nonlocal changed
        if isinstance(node, list):
            return [walk(item) for item in node]
        if not isinstance(node, dict):
            return node
        if node.get("type") == "BASE_TABLE" and node.get("at_clause"):
            literal = (node["at_clause"].get("expr") or {}).get("literal") or {}
            if not literal.get("text") or "@" in node["table_name"]:
                raise QueryInvalid(
                    f"query: {node['table_name']} AT: no version", "AT (VERSION => 'v1')"
                )
            changed = True
            name = f"{node['table_name']}@{literal['text']}"
            return {
                **node,
                "table_name": name,
                "alias": node["alias"] or node["table_name"],
                "at_clause": None,
                "qualified_name": {"path": [name]},
            }
        return {key: walk(value) for key, value in node.items()}

    return walk(tree), changed
