"""SQL as DuckDB's own parser sees it, as a tree of mappings.

What is checked is then what is run. Of the parser's output only SELECT statements have a tree
(`DESCRIBE` and `SUMMARIZE` are such); everything else has none.
"""

from __future__ import annotations

import atexit
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

_LOCK = threading.Lock()
_connection: Any = None
_MAX_DEPTH = 200


def parse(sql: str) -> tuple[Any, str]:
    """The tree of one SELECT statement and "", or `None` and the problem in one line."""
    try:
        found = json.loads(_ask("SELECT json_serialize_sql(?)", sql))
    except RecursionError:
        return None, "nested too deeply"
    except _errors() as error:
        return None, one_line(error)
    if found["error"]:
        words = " ".join(found["error_message"].split())
        return None, "not a SELECT" if words.startswith("Only SELECT") else words
    statements = found["statements"]
    if len(statements) != 1:
        return None, f"{len(statements)} statements, and only one is taken"
    if _too_deep(statements[0]):
        return None, "nested too deeply"
    return statements[0]["node"], ""


def text_of(expression: Mapping[str, Any]) -> str:
    """The SQL of an expression's tree."""
    node, _ = parse("SELECT 1")
    return statement_of({**node, "select_list": [expression]}).removeprefix("SELECT ")


def statement_of(node: Mapping[str, Any]) -> str:
    """The SQL of a statement's tree."""
    document = {"error": False, "statements": [{"node": node, "named_param_map": []}]}
    return _ask("SELECT json_deserialize_sql(CAST(? AS JSON))", json.dumps(document))


def table_names(tree: Any, defined: frozenset[str] = frozenset()) -> Iterator[str]:
    """The tables that a statement's tree reads, as they are written there.

    Names that WITH defines are none of them where they are in scope: in the statement that it
    stands before and in the definitions after their own, and in it if that is recursive.
    """
    if isinstance(tree, list):
        for item in tree:
            yield from table_names(item, defined)
    if not isinstance(tree, dict):
        return
    if tree.get("type") == "BASE_TABLE":
        if tree["table_name"].lower() not in defined:
            yield tree["table_name"]
        return
    for entry in (tree.get("cte_map") or {}).get("map", ()):
        name = frozenset({entry["key"].lower()})
        definition = entry["value"]
        recursive = definition["query_node"]["type"] == "RECURSIVE_CTE_NODE"
        yield from table_names(definition, defined | name if recursive else defined)
        defined |= name
    for key, value in tree.items():
        if key != "cte_map":
            yield from table_names(value, defined)


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of a tree, an outer one before those in it."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack.extend(reversed(node.values()))
        elif isinstance(node, list):
            stack.extend(reversed(node))


def one_line(error: BaseException) -> str:
    """A DuckDB error's first line without its kind."""
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    head, colon, tail = first.partition(": ")
    return tail if colon and head.endswith("Error") else first


def _too_deep(tree: Any) -> bool:
    stack = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        if depth > _MAX_DEPTH:
            return True
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        stack.extend((item, depth + 1) for item in inner)
    return False


def _ask(sql: str, value: str) -> str:
    """One value from a connection that holds nothing and is used for parsing only."""
    with _LOCK:
        return str(_opened().execute(sql, [value]).fetchall()[0][0])


def _opened() -> Any:
    global _connection
    if _connection is None:
        import duckdb

        _connection = duckdb.connect(":memory:", config={"threads": 1})
        _connection.execute("SET enable_external_access=false; SET lock_configuration=true")
        atexit.register(_close)
    return _connection


def _close() -> None:
    with _LOCK:
        if _connection is not None:
            _connection.close()


def _errors() -> type[Exception]:
    import duckdb

    kind: type[Exception] = duckdb.Error
    return kind
