"""What of a condition the lake can use to skip files and rows: a condition that is wider.

The lake's own language is small and its comparisons differ from SQL's here and there (NaN,
types), so only plain comparisons of a column with a literal are handed down, and the whole
condition is applied again to what comes back. Everything that is left out only costs time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from core.governance.masks import family

ColumnOf = Callable[[Mapping[str, Any]], str | None]
"""The dataset's column that a COLUMN_REF node means; `None` for anything else."""

_COMPARISONS = {
    "COMPARE_EQUAL": "=",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
}
_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = {"and", "or", "not", "in", "is", "null", "nan", "true", "false", "like", "between"}
_PLAIN_TEXT = re.compile(r"[\w .:/@+-]*", re.ASCII)
_MAX_LIST = 200


def wider(tree: Mapping[str, Any], schema: Any, column_of: ColumnOf) -> str | None:
    """A condition in the lake's language that is true wherever the tree's is; `None`: nothing.

    `schema` is the dataset's Arrow schema; `column_of` returns `None` also for columns about
    which nothing may be handed down.
    """
    parts = [_part(node, schema, column_of) for node in conjuncts(tree)]
    kept = [part for part in parts if part is not None]
    return " and ".join(dict.fromkeys(kept)) or None


def conjuncts(tree: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The conditions that a tree joins with AND."""
    if tree.get("type") != "CONJUNCTION_AND":
        return [tree]
    return [part for child in tree["children"] for part in conjuncts(child)]


def _part(node: Mapping[str, Any], schema: Any, column_of: ColumnOf) -> str | None:
    kind = node.get("type")
    if kind in _COMPARISONS:
        return _comparison(node, schema, column_of)
    if kind == "COMPARE_BETWEEN":
        lower = _compared(node["input"], ">=", node["lower"], schema, column_of)
        upper = _compared(node["input"], "<=", node["upper"], schema, column_of)
        return " and ".join(part for part in (lower, upper) if part) or None
    if kind == "COMPARE_IN" and len(node["children"]) <= _MAX_LIST:
        first, *rest = node["children"]
        parts = [_compared(first, "=", each, schema, column_of) for each in rest]
        kept = [part for part in parts if part is not None]
        return f"({' or '.join(kept)})" if kept and len(kept) == len(parts) else None
    return None


def _comparison(node: Mapping[str, Any], schema: Any, column_of: ColumnOf) -> str | None:
    sign = _COMPARISONS[node["type"]]
    return _compared(node["left"], sign, node["right"], schema, column_of) or _compared(
        node["right"], _MIRRORED[sign], node["left"], schema, column_of
    )


def _compared(
    column: Mapping[str, Any], sign: str, value: Mapping[str, Any], schema: Any, column_of: ColumnOf
) -> str | None:
    name = column_of(column)
    if name is None or not _PLAIN_NAME.fullmatch(name) or name.lower() in _RESERVED:
        return None
    literal = _literal(value, schema.field(name).type, sign)
    return None if literal is None else f"{name} {sign} {literal}"


def _literal(node: Mapping[str, Any], kind: Any, sign: str) -> str | None:
    """The literal as the lake's language has it for a column of this type."""
    if node.get("class") == "CAST" and node["type_expr"].get("type_name", "").upper() in (
        "DATE",
        "TIMESTAMP",
        "TIMESTAMPTZ",
        "TIMESTAMP WITH TIME ZONE",
    ):
        node = node["child"]
        if family(kind) not in ("date", "timestamp"):
            return None
    if node.get("class") != "CONSTANT" or "literal" not in node:
        return None
    word, text = node["literal"].get("kind"), str(node["literal"].get("text", ""))
    sort = family(kind)
    if sort == "integer":
        return text if word == "INTEGER" and abs(int(text)) < 2**31 else None
    if sort == "float":
        # Rows with NaN are above everything in DuckDB and nowhere in the lake.
        numeric = word in ("INTEGER", "NUMERIC") and sign in ("<", "<=") and len(text) < 20
        return text if numeric and re.fullmatch(r"-?\d+(\.\d+)?", text) else None
    if word != "STRING" or not _PLAIN_TEXT.fullmatch(text):
        return None
    if sort == "text":
        return f"'{text}'"
    return _moment(text, kind) if sort in ("date", "timestamp") else None


def _moment(text: str, kind: Any) -> str | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    if family(kind) == "date":
        return f"'{at.date().isoformat()}'" if len(text) == 10 else None
    zoned = kind.tz is not None
    if at.tzinfo is not None and not zoned:
        return None
    stated = at.isoformat()
    return f"'{stated}+00:00'" if zoned and at.tzinfo is None else f"'{stated}'"
