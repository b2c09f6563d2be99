"""Proposals while a statement is typed; the cursor stands at the bar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.query.completion import Catalogue, complete

CATALOGUE = Catalogue(
    {
        "rentals": {"ts": "timestamp", "cnt": "long", "Count All": "long"},
        "weather": {"ts": "timestamp", "temp": "double"},
    },
    {"rentals": ["v1", "v2", "prod"]},
)


def proposals(text: str) -> list[str]:
    cursor = text.index("|")
    return [each.text for each in complete(text.replace("|", ""), cursor, CATALOGUE)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("SELECT * FROM |", ["rentals", "weather"]),
        ("SELECT * FROM we|", ["weather"]),
        ("SELECT * FROM rentals, |", ["rentals", "weather"]),
        ("SELECT * FROM rentals r JOIN w|", ["weather"]),
        ("SELECT * FROM rentals@|", ["rentals@v1", "rentals@v2", "rentals@prod"]),
        ("SELECT * FROM rentals@p|", ["rentals@prod"]),
        ("SELECT r.| FROM rentals r", ["ts", "cnt", '"Count All"']),
        ("SELECT te| FROM weather", ["temp"]),
        ("SELECT r.c| FROM rentals AS r, weather w", ["cnt", '"Count All"']),
        ("DESCRIBE re|", ["rentals"]),
        ("sel|", ["select"]),
        ("SEL|", ["SELECT"]),
        ("SELECT approx_c|", ["approx_count_distinct("]),
        ("SELECT x.| FROM rentals r", []),
        ("SELECT 'FROM |'", []),
        ("SELECT 1 -- FROM |", []),
    ],
)
def test_what_is_proposed(text: str, first: list[str]) -> None:
    assert proposals(text)[: max(1, len(first))] == first


def test_a_proposal_replaces_what_was_typed() -> None:
    text = "SELECT * FROM rentals WHERE cn"
    (found, *_) = complete(text, len(text), CATALOGUE)
    assert (text[: found.start] + found.text, found.kind, found.detail) == (
        "SELECT * FROM rentals WHERE cnt", "column", "long",
    )  # fmt: skip


@given(st.text(alphabet="SELCTFROM rentals.,@'\"*-/()\n|wv1", max_size=60), st.data())
def test_never_fails(text: str, data: st.DataObject) -> None:
    cursor = data.draw(st.integers(0, len(text)))
    for each in complete(text, cursor, CATALOGUE):
        assert 0 <= each.start <= cursor
