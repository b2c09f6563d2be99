"""Categories as numbers: one-hot, ordinal, frequency, target statistics out of fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from core.recipes.errors import StepBroken
from core.recipes.operation import Call, LearnedColumn, Lineage, Operation, State, spread
from core.recipes.own.define import Section, choice, number, optional, text, whole
from core.recipes.own.texts import _digest

section = Section("categories")

Params = Mapping[str, Any]


def _counts(series: pl.Series) -> list[tuple[str, int]]:
    """The values as texts, the most frequent first, ties by the text."""
    known = series.drop_nulls().cast(pl.String)
    counted = known.value_counts(name="\0n").rows()
    return sorted(
        ((str(value), int(n)) for value, n in counted), key=lambda each: (-each[1], each[0])
    )


def _frequent(series: pl.Series, params: Params) -> list[str]:
    total = max(1, len(series))
    counts = [(v, n) for v, n in _counts(series) if n / total >= params["min_share"]]
    return [value for value, _ in counts[: params["max_values"]]]


class _OneHot(Operation):
    """A column for each value seen in training; others by what `unknown` says."""

    names = True
    keeps = True

    def fit(self, frame: pl.DataFrame, call: Call) -> State:
        return {each: sorted(_frequent(frame[each], call.params)) for each in call.columns}

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        made: dict[str, pl.Series] = {}
        for column in call.columns:
            values, unknown = state[column], call.params["unknown"]
            as_text = frame[column].cast(pl.String)
            other = ~as_text.is_in(values)
            if unknown == "fail" and other.fill_null(False).any():
                seen = as_text.filter(other.fill_null(False))[0]
                raise StepBroken(
                    f"column {column}: value {seen!r} was not seen in training",
                    "let it be: unknown: ignore or other",
                )
            for value in values:
                flags = (as_text == value).fill_null(False).cast(pl.Int8)
                made[f"{column}_{value}"] = flags
            if unknown == "other":
                made[f"{column}_other"] = other.fill_null(True).cast(pl.Int8)
        return spread(frame, call, made)

    def lineage(self, call: Call, made: Sequence[str], state: State) -> Lineage:
        back: dict[str, tuple[str, ...]] = {}
        for column in call.columns:
            for value in (*state[column], "other"):
                name = (call.pattern or "{name}").replace("{name}", f"{column}_{value}")
                back[name] = (column,)
        return {name: back.get(name, call.columns) for name in made}


class TargetEncoding(Operation):
    """The mean of the target per category, drawn to the overall mean for rare ones.

    In training each row gets what the other folds (with `time`: the rows before it) say, so
    that no row sees its own target; later rows get what the whole training part says.
    `(sum + smoothing * mean) / (count + smoothing)`, after Micci-Barreca 2001.
    """

    names = True
    reads_references = False

    def fit(self, frame: pl.DataFrame, call: Call) -> State:
        y = target_values(frame, call)
        mean = _mean(y)
        state: State = {"mean": mean}
        for column in call.columns:
            table = _sums(frame[column], y)
            state[column] = {
                "values": table["\0key"].to_list(),
                "encoded": self._smooth(table["\0sum"], table["\0n"], mean, call).to_list(),
            }
        return state

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        made = {}
        for column in call.columns:
            learned, mean = state[column], state["mean"]
            encoded = frame[column].cast(pl.String).fill_null("\0").replace_strict(
                learned["values"], learned["encoded"], default=mean, return_dtype=pl.Float64
            )  # fmt: skip
            made[call.result_name(column)] = encoded
        return frame.with_columns(**made)

    def fit_apply(self, frame: pl.DataFrame, call: Call) -> tuple[State, pl.DataFrame]:
        state = self.fit(frame, call)
        y = target_values(frame, call)
        made = {}
        for column in call.columns:
            maker = self._before if call.params["time"] else self._out_of_fold
            made[call.result_name(column)] = maker(frame, column, y, call)
        return state, frame.with_columns(**made)

    def _smooth(self, total: pl.Series, n: pl.Series, mean: float, call: Call) -> pl.Series:
        weight = float(call.params["smoothing"])
        return (total + weight * mean) / (n + weight).clip(1e-12)

    def _out_of_fold(self, frame: pl.DataFrame, column: str, y: pl.Series, call: Call) -> pl.Series:
        from core.recipes.own.keyed import folds

        data = _keyed(frame[column], y).with_columns(folds(frame.height, call.params["folds"]))
        each = data.group_by("\0key", "\0fold").agg(
            pl.col("\0y").sum().alias("\0fs"), pl.len().alias("\0fn")
        )
        whole = data.group_by("\0key").agg(
            pl.col("\0y").sum().alias("\0sum"), pl.len().alias("\0n")
        )
        means = data.group_by("\0fold").agg(
            pl.col("\0y").sum().alias("\0ms"), pl.len().alias("\0mn")
        )
        wide = (
            data.join(each, on=["\0key", "\0fold"], how="left", maintain_order="left")
            .join(whole, on="\0key", how="left", maintain_order="left")
            .join(means, on="\0fold", how="left", maintain_order="left")
        )
        weight = float(call.params["smoothing"])
        others = (float(data["\0y"].sum()) - pl.col("\0ms")) / (data.height - pl.col("\0mn")).clip(
            1
        )
        left = pl.col("\0n") - pl.col("\0fn")
        encoded = (pl.col("\0sum") - pl.col("\0fs") + weight * others) / (left + weight).clip(1e-12)
        value = pl.when(left > 0).then(encoded).otherwise(others)
        return wide.select(value.alias("encoded"))["encoded"]

    def _before(self, frame: pl.DataFrame, column: str, y: pl.Series, call: Call) -> pl.Series:
        """Only from rows with an earlier time; rows of the same time do not see each other."""
        prior = _mean(y)
        data = _keyed(frame[column], y).with_columns(
            frame[call.params["time"]].alias("\0t"), pl.int_range(frame.height).alias("\0i")
        )
        moments = data.group_by("\0key", "\0t").agg(
            pl.col("\0y").sum().alias("\0s"), pl.len().alias("\0c")
        )
        moments = moments.sort("\0key", "\0t").with_columns(
            (pl.col("\0s").cum_sum() - pl.col("\0s")).over("\0key").alias("\0before"),
            (pl.col("\0c").cum_sum() - pl.col("\0c")).over("\0key").alias("\0count"),
        )
        everyone = data.group_by("\0t").agg(
            pl.col("\0y").sum().alias("\0as"), pl.len().alias("\0ac")
        )
        everyone = everyone.sort("\0t").with_columns(
            (pl.col("\0as").cum_sum() - pl.col("\0as")).alias("\0ab"),
            (pl.col("\0ac").cum_sum() - pl.col("\0ac")).alias("\0an"),
        )
        wide = data.join(moments, on=["\0key", "\0t"], how="left").join(
            everyone, on="\0t", how="left"
        )
        weight = float(call.params["smoothing"])
        # The very first rows have nobody before them: they get the overall mean's place, 0 news.
        overall = pl.when(pl.col("\0an") > 0).then(pl.col("\0ab") / pl.col("\0an"))
        encoded = (pl.col("\0before") + weight * overall) / (pl.col("\0count") + weight).clip(1e-12)
        value = pl.when(pl.col("\0count") > 0).then(encoded).otherwise(overall).fill_null(prior)
        encoded_by_row = wide.sort("\0i").select(value.alias("encoded"))
        return encoded_by_row["encoded"]


def target_values(frame: pl.DataFrame, call: Call) -> pl.Series:
    """The target as numbers: flags and two-valued texts as 0 and 1. Raises `StepBroken`."""
    assert call.target is not None  # the plan asks for one
    y = frame[call.target]
    if y.null_count():
        raise StepBroken(
            f"the target {call.target} is missing in {y.null_count():,} rows", "drop them"
        )
    if y.dtype.is_numeric() or y.dtype == pl.Boolean:
        return y.cast(pl.Float64)
    levels = sorted(y.cast(pl.String).unique().to_list())
    if len(levels) == 2:
        second: pl.Series = y.cast(pl.String) == levels[1]
        return second.cast(pl.Float64)
    raise StepBroken(
        f"the target {call.target} is {y.dtype} with {len(levels)} values",
        "encode it as a number, or as two classes",
    )


def _mean(y: pl.Series) -> float:
    return float(y.mean() or 0.0)  # type: ignore[arg-type]


def _keyed(series: pl.Series, y: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"\0key": series.cast(pl.String).fill_null("\0"), "\0y": y})


def _sums(series: pl.Series, y: pl.Series) -> pl.DataFrame:
    data = _keyed(series, y).group_by("\0key")
    return data.agg(pl.col("\0y").sum().alias("\0sum"), pl.len().alias("\0n")).sort("\0key")


class _Woe(TargetEncoding):
    """log of the share of ones among the category over the share of zeros (weight of evidence)."""

    def fit(self, frame: pl.DataFrame, call: Call) -> State:
        y = target_values(frame, call)
        if set(y.unique().to_list()) - {0.0, 1.0}:
            raise StepBroken(f"the target {call.target} has more than two classes")
        ones, zeros = float(y.sum()), float(len(y) - y.sum())
        state: State = {"mean": 0.0}
        for column in call.columns:
            table, half = _sums(frame[column], y), float(call.params["smoothing"])
            good = (table["\0sum"] + half) / (ones + 2 * half)
            bad = (table["\0n"] - table["\0sum"] + half) / (zeros + 2 * half)
            state[column] = {
                "values": table["\0key"].to_list(),
                "encoded": (good / bad).log().to_list(),
            }
        return state

    def fit_apply(self, frame: pl.DataFrame, call: Call) -> tuple[State, pl.DataFrame]:
        state = self.fit(frame, call)
        return state, self.apply(frame, call, state)


def _ordinal(series: pl.Series, params: Params) -> list[str]:
    if params["order"] == "given":
        return [str(each) for each in params["values"] or ()]
    counts = _counts(series)
    return (
        [v for v, _ in counts] if params["order"] == "frequency" else sorted(v for v, _ in counts)
    )


def _codes(column: pl.Expr, values: Any, params: Params) -> pl.Expr:
    other = -1 if params["unknown"] == "minus one" else None
    codes = column.cast(pl.String).replace_strict(
        values, list(range(len(values))), default=other, return_dtype=pl.Int32
    )
    return pl.when(column.is_null()).then(None).otherwise(codes)


def _shares(series: pl.Series, params: Params) -> dict[str, list[Any]]:
    counts, total = _counts(series), max(1, len(series))
    kept = [n / total if params["as"] == "share" else float(n) for _, n in counts]
    return {"values": [v for v, _ in counts], "encoded": kept}


def _looked_up(column: pl.Expr, learned: Any, params: Params) -> pl.Expr:
    return column.cast(pl.String).replace_strict(
        learned["values"], learned["encoded"], default=0.0, return_dtype=pl.Float64
    )


def _rare(column: pl.Expr, values: Any, params: Params) -> pl.Expr:
    as_text = column.cast(pl.String)
    return (
        pl.when(as_text.is_null() | as_text.is_in(values))
        .then(as_text)
        .otherwise(pl.lit(params["word"]))
    )


class _Buckets(Operation):
    """A digest of the value as a number below `buckets`; needs no training."""

    names = True

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        made = {}
        for column in call.columns:
            known = frame[column].cast(pl.String).unique().drop_nulls()
            places = [
                int(_digest(v, call.params["salt"], 15) or "0", 16) % call.params["buckets"]
                for v in known
            ]
            made[call.result_name(column)] = pl.col(column).cast(pl.String).replace_strict(
                known, pl.Series(places, dtype=pl.Int32), default=None, return_dtype=pl.Int32
            )  # fmt: skip
        return frame.with_columns(**made)


class _MultiHot(Operation):
    """A flag for each value that lists had in training."""

    names = True
    keeps = True

    def fit(self, frame: pl.DataFrame, call: Call) -> State:
        return {c: sorted(_frequent(frame[c].explode(), call.params)) for c in call.columns}

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        made = {
            f"{column}_{value}": frame[column].cast(pl.List(pl.String)).list.contains(value)
            .fill_null(False).cast(pl.Int8)
            for column in call.columns for value in state[column]
        }  # fmt: skip
        return spread(frame, call, made)

    lineage = _OneHot.lineage


class _Binary(Operation):
    """The ordinal code of a value as binary digits, a column a digit; 0 for values not seen."""

    names = True
    keeps = True

    def fit(self, frame: pl.DataFrame, call: Call) -> State:
        return {c: [v for v, _ in _counts(frame[c])] for c in call.columns}

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        made: dict[str, pl.Series] = {}
        for column in call.columns:
            values = state[column]
            codes = frame[column].cast(pl.String).replace_strict(
                values, list(range(1, len(values) + 1)), default=0, return_dtype=pl.Int64
            ).fill_null(0)  # fmt: skip
            for bit in range(max(1, len(values).bit_length())):
                made[f"{column}_{bit}"] = (codes // 2**bit % 2).cast(pl.Int8)
        return spread(frame, call, made)

    def lineage(self, call: Call, made: Sequence[str], state: State) -> Lineage:
        pattern, back = call.pattern or "{name}", {}
        for column in call.columns:
            for bit in range(max(1, len(state[column]).bit_length())):
                back[pattern.replace("{name}", f"{column}_{bit}")] = (column,)
        return {name: back.get(name, call.columns) for name in made}


_most = whole("max_values", "At most so many, the most frequent.", 50, 1, 10_000)
_least = number("min_share", "Only values with at least this share of the rows.", 0.0, 0, 1)
section.add(
    "one_hot", "A column of 0 and 1 for each value; others by what unknown says.", _OneHot(),
    choice("unknown", "What a value not seen gives: zeros, a column of its own, an error.",
        "ignore", "other", "fail"), _most, _least,
    arity="together", fitted=True, columns=["city"], unknown="other",
)  # fmt: skip
section.add(
    "multi_hot", "A column of 0 and 1 for each value that lists hold.", _MultiHot(), _most, _least,
    takes="list", arity="together", fitted=True, columns=["words"],
)  # fmt: skip
section.add(
    "binary_encode", "Categories as binary digits: few columns for many values.", _Binary(),
    arity="together", fitted=True, columns=["city"],
)  # fmt: skip
section.add(
    "ordinal", "Categories as 0, 1, 2, …", LearnedColumn(_ordinal, _codes),
    choice("order", "By what.", "alphabet", "frequency", "given"),
    optional("list", "values", "The order where it is given."),
    choice("unknown", "What a value not seen gives.", "missing", "minus one"),
    fitted=True, columns="city",
)  # fmt: skip
section.add(
    "frequency", "How often the value was in the training part.", LearnedColumn(_shares,
        _looked_up),
    choice("as", "As a share or a count.", "share", "count"), fitted=True, columns="city",
)  # fmt: skip
section.add(
    "rare_to_other", "Values that were rare in the training part as one word.",
    LearnedColumn(_frequent, _rare), _most, _least, text("word", "The word.", "other"),
    fitted=True, columns="city", max_values=2,
)  # fmt: skip
section.add(
    "target_encode", "The mean of the target per category; in training out of fold.",
    TargetEncoding(),
    number("smoothing", "As many rows of the overall mean are mixed in.", 10.0, 0),
    whole("folds", "Folds of the training part.", 5, 2, 100),
    optional("column", "time", "In training use rows before this time instead of folds."),
    arity="together", fitted=True, scope="frame", target="any", columns=["city"],
)  # fmt: skip
section.add(
    "weight_of_evidence", "log of the share of ones over the share of zeros per category.", _Woe(),
    number("smoothing", "Rows added to either class.", 0.5, 1e-9),
    arity="together", fitted=True, target="class", columns=["city"],
)  # fmt: skip
section.add(
    "hash_bucket", "A number below so many buckets from the value itself; nothing is learned.",
    _Buckets(), whole("buckets", "How many.", 32, 2, 1_000_000),
    text("salt", "Other salt, other buckets.", ""), columns="city", buckets=8,
)  # fmt: skip
