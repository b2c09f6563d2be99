"""Columns: choosing, naming, casting, computing one from others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from core.recipes.errors import StepBroken
from core.recipes.operation import (
    Call,
    Combined,
    Constant,
    EachColumn,
    Lineage,
    Operation,
    State,
    TypedColumn,
    WholeFrame,
    condition,
    condition_columns,
)
from core.recipes.own.define import (
    Section,
    choice,
    flag,
    number,
    optional,
    required,
    text,
    whole,
)

TYPES: Mapping[str, Any] = {
    "integer": pl.Int64,
    "small integer": pl.Int32,
    "number": pl.Float64,
    "small number": pl.Float32,
    "text": pl.String,
    "flag": pl.Boolean,
    "date": pl.Date,
    "datetime": pl.Datetime("us"),
    "category": pl.Categorical,
}

section = Section("columns")


class _Compute(Operation):
    """A new column from an SQL expression over the others."""

    conditional = True
    names = True

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        name = call.pattern or "computed"
        value = condition(call.params["expression"])
        if call.when:
            kept = pl.col(name) if name in frame.columns else pl.lit(None)
            value = pl.when(condition(call.when)).then(value).otherwise(kept)
        return frame.with_columns(value.alias(name))

    def lineage(self, call: Call, made: Any, state: State) -> Lineage:
        read = condition_columns(call.params["expression"]) + condition_columns(call.when)
        return dict.fromkeys(made, tuple(dict.fromkeys(read)))


class _Rename(Operation):
    """Other names for columns."""

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        names = self._names(call)
        missing = [each for each in names if each not in frame.columns]
        if missing:
            raise StepBroken(f"names: there is no column {missing[0]}", "see: opsdeck data show")
        return frame.rename(dict(names))

    def _names(self, call: Call) -> Mapping[str, str]:
        return {str(old): str(new) for old, new in call.params["names"].items()}

    def lineage(self, call: Call, made: Any, state: State) -> Lineage:
        back = {new: old for old, new in self._names(call).items()}
        return {name: (back.get(name, name),) for name in made}


def _case(frame: pl.DataFrame, call: Call) -> pl.DataFrame:
    def snake(name: str) -> str:
        import re

        spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name.strip())
        return re.sub(r"_+", "_", re.sub(r"[^0-9A-Za-z]+", "_", spaced)).strip("_").lower()

    names = {each: snake(each) or each for each in frame.columns}
    if len(set(names.values())) != len(names):
        raise StepBroken("two columns would get the same name", "rename one of them before")
    return frame.rename(names)


class _Snake(Operation):
    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        return _case(frame, call)

    def fit(self, frame: pl.DataFrame, call: Call) -> State:
        return {"names": dict(zip(_case(frame, call).columns, frame.columns, strict=True))}

    def lineage(self, call: Call, made: Any, state: State) -> Lineage:
        return {name: (state["names"].get(name, name),) for name in made}


def _map_values(
    column: pl.Expr, dtype: Any, *, mapping: Mapping[str, Any], other: str, default: Any
) -> pl.Expr:
    """Keys of a file are texts: for a column of numbers they are read as numbers."""
    numeric = dtype.is_numeric()
    keys: list[Any] = [_key(each) if numeric else str(each) for each in mapping]
    compared = column.cast(pl.Float64) if numeric else column.cast(pl.String)
    values = list(mapping.values())
    if other == "keep":
        if numeric and all(isinstance(v, (int, float)) or v is None for v in values):
            whole = dtype.is_integer() and not any(isinstance(v, float) for v in values)
            changed = compared.replace(keys, [None if v is None else float(v) for v in values])
            return changed.cast(dtype) if whole else changed
        said = [None if v is None else str(v) for v in values]
        mapped = compared.replace_strict(keys, said, default=None, return_dtype=pl.String)
        # What is mapped to null is null; only what is not in the mapping stays.
        return pl.when(compared.is_in(keys)).then(mapped).otherwise(column.cast(pl.String))
    kind = pl.Series(values, strict=False).dtype
    blank = pl.lit(default) if other == "default" else pl.lit(None)
    return compared.replace_strict(
        keys, pl.Series(values, strict=False), default=blank, return_dtype=kind
    )


def _key(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        raise StepBroken(f"mapping: {text!r} is no number, and the column is one") from None


def _cast(column: pl.Expr, *, to: str, strict: bool) -> pl.Expr:
    if to == "category":
        column = column.cast(pl.String, strict=strict)
    return column.cast(TYPES[to], strict=strict)


def _ratio(columns: list[str], *, zero: str) -> pl.Expr:
    top, bottom = _two(columns)
    missing = pl.when(bottom == 0).then(None).otherwise(top / bottom)
    return missing.fill_null(0.0) if zero == "zero" else missing


def _two(columns: list[str]) -> tuple[pl.Expr, pl.Expr]:
    if len(columns) != 2:
        raise StepBroken(f"columns: takes two columns, not {len(columns)}", "name two of them")
    return pl.col(columns[0]), pl.col(columns[1])


section.add(
    "add_column", "A new column from an SQL expression over the others.", _Compute(),
    text("expression", "Such as: registered / (casual + 1)."),
    arity="frame", expression="count * 2 + positive",
)  # fmt: skip
section.add(
    "rename", "Give columns other names.", _Rename(),
    required("mapping", "names", "Old name: new name."),
    arity="frame", names={"count": "orders"},
)  # fmt: skip
section.add(
    "snake_case", "Name all columns in lower case with underscores.", _Snake(), arity="frame"
)
section.add(
    "select", "Keep only the chosen columns, in this order.",
    WholeFrame(lambda frame, call: frame.select(call.columns)),
    arity="together", columns=["key", "count", "city"],
)  # fmt: skip
section.add(
    "drop", "Leave the chosen columns out.",
    WholeFrame(lambda frame, call: frame.drop(call.columns)),
    arity="together", columns=["note", "json"],
)  # fmt: skip
section.add(
    "copy", "A copy of a column under another name.", EachColumn(lambda c: c, "{column}_copy"),
    columns="count",
)  # fmt: skip
section.add(
    "cast", "Another type: text to number, number to text, and so on.", EachColumn(_cast),
    choice("to", "The type.", "number", *[each for each in TYPES if each != "number"]),
    flag("strict", "Fail on a value that does not fit, instead of leaving it out.", True),
    columns="number_text", to="integer",
)  # fmt: skip
section.add(
    "set_constant", "The same value in every row.",
    Constant(lambda columns, value: pl.lit(value), "constant"),
    required("any", "value", "The value."), arity="frame", value="first batch",
)  # fmt: skip
section.add(
    "map_values", "Put other values in place of given ones.", TypedColumn(_map_values),
    required("mapping", "mapping", "Old value: new value."),
    choice("other", "What becomes of values that are not in the mapping.", "keep", "missing",
        "default"),
    optional("any", "default", "The value for others where other is default."),
    columns="city", mapping={"Berlin": "B", "Ulm": "UL"},
)  # fmt: skip
section.add(
    "coalesce", "The first of several columns that is not missing.",
    Combined(lambda columns: pl.coalesce(columns), "coalesced"),
    arity="together", columns=["maybe_city", "city"],
)  # fmt: skip
section.add(
    "join_texts", "Several columns as one text.",
    Combined(lambda columns, separator: pl.concat_str([pl.col(c).cast(pl.String) for c in columns],
        separator=separator, ignore_nulls=True), "joined"),
    text("separator", "What stands between them.", " "),
    arity="together", columns=["city", "count"], separator="/",
)  # fmt: skip
section.add(
    "ratio", "The first column divided by the second.", Combined(_ratio, "ratio"),
    choice("zero", "What a division by zero gives.", "missing", "zero"),
    takes="number", arity="together", columns=["count", "positive"],
)  # fmt: skip
section.add(
    "difference_of", "The first column less the second (of times: a span).",
    Combined(lambda columns: _two(columns)[0] - _two(columns)[1], "difference"),
    takes="number|time", arity="together", columns=["positive", "count"],
)  # fmt: skip
section.add(
    "relative_difference", "How much more the first column is than the second, as a share of it.",
    Combined(lambda columns: _two(columns)[0] / _two(columns)[1] - 1, "relative_difference"),
    takes="number", arity="together", columns=["count", "positive"],
)  # fmt: skip
section.add(
    "product_of", "Columns multiplied with each other.",
    Combined(lambda columns: pl.fold(pl.lit(1), lambda a, b: a * b, columns), "product"),
    takes="number", arity="together", columns=["count", "positive"],
)  # fmt: skip
for _name, _what, _make in (
    ("sum", "The sum of columns in each row.", lambda columns: pl.sum_horizontal(columns)),
    ("mean", "The mean of columns in each row.", lambda columns: pl.mean_horizontal(columns)),
    ("min", "The smallest of columns in each row.", lambda columns: pl.min_horizontal(columns)),
    ("max", "The largest of columns in each row.", lambda columns: pl.max_horizontal(columns)),
    ("median", "The median of columns in each row.",
        lambda columns: pl.concat_list(columns).list.median()),
    ("std", "The standard deviation of columns in each row.",
        lambda columns: pl.concat_list(columns).list.std()),
    ("range", "The largest less the smallest of columns in each row.",
        lambda columns: pl.max_horizontal(columns) - pl.min_horizontal(columns)),
):  # fmt: skip
    section.add(
        f"row_{_name}", _what, Combined(_make, f"row_{_name}"),
        takes="number", arity="together", columns=["positive", "whole", "share"],
    )  # fmt: skip
for _name, _what, _make in (
    ("any", "Whether one of several flags is true.", lambda columns: pl.any_horizontal(columns)),
    ("all", "Whether all of several flags are true.", lambda columns: pl.all_horizontal(columns)),
):
    section.add(
        f"row_{_name}", _what, Combined(_make, f"row_{_name}"),
        takes="flag", arity="together", columns=["flag"],
    )  # fmt: skip
section.add(
    "row_missing", "How many of the columns are missing in each row.",
    Combined(lambda columns: pl.sum_horizontal([pl.col(c).is_null() for c in columns]), "missing"),
    arity="together", columns=["number", "maybe_city"],
)  # fmt: skip
section.add(
    "row_distinct", "How many different values the columns have in each row.",
    Combined(lambda columns: pl.concat_list([pl.col(c).cast(pl.String) for c in columns])
        .list.n_unique(), "distinct"),
    arity="together", columns=["city", "other_city"],
)  # fmt: skip
section.add(
    "columns_equal", "Whether two columns have the same value.",
    Combined(lambda columns: _two(columns)[0].eq_missing(_two(columns)[1]), "equal"),
    arity="together", columns=["city", "other_city"],
)  # fmt: skip
section.add(
    "weighted_sum", "The sum of columns, each times its weight.",
    Combined(lambda columns, weights: pl.sum_horizontal(
        [pl.col(c) * float(weights.get(c, 1.0)) for c in columns]), "score"),
    required("mapping", "weights", "Column: weight; 1 for those not named."),
    takes="number", arity="together", columns=["count", "positive"], weights={"count": 0.5},
)  # fmt: skip
section.add(
    "threshold", "Whether a number is at least this.",
    EachColumn(lambda c, value: c >= value, "{column}_high"),
    number("value", "The threshold."), takes="number", columns="positive", value=5.0,
)  # fmt: skip
section.add(
    "round_to", "Round to a multiple: 0.25, 5, 100.",
    EachColumn(lambda c, step: (c / step).round() * step),
    number("step", "The multiple.", None, 1e-12), takes="number", columns="positive", step=5.0,
)  # fmt: skip
section.add(
    "digits", "The last digits of a whole number.",
    EachColumn(lambda c, n: c.abs() % 10**n, "{column}_digits"),
    whole("n", "How many.", 1, 1, 15), takes="integer", columns="key", n=1,
)  # fmt: skip
