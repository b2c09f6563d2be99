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
    whole = {**node, "select_list": [expression]}
    document = {"error": False, "statements": [{"node": whole, "named_param_map": []}]}
    text = str(_ask("SELECT json_deserialize_sql(CAST(? AS JSON))", json.dumps(document)))
    return text.removeprefix("SELECT ")


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
    global _connection
    import duckdb

    with _LOCK:
        if _connection is None:
            _connection = duckdb.connect(":memory:", config={"threads": 1})
            _connection.execute("SET enable_external_access=false; SET lock_configuration=true")
            atexit.register(_close)
        return str(_connection.execute(sql, [value]).fetchall()[0][0])


def _close() -> None:
    with _LOCK:
        if _connection is not None:
            _connection.close()


def _errors() -> type[Exception]:
    import duckdb

    kind: type[Exception] = duckdb.Error
    return kind
