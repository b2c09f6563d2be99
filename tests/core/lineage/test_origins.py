"""Origins of columns in flight: composed from step to step, as text, and as edges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.engine.dataorigins import edges_of, labels_of
from core.lineage import (
    Origin,
    Origins,
    derived,
    origins_from_json,
    origins_in,
    unknown_origins,
)

NAMES = st.text("abc", min_size=1, max_size=2)
ORIGINS = st.builds(Origin, NAMES, NAMES, st.booleans(), st.sampled_from(["", "v@1"]), NAMES)
SETS = st.builds(
    Origins,
    st.dictionaries(NAMES, st.none() | st.lists(ORIGINS, max_size=3).map(tuple), max_size=4),
    st.lists(ORIGINS, max_size=2).map(tuple),
)


@given(SETS)
def test_they_survive_being_written(origins: Origins) -> None:
    read = origins_from_json(origins.to_json())
    assert read == origins
    assert list(read.columns) == list(origins.columns)  # `SELECT *` goes by the order


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"columns": {"a": [[]]}, "rows": []}'])
def test_what_is_not_theirs_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        origins_from_json(text)


@given(SETS, st.lists(NAMES, max_size=3))
def test_a_column_made_of_an_unknown_one_is_unknown(origins: Origins, names: list[str]) -> None:
    made = derived({"made": [(origins, name) for name in names]})
    parts = [origins.of(name) for name in names]
    if any(part is None for part in parts):
        assert made.of("made") is None
    else:
        whole = {(o.dataset, o.column) for part in parts for o in part or ()}
        assert {(o.dataset, o.column) for o in made.of("made") or ()} == whole
        assert not any(o.copied for o in made.of("made") or ())


def test_a_copy_of_a_copy_is_one_and_anything_else_is_not() -> None:
    first = origins_in("rentals", ["a", "b"])
    second = derived({"x": [(first, "a")], "y": [(first, "a")]}, copied=frozenset({"x"}))
    third = derived({"z": [(second, "x")], "w": [(second, "y")]}, copied=frozenset({"z", "w"}))
    assert third.of("z") == (Origin("rentals", "a", True),)
    assert third.of("w") == (Origin("rentals", "a", False),)
    assert first.deciding(["b"]).rows == (Origin("rentals", "b"),)


@given(SETS, st.lists(NAMES, max_size=3, unique=True), st.lists(NAMES, max_size=3, unique=True))
def test_a_column_of_unknown_origin_bears_the_labels_of_all(
    origins: Origins, columns: list[str], datasets: list[str]
) -> None:
    labels = labels_of(origins, columns, datasets)
    for column in columns:
        known = origins.of(column)
        if known is None:
            assert labels[column] == [(name, "") for name in datasets]
        else:
            assert set(labels[column]) == {(o.dataset, o.column) for o in known}


def test_edges_say_what_is_known_of_each_column() -> None:
    origins = Origins(
        {
            "a": (Origin("one", "x"),),
            "b": None,
            "c": (Origin("two", "y", False, "v@1", "f"),),
            "d": (),
        },
        (Origin("one", "k"),),
    )
    edges = edges_of(origins, ["a", "b", "c", "d"], ["one", "two"], "made", detail="p")
    told = {(str(e.source), str(e.target), e.detail) for e in edges}
    assert told == {
        ("dataset/one", "dataset/made", "p"),
        ("dataset/one.x", "dataset/made.a", "p, as it is"),
        ("dataset/one", "dataset/made.b", "p"),
        ("dataset/one.k", "dataset/made", "p"),
        ("dataset/two", "dataset/made", "p"),
        ("dataset/two", "dataset/made.b", "p"),
        ("dataset/two.y", "dataset/made.c", "p"),
        ("feature_view/v@1", "dataset/made", "p"),
        ("feature_view/v@1.f", "dataset/made.c", "p"),
    }
    assert all(each is None for each in unknown_origins("ab").columns.values())
