"""Series: lags, windows and ranks within a group, by time, that never see the present row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from core.recipes.errors import StepBroken
from core.recipes.operation import Call, Lineage, Operation, State
from core.recipes.own.define import Section, choice, column, flag, number, optional, text, whole

section = Section("series")


class Within(Operation):
    """Expressions over a column within its group, in the order of a time."""

    names = True

    def __init__(self, make: Callable[..., pl.Expr], default: str, ordered: bool = True) -> None:
        self._make, self._default, self._ordered = make, default, ordered

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        by = [pl.col(each) for each in call.params["by"] or ()] or [pl.lit(1)]
        made = {}
        for each in call.columns:
            value = self._make(pl.col(each), call.params)
            order = call.params.get("time") if self._ordered else None
            made[self._name(call, each)] = (
                value.over(by, order_by=order) if order else value.over(by)
            )
        return frame.with_columns(**made)

    def _name(self, call: Call, name: str) -> str:
        pattern = call.pattern or self._default
        return pattern.replace("{column}", name).replace("{n}", str(call.params.get("n", "")))

    def lineage(self, call: Call, made: Any, state: State) -> Lineage:
        back = {self._name(call, each): (each, *call.references) for each in call.columns}
        return {name: back.get(name, (name,)) for name in made}


class LagByTime(Operation):
    """The value exactly so long before (or after), which a gap in the rows does not shift."""

    names = True

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        time, by = call.params["time"], list(call.params["by"] or ())
        keys = [*by, time]
        made = [self._name(call, each) for each in call.columns]
        earlier = frame.select(
            [*keys, *[pl.col(c).alias(n) for c, n in zip(call.columns, made, strict=True)]]
        )
        if earlier.select(keys).n_unique() != earlier.height:
            raise StepBroken(
                "several rows have the same time" + (" and group" if by else ""), "dedupe"
            )
        try:
            moved = earlier.with_columns(pl.col(time).dt.offset_by(call.params["back"]))
        except pl.exceptions.PolarsError as error:
            raise StepBroken(
                f"back: {str(error).splitlines()[0][:120]}", "such as 1h, 1d, 1w"
            ) from None
        left = frame.drop([n for n in made if n in frame.columns])
        return left.join(moved, on=keys, how="left", maintain_order="left", nulls_equal=True)

    def _name(self, call: Call, name: str) -> str:
        pattern = call.pattern or "{column}_{name}_ago"
        return pattern.replace("{column}", name).replace("{name}", call.params["back"])

    def lineage(self, call: Call, made: Any, state: State) -> Lineage:
        back = {self._name(call, each): (each, *call.references) for each in call.columns}
        return {name: back.get(name, (name,)) for name in made}


def _rolling(value: pl.Expr, params: Any) -> pl.Expr:
    """By time, the present row and those of the same time left out (the window is open there)."""
    args = {
        "by": params["time"],
        "window_size": params["window"],
        "min_samples": params["least"],
        "closed": "both" if params["present"] else "left",
    }
    kind = params["what"]
    if kind == "quantile":
        return value.rolling_quantile_by(quantile=params["quantile"], **args)
    if kind == "count":
        return value.is_not_null().cast(pl.Int64).rolling_sum_by(**args)
    return getattr(value, f"rolling_{kind}_by")(**args)  # type: ignore[no-any-return]


def _rows_before(value: pl.Expr, params: Any) -> pl.Expr:
    before = value.shift(1)
    return getattr(before, f"rolling_{params['what']}")(  # type: ignore[no-any-return]
        window_size=params["n"], min_samples=params["least"]
    )


def _so_far(value: pl.Expr, params: Any) -> pl.Expr:
    before, kind = value.shift(1), params["what"]
    if kind == "mean":
        return before.cum_sum().forward_fill() / before.cum_count()
    if kind == "count":
        return before.cum_count()
    return getattr(before, f"cum_{kind}")().forward_fill()  # type: ignore[no-any-return]


def _ewm(value: pl.Expr, params: Any) -> pl.Expr:
    return value.shift(1).ewm_mean(half_life=params["half_life"], ignore_nulls=True)


_time = column("time", "The column of the time, by which rows are ordered.")
_by = optional("columns", "by", "Within each value of these columns.")
_least = whole("least", "Missing where the window has fewer values.", 1, 1)
section.add(
    "lag", "The value so many rows before, in time and within a group.",
    Within(lambda c, p: c.shift(p["n"]), "{column}_lag{n}"),
    whole("n", "Rows back.", 1), _time, _by, scope="window", columns="count", n=2, time="at",
        by=["city"],
)  # fmt: skip
section.add(
    "lead", "The value so many rows after: a target to predict, never a feature.",
    Within(lambda c, p: c.shift(-p["n"]), "{column}_lead{n}"),
    whole("n", "Rows ahead.", 1), _time, _by, scope="window", columns="count", time="at",
)  # fmt: skip
section.add(
    "lag_time", "The value exactly so long before; missing where there was no row then.",
        LagByTime(),
    text("back", "How long: 1h, 1d, 1w; -1h looks ahead."), _time, _by,
    scope="window", columns="count", time="at", back="6h",
)  # fmt: skip
section.add(
    "change", "The difference from so many rows before.",
    Within(lambda c, p: c - c.shift(p["n"]), "{column}_change{n}"),
    whole("n", "Rows back.", 1), _time, _by, takes="number", scope="window", columns="count",
        time="at",
)  # fmt: skip
section.add(
    "change_share", "The change from so many rows before, as a share of it.",
    Within(lambda c, p: pl.when(c.shift(p["n"]) != 0).then(c / c.shift(p["n"]) - 1),
        "{column}_growth{n}"),
    whole("n", "Rows back.", 1), _time, _by, takes="number", scope="window", columns="count",
        time="at",
)  # fmt: skip
section.add(
    "rolling", "A statistic of the time before the row: mean of the last 24h, and so on.",
    Within(_rolling, "{column}_rolling", ordered=False),
    choice("what", "Which.", "mean", "sum", "min", "max", "median", "std", "quantile", "count"),
    text("window", "How long: 3h, 7d."), _time, _by,
    number("quantile", "Which, where what is quantile.", 0.5, 0, 1), _least,
    flag("present", "Count the present row too (it leaks where the column is the target)."),
    takes="number", scope="window", columns="count", window="5h", time="at", what="mean",
)  # fmt: skip
section.add(
    "rolling_rows", "A statistic of the rows before: the mean of the last 5, and so on.",
    Within(_rows_before, "{column}_last{n}"),
    choice("what", "Which.", "mean", "sum", "min", "max", "median", "std"),
    whole("n", "How many rows."), _time, _by, _least,
    takes="number", scope="window", columns="count", n=3, time="at", by=["city"],
)  # fmt: skip
section.add(
    "so_far", "A statistic of all earlier rows of the group.", Within(_so_far, "{column}_so_far"),
    choice("what", "Which.", "mean", "sum", "min", "max", "count"), _time, _by,
    takes="number", scope="window", columns="count", what="mean", time="at", by=["city"],
)  # fmt: skip
section.add(
    "ewm_before", "The exponentially weighted mean of the rows before.", Within(_ewm,
        "{column}_ewm"),
    number("half_life", "After how many rows the weight has halved.", 3.0, 1e-9), _time, _by,
    takes="number", scope="window", columns="count", time="at",
)  # fmt: skip
section.add(
    "time_since_previous", "Seconds since the row before, in the same group.",
    Within(lambda c, p: (c - c.shift(1)).dt.total_microseconds() / 1e6, "{column}_since_previous"),
    _time, _by, takes="time", scope="window", columns="at", time="at", by=["city"],
)  # fmt: skip
section.add(
    "row_number", "Which row of its group it is, in time, from 1.",
    Within(lambda c, p: pl.int_range(1, pl.len() + 1), "{column}_number"),
    _time, _by, scope="window", columns="city", time="at", by=["city"],
)  # fmt: skip
section.add(
    "changed", "Whether the value is another than in the row before.",
    Within(lambda c, p: c.ne_missing(c.shift(1)), "{column}_changed"),
    _time, _by, scope="window", columns="city", time="at",
)  # fmt: skip
section.add(
    "run_length", "How many rows in a row, up to this one, have had the value.",
    Within(lambda c, p: _run(c), "{column}_run"), _time, _by, scope="window", columns="flag",
        time="at",
)  # fmt: skip
section.add(
    "rank_in_group", "The rank within the group at hand (all of its rows, later ones too).",
    Within(lambda c, p: c.rank(p["method"], descending=p["descending"]), "{column}_rank",
        ordered=False),
    choice("method", "Ties.", "average", "min", "max", "dense", "ordinal"),
    flag("descending", "The greatest first."), _by, scope="frame", columns="count", by=["city"],
)  # fmt: skip
section.add(
    "share_of_group", "The share of the group's sum at hand (all of its rows, later ones too).",
    Within(lambda c, p: c / c.sum(), "{column}_share", ordered=False), _by,
    takes="number", scope="frame", columns="count", by=["city"],
)  # fmt: skip


def _run(value: pl.Expr) -> pl.Expr:
    """Rows since the value changed: the row's number less the last number at which it did."""
    place = pl.int_range(pl.len())
    start = pl.when(value.ne_missing(value.shift(1)) | (place == 0)).then(place)
    return place - start.forward_fill() + 1
