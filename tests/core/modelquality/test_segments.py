"""Segments are cut on the baseline and mean the same in every window."""

from __future__ import annotations

import json

import numpy as np

from core.modelquality.segments import Cut, columns_of, make_cut, segments


def test_values_quantities_and_intersections() -> None:
    generator = np.random.default_rng(1)
    season = generator.integers(1, 5, 1000)
    temperature = generator.normal(20, 5, 1000)
    cuts = {
        "season": make_cut("season", season),
        "temp": make_cut("temp", temperature),
    }
    assert cuts["season"].labels == ("1", "2", "3", "4", "other", "missing")
    assert len(cuts["temp"].edges) == 3
    wanted = columns_of(["season", "temp", "season & temp", "gone"])
    assert wanted[2] == ("season", "temp")
    columns = {"season": season, "temp": temperature}
    found = dict(segments(wanted, cuts, columns))
    assert found["season=1"].sum() == (season == 1).sum()
    assert sum(rows.sum() for name, rows in found.items() if "&" not in name) == 2000
    both = [name for name in found if "&" in name]
    assert len(both) == 16
    assert all(" & temp=" in name for name in both)


def test_new_missing_and_rare_values() -> None:
    cut = make_cut("town", np.array(["a", "b", None] * 10, dtype=object))
    assert cut.labels == ("a", "b", "other", "missing")
    found = dict(segments([("town",)], {"town": cut}, {"town": np.array(["a", "new", None, ""])}))
    assert {name: int(rows.sum()) for name, rows in found.items()} == {
        "town=a": 1, "town=other": 1, "town=missing": 2,
    }  # fmt: skip
    many = make_cut("id", np.array([f"u{n}" for n in range(500)]))
    assert len(many.values) == 20


def test_numbers_written_differently_are_the_same_segment() -> None:
    cut = make_cut("season", np.array([1, 2, 2]))
    for values in (np.array([1.0, 2.0]), np.array(["1", "2"]), np.array([1, 2], dtype=object)):
        found = segments([("season",)], {"season": cut}, {"season": values})
        assert [name for name, _ in found] == ["season=1", "season=2"]


def test_a_cut_is_kept_as_json() -> None:
    cut = make_cut("x", np.linspace(0, 1, 100))
    assert Cut.from_json(json.loads(json.dumps(cut.to_json()))) == cut
    assert cut.labels[0].startswith("<")


def test_quantities_that_are_not_there_are_missing() -> None:
    cut = make_cut("x", np.linspace(0, 1, 100))
    found = dict(segments([("x",)], {"x": cut}, {"x": np.array([np.nan, -5.0, 99.0])}))
    assert found["x=missing"].tolist() == [True, False, False]
    assert found[f"x={cut.labels[0]}"].tolist() == [False, True, False]


def test_no_rows() -> None:
    empty = np.zeros(0)
    assert list(segments([("x",)], {"x": make_cut("x", empty)}, {"x": empty})) == []
