"""Whether a view can be refreshed from what is new in its sources, and by which queries.

A view is kept up *by key*: the keys that new rows of a source touch are computed, and the rows
of just these keys are made anew. That is the same as making everything anew when

1. the query is one SELECT over datasets (no CTE, set operation, subquery or LIMIT),
2. its groups and windows do not go beyond a key: every key is among the GROUP BY expressions,
   where there are any, and in every window's PARTITION BY,
3. every row of a source tells the keys that it takes part in: the columns of each key's
   expression are columns of that source, or an equality in a join's ON sets them equal to one,
   or to something computed from them.

Where the third does not hold for a source, only changes of that source need a full refresh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.lineage import lineage_of_sql
from core.views.errors import ViewInvalid

DIALECT = "duckdb"
_VOLATILE = {
    "random", "rand", "uuid", "gen_random_uuid", "setseed", "nextval", "now", "today",
    "get_current_timestamp", "current_timestamp", "current_date", "current_time", "localtime",
    "localtimestamp", "transaction_timestamp",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RefreshPlan:
    """How a view is refreshed.

    `sources` are the datasets that it reads. `touched` maps a source to the query of the keys
    that rows of it touch (over a table `changed`); a source without one needs a full refresh
    when it changes. `why_full` says why there is none, by source, or under the empty name for
    all of them.
    """

    sources: tuple[str, ...]
    keys: tuple[str, ...]
    touched: Mapping[str, str] = field(default_factory=dict)
    why_full: Mapping[str, str] = field(default_factory=dict)

    @property
    def incremental(self) -> bool:
        """Whether changes of any source can be taken over by key."""
        return bool(self.touched)


def plan_refresh(
    sql: str, schemas: Mapping[str, Mapping[str, str]], keys: Sequence[str]
) -> RefreshPlan:
    """Analyse a view's SQL; `schemas` maps the datasets to their columns' SQL types.

    Raises `ViewInvalid` where a key is no column of the query, or it gives another result each
    time; `LineageUnknown` where it does not parse or names what does not exist.
    """
    import sqlglot
    from sqlglot.optimizer.qualify import qualify

    lineage = lineage_of_sql(sql, schemas)
    for key in keys:
        if key not in lineage.columns:
            known = ", ".join(lineage.columns)
            raise ViewInvalid(f"keys: the query has no column {key}", f"it has: {known}")
    query = qualify(
        sqlglot.parse_one(sql, dialect=DIALECT),
        schema={t: dict(c) for t, c in schemas.items()},
        dialect=DIALECT,
    )
    _refuse_volatile(query)
    sources = lineage.tables
    if not keys:
        return RefreshPlan(sources, (), why_full={"": "it has no keys"})
    why = _why_not_by_key(query, keys)
    if why:
        return RefreshPlan(sources, tuple(keys), why_full={"": why})
    return _by_key(query, sources, tuple(keys))


def _refuse_volatile(query: Any) -> None:
    from sqlglot import expressions as exp

    for call in query.find_all(exp.Func):
        name = call.name if isinstance(call, exp.Anonymous) else call.sql_name()
        if name.lower() in _VOLATILE:
            raise ViewInvalid(
                f"{name.lower()}() gives another value at each refresh",
                "take the time from a column of the data",
            )


def _why_not_by_key(query: Any, keys: Sequence[str]) -> str:
    """Why the query as a whole cannot be refreshed by key; empty where it can."""
    from sqlglot import expressions as exp

    if not isinstance(query, exp.Select):
        return "it is a set operation"
    if query.find(exp.CTE) or query.find(exp.Subquery) or len(list(query.find_all(exp.Select))) > 1:
        return "it has a subquery"
    if query.args.get("limit") or query.args.get("offset"):
        return "it has a LIMIT"
    if query.args.get("distinct") and query.args["distinct"].args.get("on"):
        return "it has DISTINCT ON"
    names = [table.name for table in query.find_all(exp.Table)]
    if len(set(names)) < len(names):
        return "it reads a dataset twice"
    made = {each.alias_or_name: each.unalias() for each in query.selects}
    wanted = [made[key] for key in keys]
    group = query.args.get("group")
    if group is None and any(_aggregates(each) for each in query.selects):
        return "it sums up all rows"
    if group is not None and (
        group.args.get("all")
        or any(group.args.get(k) for k in ("rollup", "cube", "grouping_sets"))
        or not all(key in group.expressions for key in wanted)
    ):
        return "its groups are not by the keys alone"
    for window in query.find_all(exp.Window):
        if not all(key in window.args.get("partition_by", ()) for key in wanted):
            return "a window goes beyond the keys"
    return ""


def _aggregates(expression: Any) -> bool:
    from sqlglot import expressions as exp

    return any(
        not isinstance(found.parent, exp.Window) for found in expression.find_all(exp.AggFunc)
    )


def _by_key(query: Any, sources: tuple[str, ...], keys: tuple[str, ...]) -> RefreshPlan:
    from sqlglot import expressions as exp

    alias_of = {table.name: table.alias_or_name for table in query.find_all(exp.Table)}
    equal = _equalities(query)
    made = {each.alias_or_name: each.unalias() for each in query.selects}
    touched, why = {}, {}
    for source in sources:
        selected = []
        for key in keys:
            expression = _over(made[key], alias_of[source], equal)
            if expression is None:
                why[source] = f"its rows do not tell {key}"
                break
            selected.append(f'{expression.sql(DIALECT)} AS "{key}"')
        else:
            touched[source] = f"SELECT DISTINCT {', '.join(selected)} FROM changed"
    return RefreshPlan(sources, keys, touched, why)


def _equalities(query: Any) -> list[tuple[Any, Any]]:
    """Pairs of expressions that a join's ON sets equal, by itself or in an AND, both ways."""
    from sqlglot import expressions as exp

    pairs = []
    for join in query.args.get("joins") or ():
        condition = join.args.get("on")
        parts = condition.flatten() if isinstance(condition, exp.And) else (condition,)
        for part in parts:
            if isinstance(part, exp.EQ):
                pairs += [(part.left, part.right), (part.right, part.left)]
    return pairs


def _over(expression: Any, alias: str, equal: Sequence[tuple[Any, Any]]) -> Any:
    """The expression over the columns of one source; `None` where it needs another's."""
    from sqlglot import expressions as exp

    root = exp.Paren(this=expression.copy())  # so that the column itself can be replaced, too
    for column in list(root.find_all(exp.Column)):
        own = _own(column, alias, equal, frozenset())
        if own is None:
            return None
        column.replace(own)
    for column in root.find_all(exp.Column):
        column.set("table", None)
    return root.this


def _own(column: Any, alias: str, equal: Sequence[tuple[Any, Any]], seen: frozenset[Any]) -> Any:
    """What has the column's value by the columns of one source, following equalities."""
    from sqlglot import expressions as exp

    if column.table == alias:
        return column.copy()
    for left, right in equal:
        if left != column or right in seen:
            continue
        others = list(right.find_all(exp.Column))
        if others and all(other.table == alias for other in others):
            return right.copy()
        if isinstance(right, exp.Column):
            found = _own(right, alias, equal, seen | {left})
            if found is not None:
                return found
    return None
