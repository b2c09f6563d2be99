"""Whether an SQL expression reads more than its own row."""

from __future__ import annotations


def other_rows(text: str) -> str:
    """The aggregate, window or query in an expression, as it is written; "" where there is none.

    Such a value would be computed from whatever rows are at hand, later ones among them, and
    not from the training part. Polars itself cannot tell it of every SQL function.
    """
    import sqlglot
    from sqlglot import expressions as exp

    try:
        tree = sqlglot.parse_one(text, read="postgres", into=exp.Condition)
    except sqlglot.errors.SqlglotError:
        return ""  # Polars reads it, and says when it runs what is wrong
    found = tree.find(exp.Window, exp.AggFunc, exp.Query)
    return found.sql(dialect="postgres") if found is not None else ""
