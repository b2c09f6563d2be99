"""Samples by stratum, differences and drawings."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from core.explore.diff import profile_diff
from core.explore.profiling import profile_frame
from core.explore.sampling import allotted, sample_rows
from screens import profile_lines as draw


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=30), st.integers(1, 500))
def test_each_stratum_has_its_share(sizes: list[int], count: int) -> None:
    given_ = allotted(sizes, count)
    assert sum(given_) == min(count, sum(sizes))
    assert all(0 <= got <= size for got, size in zip(given_, sizes, strict=True))
    if count >= len(sizes):
        assert min(given_) >= 1


def test_the_same_seed_draws_the_same_rows() -> None:
    frame = pl.DataFrame({"n": range(1000), "g": ["a"] * 900 + ["b"] * 99 + ["c"]})
    one, of = sample_rows(frame.iter_slices(100), 20, seed=4)
    two, _ = sample_rows(frame.iter_slices(100), 20, seed=4)
    assert one.equals(two) and of == 1000 and one.height == 20
    other, _ = sample_rows(frame.iter_slices(100), 20, seed=5)
    assert not one.equals(other)
    strata, _ = sample_rows(frame.iter_slices(70), 20, stratify="g")
    assert dict(strata["g"].value_counts().rows()) == {"a": 17, "b": 2, "c": 1}
    assert strata["n"].is_sorted()
    with pytest.raises(BadInput, match="no column x"):
        sample_rows(frame.iter_slices(70), 20, stratify="x")


def test_a_difference_names_what_changed() -> None:
    draws = np.random.default_rng(2)
    before = pl.DataFrame(
        {
            "same": draws.normal(size=2000),
            "moved": draws.normal(size=2000),
            "code": draws.choice(["a", "b"], 2000),
            "gone": [1] * 2000,
            "kind": [1] * 2000,
        }
    )
    after = before.with_columns(
        pl.col("moved") + 1,
        pl.when(pl.int_range(pl.len()) < 50).then(pl.lit("z")).otherwise("code").alias("code"),
        pl.col("kind").cast(pl.String),
        pl.lit(3).alias("new"),
    ).drop("gone")
    first = profile_frame("d", before)
    diff = profile_diff(first, profile_frame("d", after))
    found = {each.name: each for each in diff.columns}
    changes = {name: each.change for name, each in found.items()}
    assert changes == {
        "same": "same",
        "moved": "shifted",
        "code": "shifted",
        "gone": "removed",
        "new": "added",
        "kind": "retyped",
    }
    assert found["code"].new_values == ("z",)
    shift = found["moved"].shift
    assert shift is not None and shift.psi > 0.5
    one, two = draw.diff_drawing(found["moved"], 16)
    assert len(one) == len(two) == 16 and one != two


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=100), st.integers(1, 60))
def test_a_drawing_is_never_wider_than_asked_and_shows_each_peak(
    counts: list[int], width: int
) -> None:
    drawn = draw.levels(counts, width)
    assert len(drawn) == min(len(counts), width)
    assert ("█" in drawn) == any(counts)
    if len(counts) <= width:
        assert all((mark == " ") == (count == 0) for mark, count in zip(drawn, counts, strict=True))


def test_bars_grow_by_eighths() -> None:
    assert draw.bar(0, 10) == "" and draw.bar(1, 10) == "█" * 10
    assert draw.bar(0.0001, 10) == "▏" and draw.bar(0.5, 1) == "▌"
