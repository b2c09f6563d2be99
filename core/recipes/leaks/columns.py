"""Single columns that say the target: equal to it, ordered like it, or predicting it alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from core.domain.split import Leak
from core.recipes.splits.mixing import mixed

RANK = 0.98
"""Spearman's rank correlation from which on a column is said to give the target away."""
SCORE = 0.95
"""Share of the target's variance that a model of this one column explains on other rows."""
BINS = 64
LEAST = 30


def single_columns(frame: pl.DataFrame, target: str, features: list[str]) -> Iterator[Leak]:
    """Findings about each feature on its own, the exact ones first."""
    y = frame[target]
    numbers = as_numbers(y)
    for name in features:
        exact = _same(frame[name], y)
        if exact is not None:
            kind, text = exact
            yield Leak(
                kind, "leak", (name,), f"{name} {text} {target}", f"leave {name} out", 1.0, 1.0
            )
            continue
        if frame.height < LEAST or y.dtype.is_nested():
            continue
        if numbers is None:
            found = _classed(frame[name], y, name, target)
        else:
            found = _scored(frame[name], numbers, name, target)
        if found is not None:
            yield found


def as_numbers(y: pl.Series) -> Any | None:
    """The target as floats: flags and two classes as 0 and 1; None where it is no number."""
    if y.dtype.is_numeric() or y.dtype == pl.Boolean:
        return y.cast(pl.Float64).fill_nan(None)
    if y.dtype.is_nested() or y.dtype == pl.Null:
        return None
    levels = _text(y.drop_nulls()).unique().sort().to_list()
    return (_text(y) == levels[1]).cast(pl.Float64) if len(levels) == 2 else None


def _same(x: pl.Series, y: pl.Series) -> tuple[str, str] | None:
    """Whether one column is the other: value for value, or under other names."""
    if x.dtype.is_nested() or y.dtype.is_nested() or x.dtype == pl.Null:
        return None
    if x.dtype == y.dtype or (x.dtype.is_numeric() and y.dtype.is_numeric()):
        if (x.eq_missing(y)).all():
            return "equals target", "equals"
        if x.dtype.is_numeric() and _affine(x, y):
            return "scaled target", "is a multiple (and shift) of"
    levels = y.n_unique()
    if 2 <= levels <= max(50, len(y) // 20) and x.n_unique() == levels:
        pairs = pl.DataFrame({"x": _text(x), "y": _text(y)})
        if pairs.n_unique() == levels and not x.dtype.is_float():
            return "renamed target", "is another name for"
    return None


def _affine(x: pl.Series, y: pl.Series) -> bool:
    import numpy as np

    both = pl.DataFrame({"x": x.cast(pl.Float64), "y": y.cast(pl.Float64)})
    if not (both["x"].is_null() == both["y"].is_null()).all():
        return False
    known = both.drop_nulls()
    if known.height < LEAST or known["x"].n_unique() < 3:
        return False
    a, b = known["x"].to_numpy(), known["y"].to_numpy()
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return False
    slope, shift = np.polyfit(a, b, 1)
    return bool(np.allclose(slope * a + shift, b, rtol=1e-9, atol=1e-9 * (np.abs(b).max() or 1.0)))


def _scored(x: pl.Series, y: Any, name: str, target: str) -> Leak | None:
    rank = rank_correlation(x, y) if x.dtype.is_numeric() or x.dtype.is_temporal() else 0.0
    if abs(rank) >= RANK:
        return Leak(
            "orders target",
            "leak" if abs(rank) >= 0.9999 else "suspect",
            (name,),
            f"{name} has the same order as {target} (rank correlation {rank:+.3f})",
            f"leave {name} out unless it is known before {target} is",
            abs(rank),
            RANK,
        )
    score = one_column_score(x, y)
    if score < SCORE:
        return None
    return Leak(
        "predicts target",
        "leak" if score >= 0.9999 else "suspect",
        (name,),
        f"{name} alone explains {score:.1%} of {target} on rows not seen",
        f"leave {name} out unless it is known before {target} is",
        score,
        SCORE,
    )


def _classed(x: pl.Series, y: pl.Series, name: str, target: str) -> Leak | None:
    score = one_column_accuracy(x, y)
    if score < SCORE:
        return None
    return Leak(
        "predicts target",
        "leak" if score >= 0.9999 else "suspect",
        (name,),
        f"{name} alone says the class of {target} on rows not seen ({score:.1%} of what is"
        " left to say)",
        f"leave {name} out unless it is known before {target} is",
        score,
        SCORE,
    )


def one_column_accuracy(x: pl.Series, y: pl.Series) -> float:
    """How much of the way from guessing the most frequent class to being always right a model
    of this one column goes, on the other half of the rows."""
    import numpy as np

    half = pl.Series("half", (mixed(np.arange(len(x)), 11) % 2).astype("int8"))
    data = pl.DataFrame({"x": _levels(x), "y": _text(y), "half": half}).drop_nulls("y")
    if data.height < LEAST or data["y"].n_unique() < 2:
        return 0.0
    counts: Any = data["y"].value_counts()["count"].max()
    base = float(counts) / data.height
    votes = data.group_by("half", "x", "y").len().sort("len", "y", descending=True)
    most = votes.group_by("half", "x", maintain_order=True).first()
    swapped = (1 - pl.col("half")).cast(pl.Int8).alias("half")
    guesses = most.select(swapped, "x", pl.col("y").alias("guess"))
    seen = data.join(guesses, on=["half", "x"], how="left", nulls_equal=True)
    right = seen.select((pl.col("y") == pl.col("guess")).fill_null(False).mean()).item()
    return (float(right) - base) / (1 - base)


def rank_correlation(x: pl.Series, y: pl.Series) -> float:
    """Spearman's, over rows in which neither is missing; 0 where one is constant."""
    known = pl.DataFrame({"x": x.to_physical().cast(pl.Float64), "y": y}).drop_nulls().drop_nans()
    if known.height < LEAST or known["x"].n_unique() < 3 or known["y"].n_unique() < 2:
        return 0.0
    value = known.select(pl.corr("x", "y", method="spearman")).item()
    return 0.0 if value is None or value != value else float(value)


def one_column_score(x: pl.Series, y: pl.Series) -> float:
    """R² on the other half of the rows of the mean of `y` per value (numbers: per one of 64
    quantiles) of `x`. A value seen on one half only counts as the overall mean, so that an
    identifier explains nothing."""
    import numpy as np

    half = pl.Series("half", (mixed(np.arange(len(x)), 11) % 2).astype("int8"))
    data = pl.DataFrame({"x": _levels(x), "y": y, "half": half}).drop_nulls("y")
    total = data["y"].var()
    if data.height < LEAST or not total:
        return 0.0
    swapped = (1 - pl.col("half")).cast(pl.Int8).alias("half")
    means = data.group_by("half", "x").agg(pl.col("y").mean().alias("mean"))
    other = means.with_columns(swapped)
    overall = data.group_by("half").agg(pl.col("y").mean().alias("overall"))
    overall = overall.with_columns(swapped)
    seen = data.join(other, on=["half", "x"], how="left", nulls_equal=True)
    guessed = seen.join(overall, on="half", how="left").with_columns(
        pl.col("mean").fill_null(pl.col("overall")).alias("guess")
    )
    error = guessed.select(((pl.col("y") - pl.col("guess")) ** 2).mean()).item()
    return 0.0 if error is None else 1.0 - float(error) / float(total)  # type: ignore[arg-type]


def _text(x: pl.Series) -> pl.Series:
    """Values of any type as texts, equal ones alike."""
    if x.dtype.is_nested():
        return x.hash().cast(pl.String)
    if x.dtype == pl.Binary:
        return x.bin.encode("hex")
    return (x.to_physical() if x.dtype == pl.Duration else x).cast(pl.String)


def _levels(x: pl.Series) -> pl.Series:
    """Values as they are, or the quantile they lie in where there are too many numbers."""
    is_number = x.dtype.is_numeric() or x.dtype.is_temporal()
    if not is_number or x.n_unique() <= BINS:
        return _text(x)
    value = x.to_physical().cast(pl.Float64)
    return ((value.rank("average") - 1) * BINS // max(1, len(x) - x.null_count())).cast(pl.String)
