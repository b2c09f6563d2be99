"""The transformations of our own that must not be wrong: gaps, lags, encodings, duplicates."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.recipes.errors import StepBroken
from core.recipes.plan import FittedRecipe, Plan
from core.recipes.recipe import Recipe, Step

BIKE = Path(__file__).parents[3] / "assets/examples/bike-demand/data/bike_hourly.csv.gz"
START = datetime(2026, 1, 1)


def fit(
    frame: pl.DataFrame, use: str, *columns: str, target: str = "y", **params: Any
) -> FittedRecipe:
    return Plan(Recipe("r", (Step(use, use, columns, params=params),), target=target)).fit(frame)


def done(
    frame: pl.DataFrame, use: str, *columns: str, target: str = "y", **params: Any
) -> pl.DataFrame:
    plan = Plan(Recipe("r", (Step(use, use, columns, params=params),), target=target))
    return plan.fit_apply(frame)[1]


def test_the_missing_hours_of_the_bike_data_are_filled() -> None:
    frame = pl.read_csv(BIKE, try_parse_dates=True)
    after = done(frame, "fill_gaps", "all", time="ts", every="1h", mark="new",
                 methods={"cnt": "zero"}, target="")  # fmt: skip
    assert after.height - frame.height == 165 == after["new"].sum()
    assert after["ts"].diff().drop_nulls().unique().to_list() == [timedelta(hours=1)]
    kept = after.filter(~pl.col("new")).drop("new")
    assert kept.equals(frame)
    assert after.filter("new")["cnt"].unique().to_list() == [0]
    assert after.null_count().sum_horizontal()[0] == 0


def test_gaps_are_filled_by_group_and_from_known_rows_only() -> None:
    frame = pl.DataFrame(
        {
            "t": [START, START + timedelta(hours=3), START, START + timedelta(hours=1)],
            "g": ["a", "a", "b", "b"],
            "v": [0.0, 3.0, None, 5.0],
            "w": ["x", "y", "p", "q"],
        }
    )
    after = done(frame, "fill_gaps", "v", "w", time="t", every="1h", by=["g"])
    assert after["v"].to_list() == [0.0, 1.0, 2.0, 3.0, None, 5.0]
    assert after["w"].to_list() == ["x", "x", "x", "y", "p", "q"]
    with pytest.raises(StepBroken, match="same time"):
        done(pl.concat([frame, frame]), "fill_gaps", "v", time="t", every="1h", by=["g"])


def test_dedupe_keeps_the_newest_of_each_key_in_the_order_of_the_rows() -> None:
    frame = pl.DataFrame({"k": [1, 2, 1, 2, 3], "t": [5, 1, 4, 1, None], "v": list("abcde")})
    assert done(frame, "dedupe", "k", newest_by="t")["v"].to_list() == ["a", "d", "e"]
    assert done(frame, "dedupe", "k", newest_by="t", keep="oldest")["v"].to_list() == [
        "b",
        "c",
        "e",
    ]
    assert done(frame, "dedupe", "k")["v"].to_list() == ["c", "d", "e"]


def test_lags_look_back_in_time_within_the_group_whatever_the_order_of_rows() -> None:
    frame = pl.DataFrame(
        {"t": [START + timedelta(hours=h) for h in (2, 0, 1, 0, 2)], "g": list("aabbb")[:5],
         "v": [20, 0, 110, 100, 120]}
    )  # fmt: skip
    after = done(frame, "lag", "v", n=1, time="t", by=["g"])
    assert after["v_lag1"].to_list() == [0, None, 100, None, 110]
    exact = done(frame, "lag_time", "v", back="1h", time="t", by=["g"])
    assert exact["v_1h_ago"].to_list() == [None, None, 100, None, 110]
    assert after["v"].to_list() == frame["v"].to_list()


def test_windows_never_see_the_row_itself() -> None:
    frame = pl.DataFrame(
        {
            "t": [START + timedelta(hours=h) for h in (0, 1, 1, 2, 5)],
            "v": [1.0, 2.0, 4.0, 8.0, 16.0],
        }
    )
    after = done(frame, "rolling", "v", what="sum", window="2h", time="t")
    assert after["v_rolling"].to_list() == [None, 1.0, 1.0, 7.0, None]
    so_far = done(frame, "so_far", "v", what="mean", time="t")
    assert so_far["v_so_far"].to_list()[:2] == [None, 1.0]
    rows = done(frame, "rolling_rows", "v", what="max", n=2, time="t")
    assert rows["v_last2"].to_list() == [None, 1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize("params", [{}, {"time": "t"}])
def test_a_target_encoding_of_noise_says_nothing_of_the_training_rows(params: Any) -> None:
    """Encoded in the plain way, categories of three rows would correlate at about 0.5."""
    draw = np.random.default_rng(1)
    frame = pl.DataFrame(
        {
            "c": [f"c{each % 400}" for each in range(1200)],
            "t": [START + timedelta(minutes=int(each)) for each in range(1200)],
            "y": draw.normal(size=1200),
        }
    )
    encoded = done(frame, "target_encode", "c", smoothing=0.0, **params)
    assert abs(encoded.select(pl.corr("c", "y")).item()) < 0.1
    fitted = fit(frame, "target_encode", "c", smoothing=0.0, **params)
    means = dict(frame.group_by("c").agg(pl.col("y").mean()).iter_rows())
    later = fitted.apply(pl.DataFrame({"c": ["c1", "new", None]}))
    overall = float(frame["y"].mean())  # type: ignore[arg-type]
    assert later["c"].to_list() == pytest.approx([means["c1"], overall, overall])


def test_an_encoding_by_time_uses_earlier_rows_only() -> None:
    frame = pl.DataFrame(
        {"c": ["a", "a", "a", "b"], "t": [START + timedelta(hours=h) for h in (0, 1, 1, 2)],
         "y": [1.0, 3.0, 5.0, 9.0]}
    )  # fmt: skip
    encoded = done(frame, "target_encode", "c", smoothing=0.0, time="t")["c"].to_list()
    assert encoded[1:3] == [1.0, 1.0]
    assert encoded[3] == pytest.approx(3.0)


def test_dates_in_several_formats_are_read_and_what_fits_none_is_said() -> None:
    frame = pl.DataFrame({"d": ["2026-01-02", "03.01.2026", "2026-01-04T05:06:07Z", None]})
    assert done(frame, "parse_dates", "d")["d"].to_list() == [
        datetime(2026, 1, 2), datetime(2026, 1, 3), datetime(2026, 1, 4, 5, 6, 7), None,
    ]  # fmt: skip
    american = pl.DataFrame({"d": ["01/02/2026"]})
    assert done(american, "parse_dates", "d")["d"].to_list() == [datetime(2026, 1, 2)]
    assert done(american, "parse_dates", "d", day_first=True)["d"].to_list() == [
        datetime(2026, 2, 1)
    ]
    broken = pl.DataFrame({"d": ["2026-01-02", "the ides of March"]})
    with pytest.raises(StepBroken, match="ides of March"):
        done(broken, "parse_dates", "d")
    assert done(broken, "parse_dates", "d", strict=False)["d"].to_list()[1] is None


@pytest.mark.parametrize(
    ("unknown", "expected"),
    [("ignore", {"c_a": 0, "c_b": 0}), ("other", {"c_a": 0, "c_b": 0, "c_other": 1})],
)
def test_one_hot_of_a_value_not_seen(unknown: str, expected: dict[str, int]) -> None:
    fitted = fit(pl.DataFrame({"c": ["a", "b"]}), "one_hot", "c", unknown=unknown)
    assert fitted.apply(pl.DataFrame({"c": ["z"]})).to_dicts() == [expected]


def test_one_hot_may_refuse_a_value_not_seen() -> None:
    fitted = fit(pl.DataFrame({"c": ["a", "b"]}), "one_hot", "c", unknown="fail")
    with pytest.raises(StepBroken, match="'z' was not seen"):
        fitted.apply(pl.DataFrame({"c": ["a", "z"]}))


def test_values_are_mapped_and_nulled_by_number_or_text() -> None:
    frame = pl.DataFrame({"n": [0, 1, 2], "f": [0.0, 1.5, 2.0], "s": ["0", "x", None]})
    assert done(frame, "null_if", "f", values=[0])["f"].to_list() == [None, 1.5, 2.0]
    assert done(frame, "null_if", "s", values=[0, "x"])["s"].to_list() == [None, None, None]
    mapped = done(frame, "map_values", "n", "f", mapping={"2": 20})
    assert mapped["n"].to_list() == [0, 1, 20]
    assert mapped["f"].to_list() == [0.0, 1.5, 20.0]
    words = done(frame, "map_values", "n", mapping={"0": "no", "1": "yes"}, other="missing")
    assert words["n"].to_list() == ["no", "yes", None]


def test_outliers_are_capped_at_the_training_parts_limits() -> None:
    train = pl.DataFrame({"v": [float(each) for each in range(1, 101)]})
    fitted = fit(train, "cap_outliers", "v", method="iqr")
    low, high = 25.75 - 1.5 * 49.5, 75.25 + 1.5 * 49.5
    after = fitted.apply(pl.DataFrame({"v": [-1000.0, 50.0, 1000.0, None]}))
    assert after["v"].to_list() == pytest.approx([low, 50.0, high, None])


def test_group_statistics_come_from_the_training_part_and_missing_is_a_group() -> None:
    train = pl.DataFrame({"g": ["a", "a", None], "v": [1.0, 3.0, 9.0]})
    fitted = fit(train, "group_statistic", "v", by=["g"])
    later = pl.DataFrame({"g": ["a", None, "new"], "v": [0.0, 0.0, 0.0]})
    assert fitted.apply(later)["v_mean_g"].to_list() == pytest.approx([2.0, 9.0, 13 / 3])
