"""Whether a view makes each of its rows of one row of its source: only then are new rows of
the source all that the online store needs to see. And which columns that takes.

Heavy: imports sqlglot, where there is anything to parse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.domain.features import FeatureSpec


def is_row_by_row(spec: FeatureSpec) -> bool:
    """Whether the view's rows are its source's, one by one. What cannot be parsed is taken to
    be more."""
    if spec.sql is not None:
        tree = parsed(spec.sql)
        return tree is not None and _plain_select(tree, spec.source)
    texts = [*spec.transform.values(), *([spec.where] if spec.where else [])]
    return all(_simple(parsed(f"SELECT {text}")) for text in texts)


def columns_needed(spec: FeatureSpec, have: Sequence[str]) -> list[str] | None:
    """The source's columns that the view reads, of those it has; None for all."""
    if spec.sql is not None:
        return None
    from sqlglot import exp

    wanted = {spec.event_time, *spec.keys, *(feature.name for feature in spec.features)}
    wanted |= {name for name in (spec.created_time, spec.deleted) if name}
    wanted -= set(spec.transform)
    for text in [*spec.transform.values(), *([spec.where] if spec.where else [])]:
        tree = parsed(f"SELECT {text}")
        if tree is None or tree.find(exp.Star) is not None:
            return None
        wanted |= {column.name for column in tree.find_all(exp.Column)}
    small = {name.lower() for name in wanted}
    return [name for name in have if name.lower() in small]


def source_columns(spec: FeatureSpec) -> dict[str, str] | None:
    """For each key of the view the source's column that it is, as it is; None where one is
    made of something else."""
    if spec.sql is None:
        if any(spec.transform.get(name, name) != name for name in spec.keys):
            found = {name: _column_of(parsed(f"SELECT {spec.transform[name]}"))
                     for name in spec.keys if name in spec.transform}  # fmt: skip
            if any(column is None for column in found.values()):
                return None
            return {name: found.get(name) or name for name in spec.keys}
        return {name: name for name in spec.keys}
    tree = parsed(spec.sql)
    return None if tree is None else _projected(tree, spec.keys)


def lineage_columns(spec: FeatureSpec, have: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """For each feature the source's columns that it is made of, where that can be told."""
    if spec.sql is not None:
        return _of_sql(spec.sql, spec.source, have)
    from sqlglot import exp

    known = {name.lower(): name for name in have}
    found: dict[str, tuple[str, ...]] = {}
    for name in (*spec.keys, *(feature.name for feature in spec.features)):
        tree = parsed(f"SELECT {spec.transform[name]}") if name in spec.transform else None
        names = [name] if tree is None else [c.name for c in tree.find_all(exp.Column)]
        found[name] = tuple(dict.fromkeys(known[n.lower()] for n in names if n.lower() in known))
    return found


def _of_sql(sql: str, source: str, have: Sequence[str]) -> dict[str, tuple[str, ...]]:
    from core.lineage import LineageUnknown, lineage_of_sql

    try:
        found = lineage_of_sql(sql, {source: dict.fromkeys(have, "VARCHAR")})
    except LineageUnknown:
        return {}
    return {name: tuple(column for _, column in pairs) for name, pairs in found.columns.items()}


def parsed(text: str) -> Any:
    """The tree of a statement of DuckDB's; None where it cannot be parsed."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        return sqlglot.parse_one(text, dialect="duckdb")
    except (SqlglotError, RecursionError):
        return None


def _simple(tree: Any) -> bool:
    from sqlglot import exp

    if tree is None:
        return False
    inside = [node for node in tree.walk() if node is not tree]
    return not any(isinstance(node, exp.Window | exp.Query | exp.AggFunc) for node in inside)


def _plain_select(tree: Any, source: str) -> bool:
    from sqlglot import exp

    if not isinstance(tree, exp.Select):
        return False
    barred = ("joins", "group", "having", "qualify", "distinct", "limit", "offset", "with_",
              "with", "windows", "laterals", "sample", "pivots")  # fmt: skip
    if any(tree.args.get(key) for key in barred):
        return False
    origin = tree.args.get("from_") or tree.args.get("from")
    table = None if origin is None else origin.this
    if not isinstance(table, exp.Table) or table.name != source or table.args.get("joins"):
        return False
    return _simple(tree)


def _projected(tree: Any, keys: Sequence[str]) -> dict[str, str] | None:
    """The plain columns behind a SELECT's keys, where it has one table."""
    from sqlglot import exp

    if not isinstance(tree, exp.Select) or tree.args.get("joins"):
        return None
    origin = tree.args.get("from_") or tree.args.get("from")
    if origin is None or not isinstance(origin.this, exp.Table):
        return None
    made: dict[str, str | None] = {}
    star = False
    for each in tree.expressions:
        star = star or isinstance(each, exp.Star)
        inner = each.this if isinstance(each, exp.Alias) else each
        made[each.alias_or_name] = inner.name if isinstance(inner, exp.Column) else None
    found = {key: made.get(key, key if star else None) for key in keys}
    return None if None in found.values() else {k: v for k, v in found.items() if v is not None}


def _column_of(tree: Any) -> str | None:
    from sqlglot import exp

    if tree is None or len(tree.expressions) != 1:
        return None
    only = tree.expressions[0]
    return only.name if isinstance(only, exp.Column) else None
