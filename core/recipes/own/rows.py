"""Rows: filtering, ordering, removing duplicates, resampling."""

from __future__ import annotations

from typing import Any

import polars as pl

from core.recipes.errors import StepBroken
from core.recipes.operation import (
    Call,
    Lineage,
    Operation,
    State,
    WholeFrame,
    condition,
)
from core.recipes.own.define import (
    Section,
    choice,
    column,
    flag,
    number,
    optional,
    required,
    text,
    whole,
)

section = Section("rows")

AGGREGATES: dict[str, Any] = {
    "sum": pl.Expr.sum,
    "mean": pl.Expr.mean,
    "median": pl.Expr.median,
    "min": pl.Expr.min,
    "max": pl.Expr.max,
    "std": pl.Expr.std,
    "first": pl.Expr.first,
    "last": pl.Expr.last,
    "count": pl.Expr.count,
    "distinct": pl.Expr.n_unique,
}


def _filter(frame: pl.DataFrame, call: Call) -> pl.DataFrame:
    wanted = condition(call.params["keep"]).fill_null(False)
    return frame.filter(wanted)


def _dedupe(frame: pl.DataFrame, call: Call) -> pl.DataFrame:
    """One row a key, the newest (or oldest) by a time; rows stay in their order."""
    place, time = "\0place", call.params["newest_by"]
    marked = frame.with_row_index(place)
    if time is not None:
        # Ties in time: the later row of the file is the newer one. Missing times are oldest.
        marked = marked.sort([time, place], nulls_last=False)
    keep = "last" if call.params["keep"] == "newest" else "first"
    kept = marked.unique(subset=list(call.columns), keep=keep, maintain_order=True)  # type: ignore[arg-type]
    return kept.sort(place).drop(place)


def _sort(frame: pl.DataFrame, call: Call) -> pl.DataFrame:
    return frame.sort(
        list(call.columns),
        descending=call.params["descending"],
        nulls_last=True,
        maintain_order=True,
    )


def _sample(frame: pl.DataFrame, call: Call) -> pl.DataFrame:
    import numpy as np

    from core.recipes.splits.mixing import mixed

    wanted = min(frame.height, round(frame.height * call.params["share"]))
    if call.params["rows"] is not None:
        wanted = min(frame.height, int(call.params["rows"]))
    order = np.argsort(mixed(np.arange(frame.height), call.params["seed"]), kind="stable")
    kept: pl.DataFrame = frame[np.sort(order[:wanted]).tolist()]
    return kept


def _shuffle(frame: pl.DataFrame, call: Call) -> pl.DataFrame:
    import numpy as np

    from core.recipes.splits.mixing import mixed

    order = np.argsort(mixed(np.arange(frame.height), call.params["seed"]), kind="stable")
    moved: pl.DataFrame = frame[order.tolist()]
    return moved


def _balance(frame: pl.DataFrame, call: Call) -> pl.DataFrame:
    """The larger classes cut down to the smallest, the rows chosen by a seed."""
    import numpy as np

    from core.recipes.splits.mixing import mixed

    by = list(call.columns)
    least = int(frame.group_by(by).len()["len"].min() or 0)  # type: ignore[arg-type]
    marked = frame.with_columns(
        pl.Series("\0mix", mixed(np.arange(frame.height), call.params["seed"]))
    )
    kept = marked.filter(pl.col("\0mix").rank("ordinal").over(by) <= least)
    return kept.drop("\0mix")


class Aggregated(Operation):
    """Columns summed up per group, and per window of time where one is given."""

    names = True

    def __init__(self, windows: bool) -> None:
        self._windows = windows

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        by = list(call.params["by"] or ())
        made = [
            _aggregate(name)(pl.col(c)).alias(self._name(call, c, name))
            for c in call.columns
            for name in call.params["what"]
        ]
        if not self._windows:
            return frame.group_by(by, maintain_order=True).agg(made)
        time = call.params["time"]
        try:
            grouped = frame.sort(time).group_by_dynamic(
                time, every=call.params["every"], group_by=by
            )
            return grouped.agg(made)
        except pl.exceptions.PolarsError as error:
            raise StepBroken(
                f"every: {str(error).splitlines()[0][:120]}", "such as 1h, 1d"
            ) from None

    def _name(self, call: Call, column: str, name: str) -> str:
        short = "{column}" if len(call.params["what"]) == 1 else "{column}_{name}"
        return (call.pattern or short).replace("{column}", column).replace("{name}", name)

    def lineage(self, call: Call, made: Any, state: State) -> Lineage:
        groups = tuple(call.params["by"] or ())
        back = {
            self._name(call, c, name): (c, *groups)
            for c in call.columns
            for name in call.params["what"]
        }
        return {name: back.get(name, (name,)) for name in made}


def _aggregate(name: str) -> Any:
    if name not in AGGREGATES:
        raise StepBroken(f"what: {name!r} is none", "known: " + ", ".join(AGGREGATES))
    return AGGREGATES[name]


class Unpivoted(Operation):
    """Several columns as two: the name and the value."""

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        return frame.unpivot(
            on=list(call.columns),
            index=[each for each in frame.columns if each not in call.columns],
            variable_name=call.params["name"],
            value_name=call.params["value"],
        )

    def lineage(self, call: Call, made: Any, state: State) -> Lineage:
        new = (call.params["name"], call.params["value"])
        return {name: call.columns if name in new else (name,) for name in made}


class Kept(WholeFrame):
    """Rows go or move; every column stays what it was."""

    def lineage(self, call: Call, made: Any, state: State) -> Lineage:
        return {name: (name,) for name in made}


_seed = whole("seed", "The same gives the same rows.", 0, 0, 2**31)
section.add(
    "keep_rows", "Keep the rows that meet an SQL condition.", Kept(_filter),
    text("keep", "Such as: count > 0 AND city <> 'Ulm'."),
    arity="frame", rows=True, keep="count > 3 AND city <> 'Ulm'",
)  # fmt: skip
section.add(
    "drop_rows", "Leave out the rows that meet an SQL condition.",
    Kept(lambda frame, call: frame.filter(~condition(call.params["drop"]).fill_null(False))),
    text("drop", "Such as: hum = 0."), arity="frame", rows=True, drop="count = 0",
)  # fmt: skip
section.add(
    "dedupe", "One row for each key: the newest, or the oldest.", Kept(_dedupe),
    optional("column", "newest_by",
        "The time that says which is newer; the order of rows otherwise."),
    choice("keep", "Which stays.", "newest", "oldest"),
    arity="together", rows=True, scope="frame", columns=["city", "count"], newest_by="at",
)  # fmt: skip
section.add(
    "drop_duplicates", "Leave out rows that are the same in the chosen columns, but the first.",
    Kept(lambda frame, call: frame.unique(subset=list(call.columns), keep="first",
        maintain_order=True)),
    arity="together", rows=True, scope="frame", columns=["city", "flag"],
)  # fmt: skip
section.add(
    "drop_conflicts", "Leave out all rows of keys that occur more than once.",
    Kept(lambda frame, call: frame.unique(subset=list(call.columns), keep="none",
        maintain_order=True)),
    arity="together", rows=True, scope="frame", columns=["city", "count"],
)  # fmt: skip
section.add(
    "sort", "Order the rows by columns.", Kept(_sort), flag("descending", "The greatest first."),
    arity="together", rows=True, scope="frame", columns=["city", "at"],
)  # fmt: skip
section.add(
    "sample_rows", "A random part of the rows, the same each time.", Kept(_sample),
    number("share", "How much.", 0.1, 0, 1), optional("integer", "rows", "How many, instead."),
        _seed,
    arity="frame", rows=True, scope="frame", share=0.5,
)  # fmt: skip
section.add(
    "shuffle_rows", "The rows in a random order, the same each time.", Kept(_shuffle), _seed,
    arity="frame", rows=True, scope="frame",
)  # fmt: skip
section.add(
    "balance_classes", "As many rows of each class, the larger ones cut down.", Kept(_balance),
        _seed,
    arity="together", rows=True, scope="frame", columns=["label"],
)  # fmt: skip
section.add(
    "first_rows", "The first rows.", Kept(lambda frame, call: frame.head(call.params["n"])),
    whole("n", "How many."), arity="frame", rows=True, scope="frame", n=10,
)  # fmt: skip
section.add(
    "last_rows", "The last rows.", Kept(lambda frame, call: frame.tail(call.params["n"])),
    whole("n", "How many."), arity="frame", rows=True, scope="frame", n=10,
)  # fmt: skip
section.add(
    "every_nth_row", "Each n-th row.", Kept(lambda frame,
        call: frame.gather_every(call.params["n"])),
    whole("n", "Each how-many-th."), arity="frame", rows=True, scope="frame", n=3,
)  # fmt: skip
section.add(
    "between_times", "Keep the rows whose time lies between two moments (the end not included).",
    Kept(lambda frame, call: _between(frame, call)),
    optional("text", "start", "From when, as 2026-01-01."), optional("text", "end", "Until when."),
    takes="time", arity="together", rows=True, columns=["at"], start="2026-03-01T12:00:00",
)  # fmt: skip


def _between(frame: pl.DataFrame, call: Call) -> pl.DataFrame:
    wanted = []
    for name in call.columns:
        time = pl.col(name).cast(pl.Datetime("us"))
        for bound, later in ((call.params["start"], True), (call.params["end"], False)):
            if bound is not None:
                moment = pl.lit(str(bound)).str.to_datetime(strict=True, time_unit="us")
                wanted.append(time >= moment if later else time < moment)
    return frame.filter(pl.all_horizontal(wanted)) if wanted else frame


section.add(
    "explode", "A row for each element of a list.",
    Kept(lambda frame, call: frame.explode(list(call.columns))),
    takes="list", arity="together", rows=True, columns=["words"],
)  # fmt: skip
section.add(
    "aggregate", "One row for each group, the chosen columns summed up.", Aggregated(windows=False),
    required("columns", "by", "The columns of the group."),
    required("list", "what", "How: " + ", ".join(AGGREGATES) + "."),
    arity="together", rows=True, scope="frame", columns=["count"], by=["city"], what=["sum",
        "mean"],
)  # fmt: skip
section.add(
    "resample", "One row for each window of time, the chosen columns summed up.",
        Aggregated(windows=True),
    column("time", "The column of the time."), text("every", "The window: 1h, 1d, 1w, 1mo."),
    required("list", "what", "How: " + ", ".join(AGGREGATES) + "."),
    optional("columns", "by", "One series for each value of these columns."),
    arity="together", rows=True, scope="frame", columns=["count"], time="at", every="1d",
        what=["sum"],
)  # fmt: skip
section.add(
    "unpivot", "Several columns as two, one with the name and one with the value.", Unpivoted(),
    text("name", "The column of the names.", "name"), text("value", "The column of the values.",
        "value"),
    arity="together", rows=True, columns=["positive", "whole"],
)  # fmt: skip
