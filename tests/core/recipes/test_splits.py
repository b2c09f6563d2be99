"""Splits: each row in one part, the parts as asked, the same each time."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.domain.split import SplitSpec
from core.recipes.errors import SplitInvalid
from core.recipes.splits.assign import assign
from core.recipes.splits.report import fingerprint, report
from core.recipes.splits.spec import shares_of

START = datetime(2026, 1, 1)
SHARES = {"train": 0.6, "valid": 0.2, "test": 0.2}
shares = st.sampled_from(
    [SHARES, {"train": 0.8, "test": 0.2}, {"train": 0.5, "valid": 0.25, "test": 0.25}]
)
keys = st.lists(st.integers(0, 60), min_size=40, max_size=150)


def frame_of(values: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "row": range(len(values)),
            "key": values,
            "at": [START + timedelta(hours=value) for value in values],
            "kind": [("a", "b", None)[value % 3] for value in values],
        }
    )


def split(frame: pl.DataFrame, spec: SplitSpec) -> pl.Series:
    try:
        return assign(frame, spec)
    except SplitInvalid as error:
        assume("no rows" not in error.message and "cannot fill" not in error.message)
        raise


@settings(max_examples=40, deadline=None)
@given(keys, shares, st.sampled_from(["time", "group", "stratum", "hash", "random"]))
def test_every_row_is_in_exactly_one_part_and_always_the_same(
    values: list[int], asked: dict[str, float], kind: str
) -> None:
    frame = frame_of(values)
    column = {"time": ("at",), "group": ("key",), "stratum": ("kind",), "hash": ("row",)}
    spec = SplitSpec(kind, column.get(kind, ()), asked, seed=7)
    parts = split(frame, spec)
    assert len(parts) == frame.height
    assert parts.null_count() == 0
    assert set(parts) == set(asked)
    assert assign(frame, spec).equals(parts)
    told = report(frame, parts, spec)
    assert sum(each.rows for each in told.parts) == frame.height
    assert told.fingerprint == fingerprint(parts)


@settings(max_examples=40, deadline=None)
@given(keys, shares, st.integers(0, 5))
def test_time_goes_forward_and_one_moment_stays_together(
    values: list[int], asked: dict[str, float], gap: int
) -> None:
    frame = frame_of(values)
    parts = split(frame, SplitSpec("time", ("at",), asked, gap=f"{gap}h" if gap else ""))
    names, last = list(asked), None
    for name in names:
        times = frame.filter(parts == name)["at"]
        assert last is None or times.min() >= last + timedelta(hours=gap or 0)  # type: ignore[operator]
        assert last is None or times.min() > last  # type: ignore[operator]
        last = times.max()
    assert (parts.null_count() == 0) or gap


@settings(max_examples=40, deadline=None)
@given(keys, shares, st.sampled_from(["group", "hash"]))
def test_a_group_is_in_one_part_only(values: list[int], asked: dict[str, float], kind: str) -> None:
    frame = frame_of(values)
    parts = split(frame, SplitSpec(kind, ("key",), asked))
    per_key = frame.with_columns(parts).group_by("key").agg(pl.col("part").n_unique())
    assert per_key["part"].to_list() == [1] * per_key.height


@settings(max_examples=40, deadline=None)
@given(keys, keys, st.integers(0, 9))
def test_a_hashed_key_stays_in_its_part_when_rows_come(
    values: list[int], more: list[int], seed: int
) -> None:
    spec = SplitSpec("hash", ("key",), SHARES, seed=seed)
    first, grown = frame_of(values), frame_of(more + values)
    before = split(first, spec)
    after = split(grown, spec)[len(more) :]
    assert after.equals(before)


def test_a_hash_is_the_same_on_every_machine() -> None:
    frame = pl.DataFrame({"key": ["a", "b", "c", "d", "e", "f", None, ""]})
    parts = assign(frame, SplitSpec("hash", ("key",), {"train": 0.5, "test": 0.5}, seed=1))
    assert parts.to_list() == EXPECTED
    as_text = pl.DataFrame({"key": ["1", "2", "3", "4", "5", "6", "7", "8"]})
    as_number = as_text.cast(pl.Int64)
    halves = SplitSpec("hash", ("key",), {"train": 0.5, "test": 0.5})
    assert assign(as_text, halves).equals(assign(as_number, halves))


EXPECTED = ["train", "train", "train", "train", "test", "test", "test", "train"]


@settings(max_examples=30, deadline=None)
@given(keys)
def test_each_stratum_has_the_shares_to_within_a_row(values: list[int]) -> None:
    frame = frame_of(values)
    parts = split(frame, SplitSpec("stratum", ("kind",), SHARES))
    counted = frame.with_columns(parts).group_by("kind", "part").len()
    sizes = dict(frame.group_by("kind").len().iter_rows())
    for kind, part, rows in counted.iter_rows():
        assert abs(rows - SHARES[part] * sizes[kind]) <= 1.0


def test_numbers_as_strata_are_cut_at_quantiles() -> None:
    frame = pl.DataFrame({"y": [float(value) for value in range(200)]})
    parts = assign(frame, SplitSpec("stratum", ("y",), SHARES))
    means = frame.with_columns(parts).group_by("part").agg(pl.col("y").mean())["y"]
    assert max(means) - min(means) < 10


def test_moments_divide_a_series() -> None:
    frame = frame_of(list(range(100)))
    starts = {"train": "", "test": "2026-01-03T12:00:00"}
    parts = assign(frame, SplitSpec("time", ("at",), starts=starts, gap="6h"))
    assert parts.value_counts().sort("part")["count"].to_list() == [6, 40, 54]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (SplitSpec("sideways"), "no such way"),
        (SplitSpec("time", ("key",)), "not a time"),
        (SplitSpec("hash", ("keey",)), "there is no column"),
        (SplitSpec("hash"), "needs a column"),
        (SplitSpec("random", (), {"train": 0.5, "test": 0.2}), "sum to 0.7"),
        (SplitSpec("random", (), {"train": 1.0}), "at least two"),
        (SplitSpec("time", ("at",), gap="soon"), "no length of time"),
        (SplitSpec("time", ("at",), gap="900d"), "would have no rows"),
        (SplitSpec("time", ("at",), starts={"train": "", "test": "maybe"}), "is no time"),
        (SplitSpec("group", ("one",)), "cannot fill"),
        (SplitSpec("hash", ("span",)), "column span cannot divide rows"),
    ],
)
def test_what_cannot_be_split_is_said(spec: SplitSpec, words: str) -> None:
    frame = frame_of(list(range(60))).with_columns(one=pl.lit(1))
    frame = frame.with_columns(span=pl.duration(hours=pl.col("key")))
    with pytest.raises(SplitInvalid, match=words):
        assign(frame, spec)


@pytest.mark.parametrize("text", ["70/15/15", "0.7/0.15/0.15", "train=70,valid=15,test=15"])
def test_shares_are_read(text: str) -> None:
    assert shares_of(text) == pytest.approx({"train": 0.7, "valid": 0.15, "test": 0.15})


@pytest.mark.parametrize("text", ["", "70", "70/x", "1/2/3/4", "50/60", "-1/2", "a=1,a=1", "A=1"])
def test_shares_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(SplitInvalid):
        shares_of(text)


def test_a_series_with_a_time_zone_is_divided_by_its_own_clock() -> None:
    frame = frame_of(list(range(100))).with_columns(
        pl.col("at").dt.replace_time_zone("Europe/Berlin")
    )
    parts = assign(frame, SplitSpec("time", ("at",), starts={"train": "", "test": "2026-01-03"}))
    assert parts.value_counts().sort("part")["count"].to_list() == [52, 48]
