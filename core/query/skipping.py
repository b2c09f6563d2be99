"""Which rows of a dataset a query can do without: plain conditions of its WHERE.

They are handed to the read path as something to skip by; the query applies them again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from core.governance.pushdown import conjuncts, wider
from core.governance.tree import nodes, text_of

_JOINS = ("INNER", "LEFT", "RIGHT", "OUTER", "FULL")
_REFS = ("REGULAR", "CROSS", "NATURAL")


def skips(tree: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, str]:
    """A condition for each table (named as in the statement, mapped to the Arrow schema that is
    shown of it) by which rows may be left out; tables without one are left out.

    Only of tables that the statement names once, and only comparisons that a row of nulls does
    not meet, so that they may be applied below any plain join. Below an ASOF or positional join
    or a sample they would change the answer.
    """
    tables = [node["table_name"] for node in nodes(tree) if node.get("type") == "BASE_TABLE"]
    times = Counter(name.lower() for name in tables)
    found: dict[str, str] = {}
    for node in nodes(tree):
        if node.get("type") != "SELECT_NODE" or not node.get("where_clause") or node.get("sample"):
            continue
        bases = list(_bases(node["from_table"]))
        for base in bases:
            name = base["table_name"]
            if times[name.lower()] == 1 and name in schemas:
                condition = _condition(node["where_clause"], base, schemas[name], len(bases) == 1)
                if condition:
                    found[name] = condition
    return found


def _bases(table: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if table.get("type") == "BASE_TABLE" and not table.get("sample"):
        yield table
    elif table.get("type") == "JOIN" and not table.get("sample"):
        if table["join_type"] in _JOINS and table["ref_type"] in _REFS:
            yield from _bases(table["left"])
            yield from _bases(table["right"])
    elif table.get("type") not in ("BASE_TABLE", "JOIN"):
        yield {"table_name": "", "alias": ""}  # something else beside: names must be qualified


def _condition(
    where: Mapping[str, Any], base: Mapping[str, Any], schema: Any, alone: bool
) -> str | None:
    alias = str(base["alias"] or base["table_name"])
    if base.get("column_name_alias"):
        return None  # its columns have other names there

    def column_of(node: Mapping[str, Any]) -> str | None:
        path = node.get("column_names") if node.get("class") == "COLUMN_REF" else None
        if not path:
            return None
        mine = (len(path) == 1 and alone) or (len(path) == 2 and path[0] == alias)
        return path[-1] if mine and path[-1] in schema.names else None

    kept = [part for part in conjuncts(where) if wider(part, schema, column_of)]
    texts = [text_of(_unqualified(part)) for part in kept]
    return " AND ".join(f"({text})" for text in texts) or None


def _unqualified(node: Any) -> Any:
    if isinstance(node, list):
        return [_unqualified(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("class") == "COLUMN_REF":
        return {**node, "column_names": node["column_names"][-1:]}
    return {key: _unqualified(value) for key, value in node.items()}
