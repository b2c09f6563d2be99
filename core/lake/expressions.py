"""Conditions and columns that a caller asks for, checked against a dataset's columns."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from pyiceberg.exceptions import ValidationError
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.expressions.parser import parse
from pyiceberg.expressions.visitors import bind
from pyiceberg.schema import Schema

from core.errors import BadInput

_MAX_TEXT = 100_000


def row_filter(name: str, schema: Schema, where: str | None) -> BooleanExpression:
    """A condition such as `temp > 0.5 and season in ('winter', 'spring')`; raises `BadInput`."""
    if where is None or not where.strip():
        return AlwaysTrue()
    if len(where) > _MAX_TEXT:
        raise BadInput(f"dataset {name}: the condition is too long", "filter with a query")
    try:
        expression = parse(where)
        bind(schema, expression, case_sensitive=True)
    except (ValueError, ValidationError, TypeError, NotImplementedError, RecursionError) as error:
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise BadInput(
            f"dataset {name}: condition {where[:80]!r}: {text}",
            "for example: temp > 0.5 and season = 'winter'",
        ) from error
    except Exception as error:  # pyparsing's own root is all that is left
        if type(error).__module__.split(".")[0] != "pyparsing":
            raise
        text = " ".join(str(error).split())[:200]
        raise BadInput(
            f"dataset {name}: condition {where[:80]!r}: {text}",
            "for example: temp > 0.5 and season = 'winter'",
        ) from error
    return expression


def selection(name: str, schema: Schema, columns: Sequence[str] | None) -> tuple[str, ...]:
    """The columns to read; raises `BadInput` for one that is not there."""
    if columns is None:
        return ("*",)
    known = [field.name for field in schema.fields]
    for column in columns:
        if column not in known:
            close = difflib.get_close_matches(column, known, n=1)
            hint = f"did you mean {close[0]}?" if close else "columns: " + ", ".join(known[:20])
            raise BadInput(f"dataset {name}: no column {column!r}", hint)
    return tuple(columns)
