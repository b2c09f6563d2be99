"""Conditions on rows: what is one, and that nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.governance.conditions import check_condition, rename_columns
from core.governance.errors import PolicyInvalid

COLUMNS = ("a", "b", "A b", "Region", "ts")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a = 1 AND b IN (1, 2)", {"a", "b"}),
        ("region = 'EU' -- of Europe", {"Region"}),
        ("\"A b\" LIKE '%x!_' ESCAPE '!'", {"A b"}),
        ("ts >= now() - INTERVAL 3 DAYS", {"ts"}),
        ("a BETWEEN 1 AND 2 OR NOT b IS NULL", {"a", "b"}),
        ("CASE WHEN a > 1 THEN b = 2 ELSE false END", {"a", "b"}),
        ("lower(Region) = 'eu' AND year(ts) = 2026", {"Region", "ts"}),
        ("a = actor()", {"a"}),
        ("TRUE", set()),
    ],
)
def test_conditions(text: str, named: set[str]) -> None:
    found = check_condition(text, COLUMNS)
    assert found.columns == named
    again = found.sql({name: f'"{name}"' for name in COLUMNS}, "o'brien")
    assert "actor" not in again and ("o''brien" in again) == ("actor" in text)


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "-- nothing", "a = 1; DROP TABLE x", "a = 1) OR (SELECT true", "(SELECT 1)",
        "a IN (SELECT 1)", "EXISTS (SELECT 1)", "a = ANY (SELECT 1)", "sum(a) > 1",
        "row_number() OVER () > 1", "read_text('/etc/passwd') = 'x'", "getenv('HOME') = 'x'",
        "a = 1) FROM (SELECT 2", "a = 1 AS b", "*", "COLUMNS(*)", "#1 > 2", "?", "$1 = a",
        "list_transform([a], lambda x: x) IS NULL", "t.a = 1", "main.lower(b) = 'x'",
        "random() < 1", "current_setting('x') = b",
        "nothing = 1", "actor(1) = a", "a LIMIT 1", "a = 1 UNION SELECT 2",
        "count(*) FILTER (a > 1) > 0", "x" * 5000, "a = " + "(" * 400 + "1" + ")" * 400 + ")",
        "+".join(["a"] * 300) + " > 1", "\0",
    ],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(PolicyInvalid) as invalid:
        check_condition(text, COLUMNS)
    assert "\n" not in invalid.value.one_line() and len(invalid.value.one_line()) < 400


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab()'\"=<>;,-/*$ \nSELECTFROMorandin01.", max_size=40))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        found = check_condition(text, COLUMNS)
    except PolicyInvalid:
        return
    assert found.columns <= set(COLUMNS)
    assert "SELECT" not in found.sql({name: name for name in COLUMNS}, "x").split("'")[0].upper()


def test_a_column_is_found_in_another_case_only_without_doubt() -> None:
    assert check_condition("REGION = 'x'", COLUMNS).columns == {"Region"}
    with pytest.raises(PolicyInvalid):
        check_condition("REGION = 'x'", (*COLUMNS, "region"))


def test_renaming() -> None:
    assert rename_columns("a = 1 AND b = actor()", {"a": "new name"}) == (
        '(("new name" = 1) AND (b = actor()))'
    )
    assert rename_columns("b  =  1", {"a": "c"}) == "b  =  1"
