"""Leakage: what is planted is named, and nothing else is."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from core.domain.split import LeakReport, SplitSpec
from core.recipes.errors import LeakCheckInvalid
from core.recipes.leaks.check import check
from core.recipes.splits.assign import assign

BIKE = Path(__file__).parents[3] / "assets/examples/bike-demand/data/bike_hourly.csv.gz"
SPLIT = SplitSpec("random", (), {"train": 0.7, "test": 0.3}, seed=3)


def clean(rows: int = 900) -> pl.DataFrame:
    """Features that say something of `y`, but do not give it away."""
    draw = np.random.default_rng(5)
    x = draw.normal(size=(rows, 4))
    return pl.DataFrame(
        {
            "row": range(rows),
            "at": [datetime(2026, 1, 1) + timedelta(hours=each) for each in range(rows)],
            "a": x[:, 0],
            "b": x[:, 1],
            "c": draw.integers(0, 40, rows),
            "d": draw.integers(0, 40, rows),
            "city": [("Ulm", "Bonn", "Hof")[each] for each in draw.integers(0, 3, rows)],
            "y": x[:, 0] * 2 + x[:, 2] + draw.normal(size=rows),
        }
    )


def kinds(report: LeakReport) -> set[tuple[str, tuple[str, ...]]]:
    return {(each.kind, each.columns) for each in report.leaks}


def test_the_bike_data_names_the_two_columns_that_are_the_answer() -> None:
    frame = pl.read_csv(BIKE, try_parse_dates=True)
    parts = assign(frame, SplitSpec("time", ("ts",), gap="24h"))
    report = check(frame, "cnt", parts=parts, time="ts")
    assert not report.clean
    first = report.leaks[0]
    assert first.kind == "sum is target"
    assert set(first.columns) == {"casual", "registered"}
    assert first.message == "casual + registered = cnt in 100.0% of the rows"
    without = frame.drop("casual", "registered")
    assert check(without, "cnt", parts=parts, time="ts").leaks == ()


def test_nothing_is_found_where_nothing_leaks() -> None:
    frame = clean()
    report = check(frame, "y", parts=assign(frame, SplitSpec("time", ("at",))), time="at")
    assert report.leaks == ()
    assert report.clean


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pl.col("y"), "equals target"),
        (pl.col("y") * 2.5 - 3, "scaled target"),
        (pl.col("y").exp(), "orders target"),
        ((pl.col("y") - 1) ** 2 * (pl.col("y") - 1).sign() + 0.001 * pl.col("a"), "orders target"),
        (((pl.col("y") * 3).sin() * 0 + (pl.col("y") * 20).round()).abs(), None),
    ],
)
def test_a_column_that_gives_the_target_away_is_named(column: pl.Expr, kind: str | None) -> None:
    report = check(clean().with_columns(column.alias("twin")), "y")
    found = {each.kind for each in report.leaks if each.columns == ("twin",)}
    assert found == ({kind} if kind else set())


def test_a_class_under_another_name_is_named() -> None:
    frame = clean().with_columns(label=pl.when(pl.col("a") > 0).then(1).otherwise(0))
    frame = frame.with_columns(word=pl.col("label").replace_strict({0: "no", 1: "yes"}))
    assert ("renamed target", ("word",)) in kinds(check(frame, "label"))


def test_a_category_that_predicts_the_target_alone_is_named_and_an_identifier_is_not() -> None:
    frame = clean().with_columns(
        code=pl.col("c").cast(pl.String), uid=pl.col("row").cast(pl.String) + "x"
    )
    frame = frame.with_columns(y=(pl.col("c") * 7 % 40) + 0.01 * pl.col("a"))
    found = kinds(check(frame.drop("c"), "y"))
    assert ("predicts target", ("code",)) in found
    assert not any("uid" in columns for _, columns in found)


@pytest.mark.parametrize(
    ("expression", "columns"),
    [
        (pl.col("a") + pl.col("b"), {"a", "b"}),
        (pl.col("c") - pl.col("d"), {"c", "d"}),
        (pl.col("a") + pl.col("b") - pl.col("c"), {"a", "b", "c"}),
        (pl.col("a") - pl.col("b") + pl.col("c") - pl.col("d"), {"a", "b", "c", "d"}),
    ],
)
def test_a_sum_that_is_the_target_is_named(expression: pl.Expr, columns: set[str]) -> None:
    frame = clean().with_columns(y=expression)
    sums = [set(each.columns) for each in check(frame, "y").leaks if each.kind == "sum is target"]
    assert sums == [columns]


def test_a_sum_is_found_among_columns_with_gaps() -> None:
    frame = clean().with_columns(y=pl.col("a") + pl.col("b"))
    holes = {
        f"hole{each}": pl.when(pl.col("row") % 12 == each).then(pl.col("c")) for each in range(12)
    }
    found = kinds(check(frame.with_columns(**holes), "y"))
    assert any(kind == "sum is target" and set(c) == {"a", "b"} for kind, c in found)


def test_a_column_that_says_the_class_is_named() -> None:
    frame = clean().with_columns(y=pl.col("city"), code=pl.col("city").str.slice(0, 2) + "-")
    frame = frame.with_columns(code=pl.col("code") + (pl.col("c") % 3).cast(pl.String))
    report = check(frame.drop("city"), "y")
    assert [(each.kind, each.columns) for each in report.leaks] == [("predicts target", ("code",))]


def test_columns_of_any_type_and_targets_of_one_value_are_looked_at() -> None:
    frame = clean(60).with_columns(
        items=pl.lit([1, 2]),
        both=pl.struct("a", "b"),
        raw=pl.lit(b"x"),
        nothing=pl.lit(None),
        kind=pl.col("city").cast(pl.Categorical),
        span=pl.duration(hours=pl.col("c")),
        same=pl.lit(1),
    )
    parts = assign(frame, SPLIT)
    for target in ("y", "city", "same", "nothing", "items", "flag"):
        known = frame.with_columns(flag=pl.col("a") > 0)
        assert check(known, target, parts=parts, time="at").target == target


def test_duplicates_keys_groups_and_order_between_parts() -> None:
    frame = clean(400)
    doubled = pl.concat([frame, frame])
    parts = assign(doubled, SPLIT)
    report = check(doubled, "y", parts=parts, time="at", group=["city"], key=["row"])
    found = {each.kind for each in report.leaks}
    assert {"duplicate rows", "shared keys", "shared groups", "trained on later rows"} <= found
    by_city = assign(doubled, SplitSpec("group", ("city",), {"train": 0.6, "test": 0.4}))
    again = {each.kind for each in check(doubled, "y", parts=by_city, group=["city"]).leaks}
    assert not again & {"shared groups", "duplicate rows"}


def test_a_time_after_the_rows_own_is_named() -> None:
    frame = clean().with_columns(
        settled=pl.col("at") + pl.duration(hours=1),
        day=pl.col("at").dt.date(),
        known=pl.col("at") - pl.duration(hours=1),
    )
    found = [each for each in check(frame, "y", time="at").leaks if each.kind == "future time"]
    assert [each.columns for each in found] == [("settled",)]


def test_a_statistic_of_all_rows_is_named_and_one_of_the_training_part_is_not() -> None:
    frame = clean()
    parts = assign(frame, SPLIT)
    everyone = frame.with_columns(pl.col("y").mean().over("city").alias("mean"))
    assert ("target statistic", ("mean", "city")) in kinds(check(everyone, "y", parts=parts))
    train = frame.filter(parts == "train").group_by("city").agg(mean=pl.col("y").mean())
    fair = frame.join(train, on="city", how="left", maintain_order="left")
    assert ("target statistic", ("mean", "city")) not in kinds(check(fair, "y", parts=parts))


def test_a_name_that_is_not_there_is_said() -> None:
    with pytest.raises(LeakCheckInvalid, match="no column target"):
        check(clean(), "target")
