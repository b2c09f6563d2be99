"""Columns kept or left out by what the training part says, and statistics per group."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import polars as pl

from core.recipes.errors import StepBroken
from core.recipes.operation import Call, LearnedFrame, Lineage, State
from core.recipes.own.define import Section, choice, number, required, whole
from core.recipes.own.keyed import joined, keys_of
from core.recipes.own.rows import AGGREGATES

section = Section("choice of columns")


def _left_out(frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
    return frame.drop([each for each in state["drop"] if each in frame.columns])


def _constant(frame: pl.DataFrame, call: Call) -> State:
    """A column is constant where its most frequent value has at least this share."""
    share, drop = call.params["share"], []
    for each in call.columns:
        series = frame[each]
        text = series.cast(pl.String) if not series.dtype.is_nested() else series.hash()
        most = text.value_counts(name="\0n")["\0n"].max() if len(series) else 0
        if most is None or most >= share * len(series):
            drop.append(each)
    return {"drop": drop}


def _doubled(frame: pl.DataFrame, call: Call) -> State:
    drop: list[str] = []
    for one, other in combinations(call.columns, 2):
        same = frame[one].dtype == frame[other].dtype and not {one, other} & set(drop)
        if same and frame[one].equals(frame[other], null_equal=True):
            drop.append(other)
    return {"drop": drop}


def _correlated(frame: pl.DataFrame, call: Call) -> State:
    import numpy as np

    names = list(call.columns)
    values = frame.select([pl.col(each).cast(pl.Float64) for each in names])
    if call.params["method"] == "rank":
        values = values.select(pl.all().rank())
    values = values.select(pl.all().fill_null(pl.all().mean()))
    with np.errstate(invalid="ignore", divide="ignore"):
        table = (
            np.abs(np.corrcoef(values.to_numpy(), rowvar=False)) if len(names) > 1 else np.eye(1)
        )
    drop: list[str] = []
    for i, j in combinations(range(len(names)), 2):
        if names[i] not in drop and names[j] not in drop and table[i, j] > call.params["threshold"]:
            drop.append(names[j])
    return {"drop": drop}


def _many_values(frame: pl.DataFrame, call: Call) -> State:
    rows = max(1, frame.height)
    return {"drop": [c for c in call.columns if frame[c].n_unique() / rows > call.params["share"]]}


def _low_variance(frame: pl.DataFrame, call: Call) -> State:
    least = call.params["threshold"]
    return {
        "drop": [c for c in call.columns if float(frame[c].cast(pl.Float64).var() or 0.0) <= least]  # type: ignore[arg-type]
    }


class GroupStatistic(LearnedFrame):
    """A statistic of the row's group in the training part, as a column."""

    names = True

    def __init__(self) -> None:
        super().__init__(self._table, self._look_up)

    def _table(self, frame: pl.DataFrame, call: Call) -> State:
        by, what = list(call.params["by"]), call.params["what"]
        made = [AGGREGATES[what](pl.col(c)).alias(c) for c in call.columns if c not in by]
        if len(made) != len(call.columns):
            raise StepBroken("by: names a column that is to be summed up", "leave it out of one")
        table = frame.group_by(by, maintain_order=True).agg(made)
        whole = frame.select(made)
        return {
            "keys": keys_of(table, by),
            "values": {c: table[c].to_list() for c in call.columns},
            "all": {c: whole[c][0] for c in call.columns},
        }

    def _look_up(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        names = {self._name(call, c): c for c in call.columns}
        learned = {f"\0{n}": state["values"][c] for n, c in names.items()}
        wide = joined(frame, list(call.params["by"]), state["keys"], learned)
        unseen = call.params["unseen"] == "overall"
        made = {
            n: pl.col(f"\0{n}").fill_null(pl.lit(state["all"][c])) if unseen else pl.col(f"\0{n}")
            for n, c in names.items()
        }
        return wide.with_columns(**made).drop(list(learned))

    def _name(self, call: Call, column: str) -> str:
        name = "_".join([call.params["what"], *call.params["by"]])
        pattern = call.pattern or "{column}_{name}"
        return pattern.replace("{column}", column).replace("{name}", name)

    def lineage(self, call: Call, made: Any, state: State) -> Lineage:
        back = {self._name(call, c): (c, *call.references) for c in call.columns}
        return {name: back.get(name, (name,)) for name in made}


def _category_match(frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
    return frame.with_columns(
        [
            pl.when(pl.col(c).cast(pl.String).is_in(state[c])).then(pl.col(c)).alias(c)
            for c in call.columns
        ]
    )


section.add(
    "drop_constant", "Leave out columns that (almost) always have one value in the training part.",
    LearnedFrame(_constant, _left_out), number("share", "One value has this share.", 1.0, 0.5, 1),
    arity="together", fitted=True, columns=["constant", "count"],
)  # fmt: skip
section.add(
    "drop_doubled", "Leave out columns that are the same as another in the training part.",
    LearnedFrame(_doubled, _left_out), arity="together", fitted=True, columns=["count", "positive"],
)  # fmt: skip
section.add(
    "drop_correlated", "Of two numbers that move together in training leave out the later.",
    LearnedFrame(_correlated, _left_out),
    number("threshold", "Above this correlation.", 0.95, 0, 1), choice("method", "Of what.",
        "values", "rank"),
    takes="number", arity="together", fitted=True, columns=["whole", "target", "label"],
        threshold=0.5,
)  # fmt: skip
section.add(
    "drop_many_values", "Leave out columns with (almost) a value a row, such as identifiers.",
    LearnedFrame(_many_values, _left_out), number("share", "Distinct values per row.", 0.9, 0, 1),
    arity="together", fitted=True, columns=["key", "city"],
)  # fmt: skip
section.add(
    "drop_low_variance", "Leave out numbers that hardly vary in the training part.",
    LearnedFrame(_low_variance, _left_out), number("threshold", "At most this variance.", 0.0, 0),
    takes="number", arity="together", fitted=True, columns=["constant", "positive"],
)  # fmt: skip
section.add(
    "group_statistic", "A statistic of the row's group, learned from the training part.",
        GroupStatistic(),
    required("columns", "by", "The columns of the group."),
    choice("what", "Which.", "mean", *[each for each in AGGREGATES if each != "mean"]),
    choice("unseen", "What groups get that were not seen.", "overall", "missing"),
    takes="number", arity="together", fitted=True, columns=["positive"], by=["city"], what="median",
)  # fmt: skip
section.add(
    "unseen_to_null", "Values that the training part did not have, as missing.",
    LearnedFrame(
        lambda frame, call: {c: sorted(map(str,
            frame[c].drop_nulls().cast(pl.String).unique())) for c in call.columns},
        _category_match),
    arity="together", fitted=True, columns=["city"],
)  # fmt: skip
section.add(
    "keep_most_varied", "Keep the n numbers that vary most for their size in the training part.",
    LearnedFrame(lambda frame, call: _beyond(frame, call), _left_out), whole("n", "How many stay.",
        10),
    takes="number", arity="together", fitted=True, columns=["positive", "count", "whole"], n=2,
)  # fmt: skip


def _beyond(frame: pl.DataFrame, call: Call) -> State:
    def spread_of(name: str) -> float:
        series = frame[name].cast(pl.Float64)
        mean = abs(float(series.mean() or 0.0))  # type: ignore[arg-type]
        return float(series.std() or 0.0) / (mean or 1.0)  # type: ignore[arg-type]

    ranked = sorted(call.columns, key=spread_of, reverse=True)
    return {"drop": ranked[call.params["n"] :]}
