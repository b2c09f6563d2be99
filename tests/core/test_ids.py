"""Identifiers: short, unique, sorted by time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import ids


def test_ids_are_unique_and_of_one_form() -> None:
    made = [ids.new_id() for _ in range(2000)]
    assert len(set(made)) == 2000
    assert all(re.fullmatch("[0-9a-hjkmnp-tv-z]{16}", each) for each in made)
    assert all(re.fullmatch("[0-9a-hjkmnp-tv-z]{8}", ids.short_id()) for _ in range(50))


@given(at=st.floats(1.6e9, 4e9), later=st.floats(0.002, 1e8))
def test_a_later_id_sorts_behind(at: float, later: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids.time, "time", lambda: at)
        one = ids.new_id()
        patch.setattr(ids.time, "time", lambda: at + later)
        assert one < ids.new_id()
