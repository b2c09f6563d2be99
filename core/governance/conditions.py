"""Conditions on rows: an SQL expression over one dataset's columns, and nothing else.

DuckDB's own parser makes the tree that is checked, and the text that is run is made from that
tree: nothing can be read in one way here and in another there. Allowed are columns, literals,
comparisons, AND/OR/NOT, IN, BETWEEN, LIKE, IS NULL, CASE, casts, arithmetic and the functions
in `FUNCTIONS`; no subqueries, no aggregates, no tables.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.governance.errors import PolicyInvalid
from core.governance.tree import parse, text_of

ACTOR = "actor"
"""`actor()` in a condition is who reads."""

_OPERATORS = (
    *("+", "-", "*", "/", "//", "%", "||", "~~", "!~~", "~~*", "!~~*"),
    "like_escape",
    "~~~",
)
_GROUPS = (
    "abs ceil floor round trunc sign greatest least isnan isfinite",
    "length lower upper trim ltrim rtrim left right substr substring concat replace",
    "starts_with ends_with contains prefix suffix regexp_matches regexp_full_match",
    "year quarter month week day hour minute second dayofweek isodow epoch",
    "date_part date_trunc date_diff datediff timezone",
    "today current_date now current_timestamp get_current_timestamp",
    "to_years to_months to_weeks to_days to_hours to_minutes to_seconds",
    "coalesce nullif hash md5 list_contains list_value row",
)
FUNCTIONS = frozenset(name for group in _GROUPS for name in group.split())
"""What a condition may call, beside operators and `actor()`."""

_SIMPLE = ("COLUMN_REF", "CONSTANT", "COMPARISON", "CONJUNCTION", "OPERATOR", "BETWEEN", "CASE")
MAX_LENGTH = 4000


@dataclass(frozen=True, slots=True)
class Condition:
    """A checked condition: the columns it names, and its tree as DuckDB's parser made it."""

    text: str
    columns: frozenset[str]
    tree: Mapping[str, Any]

    def sql(self, names: Mapping[str, str], actor: str) -> str:
        """The condition over columns renamed as `names` says, read by `actor`."""

        def put(node: dict[str, Any]) -> dict[str, Any]:
            if node.get("class") == "COLUMN_REF":
                return {**node, "column_names": [names[node["column_names"][0]]]}
            if node.get("class") == "FUNCTION" and _name(node) == ACTOR:
                return _constant(actor)
            return node

        return text_of(_rebuilt(self.tree, put))


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> Mapping[str, Any]:
    if not text.strip():
        raise PolicyInvalid("condition: empty", _HINT)
    if len(text) > MAX_LENGTH:
        raise PolicyInvalid(f"condition of {len(text)} characters: {MAX_LENGTH} at most")
    # The line break ends a comment that would swallow the bracket.
    node, problem = parse(f"SELECT (\n{text}\n)")
    if node is None:
        raise PolicyInvalid(f"condition {_short(text)}: {problem}", _HINT)
    only = (
        node["type"] == "SELECT_NODE"
        and node["from_table"]["type"] == "EMPTY"
        and len(node["select_list"]) == 1
        and not node["modifiers"]
        and not node["cte_map"]["map"]
        and not any(node[key] for key in ("where_clause", "group_expressions", "having"))
        and not any(node[key] for key in ("qualify", "sample"))
        and not node["select_list"][0].get("alias")
    )
    if not only:
        raise PolicyInvalid(f"condition {_short(text)}: not one condition", _HINT)
    found: Mapping[str, Any] = node["select_list"][0]
    return found


_HINT = "for example: region = 'EU' AND year(day) >= 2026"


def check_condition(text: str, columns: Sequence[str]) -> Condition:
    """The condition that `text` is over these columns; raises `PolicyInvalid`.

    A column is named exactly, or in another case where that leaves no doubt.
    """
    tree = _parsed(text)
    named: set[str] = set()

    def check(node: dict[str, Any]) -> dict[str, Any]:
        kind = node.get("class")
        if kind == "COLUMN_REF":
            path = node["column_names"]
            if len(path) != 1:
                raise PolicyInvalid(
                    f"condition {_short(text)}: {'.'.join(path)} is no column",
                    'write names with dots as "a.b"',
                )
            exact = _column(text, path[0], columns)
            named.add(exact)
            return {**node, "column_names": [exact]}
        if kind == "FUNCTION":
            _check_function(text, node)
        elif kind == "CAST":
            _check_type(text, node)
        elif kind is not None and kind not in (*_SIMPLE, "TYPE"):
            raise PolicyInvalid(f"condition {_short(text)}: no {_words(kind)} here", _HINT)
        return node

    checked = _rebuilt(tree, check)
    return Condition(text, frozenset(named), checked)


def rename_columns(text: str, renames: Mapping[str, str]) -> str:
    """The condition over columns that have new names; as it is where it names none of them."""
    alike = {old.lower(): new for old, new in renames.items()}
    touched = False

    def put(node: dict[str, Any]) -> dict[str, Any]:
        nonlocal touched
        if node.get("class") == "COLUMN_REF" and node["column_names"][-1].lower() in alike:
            touched = True
            return {**node, "column_names": [alike[node["column_names"][-1].lower()]]}
        return node

    tree = _rebuilt(_parsed(text), put)
    return text_of(tree) if touched else text


def _check_function(text: str, node: Mapping[str, Any]) -> None:
    name = _name(node)
    plain = not (node.get("filter") or node.get("distinct") or node["order_bys"].get("orders"))
    known = name in FUNCTIONS or name == ACTOR or (node["is_operator"] and name in _OPERATORS)
    unqualified = not node.get("schema") and not node.get("catalog")
    if name == "row" and not node["arguments"]:  # what is left of nothing but a comment
        raise PolicyInvalid("condition: empty", _HINT)
    if name == ACTOR and node["arguments"]:
        raise PolicyInvalid(f"condition {_short(text)}: actor() takes nothing")
    if not (plain and known and unqualified):
        raise PolicyInvalid(
            f"condition {_short(text)}: {name} is not allowed here",
            "allowed: comparisons, AND, OR, NOT, IN, LIKE, CASE and plain functions",
        )


def _check_type(text: str, node: Mapping[str, Any]) -> None:
    """Plain types only: a cast to a type of one's own could be looked up somewhere."""
    expression = node.get("type_expr") or {}
    if expression.get("schema") or expression.get("catalog"):
        raise PolicyInvalid(f"condition {_short(text)}: no such type", _HINT)


def _column(text: str, name: str, columns: Sequence[str]) -> str:
    if name in columns:
        return name
    alike = [column for column in columns if column.lower() == name.lower()]
    if len(alike) == 1:
        return alike[0]
    known = ", ".join(columns[:12]) + (", …" if len(columns) > 12 else "")
    raise PolicyInvalid(f"condition {_short(text)}: no column {name}", f"columns: {known}")


def _rebuilt(node: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """The tree with every node changed, a parent before its children."""
    if isinstance(node, dict):
        changed = change(node)
        return {key: _rebuilt(value, change) for key, value in changed.items()}
    if isinstance(node, list):
        return [_rebuilt(item, change) for item in node]
    return node


def _constant(text: str) -> dict[str, Any]:
    return {
        "class": "CONSTANT",
        "type": "VALUE_CONSTANT",
        "alias": "",
        "query_location": 0,
        "query_location_length": 0,
        "literal": {"kind": "STRING", "text": text},
    }


def _name(node: Mapping[str, Any]) -> str:
    return str(node["function_name"]).lower()


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= 60 else flat[:59] + "…")


def _words(kind: str) -> str:
    return {"STAR": "*", "PARAMETER": "parameters", "WINDOW": "window functions"}.get(
        kind, kind.lower().replace("_", " ")
    )
