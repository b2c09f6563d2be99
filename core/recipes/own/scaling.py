"""Numbers: scales, outliers and bins learned from the training part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from core.recipes.errors import StepBroken
from core.recipes.operation import Call, EachColumn, LearnedColumn, LearnedFrame, State
from core.recipes.own.define import Section, choice, flag, number, whole

section = Section("scaling and outliers")

Params = Mapping[str, Any]


def known(series: pl.Series) -> pl.Series:
    """The finite values. Raises `StepBroken` where there are none, or it is no number."""
    if not series.dtype.is_numeric():
        raise StepBroken(f"column {series.name} is {series.dtype}, not a number", "choose numbers")
    values = series.cast(pl.Float64)
    values = values.filter(values.is_finite().fill_null(False))
    if not len(values):
        raise StepBroken(f"column {series.name} has no value at all to learn from")
    return values


def _moments(series: pl.Series, params: Params) -> list[float]:
    values = known(series)
    std: Any = values.std(ddof=0)
    return [float(values.mean()), float(std) or 1.0]  # type: ignore[arg-type]


def _quantiles(values: pl.Series, *shares: float) -> list[float]:
    return [float(values.quantile(share, "linear")) for share in shares]  # type: ignore[arg-type]


def limits(series: pl.Series, method: str, factor: float, share: float) -> list[float]:
    """The lowest and highest value that is no outlier.

    `iqr`: factor times the range between the quartiles beyond them (Tukey); `zscore`: factor
    standard deviations about the mean; `mad`: factor times 1.4826 median absolute deviations
    about the median; `quantile`: that share at either end.
    """
    values = known(series)
    if method == "iqr":
        low, high = _quantiles(values, 0.25, 0.75)
        return [low - factor * (high - low), high + factor * (high - low)]
    if method == "zscore":
        mean, std = _moments(series, {})
        return [mean - factor * std, mean + factor * std]
    if method == "mad":
        (middle,) = _quantiles(values, 0.5)
        (spread,) = _quantiles((values - middle).abs(), 0.5)
        return [middle - factor * 1.4826 * spread, middle + factor * 1.4826 * spread]
    return _quantiles(values, share, 1 - share)


def _learn_limits(series: pl.Series, params: Params) -> list[float]:
    low, high = limits(series, params["method"], params["factor"], params["share"])
    side = params["side"]
    return [float("-inf") if side == "high" else low, float("inf") if side == "low" else high]


def _cap(column: pl.Expr, learned: Any, params: Params) -> pl.Expr:
    return column.cast(pl.Float64).clip(learned[0], learned[1])


def _inside(frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
    inside = [
        pl.col(c).is_null() | pl.col(c).is_between(state[c][0], state[c][1]) for c in call.columns
    ]
    return frame.filter(pl.all_horizontal(inside)) if inside else frame


def _edges(series: pl.Series, params: Params) -> list[float]:
    values, bins = known(series), params["bins"]
    if params["by"] == "quantile":
        edges = _quantiles(values, *[step / bins for step in range(1, bins)])
    else:
        low, high = float(values.min()), float(values.max())  # type: ignore[arg-type]
        edges = [low + (high - low) * step / bins for step in range(1, bins)]
    return sorted(set(edges))


def _bin(column: pl.Expr, edges: Any, params: Params) -> pl.Expr:
    place = pl.sum_horizontal([(column >= edge).cast(pl.Int32) for edge in edges] or [pl.lit(0)])
    return pl.when(column.is_null()).then(None).otherwise(place)


def _ranks(series: pl.Series, params: Params) -> list[float]:
    points = params["points"]
    return _quantiles(known(series), *[step / points for step in range(points + 1)])


def _rank(column: pl.Expr, learned: Any, params: Params) -> pl.Expr:
    points = len(learned) - 1
    below = pl.sum_horizontal([(column > edge).cast(pl.Int32) for edge in learned])
    return pl.when(column.is_null()).then(None).otherwise((below / points).clip(0, 1))


_outlier = (
    choice("method", "How the limits are found.", "iqr", "zscore", "mad", "quantile"),
    number("factor", "How far out (of iqr, zscore, mad).", 1.5, 0),
    number("share", "The share at either end (of quantile).", 0.01, 0, 0.5),
    choice("side", "Which end.", "both", "low", "high"),
)
section.add(
    "standardize", "Less the mean, divided by the standard deviation of the training part.",
    LearnedColumn(_moments, lambda c, s, params: (c - s[0]) / s[1]),
    takes="number", fitted=True, columns="positive",
)  # fmt: skip
section.add(
    "center", "Less the mean of the training part.",
    LearnedColumn(_moments, lambda c, s, params: c - s[0]),
    takes="number", fitted=True, columns="positive",
)  # fmt: skip
section.add(
    "scale_range", "From 0 to 1 between the least and the greatest of the training part.",
    LearnedColumn(
        lambda s, params: [float(known(s).min()), float(known(s).max())],  # type: ignore[arg-type]
        lambda c, s, params: _clipped((c - s[0]) / ((s[1] - s[0]) or 1.0), params)),
    flag("clip", "Keep values outside of it at 0 or 1."),
    takes="number", fitted=True, columns="positive", clip=True,
)  # fmt: skip
section.add(
    "scale_robust", "Less the median, divided by the range between the quartiles.",
    LearnedColumn(lambda s, params: _quantiles(known(s), 0.25, 0.5, 0.75),
        lambda c, s, params: (c - s[1]) / ((s[2] - s[0]) or 1.0)),
    takes="number", fitted=True, columns="positive",
)  # fmt: skip
section.add(
    "scale_largest", "Divided by the largest magnitude of the training part.",
    LearnedColumn(lambda s, params: float(known(s).abs().max()) or 1.0,  # type: ignore[arg-type]
        lambda c, s, params: c / s),
    takes="number", fitted=True, columns="whole",
)  # fmt: skip
section.add(
    "zscore_flag", "Whether a number is further from the mean than so many deviations.",
    LearnedColumn(_moments, lambda c, s, params: ((c - s[0]) / s[1]).abs() > params["factor"],
        "{column}_far"),
    number("factor", "How many.", 3.0, 0), takes="number", fitted=True, columns="positive",
)  # fmt: skip
section.add(
    "cap_outliers", "Bring outliers to the limit that the training part gives.",
    LearnedColumn(_learn_limits, _cap), *_outlier,
    takes="number", fitted=True, columns="positive", method="quantile", share=0.1,
)  # fmt: skip
section.add(
    "flag_outliers", "Whether a number is outside of the training part's limits.",
    LearnedColumn(_learn_limits, lambda c, s, params: ~c.is_between(s[0], s[1]),
        "{column}_outlier"),
    *_outlier, takes="number", fitted=True, columns="positive", factor=0.2,
)  # fmt: skip
section.add(
    "null_outliers", "Outliers as missing.",
    LearnedColumn(_learn_limits, lambda c, s, params: pl.when(c.is_between(s[0], s[1])).then(c)),
    *_outlier, takes="number", fitted=True, columns="positive", factor=0.2,
)  # fmt: skip
section.add(
    "drop_outliers", "Leave out rows with an outlier.",
    LearnedFrame(lambda frame, call: {c: _learn_limits(frame[c],
        call.params) for c in call.columns},
        _inside),
    *_outlier, takes="number", arity="together", fitted=True, rows=True, columns=["positive"],
    factor=0.2,
)  # fmt: skip
section.add(
    "bin_numbers", "The number of the bin, by quantiles or equal widths of the training part.",
    LearnedColumn(_edges, _bin),
    whole("bins", "How many.", 5, 2, 1000), choice("by", "How.", "quantile", "width"),
    takes="number", fitted=True, columns="positive", bins=4,
)  # fmt: skip
section.add(
    "quantile_rank", "The share of the training part that is smaller, from 0 to 1.",
    LearnedColumn(_ranks, _rank), whole("points", "How finely.", 100, 2, 1000),
    takes="number", fitted=True, columns="positive", points=20,
)  # fmt: skip
section.add(
    "signed_log", "log(1 + |x|) with the sign of x.",
    EachColumn(lambda c: c.sign() * c.abs().log1p()), takes="number", columns="whole",
)  # fmt: skip
section.add(
    "signed_root", "The square root of |x| with the sign of x.",
    EachColumn(lambda c: c.sign() * c.abs().sqrt()), takes="number", columns="whole",
)  # fmt: skip
section.add(
    "logit", "log(x / (1 - x)) of a share, kept off 0 and 1.",
    EachColumn(lambda c, margin: (c.clip(margin, 1 - margin) / (1 - c.clip(margin,
        1 - margin))).log()),
    number("margin", "How near 0 and 1 it may come.", 1e-6, 1e-15, 0.5),
    takes="number", columns="share",
)  # fmt: skip
section.add(
    "sigmoid", "1 / (1 + exp(-x)).", EachColumn(lambda c: 1 / (1 + (-c).exp())),
    takes="number", columns="whole",
)  # fmt: skip
section.add(
    "reciprocal", "1 / x; missing for zero.",
    EachColumn(lambda c: pl.when(c != 0).then(1 / c)), takes="number", columns="positive",
)  # fmt: skip
section.add(
    "box_cox", "(x^l - 1) / l, with a given l (0: the logarithm).",
    EachColumn(lambda c, power: c.log() if power == 0 else (c.pow(power) - 1) / power),
    number("power", "l.", 0.5), takes="number", columns="positive", power=0.5,
)  # fmt: skip


def _clipped(value: pl.Expr, params: Params) -> pl.Expr:
    return value.clip(0, 1) if params["clip"] else value
