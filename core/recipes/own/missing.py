"""Missing values: filling them with what was learned, or from their neighbours in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from core.recipes.errors import StepBroken
from core.recipes.operation import (
    Call,
    EachColumn,
    LearnedColumn,
    LearnedFrame,
    Lineage,
    State,
    TypedColumn,
    WholeFrame,
)
from core.recipes.own.define import Section, choice, column, number, optional, required, text
from core.recipes.own.keyed import default_of, joined, keys_of

section = Section("missing values")

FILLS = ("null", "forward", "backward", "linear", "nearest", "zero", "mean")


def _learn_fill(series: pl.Series, params: Mapping[str, Any]) -> Any:
    return default_of(series, params["strategy"])


def _learn_group_fill(frame: pl.DataFrame, call: Call) -> State:
    by, strategy = list(call.params["by"]), call.params["strategy"]
    state: State = {"all": {c: default_of(frame[c], strategy) for c in call.columns}}
    pick = {"mean": pl.Expr.mean, "median": pl.Expr.median, "most frequent": _mode}[strategy]
    table = frame.group_by(by, maintain_order=True).agg(pick(pl.col(c)) for c in call.columns)
    state["groups"] = {
        "keys": keys_of(table, by),
        "values": {c: table[c].to_list() for c in call.columns},
    }
    return state


def _mode(value: pl.Expr) -> pl.Expr:
    return value.drop_nulls().mode().min()


def _group_fill(frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
    by, groups = list(call.params["by"]), state["groups"]
    learned = {f"\0{c}": groups["values"][c] for c in call.columns}
    wide = joined(frame, by, groups["keys"], learned)
    filled = [
        pl.coalesce(pl.col(c), pl.col(f"\0{c}"), pl.lit(state["all"][c])).alias(c)
        for c in call.columns
    ]
    return wide.with_columns(filled).drop(list(learned))


def _fill_gaps(frame: pl.DataFrame, call: Call) -> pl.DataFrame:
    """Add the rows that a regular series lacks and fill their values.

    What a row says of its own stays: only rows that were added are filled, from the known
    values before and after them in time.
    """
    time, by = call.params["time"], list(call.params["by"] or ())
    if not frame.schema[time].is_temporal():
        raise StepBroken(
            f"time: {time} is {frame.schema[time]}, not a time", "put a step parse_dates before"
        )
    if frame[time].null_count():
        raise StepBroken(f"time: {time} is missing in {frame[time].null_count()} rows", "drop them")
    doubled = frame.height - frame.select([*by, time]).n_unique()
    if doubled:
        raise StepBroken(
            f"{doubled:,} rows have the same time" + (" and group" if by else ""),
            "put a step dedupe before",
        )
    full = _full_index(frame, time, by, call.params["every"])
    taken = full.join(frame.with_columns(pl.lit(True).alias("\0known")), on=[*by, time],
                      how="full", coalesce=True, nulls_equal=True)  # fmt: skip
    taken = taken.sort([*by, time]).with_columns(pl.col("\0known").fill_null(False))
    methods = {each: call.params["method"] for each in call.columns if each not in (time, *by)}
    methods |= {str(key): str(value) for key, value in (call.params["methods"] or {}).items()}
    for name, method in methods.items():
        if name not in frame.columns:
            raise StepBroken(f"methods: there is no column {name}")
        if method not in FILLS:
            raise StepBroken(f"methods: {name}: {method!r} is none", "known: " + ", ".join(FILLS))
    filled = [
        pl.when("\0known").then(pl.col(name)).otherwise(_filled(frame, name, method, by, time))
        .alias(name)
        for name, method in methods.items()
    ]  # fmt: skip
    result = taken.with_columns(filled)
    if call.params["mark"]:
        result = result.with_columns((~pl.col("\0known")).alias(call.params["mark"]))
    order = [*frame.columns, *([call.params["mark"]] if call.params["mark"] else [])]
    return result.select(order)


class Gaps(WholeFrame):
    """Values of added rows come from their own column's, as far apart as the times say."""

    def lineage(self, call: Call, made: Sequence[str], state: State) -> Lineage:
        keys = (call.params["time"], *(call.params["by"] or ()))
        return {
            name: keys if name == call.params["mark"] else tuple(dict.fromkeys((name, *keys)))
            for name in made
        }


def _full_index(frame: pl.DataFrame, time: str, by: list[str], every: str) -> pl.DataFrame:
    low, high = pl.col(time).min(), pl.col(time).max()
    is_date = frame.schema[time] == pl.Date
    make = pl.date_range if is_date else pl.datetime_range
    try:
        if by:
            spans = frame.group_by(by, maintain_order=True).agg(make(low, high, every).alias(time))
            return spans.explode(time)
        return frame.select(make(low, high, every).alias(time))
    except pl.exceptions.PolarsError as error:
        raise StepBroken(
            f"every: {str(error).splitlines()[0][:120]}", "such as 1h, 15m, 1d"
        ) from None


def _filled(frame: pl.DataFrame, name: str, method: str, by: list[str], time: str) -> pl.Expr:
    kind, value = frame.schema[name], pl.col(name)
    if method in ("linear", "nearest", "zero", "mean") and not kind.is_numeric():
        # Texts and flags have no values between two others.
        method = "forward" if method in ("linear", "nearest") else "null"
    made = {
        "null": lambda: pl.lit(None, dtype=kind),
        "forward": value.forward_fill,
        "backward": value.backward_fill,
        "linear": lambda: value.interpolate_by(time).round(0 if kind.is_integer() else 9),
        "nearest": lambda: value.interpolate("nearest"),
        "zero": lambda: pl.lit(0),
        "mean": value.mean,
    }[method]()
    if by and method not in ("null", "zero"):
        made = made.over(by)
    return made.cast(kind)


def _null_if(column: pl.Expr, dtype: Any, *, values: list[Any]) -> pl.Expr:
    """Numbers are compared as numbers (0 is 0.0), anything else as text."""
    if dtype.is_numeric():
        wanted = [float(v) for v in values if isinstance(v, (int, float))]
        return pl.when(~column.cast(pl.Float64).is_in(wanted)).then(column)
    return pl.when(~column.cast(pl.String).is_in([str(v) for v in values])).then(column)


section.add(
    "impute", "Fill missing values with what the training part has: mean, median, most frequent.",
    LearnedColumn(_learn_fill, lambda c, value, params: c.fill_null(pl.lit(value))),
    choice("strategy", "With what.", "median", "mean", "most frequent", "min", "max"),
    fitted=True, columns="number", strategy="mean",
)  # fmt: skip
section.add(
    "impute_by_group", "Fill missing values with what the row's group has in the training part.",
    LearnedFrame(_learn_group_fill, _group_fill),
    required("columns", "by", "The columns of the group."),
    choice("strategy", "With what.", "median", "mean", "most frequent"),
    arity="together", fitted=True, columns="number", by=["city"],
)  # fmt: skip
section.add(
    "impute_constant", "Fill missing values with a given one.",
    EachColumn(lambda c, value: c.fill_null(pl.lit(value))),
    required("any", "value", "The value."), columns="maybe_city", value="unknown",
)  # fmt: skip
section.add(
    "missing_flag", "Whether the value is missing, as a column of its own.",
    EachColumn(lambda c: c.is_null(), "{column}_missing"), columns="number",
)  # fmt: skip
section.add(
    "null_if", "These values mean that it is missing: -999, n/a, an empty text.",
    TypedColumn(_null_if),
    required("list", "values", "The values."), columns="city", values=["Ulm"],
)  # fmt: skip
section.add(
    "null_outside", "Missing where a number is outside what is possible.",
    EachColumn(lambda c, low, high: pl.when(
        (c < low if low is not None else False) | (c > high if high is not None else False))
        .then(None).otherwise(c)),
    optional("number", "low", "The least possible."), optional("number", "high", "The most."),
    takes="number", columns="positive", low=2, high=15,
)  # fmt: skip
section.add(
    "nan_to_null", "Not-a-number and infinities as missing.",
    EachColumn(lambda c: pl.when(c.is_finite()).then(c)), takes="number", columns="with_nan",
)  # fmt: skip
section.add(
    "drop_missing_rows", "Leave out rows in which a chosen column is missing.",
    WholeFrame(lambda frame, call: frame.drop_nulls(list(call.columns))
        if call.params["how"] == "any"
        else frame.filter(~pl.all_horizontal([pl.col(c).is_null() for c in call.columns]))),
    choice("how", "Whether any missing one counts, or only all of them.", "any", "all"),
    arity="together", rows=True, columns=["number"],
)  # fmt: skip
section.add(
    "drop_missing_columns", "Leave out columns of which too much is missing in the training part.",
    LearnedFrame(
        lambda frame, call: {"drop": [c for c in call.columns
            if frame.height and frame[c].null_count() / frame.height > call.params["share"]]},
        lambda frame, call, state: frame.drop([c for c in state["drop"] if c in frame.columns])),
    number("share", "More than this share.", 0.5, 0, 1),
    arity="together", fitted=True, columns=["number", "maybe_city"], share=0.08,
)  # fmt: skip
section.add(
    "fill_gaps", "Add the rows that a regular time series lacks (missing hours) and fill them.",
    Gaps(_fill_gaps),
    column("time", "The column of the time."),
    text("every", "The distance of rows: 1h, 15m, 1d."),
    choice("method", "How values of added rows come from their neighbours.", "linear",
        *[each for each in FILLS if each != "linear"]),
    optional("mapping", "methods", "Column: method, for those that want another."),
    optional("columns", "by", "One series for each value of these columns."),
    optional("text", "mark", "The name of a flag that says which rows were added."),
    arity="frame", rows=True, scope="window",
    columns=["number", "count", "city"], time="at", every="1h", mark="was_missing",
)  # fmt: skip
section.add(
    "fill_from_neighbours", "Fill missing values from the rows before (and after) in time.",
    WholeFrame(lambda frame, call: _neighbours(frame, call)),
    column("time", "The column of the time."),
    optional("columns", "by", "Within each value of these columns."),
    choice("method", "From where; forward never looks ahead.", "forward", "backward", "linear"),
    arity="together", scope="window", columns=["number"], time="at", by=["city"],
)  # fmt: skip


def _neighbours(frame: pl.DataFrame, call: Call) -> pl.DataFrame:
    time, by = call.params["time"], list(call.params["by"] or ()) or None
    made = {}
    for name in call.columns:
        value, kind = pl.col(name), frame.schema[name]
        if call.params["method"] == "linear" and kind.is_numeric():
            full = value.interpolate_by(time)
            if kind.is_integer():
                full = full.round(0).cast(kind)
        else:
            full = (
                value.backward_fill()
                if call.params["method"] == "backward"
                else value.forward_fill()
            )
        made[name] = full.over(by or pl.lit(1), order_by=time)
    return frame.with_columns(**made)


section.add(
    "missing_to_word", "A missing text as a word of its own, so that it counts as a category.",
    EachColumn(lambda c, word: c.cast(pl.String).fill_null(word)),
    text("word", "The word.", "missing"), takes="text|category", columns="maybe_city",
)  # fmt: skip
section.add(
    "blank_to_null", "Texts of nothing but white space, in all chosen columns, as missing.",
    WholeFrame(lambda frame, call: frame.with_columns(
        [pl.when(pl.col(c).str.strip_chars() != "").then(pl.col(c)) for c in call.columns])),
    takes="text", arity="together", columns=["untidy", "maybe_city"],
)  # fmt: skip
section.add(
    "missing_flags", "Add flags for those columns that had missing values in training.",
    LearnedFrame(
        lambda frame, call: {"flag": [c for c in call.columns if frame[c].null_count()]},
        lambda frame, call, state: frame.with_columns(
            [pl.col(c).is_null().alias(f"{c}_missing") for c in state["flag"]])),
    arity="together", fitted=True, columns=["number", "maybe_city", "count"],
)  # fmt: skip
