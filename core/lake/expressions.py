"""Conditions and columns that a caller asks for, checked against a dataset's columns."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pyiceberg.exceptions import ValidationError
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, EqualTo, Reference
from pyiceberg.expressions.parser import boolean_expression, parse
from pyiceberg.expressions.visitors import bind
from pyiceberg.schema import Schema

from core.errors import BadInput

_MAX_TEXT = 100_000


boolean_expression.parse_with_tabs()  # else a tab in a text would be read as spaces


def row_filter(
    name: str, schema: Schema, where: str | Mapping[str, Any] | None
) -> BooleanExpression:
    """A condition such as `temp > 0.5 and season in ('winter', 'spring')`, or the values that
    columns must have, which may be any texts; raises `BadInput`."""
    if isinstance(where, Mapping):
        return _equal(name, schema, where)
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


def _equal(name: str, schema: Schema, values: Mapping[str, Any]) -> BooleanExpression:
    if not values:
        raise BadInput(f"dataset {name}: a condition without a column", "name one")
    parts = [EqualTo(term=Reference(column), value=value) for column, value in values.items()]
    expression: BooleanExpression = And(*parts) if len(parts) > 1 else parts[0]
    try:
        bind(schema, expression, case_sensitive=True)
    except (ValueError, ValidationError, TypeError) as error:
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise BadInput(f"dataset {name}: condition: {text}", "name its columns") from error
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
